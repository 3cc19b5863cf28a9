// The Session of examples/agents under the Agents SDK's own runner; prints TAP. See tap.mjs for the environment.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Agent, MemorySession, Runner, Usage, setTracingDisabled, tool } from '@openai/agents';
import pg from 'pg';
import { z } from 'zod';
import { RagEventsSession } from './session.mjs';
import { finish, test } from './tap.mjs';

setTracingDisabled(true);
const pool = new pg.Pool({ max: 8 });
const newSession = (options) => new RagEventsSession({ pool, userId: 'maya', ...options });
const reopened = ({ sessionId, userId }) => newSession({ sessionId, userId }); // as the next request has it
const stored = async ({ sessionId }) => (await pool.query('SELECT role, content, metadata FROM rag_get_messages($1, NULL)', [sessionId])).rows;
const asTexts = (rows) => rows.map(({ role, content }) => `${role}: ${content}`);
const prompt = async ({ sessionId }) => (await pool.query('SELECT rag_get_prompt($1, NULL) AS p', [sessionId])).rows[0].p;

const says = (text, id = 'msg_1') => ({ type: 'message', id, role: 'assistant', status: 'completed', content: [{ type: 'output_text', text }] });
const calls = (callId, input) => ({ type: 'function_call', id: `fc_${callId}`, callId, name: 'multiply', status: 'completed', arguments: JSON.stringify(input) });
const result = (callId, text) => ({ type: 'function_call_result', callId, name: 'multiply', status: 'completed', output: { type: 'text', text } });
const asks = (content) => ({ type: 'message', role: 'user', content });

// A model that gives these outputs one after the other, and notes what it was told.
function model(...outputs) {
  const told = [];
  const usage = new Usage({ requests: 1, inputTokens: 1, outputTokens: 1, totalTokens: 2 });
  return { told, getResponse: async ({ input }) => { told.push(structuredClone(input)); return { usage, output: outputs.shift() }; } };
}
const multiply = (needsApproval = false) => tool({
  name: 'multiply', description: 'Multiplies.', needsApproval, parameters: z.object({ a: z.number(), b: z.number() }), execute: async ({ a, b }) => String(a * b),
});
const run = (fake, input, session, tools = [multiply()]) => new Runner().run(new Agent({ name: 'a', model: fake, tools }), input, { session });
const thinks = { type: 'reasoning', id: 'rs_1', content: [{ type: 'input_text', text: 'Multiply.' }] };

await test('a run with tools is kept, and told to the next run, as by the own MemorySession of the SDK', async () => {
  const own = new MemorySession();
  const ours = newSession();
  const told = [];
  for (const session of [own, ours]) {
    const fake = model([thinks, calls('c1', { a: 6, b: 7 }), calls('c2', { a: 2, b: 2 })], [says('It is 42.')], [says('In the news? No.', 'msg_2')]);
    await run(fake, 'How much is 6 times 7?', session);
    await run(fake, 'Is that "news"? Ünï 🙂', session === ours ? reopened(ours) : own);
    told.push(fake.told);
  }
  assert.deepEqual(told[1], told[0]);
  assert.equal(told[1][2].length, 8);
  assert.deepEqual(await reopened(ours).getItems(), await own.getItems());
  assert.deepEqual(asTexts(await stored(ours)), [
    'user: How much is 6 times 7?', 'assistant: ', 'assistant: It is 42.', 'user: Is that "news"? Ünï 🙂', 'assistant: In the news? No.']);
});

await test('calls and results are in the prompt for other models', async () => {
  const session = newSession();
  await run(model([calls('c1', { a: 6, b: 7 })], [says('It is 42.')]), 'Multiply', session);
  assert.deepEqual(await prompt(session), [
    { role: 'user', content: 'Multiply' },
    { role: 'assistant', content: null, tool_calls: [{ id: 'c1', type: 'function', function: { name: 'multiply', arguments: '{"a":6,"b":7}' } }] },
    { role: 'tool', tool_call_id: 'c1', content: '42' },
    { role: 'assistant', content: 'It is 42.' }]);
});

