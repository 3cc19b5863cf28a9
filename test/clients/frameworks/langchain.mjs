// The message history of examples/langchain under LangChain; prints TAP. See tap.mjs for the environment.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  AIMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage, mapChatMessagesToStoredMessages,
} from '@langchain/core/messages';
import { ChatPromptTemplate, MessagesPlaceholder } from '@langchain/core/prompts';
import { RunnableWithMessageHistory } from '@langchain/core/runnables';
import { FakeChatModel, FakeListChatModel } from '@langchain/core/utils/testing';
import pg from 'pg';
import { RagEventsChatMessageHistory } from './history.mjs';
import { finish, test } from './tap.mjs';

const pool = new pg.Pool({ max: 8 });
const newHistory = (options) => new RagEventsChatMessageHistory({
  pool, sessionId: randomUUID(), userId: 'maya', ...options,
});
// The same session anew, as the next request has it.
const reopened = ({ sessionId, userId }, options) => newHistory({ sessionId, userId, ...options });
const columns = async ({ sessionId }) => (await pool.query(
  'SELECT role, content, sources, token_count, metadata FROM rag_get_messages($1)',
  [sessionId],
)).rows;
const contents = (messages) => messages.map((message) => message.content);

const asTexts = (messages) => messages.map((message) => `${message.getType()}: ${message.content}`);
const chain = (model, getMessageHistory) => new RunnableWithMessageHistory({
  runnable: ChatPromptTemplate.fromMessages([new MessagesPlaceholder('history'), ['human', '{input}']]).pipe(model),
  getMessageHistory,
  inputMessagesKey: 'input',
  historyMessagesKey: 'history',
});
const of = ({ sessionId }) => ({ configurable: { sessionId } });

// same ACTUAL, EXPECTED: messages are the same by what LangChain itself writes of them.
const same = (actual, expected) => assert.deepEqual(
  actual.map((message) => message.toDict()),
  expected.map((message) => message.toDict()),
);

// A conversation with everything that a message may have.
function conversation() {
  const parts = [{ type: 'text', text: 'What is this?' }, { type: 'image_url', image_url: { url: 'data:,x' } }];
  return [
    new SystemMessage('Be brief.'),
    new HumanMessage('Ünï 🙂'),
    new AIMessage({
      id: 'run-1',
      content: '',
      tool_calls: [{ id: 'call-1', name: 'search', args: { q: 'tram' }, type: 'tool_call' },
        { id: 'call-2', name: 'search', args: {}, type: 'tool_call' }],
      usage_metadata: { input_tokens: 10, output_tokens: 4, total_tokens: 14 },
      response_metadata: { model: 'm-1' },
    }),
    new ToolMessage({ tool_call_id: 'call-1', name: 'search', content: '[]' }),
    new ToolMessage({ tool_call_id: 'call-2', name: 'search', content: '', status: 'error' }),
    new AIMessage('Nothing.'),
    new HumanMessage({ content: parts, name: 'Maya' }),
    new HumanMessage({ content: parts.slice(1) }),
  ];
}

await test('what is added is read back, in the order in which it was added', async () => {
  const history = newHistory();
  const messages = conversation();
  await history.addMessages(messages);
  same(await reopened(history).getMessages(), messages);
  const rows = await columns(history);
  assert.deepEqual(rows.map((row) => row.role), ['user', 'assistant', 'assistant', 'user', 'user']);
  assert.equal(rows[1].token_count, 4);
  assert.equal(rows[1].metadata.tool_calls.length, 2);
  assert.equal(rows[1].metadata.tool_results.length, 2);
  assert.equal(rows[3].content, 'What is this?');
});

await test('what LangChain stored elsewhere is imported, and read as it was', async () => {
  const messages = conversation();
  const { rows: [{ id }] } = await pool.query(
    'SELECT rag_import_session($1, user_id => $2) AS id',
    [{ messages: mapChatMessagesToStoredMessages(messages) }, 'maya'],
  );
  same(await newHistory({ sessionId: id }).getMessages(), messages);
});

await test('an exported and imported session, and a copy, are read as the session was', async () => {
  const history = newHistory();
  const messages = conversation();
  await history.addMessages(messages);
  const { rows: [{ imported, copied }] } = await pool.query(
    `SELECT rag_import_session(rag_export_session($1, user_id => $2)) AS imported,
            rag_copy_session($1, user_id => $2) AS copied`,
    [history.sessionId, history.userId],
  );
  same(await newHistory({ sessionId: imported }).getMessages(), messages);
  same(await newHistory({ sessionId: copied }).getMessages(), messages);
});

await test('one after the other is the same as all at once', async () => {
  const history = newHistory();
  const call = { id: 'call-1', name: 'search', args: {}, type: 'tool_call' };
  const messages = [
    new SystemMessage('Be brief.'),
    new HumanMessage('Q'),
    new AIMessage({ content: '', tool_calls: [call] }),
    new ToolMessage({ tool_call_id: 'call-1', content: '42' }),
    new AIMessage('A'),
  ];
  for (const message of messages) await reopened(history).addMessage(message);
  same(await history.getMessages(), messages);
  await history.addUserMessage('Q2');
  await history.addAIMessage('A2');
  assert.deepEqual(contents(await history.getMessages()).slice(-2), ['Q2', 'A2']);
});

await test('the system prompt is that of the session, and a new one replaces it', async () => {
  const history = newHistory();
  await pool.query(
    'SELECT rag_create_session(session_id => $1, user_id => $2, metadata => $3)',
    [history.sessionId, history.userId, { title: 'Trams', system_prompt: 'Be brief.' }],
  );
  assert.deepEqual(asTexts(await history.getMessages()), ['system: Be brief.']);
  await history.addMessages([new SystemMessage('Be kind.'), new HumanMessage('Q')]);
  assert.deepEqual(asTexts(await history.getMessages()), ['system: Be kind.', 'human: Q']);
  const { rows: [{ title }] } = await pool.query(`SELECT metadata->>'title' AS title FROM sessions WHERE id = $1`, [history.sessionId]);
  assert.equal(title, 'Trams');
});

