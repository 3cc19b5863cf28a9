// The functions of a conversation, called with pg; prints TAP. See tap.mjs for the environment.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { POOL_SIZE, PREPARE, finish, test } from './tap.mjs';

const CLIENTS = 8; // more than a pooler has connections to the server
const USER = 'maya';
const ADD = 'SELECT rag_add_message($1, $2, $3, user_id => $4) AS value';
const ADD_MANY = 'SELECT rag_add_messages($1, $2, user_id => $3, create_session => $4) AS value';
const LAST = 'SELECT * FROM rag_get_messages($1, max_messages => $2, before_id => $3, user_id => $4)';
const AFTER = 'SELECT * FROM rag_get_messages_after($1, $2, max_messages => $3, user_id => $4)';
const CONTEXT = 'SELECT * FROM rag_get_context($1, max_tokens => $2, user_id => $3)';
const LIST = 'SELECT * FROM rag_list_sessions($1, max_sessions => $2, after_cursor => $3)';
const UPDATE = 'SELECT rag_update_message($1, $2, content => $3, metadata => $4, user_id => $5)';
const DELETE = 'SELECT rag_delete_messages($1, $2, user_id => $3) AS value';
const UPDATE_SESSION = 'SELECT rag_update_session($1, $2, user_id => $3) AS value';
const DELETE_SESSION = 'SELECT rag_delete_session($1, user_id => $2) AS value';

const pool = new pg.Pool({ max: CLIENTS });
const names = new Map(); // of prepared statements

function query(client, text, ...values) {
  if (!PREPARE) return client.query(text, values);
  if (!names.has(text)) names.set(text, `rag_${names.size}`);
  return client.query({ name: names.get(text), text, values });
}
const rows = async (client, ...call) => (await query(client, ...call)).rows;
const value = async (client, ...call) => (await rows(client, ...call))[0].value;

const newSession = (userId = USER, metadata = null) => value(
  pool, 'SELECT rag_create_session(user_id => $1, metadata => $2) AS value', userId, metadata,
);
const addMany = (sessionId, contents) => value(
  pool, ADD_MANY, sessionId, { messages: contents.map((content) => ({ role: 'user', content })) }, USER, false,
);
const all = (sessionId) => rows(pool, LAST, sessionId, null, null, USER);
const contents = (messages) => messages.map((message) => message.content);
const atOnce = (n, body) => Promise.all(Array.from({ length: n }, (_, i) => body(i)));

// withClients N, BODY: with so many connections of their own.
async function withClients(n, body) {
  const clients = await atOnce(n, () => pool.connect());
  try {
    return await body(clients);
  } finally {
    clients.forEach((client) => client.release());
  }
}

// The pooler opens all of its connections to the server, as so many transactions are open at once.
const openAllServers = () => withClients(POOL_SIZE, async (clients) => {
  for (const client of clients) await client.query('BEGIN');
  const pids = await atOnce(POOL_SIZE, (i) => rows(clients[i], 'SELECT pg_backend_pid() AS pid'));
  for (const client of clients) await client.query('COMMIT');
  assert.equal(new Set(pids.map(([{ pid }]) => pid)).size, POOL_SIZE);
});

// ---------------------------------------------------------------------------

