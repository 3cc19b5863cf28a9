// The Memory of examples/llamaindex under LlamaIndex's own agents and chat engines; prints TAP. See tap.mjs for the
// environment.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { agent } from '@llamaindex/workflow';
import { ContextChatEngine, Memory, SimpleChatEngine, ToolCallLLM, createMemory, tool } from 'llamaindex';
import pg from 'pg';
import { z } from 'zod';
import { RagEventsMemory } from './memory.mjs';
import { finish, test } from './tap.mjs';

const pool = new pg.Pool({ max: 8 });
const open = (options) => RagEventsMemory.open({ pool, sessionId: randomUUID(), userId: 'maya', ...options });
const rows = async (id) => (await pool.query('SELECT * FROM rag_get_messages($1, NULL)', [id])).rows;
const asTexts = (messages) => messages.map(({ role, content }) => `${role}: ${typeof content === 'string' ? content : JSON.stringify(content)}`);
const plain = (messages) => JSON.parse(JSON.stringify(messages));

// A model that gives these answers one after the other, a text or calls, and notes what it was told.
class Model extends ToolCallLLM {
  constructor(...answers) { super(); this.answers = answers; this.told = []; }
  get supportToolCall() { return true; }
  get metadata() { return { model: 'mock', temperature: 0, topP: 1, contextWindow: 100000, tokenizer: undefined }; }
  async chat({ messages, stream }) {
    this.told.push(plain(messages));
    const answer = this.answers.shift();
    const [text, options] = typeof answer === 'string' ? [answer, {}] : ['', { toolCall: answer }];
    if (!stream) return { raw: null, message: { role: 'assistant', content: text, options } };
    return (async function* chunks() { for (const delta of text.match(/.{1,5}/gs) ?? ['']) yield { raw: null, delta, options }; }());
  }
}
const weather = tool({ name: 'weather', description: 'Tells the weather.', parameters: z.object({ city: z.string() }), execute: ({ city }) => (city === 'Oslo' ? 'snow' : 'rain') });
const calls = (id, city) => ({ id, name: 'weather', input: { city } });
const run = (llm, memory, question) => agent({ llm, tools: [weather], memory, systemPrompt: 'Be brief.', verbose: false }).run(question);

await test('an agent with tools is kept, and told to the next, as by the own Memory of LlamaIndex', async () => {
  const sessionId = randomUUID();
  const told = [];
  const own = createMemory();
  let memory;
  for (const ours of [false, true]) {
    const llm = new Model([calls('c1', 'Oslo'), calls('c2', 'Bergen')], 'Snow and rain.', 'In "Bergen". Ünï 🙂');
    memory = ours ? await open({ sessionId }) : own;
    await run(llm, memory, 'Weather in Oslo and Bergen?');
    if (ours) await memory.saved();
    memory = ours ? await open({ sessionId }) : own;
    await run(llm, memory, 'Where is rain?');
    told.push(llm.told);
  }
  assert.deepEqual(told[1], told[0]);
  assert.equal(told[1][2].length, 7);
  await memory.saved();
  memory = await open({ sessionId });
  assert.deepEqual(plain(await memory.get()), plain(await own.get()));
  assert.deepEqual(asTexts(await rows(sessionId)), ['user: Weather in Oslo and Bergen?', 'assistant: ', 'assistant: Snow and rain.', 'user: Where is rain?', 'assistant: In "Bergen". Ünï 🙂']);
  const { rows: [{ prompt }] } = await pool.query('SELECT rag_get_prompt($1, NULL) AS prompt', [sessionId]);
  assert.deepEqual(prompt.slice(1, 4), [
    { role: 'assistant', content: null, tool_calls: [{ id: 'c1', type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } }, { id: 'c2', type: 'function', function: { name: 'weather', arguments: '{"city":"Bergen"}' } }] },
    { role: 'tool', tool_call_id: 'c1', content: 'snow' }, { role: 'tool', tool_call_id: 'c2', content: 'rain' }]);
});

await test('chat engines keep questions and answers, also streamed ones', async () => {
  const sessionId = randomUUID();
  const retriever = { retrieve: async () => [] };
  for (const make of [(chatHistory, chatModel) => new ContextChatEngine({ retriever, chatModel, chatHistory }), (memory, llm) => new SimpleChatEngine({ memory, llm })]) {
    const memory = await open({ sessionId });
    const engine = make(memory, new Model('First.', 'And the second.'));
    await engine.chat({ message: 'One?' });
    for await (const _ of await engine.chat({ message: 'Two?', stream: true }));
    await memory.saved();
  }
  const expected = ['user: One?', 'assistant: First.', 'user: Two?', 'assistant: And the second.'];
  assert.deepEqual(asTexts(await rows(sessionId)), [...expected, ...expected]);
  assert.ok(await open({ sessionId }) instanceof Memory);
});

await test('images, the system prompt and messages of a user interface are read as they were added', async () => {
  const sessionId = randomUUID();
  const memory = await open({ sessionId });
  const parts = [{ type: 'text', text: 'What is this?' }, { type: 'image_url', image_url: { url: 'data:,x' } }];
  await memory.add({ role: 'system', content: 'Be brief.' });
  await memory.add({ role: 'user', content: parts });
  await memory.add({ id: 'ui-1', role: 'assistant', content: 'A tram.', parts: [{ type: 'text', text: 'A tram.' }] });
  await memory.saved();
  const read = await open({ sessionId });
  assert.deepEqual(plain(await read.get()), plain(await memory.get()));
  assert.equal((await read.get({ type: 'vercel' }))[2].id, 'ui-1');
  assert.equal((await rows(sessionId))[0].content, 'What is this?');
  const { rows: [{ metadata }] } = await pool.query('SELECT metadata FROM rag_get_session($1)', [sessionId]);
  assert.deepEqual(metadata, { system_prompt: 'Be brief.' });
});

