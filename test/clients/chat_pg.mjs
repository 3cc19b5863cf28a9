// What the chat of examples/node does where all does not go well; prints TAP. See tap.mjs for the environment.
import assert from 'node:assert/strict';
import pg from 'pg';
import { again, ask, buildPrompt, model } from './chat.mjs';
import { finish, test } from './tap.mjs';

const pool = new pg.Pool();
const working = model.ask;

async function* breaking() {
  yield* ['One ', 'two ', 'three ', 'four ', 'five ', 'six '];
  throw new Error('the model is gone');
}

async function newSession() {
  const { rows: [{ id }] } = await pool.query(
    'SELECT rag_create_session(user_id => $1, metadata => $2) AS id',
    ['maya', { system_prompt: 'Be brief.' }],
  );
  return id;
}

async function stored(sessionId) {
  const { rows } = await pool.query(
    `SELECT content, metadata->>'status' AS status FROM rag_get_messages($1)`,
    [sessionId],
  );
  return rows.map(({ content, status }) => [content, status]);
}

async function text(pieces) {
  let all = '';
  for await (const piece of pieces) all += piece;
  return all;
}

await test('a request that is sent again is answered once', async () => {
  const sessionId = await newSession();
  const first = await text(ask(pool, 'maya', sessionId, 'Q', 'request-1'));
  assert.equal(await text(ask(pool, 'maya', sessionId, 'Q', 'request-1')), first);
  assert.deepEqual(await stored(sessionId), [['Q', null], [first, 'done']]);
});

await test('an answer that breaks off is kept as failed, and can be replaced', async () => {
  const sessionId = await newSession();
  model.ask = breaking;
  const pieces = ask(pool, 'maya', sessionId, 'Q', 'request-1');
  for (let i = 0; i < 6; i += 1) await pieces.next(); // five have been saved when the sixth is asked for
  assert.deepEqual(await stored(sessionId), [['Q', null], ['One two three four five ', 'streaming']]);
  await assert.rejects(pieces.next(), /the model is gone/);
  assert.deepEqual(await stored(sessionId), [['Q', null], ['One two three four five six ', 'failed']]);
  model.ask = working;
  const answer = await text(again(pool, 'maya', sessionId));
  assert.deepEqual(await stored(sessionId), [['Q', null], [answer, 'done']]);
});

await test('an answer that nobody waits for is kept as failed', async () => {
  const sessionId = await newSession();
  const pieces = ask(pool, 'maya', sessionId, 'Q', 'request-1');
  const { value } = await pieces.next();
  await pieces.return();
  assert.deepEqual(await stored(sessionId), [['Q', null], [value, 'failed']]);
});

await test('the prompt is the system prompt and the conversation', async () => {
  const sessionId = await newSession();
  for (const question of ['Q1', 'Q2']) await text(ask(pool, 'maya', sessionId, question, question));
  const messages = await buildPrompt(pool, 'maya', sessionId);
  assert.deepEqual(messages.map((m) => m.role), ['system', 'user', 'assistant', 'user', 'assistant']);
  assert.equal(messages[0].content, 'Be brief.');
});
await pool.end();
finish();