// Each column comes as the type that pg has for it; bigint as a string, as it need not fit into a Number.
async function types() {
  const sessionId = await newSession(USER, { title: 'Trams', collection: ['a', 'b'] });
  assert.match(sessionId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  const id = await value(
    pool,
    `SELECT rag_add_message($1, $2, $3, sources => $4, latency_ms => $5, top_k => $6, query_type => $7, user_id => $8,
                            token_count => $9, metadata => $10, idempotency_key => $11) AS value`,
    ...[sessionId, 'assistant', 'Ünï 🙂', JSON.stringify([{ score: 0.5 }]), 12.5, 5, 'how-to', USER],
    ...[7, { model: 'm-1' }, 'request-1'],
  );
  assert.equal(typeof id, 'string');
  const [{ created_at: createdAt, ...message }] = await rows(pool, LAST, sessionId, 10, null, USER);
  assert.ok(createdAt instanceof Date);
  assert.deepEqual(message, {
    id,
    role: 'assistant',
    content: 'Ünï 🙂',
    sources: [{ score: 0.5 }],
    latency_ms: 12.5,
    top_k: 5,
    query_type: 'how-to',
    token_count: 7,
    metadata: { model: 'm-1' },
    idempotency_key: 'request-1',
  });
  const [{ sources }] = await rows(pool, 'SELECT * FROM rag_get_messages($1, include_sources => false)', sessionId);
  assert.equal(sources, null);
}

// A session and its first turn in one call; the ids are an array of strings.
async function firstTurn() {
  const sessionId = randomUUID();
  const turn = [{ role: 'user', content: 'Q' }, { role: 'assistant', content: 'A', sources: [1] }];
  const ids = [
    ...await value(pool, ADD_MANY, sessionId, JSON.stringify(turn), USER, true),
    ...await value(pool, ADD_MANY, sessionId, { messages: turn }, USER, true), // an object may stay as it is
  ];
  ids.forEach((id) => assert.equal(typeof id, 'string'));
  const messages = await all(sessionId);
  assert.deepEqual(messages.map((m) => m.id), ids);
  assert.deepEqual(messages.map((m) => [m.role, m.sources]), [
    ['user', null], ['assistant', [1]], ['user', null], ['assistant', [1]],
  ]);
  await fails('23505', 'sessions_pkey', null, ADD_MANY, sessionId, { messages: turn }, 'eve', true);
}

async function pageBackwards() {
  const sessionId = await newSession();
  const ids = await addMany(sessionId, Array.from({ length: 300 }, (_, i) => `m${i}`));
  const seen = [];
  let page;
  for (let before = null; ; before = page[0].id) {
    page = await rows(pool, LAST, sessionId, 37, before, USER);
    if (page.length === 0) break;
    seen.unshift(...page.map((m) => m.id));
    await query(pool, ADD, sessionId, 'user', 'meanwhile', USER);
  }
  assert.deepEqual(seen, ids);
}

// While several write to the session, who follows it sees each message once, in order.
async function follow() {
  const sessionId = await newSession();
  let writing = CLIENTS - 1;
  const seen = [];
  async function write(writer) {
    try {
      for (let i = 0; i < 20; i += 1) await query(pool, ADD, sessionId, 'user', `${writer} ${i}`, USER);
    } finally {
      writing -= 1;
    }
  }
  async function read() {
    for (;;) {
      const last = writing === 0; // before the page is read
      const page = await rows(pool, AFTER, sessionId, seen.at(-1)?.id ?? null, 7, USER);
      if (last && page.length === 0) return;
      seen.push(...page);
    }
  }
  await Promise.all([atOnce(CLIENTS - 1, write), read()]);
  assert.equal(seen.length, 20 * (CLIENTS - 1));
  seen.forEach((m, i) => assert.ok(i === 0 || BigInt(m.id) > BigInt(seen[i - 1].id)));
  assert.equal(new Set(contents(seen)).size, seen.length);
}

// The newest messages that fit, from a question on, with what each was counted as.
async function context() {
  const sessionId = await newSession();
  const messages = [];
  for (let i = 0; i < 10; i += 1) {
    for (const role of ['user', 'assistant']) messages.push({ role, content: `${role} ${i}`, token_count: 10 });
  }
  messages.push({ role: 'user', content: 'eleven by.' }); // not counted: a quarter of its bytes, rounded up
  await value(pool, ADD_MANY, sessionId, { messages }, USER, false);
  const window = await rows(pool, CONTEXT, sessionId, 60, USER);
  assert.deepEqual(contents(window), ['user 8', 'assistant 8', 'user 9', 'assistant 9', 'eleven by.']);
  assert.deepEqual(window.map((m) => m.token_count), [10, 10, 10, 10, 3]);
  assert.deepEqual(Object.keys(window[0]), ['id', 'role', 'content', 'token_count']);
  assert.deepEqual(await rows(pool, CONTEXT, sessionId, 2, USER), []);
  const after = 'SELECT * FROM rag_get_context($1, $2, max_messages => 4, after_id => $3, user_id => $4)';
  assert.deepEqual(
    contents(await rows(pool, after, sessionId, null, null, USER)),
    ['user 9', 'assistant 9', 'eleven by.'],
  );
  assert.deepEqual(contents(await rows(pool, after, sessionId, null, window[3].id, USER)), ['eleven by.']);
}

// The pages of the list have each session once, the latest used first.
async function sidebar() {
  const userId = `user ${randomUUID()}`;
  const ids = [];
  for (let i = 0; i < 25; i += 1) ids.push(await newSession(userId, { title: `Chat ${i}` }));
  await query(pool, ADD, ids[3], 'user', 'x'.repeat(300), userId);
  const listed = [];
  for (let cursor = null; ; cursor = listed.at(-1).cursor) {
    const page = await rows(pool, LIST, userId, 7, cursor);
    if (page.length === 0) break;
    listed.push(...page);
  }
  assert.deepEqual(listed.map((s) => s.session_id), [ids[3], ...ids.filter((id) => id !== ids[3]).reverse()]);
  const [first, second] = listed;
  assert.deepEqual([first.title, first.preview], ['Chat 3', 'x'.repeat(200)]);
  assert.deepEqual([second.title, second.preview, second.metadata], ['Chat 24', null, { title: 'Chat 24' }]);
  assert.ok(first.updated_at instanceof Date && first.updated_at >= first.created_at);
}

// An answer is there from its first words on, for others as well.
async function stream() {
  const sessionId = await newSession();
  await query(pool, ADD, sessionId, 'user', 'Q', USER);
  const answerId = await value(
    pool,
    `SELECT rag_add_message($1, 'assistant', '', metadata => $2, user_id => $3) AS value`,
    ...[sessionId, { status: 'streaming', model: 'm-1' }, USER],
  );
  let text = '';
  for (const piece of ['A single ', 'ticket ', 'is valid']) {
    text += piece;
    await query(pool, UPDATE, sessionId, answerId, text, null, USER);
    const [, answer] = await all(sessionId);
    assert.deepEqual([answer.content, answer.metadata.status], [text, 'streaming']);
  }
  await query(
    pool,
    `SELECT rag_update_message($1, $2, content => $3, sources => $4, latency_ms => $5, token_count => $6,
                               metadata => $7, user_id => $8)`,
    ...[sessionId, answerId, `${text}.`, JSON.stringify([1]), 20, 6, { status: 'done' }, USER],
  );
  const [, answer] = await all(sessionId);
  assert.deepEqual(
    [answer.id, answer.content, answer.sources, answer.latency_ms, answer.token_count, answer.metadata],
    [answerId, `${text}.`, [1], 20, 6, { status: 'done', model: 'm-1' }],
  );
}

async function regenerate() {
  const sessionId = await newSession();
  const ids = await addMany(sessionId, ['Q1', 'A1', 'Q2', 'A2']);
  assert.equal(await value(pool, DELETE, sessionId, ids[3], USER), '1'); // a bigint as well
  const again = await value(pool, ADD, sessionId, 'assistant', 'A2, again', USER);
  assert.ok(BigInt(again) > BigInt(ids[3]));
  assert.deepEqual(contents(await all(sessionId)), ['Q1', 'A1', 'Q2', 'A2, again']);
  assert.equal(await value(pool, DELETE, sessionId, ids[1], USER), '3');
  assert.deepEqual(contents(await all(sessionId)), ['Q1']);
  assert.equal(await value(pool, DELETE, sessionId, again, USER), '0');
}

async function sessionItself() {
  const sessionId = await newSession(USER, { title: 'New', system_prompt: 'Be brief.' });
  const change = { title: 'Trams', system_prompt: null, pinned: true };
  assert.deepEqual(await value(pool, UPDATE_SESSION, sessionId, change, USER), { title: 'Trams', pinned: true });
  await addMany(sessionId, ['Q']);
  assert.equal(await value(pool, DELETE_SESSION, sessionId, 'eve'), false);
  assert.equal(await value(pool, DELETE_SESSION, sessionId, USER), true);
  assert.equal(await value(pool, DELETE_SESSION, sessionId, USER), false);
  await fails('23503', 'messages_session_id_fkey', /rag_create_session/, LAST, sessionId, 1, null, USER);
  assert.equal(await value(pool, 'SELECT count(*)::integer AS value FROM messages WHERE session_id = $1', sessionId), 0);
}

// A copy up to a message, and a document that is an object and becomes a session again.
async function wholeSession() {
  const sessionId = await newSession(USER, { title: 'Trams' });
  const ids = await addMany(sessionId, ['Q1', 'A1 🙂', 'Q2']);
  const copy = 'SELECT rag_copy_session($1, upto_id => $2, user_id => $3) AS value';
  assert.deepEqual(contents(await all(await value(pool, copy, sessionId, ids[1], USER))), ['Q1', 'A1 🙂']);
  const exported = 'SELECT rag_export_session($1, user_id => $2) AS value';
  const imported = 'SELECT rag_import_session($1, user_id => $2, keep_id => $3) AS value';
  const document = await value(pool, exported, sessionId, USER);
  assert.deepEqual([document.metadata, contents(document.messages)], [{ title: 'Trams' }, ['Q1', 'A1 🙂', 'Q2']]);
  const again = await value(pool, exported, await value(pool, imported, document, 'bob', false), 'bob');
  const withoutIds = ({ session_id, user_id, messages, ...rest }) => (
    { ...rest, messages: messages.map(({ id, ...message }) => message) });
  assert.deepEqual(withoutIds(again), withoutIds(document));
  const openai = [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'Hi' }];
  for (const form of [{ messages: openai }, JSON.stringify(openai)]) {
    assert.deepEqual(contents(await all(await value(pool, imported, form, USER, false))), ['Hi']);
  }
  const noSession = ['23503', 'messages_session_id_fkey', /^Create the session first/];
  await fails(...noSession, exported, sessionId, 'eve');
  await fails(...noSession, copy, sessionId, null, 'eve');
  await fails('22023', undefined, null, imported, { messages: [{ role: 'user', content: 'x', latency_sm: 1 }] }, USER, false);
  await fails('23505', 'sessions_pkey', null, imported, document, USER, true);
}

