// The store of examples/ai-sdk under the AI SDK's own streams, with its mock of a model; prints TAP. See tap.mjs for
// the environment.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { convertToModelMessages, simulateReadableStream, stepCountIs, streamText, tool, validateUIMessages } from 'ai';
import { MockLanguageModelV3 } from 'ai/test';
import pg from 'pg';
import { z } from 'zod';
import { RagEventsChatStore } from './store.mjs';
import { finish, test } from './tap.mjs';

const pool = new pg.Pool({ max: 8 });
const store = new RagEventsChatStore({ pool, userId: 'maya' });
const eves = new RagEventsChatStore({ pool, userId: 'eve' });
const newSession = async (of = store) => { const id = randomUUID(); await of.open(id); return id; };
const rows = async (session) => (await pool.query('SELECT * FROM rag_get_messages($1, NULL)', [session])).rows;
const asks = (id, text) => ({ id, role: 'user', parts: [{ type: 'text', text }] });
const textsOf = (messages) => messages.map(({ role, parts }) => `${role}: ${parts.filter(({ type }) => type === 'text').map(({ text }) => text).join('')}`);

const usage = { inputTokens: { total: 3 }, outputTokens: { total: 10 } };
const says = (...deltas) => [{ type: 'text-start', id: 't' }, ...deltas.map((delta) => ({ type: 'text-delta', id: 't', delta })), { type: 'text-end', id: 't' }];
const ends = (reason) => ({ type: 'finish', finishReason: { unified: reason, raw: reason }, usage });
const calls = (id) => ({ type: 'tool-call', toolCallId: id, toolName: 'weather', input: '{"city":"Oslo"}' });
const model = (...steps) => new MockLanguageModelV3({
  doStream: async () => ({
    stream: simulateReadableStream({ chunkDelayInMs: null, initialDelayInMs: null, chunks: [{ type: 'stream-start', warnings: [] }, ...steps.shift()] }),
  }),
});
const weather = (options) => tool({ inputSchema: z.object({ city: z.string() }), execute: async () => ({ sky: 'snow' }), ...options });

// answer MODEL, SESSION: as a route does it; what the client's stream said, and what was kept.
async function answer(fake, session, { id = randomUUID(), tools = { weather: weather() }, options, client = drain, signal } = {}) {
  const messages = await store.load(session);
  const result = streamText({
    model: fake, messages: await convertToModelMessages(messages), tools, stopWhen: stepCountIs(3), abortSignal: signal, onError: () => {},
  });
  const [theirs, ours] = result.toUIMessageStream({
    originalMessages: messages,
    generateMessageId: () => id,
    sendSources: true,
    messageMetadata: ({ part }) => (part.type === 'finish' ? { model: 'mock', output_tokens: part.totalUsage.outputTokens } : undefined),
  }).tee();
  const last = messages.at(-1).role === 'assistant' ? messages.at(-1) : undefined;
  const kept = store.keep(session, ours, { everyMs: 0, message: last, ...options });
  await client(theirs);
  return kept;
}
async function drain(stream) { for await (const _ of stream); }

await test('an answer with a tool, a source and metadata is kept, and loaded as it was', async () => {
  const session = await newSession();
  const question = { ...asks('q1', 'Weather in Oslo?'), metadata: { locale: 'nb' } };
  question.parts.push({ type: 'file', mediaType: 'image/png', filename: 'sky.png', url: 'data:image/png;base64,AAAA' });
  await store.save(session, question);
  const kept = await answer(model(
    [{ type: 'reasoning-start', id: 'r' }, { type: 'reasoning-delta', id: 'r', delta: 'Look it up.' }, { type: 'reasoning-end', id: 'r' },
      ...says('Let me ', 'see. '), calls('c1'), ends('tool-calls')],
    [{ type: 'source', sourceType: 'url', id: 's1', url: 'http://example.com/', title: 'Weather' },
      { type: 'source', sourceType: 'document', id: 'almanac', mediaType: 'text/plain', title: 'Almanac' }, ...says('It snows. ', 'Ünï 🙂'), ends('stop')],
  ), session, { id: 'a1', options: { top_k: 5 } });
  const loaded = await store.load(session);
  assert.deepEqual(loaded[0], question);
  assert.deepEqual(loaded[1], { ...JSON.parse(JSON.stringify(kept)), metadata: { model: 'mock', output_tokens: 20, status: 'done' } });
  await validateUIMessages({ messages: loaded });
  const [, row] = await rows(session);
  assert.equal(row.content, 'Let me see. It snows. Ünï 🙂');
  assert.equal(row.idempotency_key, 'a1');
  assert.equal(row.top_k, 5);
  assert.ok(row.latency_ms > 0);
  assert.equal(row.sources[0].title, 'Weather');
  const { rows: sources } = await pool.query('SELECT document_id FROM rag_message_sources WHERE session_id = $1', [session]);
  assert.deepEqual(sources.map(({ document_id: id }) => id), ['http://example.com/', 'almanac']);
});

