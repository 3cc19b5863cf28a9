// Conversations in the tables of LangChain.js, n8n and Mastra, which are made and filled by
// the libraries themselves in the schema old; n8n's is LangChain's under another name.
// Prints what the libraries read back, a line of JSON for each message of a person or a
// model: [thread, role, text].
//
//   node coming_from.mjs          makes all
//   node coming_from.mjs later    one message more in each store, and one of Mastra's changed
import pg from 'pg';
import { PostgresChatMessageHistory } from '@langchain/community/stores/message/postgres';
import { AIMessage, HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages';
import { MessageList } from '@mastra/core/agent';
import { PostgresStore } from '@mastra/pg';

const print = (...fields) => console.log(JSON.stringify(fields));
const later = process.argv[2] === 'later';
const connection = { host: process.env.PGHOST, port: +process.env.PGPORT, user: process.env.PGUSER, password: 'unused', database: process.env.PGDATABASE };
const pool = new pg.Pool({ ...connection, max: 1 });

async function langchain(table, threads) {
  for (const thread of threads) {
    const history = new PostgresChatMessageHistory({ pool, sessionId: thread, tableName: `old.${table}` });
    if (!later) {
      await history.addMessages([
        new SystemMessage('Be brief.'),
        new HumanMessage('Weather in Oslo?'),
        new AIMessage({
          content: '', tool_calls: [{ id: 'c1', name: 'weather', args: { city: 'Oslo' } }],
          usage_metadata: { input_tokens: 9, output_tokens: 4, total_tokens: 13 }, response_metadata: { model_name: 'mock' },
        }),
        new ToolMessage({ content: 'snow', tool_call_id: 'c1', name: 'weather' }),
        new AIMessage({ content: [{ type: 'text', text: `It snows, says ${thread}.` }] }),
      ]);
    } else if (thread === threads[0]) await history.addMessage(new HumanMessage('Thanks'));
    const role = { human: 'user', ai: 'assistant' };
    for (const message of await history.getMessages()) {
      if (role[message.getType()]) print(thread, role[message.getType()], message.text);
    }
  }
}

async function mastra() {
  const store = new PostgresStore({ id: 'old', schemaName: 'old', ...connection, max: 1 });
  await store.init();
  const at = (second) => new Date(Date.UTC(2026, 2, 1, 9, 0, second));
  const save = (threadId, messages) => store.saveMessages({ format: 'v2', messages: new MessageList({ threadId, resourceId: 'maya' }).add(messages, 'memory').get.all.v2() });
  const text = (id, role, createdAt, content) => ({ id, role, createdAt, content: { format: 2, parts: [{ type: 'text', text: content }], content } });

  if (!later) {
    for (const [i, id] of ['thread-a', 'thread-b', 'thread-v1'].entries()) {
      await store.saveThread({ thread: { id, resourceId: 'maya', title: `Weather ${i}`, metadata: { folder: 'trips' }, createdAt: at(0), updatedAt: at(9) } });
    }
    await save('thread-a', [
      text('z-question', 'user', at(1), 'Weather in Oslo?'),
      { // In the same millisecond as its question.
        id: 'a-answer', role: 'assistant', createdAt: at(1),
        content: { format: 2, content: 'It snows.', metadata: { model: 'mock' }, parts: [
          { type: 'reasoning', reasoning: 'Look it up.', details: [{ type: 'text', text: 'Look it up.' }] },
          { type: 'tool-invocation', toolInvocation: { state: 'result', toolCallId: 'c1', toolName: 'weather', args: { city: 'Oslo' }, result: { sky: 'snow' } } },
          { type: 'source', source: { sourceType: 'url', id: 's1', url: 'http://example.com/', title: 'met.no' } },
          { type: 'text', text: 'It snows.' }] },
      },
    ]);
    await save('thread-b', [text('b1', 'user', at(1), '[1] is what I want.'), text('b2', 'assistant', at(2), '"Quoted", and {braces}.')]);
    // As versions before 2 of the format have them.
    const old = (id, role, type, second, content) => ({ id, role, type, createdAt: at(second), threadId: 'thread-v1', resourceId: 'maya', content });
    await store.saveMessages({ format: 'v1', messages: [
      old('v1', 'user', 'text', 1, '[1] Weather in Rome?'),
      old('v2', 'assistant', 'tool-call', 2, [{ type: 'tool-call', toolCallId: 'c2', toolName: 'weather', args: { city: 'Rome' } }]),
      old('v3', 'tool', 'tool-result', 3, [{ type: 'tool-result', toolCallId: 'c2', toolName: 'weather', result: 'sun' }]),
      old('v4', 'assistant', 'text', 4, [{ type: 'text', text: 'The sun shines.' }])] });
  } else {
    await save('thread-a', [text('later', 'user', at(5), 'Thanks')]);
    await save('thread-b', [text('b2', 'assistant', at(2), 'Changed.')]);
  }
  for (const threadId of ['thread-a', 'thread-b', 'thread-v1']) {
    for (const { role, content } of await store.getMessages({ threadId, format: 'v2' })) {
      const parts = content.parts ?? (typeof content === 'string' ? [{ text: content }] : content);
      if (role !== 'tool') print(threadId, role, parts.map((part) => part.text ?? '').join(''));
    }
  }
  await store.close();
}

await pool.query('CREATE SCHEMA IF NOT EXISTS old');
await langchain('langchain_chat_histories', ['thread_1', 'maya:2']);
await langchain('n8n_chat_histories', ['n8n-1']);
await mastra();
await pool.end();