await test('a run that waits for an approval goes on with the session, and call and result are one message', async () => {
  const session = newSession();
  const agent = new Agent({ name: 'a', model: model([calls('c1', { a: 6, b: 7 })], [says('42.')]), tools: [multiply(true)] });
  const waits = await new Runner().run(agent, 'Multiply', { session });
  assert.equal(waits.interruptions.length, 1);
  waits.state.approve(waits.interruptions[0]);
  const done = await new Runner().run(agent, waits.state, { session: reopened(session) });
  assert.equal(done.finalOutput, '42.');
  assert.deepEqual((await session.getItems()).map(({ type, role }) => role ?? type), ['user', 'function_call', 'function_call_result', 'assistant']);
  assert.equal((await stored(session)).length, 3);
  assert.equal((await prompt(session))[2].content, '42');
});

await test('results that come later go to the message with their calls', async () => {
  const session = newSession();
  await session.addItems([asks('Q'), says('Let me see. ', 'm0'), calls('c1', {}), calls('c2', {})]);
  await session.addItems([result('c1', '1')]);
  await session.addItems([result('c2', '2'), says('Done.')]);
  assert.deepEqual(asTexts(await stored(session)), ['user: Q', 'assistant: Let me see. ', 'assistant: Done.']);
  assert.deepEqual((await session.getItems()).map(({ callId, role }) => role ?? callId), ['user', 'assistant', 'c1', 'c2', 'c1', 'c2', 'assistant']);
  assert.deepEqual((await stored(session))[1].metadata.tool_results.map(({ content }) => content), ['1', '2']);
});

await test('what rag_import_session() made of items, and what others wrote, is read', async () => {
  const items = [asks('Q'), thinks, calls('c1', {}), result('c1', '1'), says('A'), asks([{ type: 'input_text', text: 'Q2' }, { type: 'input_image', image: 'data:,x' }]), says('A2', 'm2')];
  const { rows: [{ id }] } = await pool.query('SELECT rag_import_session($1, user_id => $2) AS id', [{ items }, 'maya']);
  const imported = newSession({ sessionId: id });
  const added = newSession();
  await added.addItems(items);
  assert.deepEqual(await added.getItems(), items);
  assert.deepEqual((await imported.getItems()).map(({ type: _, ...item }) => item), items.map(({ type: _, ...item }) => item));
  assert.deepEqual(asTexts(await stored(added)), asTexts(await stored(imported)));
  await pool.query(`SELECT rag_add_messages($1, '[{"role": "user", "content": "plain"}, {"role": "assistant", "content": "yes"}]')`, [added.sessionId]);
  assert.deepEqual((await added.getItems(2)).map(({ content }) => content[0].text ?? content), ['plain', 'yes']);
  const fake = model([says('A3')]);
  await run(fake, 'Q3', added); // the SDK takes them
  assert.equal(fake.told[0].length, 10);
});

await test('of what was imported in other forms, texts, calls and results are read', async () => {
  const author = { user: { role: 'user' }, assistant: { role: 'assistant' } };
  const chatgpt = { title: 'Trams', current_node: 'c', mapping: {
    a: { id: 'a', children: ['b'], message: { id: 'a', author: author.user, content: { content_type: 'text', parts: ['Q'] } } },
    b: { id: 'b', parent: 'a', children: ['c'], message: { id: 'b', author: author.assistant, content: { content_type: 'thoughts', thoughts: [{ summary: 's', content: 'Hm.' }] } } },
    c: { id: 'c', parent: 'b', children: [], message: { id: 'c', author: author.assistant, content: { content_type: 'text', parts: ['A'] } } } } };
  const responses = { items: [{ role: 'user', content: 'Q' }, { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{}' },
    { type: 'function_call_output', call_id: 'c1', output: '1' }, { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'A' }] }] };
  for (const [document, expected] of [[chatgpt, 2], [responses, 4]]) {
    const { rows: [{ id }] } = await pool.query('SELECT rag_import_session($1, user_id => $2) AS id', [document, 'maya']);
    assert.ok((await stored({ sessionId: id })).some(({ metadata }) => metadata?.items));
    const session = newSession({ sessionId: id });
    const items = await session.getItems();
    assert.equal(items.length, expected);
    assert.equal(items.at(-1).content[0].text, 'A');
    assert.equal((await run(model([says('A2')]), 'Q2', session)).finalOutput, 'A2'); // the SDK takes them
  }
});