await test('calls and results are in the prompt for other models', async () => {
  const session = await newSession();
  await store.save(session, asks('q1', 'Weather?'));
  await answer(model([calls('c1'), ends('tool-calls')], [...says('It snows.'), ends('stop')]), session);
  const { rows: [{ prompt }] } = await pool.query('SELECT rag_get_prompt($1, NULL) AS prompt', [session]);
  assert.equal(prompt[1].tool_calls[0].function.arguments, '{"city":"Oslo"}');
  assert.deepEqual(prompt[2], { role: 'tool', tool_call_id: 'c1', content: '{"sky":"snow"}' });
});

await test('an answer is there while it grows, as one message, and says so', async () => {
  const session = await newSession();
  await store.save(session, asks('q1', 'Q'));
  const seen = [];
  const save = store.save.bind(store);
  const watched = Object.create(store, { save: { value: async (...given) => { await save(...given); seen.push((await rows(session)).map(({ content, metadata }) => `${content} ${metadata.status}`)); } } });
  const stream = streamText({ model: model([...says('One', ' two', ' three'), ends('stop')]), prompt: 'Q' }).toUIMessageStream({ generateMessageId: () => 'a1' });
  await watched.keep.call(watched, session, stream, { everyMs: 0 });
  assert.ok(seen.some((messages) => messages[1] === 'One streaming'));
  assert.deepEqual(seen.at(-1), ['Q undefined', 'One two three done']);
  assert.ok(seen.every((messages) => messages.length === 2));
});

await test('an answer goes on when its client has gone', async () => {
  const session = await newSession();
  await store.save(session, asks('q1', 'Q'));
  await answer(model([...says('One', ' two', ' three'), ends('stop')]), session, {
    client: async (stream) => { const reader = stream.getReader(); await reader.read(); await reader.cancel(); },
  });
  assert.deepEqual(textsOf(await store.load(session)), ['user: Q', 'assistant: One two three']);
});

await test('what there was of an answer stays when the model fails, or is stopped', async () => {
  const session = await newSession();
  await store.save(session, asks('q1', 'Q'));
  await answer(model([...says('One'), { type: 'error', error: new Error('gone') }]), session);
  assert.equal((await rows(session))[1].metadata.status, 'failed');
  assert.deepEqual(textsOf(await store.load(session)), ['user: Q', 'assistant: One']);
  await store.save(session, asks('q2', 'Q2'));
  const stop = new AbortController();
  const endless = new MockLanguageModelV3({
    doStream: async ({ abortSignal }) => ({ stream: new ReadableStream({
      start(to) { [{ type: 'stream-start', warnings: [] }, ...says('Two').slice(0, 2)].forEach((chunk) => to.enqueue(chunk)); abortSignal.addEventListener('abort', () => to.error(abortSignal.reason)); },
    }) }),
  });
  await answer(endless, session, {
    signal: stop.signal,
    client: async (stream) => { for await (const { type } of stream) if (type === 'text-delta') stop.abort(); },
  });
  assert.equal((await rows(session))[3].metadata.status, 'stopped');
  assert.equal(textsOf(await store.load(session))[3], 'assistant: Two');
});

await test('a request that is sent again changes nothing, and an id has one role', async () => {
  const session = await newSession();
  for (let i = 0; i < 2; i += 1) await store.save(session, asks('q1', 'Q'));
  assert.equal((await rows(session)).length, 1);
  await assert.rejects(store.save(session, { ...asks('q1', 'Q'), role: 'assistant' }), { code: '23505' });
  await assert.rejects(store.save(session, { ...asks('s1', 'Be brief.'), role: 'system' }), { code: '23514' });
  await assert.rejects(store.save(session, asks('q2', 'nul \u0000')), { code: '22021' });
});