await test("an answer's passages are in its sources, not in the prompt", async () => {
  const history = newHistory();
  const sources = [{ document_id: 'd', score: 0.5 }];
  await history.addMessages([new HumanMessage('Q'), new AIMessage({ content: 'A', additional_kwargs: { sources, x: 1 } })]);
  assert.deepEqual((await columns(history))[1].sources, sources);
  assert.deepEqual((await history.getMessages())[1].additional_kwargs, { x: 1 });
});

await test('maxTokens and maxMessages give the newest', async () => {
  const history = newHistory();
  for (let i = 0; i < 5; i += 1) await history.addMessages([new HumanMessage(`Question ${i}`), new AIMessage(`Answered ${i}`)]);
  const limited = async (options) => contents(await reopened(history, options).getMessages());
  assert.deepEqual(await limited({ maxMessages: 1 }), ['Answered 4']);
  assert.deepEqual(await limited({ maxTokens: 12 }), ['Question 3', 'Answered 3', 'Question 4', 'Answered 4']);
  assert.deepEqual(await limited({ maxTokens: 11 }), ['Question 4', 'Answered 4']);
  assert.deepEqual(await limited({ maxTokens: 100, maxMessages: 3 }), ['Question 4', 'Answered 4']);
  assert.equal((await limited({ maxTokens: 1000 })).length, 10);
  assert.equal((await limited({})).length, 10);
});

await test('a message that is added again by its id is there once', async () => {
  const history = newHistory();
  const turn = [new HumanMessage({ content: 'Q', id: 'request-1' }), new AIMessage({ content: 'A', id: 'run-1' })];
  await history.addMessages(turn);
  await history.addMessages(turn);
  same(await history.getMessages(), turn);
});

await test("another user's session is an error before the model is asked", async () => {
  const history = newHistory();
  await history.addMessage(new HumanMessage('Q'));
  const eves = reopened({ ...history, userId: 'eve' });
  await assert.rejects(eves.getMessages(), { code: '23505' });
  await assert.rejects(eves.addMessage(new HumanMessage('Q')), { code: '23505' });
  await assert.rejects(eves.addMessage(new SystemMessage('Q')), { code: '23505' });
  await assert.rejects(eves.clear(), { code: '23505' });
  let asked = 0;
  const model = new FakeListChatModel({ responses: ['A'] });
  const counted = model.withListeners({ onStart: () => { asked += 1; } });
  await assert.rejects(chain(counted, () => eves).invoke({ input: 'Q' }, of(eves)), { code: '23505' });
  assert.equal(asked, 0);
  assert.deepEqual(contents(await history.getMessages()), ['Q']);
});

await test('clear() deletes the messages and keeps the session', async () => {
  const history = newHistory();
  await history.clear(); // nothing is there yet
  await history.addMessages([new SystemMessage('Be brief.'), new HumanMessage('Q'), new AIMessage('A')]);
  await history.clear();
  assert.deepEqual(asTexts(await history.getMessages()), ['system: Be brief.']);
});

await test('what has no place is refused, and nothing of it is stored', async () => {
  const history = newHistory();
  const call = [new SystemMessage('Be brief.'), new HumanMessage('Q'), new ChatMessage('x', 'critic')];
  await assert.rejects(history.addMessages(call), TypeError);
  const orphan = new ToolMessage({ tool_call_id: 'call-1', content: '42' });
  await assert.rejects(history.addMessages([new HumanMessage('Q'), orphan]), TypeError);
  assert.deepEqual(await history.getMessages(), []);
  await assert.rejects(history.addMessage(orphan), TypeError);
  assert.throws(() => newHistory({ userId: undefined }), TypeError);
});

await test('a chain is told its history', async () => {
  const history = newHistory();
  const echo = chain(new FakeChatModel({}), () => reopened(history, { maxTokens: 1000 })); // answers with its prompt
  assert.equal((await echo.invoke({ input: 'one' }, of(history))).content, 'one');
  assert.equal((await echo.invoke({ input: 'two' }, of(history))).content, 'one\none\ntwo');
  assert.deepEqual(asTexts(await history.getMessages()), ['human: one', 'ai: one', 'human: two', 'ai: one\none\ntwo']);
});

await test('a streamed answer is stored as a whole', async () => {
  const history = newHistory();
  const streaming = chain(new FakeListChatModel({ responses: ['A single ticket.'] }), () => history);
  let pieces = 0;
  for await (const piece of await streaming.stream({ input: 'Q' }, of(history))) pieces += piece ? 1 : 0;
  assert.ok(pieces > 1);
  assert.deepEqual(asTexts(await history.getMessages()), ['human: Q', 'ai: A single ticket.']);
});

await test('20 chains at once keep their histories apart', async () => {
  await Promise.all(Array.from({ length: 20 }, async (_, i) => {
    const history = newHistory({ userId: `user ${i}` });
    const model = new FakeListChatModel({ responses: [`a ${i}`, `b ${i}`] });
    for (const input of [`A ${i}`, `B ${i}`]) await chain(model, () => history).invoke({ input }, of(history));
    assert.deepEqual(contents(await reopened(history).getMessages()), [`A ${i}`, `a ${i}`, `B ${i}`, `b ${i}`]);
  }));
});

const { version } = JSON.parse(readFileSync(new URL('../node_modules/@langchain/core/package.json', import.meta.url)));
console.log(`# node ${process.version}, @langchain/core ${version}`);
await pool.end();
finish();
