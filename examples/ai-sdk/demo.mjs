// A route behind useChat(): the question is saved, the answer is streamed and kept while it grows, and the page that
// is loaded later has both. The model is the AI SDK's mock.
//
//     node demo.mjs
//
// PGHOST, PGDATABASE … lead to a database with the extension.
import {
  convertToModelMessages, createUIMessageStreamResponse, generateId, simulateReadableStream, streamText,
} from 'ai';
import { MockLanguageModelV3 } from 'ai/test';
import pg from 'pg';
import { RagEventsChatStore } from './store.mjs';

const words = ['A single ticket ', 'is valid for 75 minutes.'];
const usage = { inputTokens: { total: 9 }, outputTokens: { total: 12 } };
const model = new MockLanguageModelV3({ // your model
  doStream: async () => ({
    stream: simulateReadableStream({
      chunks: [
        { type: 'text-start', id: '1' },
        ...words.map((delta) => ({ type: 'text-delta', id: '1', delta })),
        { type: 'text-end', id: '1' },
        { type: 'finish', finishReason: { unified: 'stop' }, usage },
      ],
    }),
  }),
});
const retrieve = async () => [{ document_id: 'tariff-04', score: 0.91 }]; // your retrieval

// POST /api/chat, with what useChat() sends. Of a client only messages of the user are taken.
async function post(store, { id: sessionId, trigger, messageId, message }) {
  await store.open(sessionId);
  if (trigger === 'regenerate-message') await store.deleteFrom(sessionId, messageId);
  else await store.save(sessionId, { ...message, role: 'user' });
  const [messages, sources] = [await store.load(sessionId), await retrieve()];
  const result = streamText({ model, messages: await convertToModelMessages(messages) });
  const messageMetadata = ({ part: { type, totalUsage: used } }) => (type !== 'finish' ? undefined
    : { model: 'm-1', input_tokens: used.inputTokens, output_tokens: used.outputTokens });
  const [theirs, ours] = result.toUIMessageStream({ generateMessageId: generateId, messageMetadata }).tee();
  const kept = store.keep(sessionId, ours, { sources, top_k: 5 }); // with Next.js: after(() => kept)
  return { response: createUIMessageStreamResponse({ stream: theirs }), kept };
}

const pool = new pg.Pool();
const store = new RagEventsChatStore({ pool, userId: 'maya' }); // the authenticated user
const sessionId = crypto.randomUUID();
const question = { id: 'q1', parts: [{ type: 'text', text: 'How long is a ticket valid?' }] };
const show = async () => {
  for (const { role, parts, metadata } of await store.load(sessionId)) {
    const text = parts.filter(({ type }) => type === 'text').map((part) => part.text).join('');
    console.log(`${role}: ${text}${metadata ? ` (${metadata.model}, ${metadata.status})` : ''}`);
  }
};

const { response, kept } = await post(store, { id: sessionId, trigger: 'submit-message', message: question });
console.log(response.status, (await response.text()).includes('75 minutes'));
const { id: messageId } = await kept;
await show();
await (await post(store, { id: sessionId, trigger: 'regenerate-message', messageId })).kept;
await show();
try { // a web application answers 409
  await post(new RagEventsChatStore({ pool, userId: 'eve' }), { id: sessionId, message: question });
} catch (error) {
  console.log(error.code, error.message);
}
await pool.end();