await test('a call that waits for an approval goes on in the same message', async () => {
  const session = await newSession();
  const tools = { weather: weather({ needsApproval: true }) };
  await store.save(session, asks('q1', 'Weather?'));
  await answer(model([calls('c1'), ends('tool-calls')]), session, { id: 'a1', tools });
  const waiting = (await store.load(session))[1];
  const part = waiting.parts.find(({ type }) => type === 'tool-weather');
  assert.equal(part.state, 'approval-requested');
  Object.assign(part, { state: 'approval-responded', approval: { ...part.approval, approved: true } });
  await store.save(session, waiting);
  await answer(model([...says('It snows.'), ends('stop')]), session, { tools });
  const messages = await store.load(session);
  assert.deepEqual(textsOf(messages), ['user: Weather?', 'assistant: It snows.']);
  assert.equal(messages[1].id, 'a1');
  assert.equal((await rows(session))[1].metadata.tool_results[0].content, '{"sky":"snow"}');
});

await test('deleteFrom() makes room for another answer, and load() gives pages', async () => {
  const session = await newSession();
  for (const n of [1, 2, 3]) {
    await store.save(session, asks(`q${n}`, `Q${n}`));
    await answer(model([...says(`A${n}`), ends('stop')]), session, { id: `a${n}` });
  }
  const ids = (messages) => messages.map(({ id }) => id).join(' ');
  assert.equal(ids(await store.load(session, { max: 2 })), 'q3 a3');
  assert.equal(ids(await store.load(session, { max: 2, before: 'q3' })), 'q2 a2');
  await store.deleteFrom(session, 'nothing');
  await store.deleteFrom(session, 'a2');
  assert.equal(ids(await store.load(session)), 'q1 a1 q2');
  await answer(model([...says('Another'), ends('stop')]), session, { id: 'b2' });
  assert.deepEqual(textsOf(await store.load(session)).at(-1), 'assistant: Another');
});

await test('what was imported, copied or written by others is loaded, and changed by the id that it has here', async () => {
  const messages = [asks('q1', 'Q'), { id: 'a1', role: 'assistant', metadata: { model: 'm' }, parts: [{ type: 'step-start' }, { type: 'text', text: 'A', state: 'done' }] }];
  const { rows: [{ imported }] } = await pool.query('SELECT rag_import_session($1, user_id => $2) AS imported', [{ messages }, 'maya']);
  await pool.query(`SELECT rag_add_message($1, 'assistant', 'plain')`, [imported]);
  const { rows: [{ copy }] } = await pool.query('SELECT rag_copy_session($1) AS copy', [imported]);
  for (const session of [imported, copy]) {
    const loaded = await store.load(session);
    const withoutIds = (list) => list.map(({ id: _, ...rest }) => rest);
    assert.deepEqual(withoutIds(loaded.slice(0, 2)), withoutIds(messages));
    assert.equal(new Set(loaded.map(({ id }) => id)).size, 3);
    await validateUIMessages({ messages: loaded });
    loaded[2].parts[0].text = 'changed';
    await store.save(session, loaded[2]);
    await store.deleteFrom(session, loaded[2].id);
    assert.deepEqual(textsOf(await store.load(session)), ['user: Q', 'assistant: A']);
  }
});

await test("another user's session does not exist", async () => {
  const session = await newSession();
  await store.save(session, asks('q1', 'Q'));
  await assert.rejects(eves.open(session), { code: '23505' });
  const number = `#${(await rows(session))[0].id}`;
  for (const call of [() => eves.load(session), () => eves.load(session, { before: 'q1' }), () => eves.save(session, asks('q1', 'X')), () => eves.save(session, asks('q2', 'X')),
    () => eves.save(session, asks(number, 'X')), () => eves.deleteFrom(session, 'q1'), () => eves.deleteFrom(session, number)]) {
    await assert.rejects(call(), { code: '23503' });
  }
  const own = await newSession(eves); // and no message of hers by its number
  await assert.rejects(eves.save(own, asks(number, 'X')), { code: '23503' });
  await eves.deleteFrom(own, number);
  assert.deepEqual(await store.load(session), [asks('q1', 'Q')]);
  for (const userId of [undefined, null, '']) assert.throws(() => new RagEventsChatStore({ pool, userId }), TypeError);
});

await pool.end();
finish();