// ---------------------------------------------------------------------------

// The error has this SQLSTATE and constraint, and its hint matches; returns its message.
async function fails(code, constraint, hint, ...call) {
  const error = await query(pool, ...call).then(() => assert.fail(`no error ${code}`), (e) => e);
  assert.deepEqual([error.code, error.constraint], [code, constraint], error.message);
  if (hint) assert.match(error.hint, hint);
  return error.message;
}

async function errors() {
  const sessionId = await newSession();
  const [id] = await addMany(sessionId, ['Q']);
  for (const [nobodys, userId] of [[randomUUID(), USER], [sessionId, 'eve']]) {
    for (const call of [
      [ADD, nobodys, 'user', 'x', userId],
      [LAST, nobodys, 10, null, userId],
      [AFTER, nobodys, 0, 10, userId],
      [CONTEXT, nobodys, 10, userId],
      [UPDATE_SESSION, nobodys, {}, userId],
      [UPDATE, nobodys, id, 'x', null, userId],
      [DELETE, nobodys, id, userId],
    ]) {
      const message = await fails('23503', 'messages_session_id_fkey', /^Create the session first/, ...call);
      assert.equal(message, 'session does not exist');
    }
  }
  const nothing = undefined; // what pg has for a field that the error lacks
  await fails('23503', nothing, null, UPDATE, sessionId, String(BigInt(id) + 1n), 'x', null, USER);
  await fails('23514', 'ck_messages_role', /Did you mean "assistant"/, ADD, sessionId, 'Assistant', 'x', USER);
  await fails('22004', nothing, null, ADD, sessionId, 'user', undefined, USER);
  await fails('22P02', nothing, null, ADD, 'no uuid', 'user', 'x', USER);
  await fails('22023', nothing, /NULL means all/, LAST, sessionId, -1, null, USER);
  await fails('22023', nothing, /NULL means all/, CONTEXT, sessionId, -1, USER);
  await fails('22023', nothing, /cursor of the last row/, LIST, USER, 1, 'no cursor');
  await fails('22023', nothing, null, UPDATE_SESSION, sessionId, '[]', USER);
  // An array that is not written as JSON is taken for a PostgreSQL array.
  await fails('22P02', nothing, null, ADD_MANY, sessionId, [{ role: 'user', content: 'x' }], USER, false);
  const misspelt = { messages: [{ role: 'user', content: 'x' }, { role: 'user', content: 'x', latency_sm: 1 }] };
  assert.match(await fails('22023', nothing, null, ADD_MANY, sessionId, misspelt, USER, false), /message 2/);
  await fails('22003', nothing, null, 'SELECT rag_update_message($1, $2, latency_ms => $3)', sessionId, id, -1);
  await fails('23505', 'sessions_pkey', null, 'SELECT rag_create_session(session_id => $1)', sessionId);
  const keyed = `SELECT rag_add_message($1, 'user', $2, idempotency_key => 'k') AS value`;
  const first = await value(pool, keyed, sessionId, 'x');
  assert.equal(await value(pool, keyed, sessionId, 'x'), first);
  await fails('23505', 'uq_messages_idempotency_key', null, keyed, sessionId, 'y');
  assert.deepEqual(contents(await all(sessionId)), ['Q', 'x']);
}