await test('limits are of items, the newest in order', async () => {
  const session = newSession();
  const items = [asks('Q'), calls('c1', {}), result('c1', '1'), says('A'), asks('Q2')];
  await session.addItems(items);
  for (let limit = 0; limit < 7; limit += 1) assert.deepEqual(await session.getItems(limit), limit === 0 ? [] : items.slice(-limit), limit);
});

await test('popItem() takes the last item, one by one, from within a message as well', async () => {
  const session = newSession();
  const items = [asks('Q'), says('Let me see.'), calls('c1', {}), result('c1', '1'), says('A', 'm2')];
  await session.addItems(items);
  for (let left = items.length; left > 0; left -= 1) {
    assert.deepEqual(await session.popItem(), items[left - 1]);
    assert.deepEqual(await session.getItems(), items.slice(0, left - 1));
    if (left === 4) assert.equal((await stored(session))[1].metadata.tool_results, undefined); // the result went
    if (left === 3) assert.deepEqual(Object.keys((await stored(session))[1].metadata), ['items']);
  }
  assert.equal(await session.popItem(), undefined);
});

await test('clearSession() deletes the messages and keeps the session', async () => {
  const session = newSession();
  await session.clearSession(); // nothing is there yet
  await pool.query('SELECT rag_update_session($1, $2)', [session.sessionId, { title: 'Trams' }]);
  await session.addItems([asks('Q'), says('A')]);
  await session.clearSession();
  assert.deepEqual(await session.getItems(), []);
  const { rows } = await pool.query('SELECT title FROM rag_get_session($1)', [session.sessionId]);
  assert.equal(rows[0].title, 'Trams');
});

await test("another user's session is an error before the model is asked", async () => {
  const session = newSession();
  await session.addItems([asks('Q')]);
  const eves = newSession({ sessionId: session.sessionId, userId: 'eve' });
  const fake = model([says('A')]);
  await assert.rejects(run(fake, 'What did she ask?', eves), { code: '23505' });
  assert.equal(fake.told.length, 0);
  for (const call of [() => eves.getItems(), () => eves.addItems([asks('Q')]), () => eves.addItems([result('c1', '1')]), () => eves.popItem(), () => eves.clearSession()]) {
    await assert.rejects(call(), /sessions_pkey|does not exist/);
  }
  assert.deepEqual(await session.getItems(), [asks('Q')]);
  for (const userId of [undefined, null, '']) assert.throws(() => newSession({ userId }), TypeError);
});

await test('the character that PostgreSQL cannot store is an error, and nothing of the call is stored', async () => {
  const session = newSession();
  await assert.rejects(session.addItems([asks('Q'), calls('c1', {}), result('c1', 'nul \u0000')]), { code: '22P05' });
  assert.deepEqual(await session.getItems(), []);
});

await test('20 runs at once keep their sessions apart', async () => {
  await Promise.all(Array.from({ length: 20 }, async (_, i) => {
    const session = newSession({ userId: `user ${i}`, sessionId: randomUUID() });
    const fake = model([calls('c1', { a: i, b: 2 })], [says(`It is ${2 * i}.`)]);
    assert.equal((await run(fake, `Twice ${i}`, session)).finalOutput, `It is ${2 * i}.`);
    assert.deepEqual(asTexts(await stored(session)), [`user: Twice ${i}`, 'assistant: ', `assistant: It is ${2 * i}.`]);
  }));
});

await pool.end();
finish();