await test('what rag_import_session() made of LlamaIndex messages, and what others wrote, is read with its calls', async () => {
  const messages = [
    { role: 'user', content: 'Weather in Oslo?' },
    { role: 'assistant', content: '', options: { toolCall: [calls('c1', 'Oslo')] } },
    { role: 'user', content: 'snow', options: { toolResult: { id: 'c1', result: 'snow', isError: false } } },
    { role: 'assistant', content: 'It snows.' }];
  const { rows: [{ id }] } = await pool.query('SELECT rag_import_session($1, user_id => $2) AS id', [{ messages }, 'maya']);
  await pool.query(`SELECT rag_add_message($1, 'user', 'plain')`, [id]);
  const memory = await open({ sessionId: id });
  assert.deepEqual(plain(await memory.get()), [...messages, { role: 'user', content: 'plain' }]);
});

await test('results that come after a restart go to the message with their calls', async () => {
  const sessionId = randomUUID();
  let memory = await open({ sessionId });
  await memory.add({ role: 'user', content: 'Q' });
  await memory.add({ role: 'assistant', content: '', options: { toolCall: [calls('c1', 'Oslo')] } });
  await memory.saved();
  memory = await open({ sessionId });
  await memory.add({ role: 'user', content: 'snow', options: { toolResult: { id: 'c1', result: { sky: 'snow' }, isError: true } } });
  await memory.saved();
  assert.equal((await rows(sessionId)).length, 2);
  assert.deepEqual((await rows(sessionId))[1].metadata.tool_results, [{ tool_call_id: 'c1', content: '{"sky":"snow"}', status: 'error' }]);
  assert.deepEqual(plain(await (await open({ sessionId })).get()), plain(await memory.get()));
});

await test('what could not be stored is told by saved(), and stored by the next', async () => {
  let broken = false;
  const flaky = { query: async (...given) => { if (broken) throw new Error('away'); return pool.query(...given); } };
  const sessionId = randomUUID();
  const memory = await open({ pool: flaky, sessionId });
  await memory.add({ role: 'user', content: 'One' });
  await memory.saved();
  broken = true;
  void memory.add({ role: 'assistant', content: 'Two' }); // as agents do: no unhandled rejection
  void memory.add({ role: 'user', content: 'Three' });
  await new Promise(setImmediate); // where Node would end a program with one
  await assert.rejects(memory.saved(), /away/);
  assert.equal((await memory.get()).length, 3);
  broken = false;
  await memory.saved();
  assert.deepEqual(asTexts(await rows(sessionId)), ['user: One', 'assistant: Two', 'user: Three']);
});

await test('a message whose answer was lost on the way is stored once', async () => {
  const sessionId = randomUUID();
  let lost = false;
  const lossy = { query: async (...given) => { const result = await pool.query(...given); if (lost) { lost = false; throw new Error('lost'); } return result; } };
  const memory = await open({ pool: lossy, sessionId });
  lost = true;
  await memory.add({ role: 'user', content: 'One' });
  await memory.saved();
  assert.deepEqual(asTexts(await rows(sessionId)), ['user: One']);
});

await test('an answer gets its sources and its latency', async () => {
  const sessionId = randomUUID();
  const memory = await open({ sessionId });
  void memory.add({ role: 'user', content: 'Q' });
  void memory.add({ role: 'assistant', content: 'A' });
  await memory.describe({ sources: [{ document_id: 'd', score: 0.5 }], latency_ms: 12.5 });
  const [question, answer] = await rows(sessionId);
  assert.deepEqual([question.sources, answer.sources, answer.latency_ms], [null, [{ document_id: 'd', score: 0.5 }], 12.5]);
  assert.equal(answer.metadata.llamaindex.length, 1);
});

await test('only the newest are read, and clear() deletes the messages and keeps the session', async () => {
  const sessionId = randomUUID();
  const memory = await open({ sessionId });
  for (let i = 0; i < 6; i += 1) await memory.add({ role: i % 2 ? 'assistant' : 'user', content: `${i}` });
  await memory.saved();
  const newest = await open({ sessionId, maxMessages: 2 });
  assert.deepEqual(asTexts(await newest.get()), ['user: 4', 'assistant: 5']);
  await newest.clear();
  assert.deepEqual(await newest.get(), []);
  assert.deepEqual(await (await open({ sessionId })).get(), []);
  await newest.add({ role: 'user', content: 'late', options: { toolResult: { id: 'c1', result: 'late', isError: false } } });
  await newest.saved();
  assert.deepEqual(asTexts(await rows(sessionId)), ['user: late']);
});

await test("another user's session is an error before the model is asked", async () => {
  const sessionId = randomUUID();
  const memory = await open({ sessionId });
  await memory.add({ role: 'user', content: 'Q' });
  await memory.saved();
  await assert.rejects(open({ sessionId, userId: 'eve' }), { code: '23505' });
  for (const userId of [undefined, null, '']) await assert.rejects(open({ userId }), TypeError);
});

await test('20 agents at once keep their sessions apart', async () => {
  await Promise.all(Array.from({ length: 20 }, async (_, i) => {
    const sessionId = randomUUID();
    const memory = await open({ sessionId, userId: `user ${i}` });
    await run(new Model([calls('c1', 'Oslo')], `Snow ${i}.`), memory, `Question ${i}`);
    await memory.saved();
    assert.deepEqual(asTexts(await rows(sessionId)), [`user: Question ${i}`, 'assistant: ', `assistant: Snow ${i}.`]);
  }));
});

await pool.end();
finish();