// Several calls in a transaction: all of them or none.
async function transaction() {
  const sessionId = await newSession();
  await withClients(1, async ([client]) => {
    await client.query('BEGIN');
    await query(client, ADD, sessionId, 'user', 'Q1', USER);
    await client.query('SAVEPOINT s');
    await assert.rejects(query(client, ADD, sessionId, 'bot', 'x', USER), { code: '23514' });
    await client.query('ROLLBACK TO s');
    await query(client, ADD, sessionId, 'user', 'kept', USER);
    await client.query('COMMIT');
    await client.query('BEGIN');
    assert.equal(await value(client, DELETE, sessionId, 0, USER), '2');
    assert.deepEqual(await rows(client, LAST, sessionId, null, null, USER), []);
    await client.query('ROLLBACK');
  });
  assert.deepEqual(contents(await all(sessionId)), ['Q1', 'kept']);
}

// All clients send one request at the same time: one message, and all get its id.
async function sameRequest() {
  const sessionId = await newSession();
  const keyed = `SELECT rag_add_message($1, 'user', 'Q', user_id => $2, idempotency_key => 'request-1') AS value`;
  const ids = await withClients(CLIENTS, (clients) => atOnce(CLIENTS, (i) => value(clients[i], keyed, sessionId, USER)));
  assert.deepEqual((await all(sessionId)).map((m) => m.id), [...new Set(ids)]);
}

