// Stores the conversations of the files given as arguments and reads them back; prints TAP.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { finish, test } from './tap.mjs';

const FIELDS = ['role', 'content', 'sources', 'latency_ms', 'top_k', 'query_type'];
const CREATE = {
  name: 'create',
  text: 'SELECT rag_create_session(user_id => $1, metadata => $2) AS id',
};
const ADD = {
  name: 'add',
  text: `SELECT rag_add_message(session_id => $1, role => $2, content => $3, sources => $4,
                                latency_ms => $5, top_k => $6, query_type => $7) AS id`,
};

// pg makes a PostgreSQL array of a JavaScript array, so JSON is written here.
const jsonb = (value) => (value == null ? null : JSON.stringify(value));

// One transaction a conversation.
async function store(client, { user_id, metadata, messages }) {
  await client.query('BEGIN');
  const { rows: [{ id: sessionId }] } = await client.query({ ...CREATE, values: [user_id, jsonb(metadata)] });
  assert.match(sessionId, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  let last = 0n;
  for (const message of messages) {
    const values = FIELDS.map((f) => (f === 'sources' ? jsonb(message[f]) : message[f]));
    const { rows: [{ id }] } = await client.query({ ...ADD, values: [sessionId, ...values] });
    assert.equal(typeof id, 'string'); // bigint: it need not fit into a Number
    assert.ok(BigInt(id) > last);
    last = BigInt(id);
  }
  await client.query('COMMIT');
  return sessionId;
}

async function check(client, { user_id, metadata, messages }, sessionId) {
  const { rows: [session] } = await client.query('SELECT user_id, metadata FROM sessions WHERE id = $1', [sessionId]);
  assert.deepEqual(session, { user_id, metadata });
  const { rows } = await client.query(
    'SELECT role, content, sources, latency_ms, top_k, query_type FROM messages WHERE session_id = $1 ORDER BY id',
    [sessionId],
  );
  assert.deepEqual(rows, messages.map((m) => Object.fromEntries(FIELDS.map((f) => [f, m[f] ?? null]))));
  rows.forEach((row, i) => assert.ok(Buffer.from(row.content).equals(Buffer.from(messages[i].content))));
}

async function fails(query, code) {
  await assert.rejects(query, (error) => {
    assert.equal(error.code, code, error.message);
    return true;
  });
}

// What an application meets, and tells apart by SQLSTATE.
async function errors(client) {
  const { rows: [{ id }] } = await client.query("SELECT rag_create_session(user_id => 'a') AS id");
  const add = (sessionId, role, content, sources, userId) => client.query(
    'SELECT rag_add_message($1, $2, $3, sources => $4, user_id => $5)', [sessionId, role, content, sources, userId],
  );
  await assert.rejects(add(id, 'human', 'x', null, 'a'), (error) => {
    assert.equal(error.code, '23514');
    assert.equal(error.constraint, 'ck_messages_role');
    assert.match(error.hint, /user/);
    return true;
  });
  await fails(add(randomUUID(), 'user', 'x', null, 'a'), '23503');
  await fails(add(id, 'user', 'x', null, 'b'), '23503');
  await fails(add(id, 'user', undefined, null, 'a'), '22004');
  await fails(add('no uuid', 'user', 'x', null, 'a'), '22P02');
  // Neither text nor jsonb holds U+0000.
  await fails(add(id, 'user', '\0', null, 'a'), '22021');
  await fails(add(id, 'user', 'x', JSON.stringify(['\0']), 'a'), '22P05');
  // An array that is not written as JSON is taken for a PostgreSQL array.
  await fails(add(id, 'user', 'x', [{ a: 1 }], 'a'), '22P02');
  const { rows: [{ n }] } = await client.query('SELECT count(*)::integer AS n FROM messages WHERE session_id = $1', [id]);
  assert.equal(n, 0);
}

const conversations = process.argv.slice(2)
  .flatMap((name) => readFileSync(name, 'utf8').split('\n').filter(Boolean))
  .map((line) => JSON.parse(line));
const { version } = JSON.parse(readFileSync(new URL('node_modules/pg/package.json', import.meta.url)));
console.log(`# node ${process.version}, pg ${version}`);
console.log(`# ${conversations.length} sessions, ${conversations.flatMap((c) => c.messages).length} messages`);
const client = new pg.Client();
await client.connect();
await test('conversations are the same', async () => {
  for (const conversation of conversations) await check(client, conversation, await store(client, conversation));
});
await client.query('ROLLBACK');
await test('errors have their SQLSTATE', () => errors(client));
await client.end();
finish();
