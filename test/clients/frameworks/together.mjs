// One conversation and several frameworks: what the example of one has stored, those of the others go on with; prints
// TAP. See tap.mjs for the environment.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { AIMessage, HumanMessage, ToolMessage } from '@langchain/core/messages';
import { validateUIMessages } from 'ai';
import pg from 'pg';
import { RagEventsSession } from '../agents/session.mjs';
import { RagEventsChatStore } from '../ai-sdk/store.mjs';
import { RagEventsChatMessageHistory } from '../langchain/history.mjs';
import { RagEventsMemory } from '../llamaindex/memory.mjs';
import { finish, test } from './tap.mjs';

const pool = new pg.Pool({ max: 4 });
const userId = 'maya';
const input = { city: 'Oslo' };
const [session, store] = [(sessionId) => new RagEventsSession({ pool, userId, sessionId }), new RagEventsChatStore({ pool, userId })];
const history = (sessionId) => new RagEventsChatMessageHistory({ pool, userId, sessionId });
const memory = (sessionId) => RagEventsMemory.open({ pool, userId, sessionId });

// Each stores a question, a call, its result, and an answer.
const writers = {
  agents: (id) => session(id).addItems([
    { type: 'message', role: 'user', content: 'Weather?' },
    { type: 'function_call', callId: 'c1', name: 'weather', status: 'completed', arguments: JSON.stringify(input) },
    { type: 'function_call_result', callId: 'c1', name: 'weather', status: 'completed', output: { type: 'text', text: 'snow' } },
    { type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'It snows.' }] }]),
  'ai-sdk': async (id) => {
    await store.open(id);
    await store.save(id, { id: 'q1', role: 'user', parts: [{ type: 'text', text: 'Weather?' }] });
    await store.save(id, { id: 'a0', role: 'assistant', parts: [{ type: 'tool-weather', toolCallId: 'c1', state: 'output-available', input, output: 'snow' }] });
    await store.save(id, { id: 'a1', role: 'assistant', parts: [{ type: 'text', text: 'It snows.' }] });
  },
  langchain: (id) => history(id).addMessages([
    new HumanMessage('Weather?'), new AIMessage({ content: '', tool_calls: [{ id: 'c1', name: 'weather', args: input, type: 'tool_call' }] }),
    new ToolMessage({ tool_call_id: 'c1', name: 'weather', content: 'snow' }), new AIMessage('It snows.')]),
  llamaindex: async (id) => {
    const opened = await memory(id);
    await opened.add({ role: 'user', content: 'Weather?' });
    await opened.add({ role: 'assistant', content: '', options: { toolCall: [{ id: 'c1', name: 'weather', input }] } });
    await opened.add({ role: 'user', content: 'snow', options: { toolResult: { id: 'c1', result: 'snow', isError: false } } });
    await opened.add({ role: 'assistant', content: 'It snows.' });
    await opened.saved();
  },
  import: (id) => pool.query('SELECT rag_import_session($1, keep_id => true)', [{
    session_id: id, user_id: userId, messages: [
      { role: 'user', content: 'Weather?' },
      { role: 'assistant', content: null, tool_calls: [{ id: 'c1', type: 'function', function: { name: 'weather', arguments: JSON.stringify(input) } }] },
      { role: 'tool', tool_call_id: 'c1', content: 'snow' }, { role: 'assistant', content: 'It snows.' }] }]),
};

// What each reads, in one form: texts, calls and results, in order.
const readers = {
  agents: async (id) => (await session(id).getItems()).map((item) => (
    item.role ? item.content[0].text ?? item.content : [item.callId, item.output?.text ?? [item.name, JSON.parse(item.arguments)]])),
  langchain: async (id) => (await history(id).getMessages()).map((message) => (
    message.type === 'tool' ? [message.tool_call_id, message.content] : message.content || [message.tool_calls[0].id, [message.tool_calls[0].name, message.tool_calls[0].args]])),
  llamaindex: async (id) => (await (await memory(id)).get()).map(({ content, options }) => (
    options?.toolResult ? [options.toolResult.id, options.toolResult.result] : content || [options.toolCall[0].id, [options.toolCall[0].name, options.toolCall[0].input]])),
};

for (const [writer, write] of Object.entries(writers)) {
  await test(`what ${writer} has stored is read by all, with its call and result`, async () => {
    const id = randomUUID();
    await write(id);
    for (const [reader, read] of Object.entries(readers)) {
      assert.deepEqual(await read(id), ['Weather?', ['c1', ['weather', input]], ['c1', 'snow'], 'It snows.'], reader);
    }
    const messages = await store.load(id);
    await validateUIMessages({ messages });
    assert.deepEqual(messages.flatMap(({ parts }) => parts.map(({ text }) => text)).filter(Boolean), ['Weather?', 'It snows.']);
    assert.ok(messages.every(({ metadata }) => !metadata?.items && !metadata?.llamaindex));
    const { rows: [{ prompt }] } = await pool.query('SELECT rag_get_prompt($1, NULL) AS prompt', [id]);
    assert.deepEqual(prompt.map(({ role, content, tool_calls: calls }) => [role, content ?? JSON.parse(calls[0].function.arguments)]),
      [['user', 'Weather?'], ['assistant', input], ['tool', 'snow'], ['assistant', 'It snows.']]);
  });
}

await test('a call whose arguments are no JSON, as models make them, keeps nobody from reading on', async () => {
  const id = randomUUID();
  await session(id).addItems([
    { type: 'message', role: 'user', content: 'Weather?' },
    { type: 'function_call', callId: 'c1', name: 'weather', status: 'completed', arguments: '{"city": Oslo' },
    { type: 'function_call_result', callId: 'c1', name: 'weather', status: 'completed', output: { type: 'text', text: 'no JSON' } }]);
  assert.equal((await history(id).getMessages())[1].tool_calls[0].name, 'weather');
  assert.deepEqual((await (await memory(id)).get())[1].options.toolCall[0].input, { invalid: '{"city": Oslo' });
  assert.equal((await store.load(id)).length, 2);
});

await pool.end();
finish();