// A client's conversation, and each time what it reads; returns the backends that it met.
async function oneClient(client) {
  const userId = randomUUID();
  const backends = new Set();
  const call = async (text, ...values) => {
    const result = await rows(client, `SELECT pg_backend_pid() AS pid, x.* FROM ${text} AS x`, ...values);
    result.forEach(({ pid }) => backends.add(pid));
    return result;
  };
  const [{ x: sessionId }] = await call('rag_create_session(user_id => $1)', userId);
  const expected = [];
  for (let i = 0; i < 12; i += 1) {
    const [question, answer] = [`${userId} asks ${i}`, `${userId} is told ${i}`];
    await call(`rag_add_message($1, 'user', $2, user_id => $3)`, sessionId, question, userId);
    const window = await call('rag_get_context($1, $2, user_id => $3)', sessionId, 2000, userId);
    assert.deepEqual(contents(window), [...expected, question]);
    const [{ x: answerId }] = await call(`rag_add_message($1, 'assistant', '', user_id => $2)`, sessionId, userId);
    await call('rag_update_message($1, $2, content => $3, user_id => $4)', sessionId, answerId, answer, userId);
    expected.push(question, answer);
    assert.deepEqual(contents(await call('rag_get_messages($1, user_id => $2)', sessionId, userId)), expected);
  }
  assert.deepEqual((await call('rag_list_sessions($1)', userId)).map((s) => s.session_id), [sessionId]);
  return backends;
}

async function manyClients() {
  assert.ok(CLIENTS > POOL_SIZE);
  const met = await withClients(CLIENTS, (clients) => Promise.all(clients.map(oneClient)));
  const backends = new Set(met.flatMap((pids) => [...pids]));
  if (POOL_SIZE) {
    assert.ok(backends.size > 1 && backends.size <= POOL_SIZE, `${backends.size} backends`);
    assert.ok(met.some((pids) => pids.size > 1), 'no client met two backends');
  } else {
    assert.equal(backends.size, CLIENTS);
  }
}

// Each statement of a client runs on another backend than the one before it.
async function moves() {
  const sessionId = await newSession();
  const call = 'SELECT pg_backend_pid() AS pid, rag_add_message($1, $2, $3, user_id => $4)';
  const pids = await withClients(1, async ([client]) => {
    const result = [];
    for (let i = 0; i < 2 * POOL_SIZE; i += 1) {
      const [{ pid }] = await rows(client, call, sessionId, 'user', `m${i}`, USER);
      result.push(pid);
    }
    return result;
  });
  assert.equal(new Set(pids.slice(0, POOL_SIZE)).size, POOL_SIZE);
  assert.deepEqual(pids.slice(0, POOL_SIZE), pids.slice(POOL_SIZE));
  assert.equal((await all(sessionId)).length, 2 * POOL_SIZE);
}

const { version } = JSON.parse(readFileSync(new URL('node_modules/pg/package.json', import.meta.url)));
console.log(`# node ${process.version}, pg ${version}`);
if (POOL_SIZE) {
  await openAllServers();
  await test('consecutive statements of a client run on different backends', moves);
}
await test('types: uuid, bigint as string, timestamp as Date, jsonb', types);
await test('a first turn creates its session in one call', firstTurn);
await test('paging backwards gives each of 300 messages once while others append', pageBackwards);
await test('following a session skips nothing while others write to it', follow);
await test('the context fits the budget and begins with a question', context);
await test('paging the list of sessions gives each once, the latest first', sidebar);
await test('a streamed answer grows and is finished', stream);
await test('an answer is regenerated', regenerate);
await test('a session is updated and deleted', sessionItself);
await test('a session is copied, exported and imported', wholeSession);
await test('errors have their SQLSTATE, constraint and hint', errors);
await test('transactions and savepoints', transaction);
await test('a request that all clients send at once is one message', sameRequest);
await test(`${CLIENTS} clients at once each read their own conversation`, manyClients);
await pool.end();
finish();
