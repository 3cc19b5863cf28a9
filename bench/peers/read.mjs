// What an application does with conversations that are there, or come from elsewhere, by
// each library in the way that its users do it. Prints lines of results: round, way,
// microseconds.
//
//   node read.mjs history ROUNDS CALLS   the last 20 messages of a session
//   node read.mjs context ROUNDS CALLS   the end of a session that fits into 4000 tokens
//   node read.mjs import ROUNDS FILE     whole conversations, a message of these: JSON
//                                        Lines, {"messages": […]}
//
// The database is $PGDATABASE on the server of PGHOST, PGUSER …; history makes the
// libraries' tables in it, from the table messages.

import { readFileSync } from 'node:fs';
import pg from 'pg';

const MESSAGES = 20;
const TOKENS = 4000;

const connection = {
  host: process.env.PGHOST,
  port: +process.env.PGPORT,
  user: process.env.PGUSER,
  password: process.env.PGPASSWORD ?? '',
  database: process.env.PGDATABASE,
};
const pool = new pg.Pool({ ...connection, max: 1 });
const [what, rounds] = [process.argv[2], +process.argv[3]];

async function rows(text, values) {
  return (await pool.query(text, values)).rows;
}

async function expectEqual(found, expected, name) {
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new Error(`${name}: ${JSON.stringify(found).slice(0, 500)}, not ${JSON.stringify(expected).slice(0, 500)}`);
  }
}

async function history() {
  const { PostgresChatMessageHistory } = await import('@langchain/community/stores/message/postgres');
  const { AIMessage, HumanMessage } = await import('@langchain/core/messages');
  const { PostgresStore } = await import('@mastra/pg');
  const chats = new Map();
  const chat = (id) => {
    if (!chats.has(id)) chats.set(id, new PostgresChatMessageHistory({ pool, sessionId: id }));
    return chats.get(id);
  };
  const store = new PostgresStore({ id: 'bench', ...connection, max: 1 });

  // Each library makes its tables and writes two messages; the others are copies of
  // these, with the contents of the table messages.
  await store.init();
  await chat('sample').addMessages([new HumanMessage('x'), new AIMessage('x')]);
  await store.saveThread({
    thread: { id: 'sample', resourceId: 'user-1', title: 'bench', metadata: {}, createdAt: new Date(), updatedAt: new Date() },
  });
  await store.saveMessages({
    messages: ['user', 'assistant'].map((role) => ({
      id: `sample-${role}`,
      threadId: 'sample',
      resourceId: 'user-1',
      role,
      type: 'v2',
      createdAt: new Date(),
      content: { format: 2, parts: [{ type: 'text', text: 'x' }], content: 'x' },
    })),
    format: 'v2',
  });
  await pool.query(`
    INSERT INTO langchain_chat_histories (session_id, message)
    SELECT m.session_id, jsonb_set(s.message, '{content}', to_jsonb(m.content))
    FROM messages AS m JOIN langchain_chat_histories AS s
      ON s.session_id = 'sample' AND s.message ->> 'type' = CASE m.role WHEN 'user' THEN 'human' ELSE 'ai' END
    ORDER BY m.id`);
  await pool.query(`
    INSERT INTO mastra_threads SELECT (jsonb_populate_record(t, jsonb_build_object('id', s.id, 'resourceId', s.user_id))).*
    FROM sessions AS s, mastra_threads AS t WHERE t.id = 'sample'`);
  await pool.query(`
    INSERT INTO mastra_messages
    SELECT (jsonb_populate_record(t, jsonb_build_object('id', 'message-' || m.id, 'thread_id', m.session_id, 'createdAt', m.created_at,
      'createdAtZ', m.created_at, 'content', replace(t.content, '"x"', to_json(m.content)::text)))).*
    FROM messages AS m JOIN mastra_messages AS t ON t.id = 'sample-' || m.role
    ORDER BY m.id`);
  await pool.query(`DELETE FROM langchain_chat_histories WHERE session_id = 'sample'`);
  await pool.query(`DELETE FROM mastra_messages WHERE thread_id = 'sample'`);
  await pool.query(`DELETE FROM mastra_threads WHERE id = 'sample'`);
  await pool.query('VACUUM (FREEZE, ANALYZE)');

  const ids = (await rows(`SELECT id FROM sessions ORDER BY md5(id::text) LIMIT 500`)).map(({ id }) => id);
  const ways = {
    rag_events: async (id) =>
      rows({ name: 'last', text: 'SELECT * FROM rag_get_messages($1, $2)', values: [id, MESSAGES] }),
    langchain: async (id) => (await chat(id).getMessages()).slice(-MESSAGES),
    mastra: async (id) => store.getMessages({ threadId: id, selectBy: { last: MESSAGES }, format: 'v2' }),
  };
  const contents = {
    rag_events: (found) => found.map(({ content }) => content),
    langchain: (found) => found.map(({ content }) => content),
    mastra: (found) => found.map(({ content }) => content.content),
  };
  for (const name of Object.keys(ways)) {
    await expectEqual(contents[name](await ways[name](ids[0])), contents.rag_events(await ways.rag_events(ids[0])), name);
  }
  return { ids, ways, calls: (name) => (name === 'langchain' ? Math.ceil(+process.argv[4] / 20) : +process.argv[4]), end: () => store.close() };
}

async function context() {
  const ids = (await rows('SELECT id FROM sessions')).map(({ id }) => id);
  const tokens = (message) => message.token_count ?? Math.ceil(Buffer.byteLength(message.content) / 4);

  // The newest that fit, from a message of the user on.
  function trim(messages) {
    let left = TOKENS;
    let first = messages.length;
    let start = first;
    while (first > 0 && tokens(messages[first - 1]) <= left) {
      first--;
      left -= tokens(messages[first]);
      if (messages[first].role === 'user') start = first;
    }
    return messages.slice(start);
  }
  const ways = {
    rag_events: (id) => rows({ name: 'context', text: 'SELECT * FROM rag_get_context($1, $2)', values: [id, TOKENS] }),
    fetch: async (id) =>
      trim(
        await rows({
          name: 'fetch',
          text: 'SELECT id, role, content, token_count FROM messages WHERE session_id = $1 ORDER BY id',
          values: [id],
        }),
      ),
  };
  for (const id of ids) {
    const key = (messages) => messages.map(({ id: n, content }) => [String(n), content]);
    await expectEqual(key(await ways.rag_events(id)), key(await ways.fetch(id)), id);
  }
  return { ids, ways, calls: (name) => (name === 'fetch' ? Math.ceil(+process.argv[4] / 10) : +process.argv[4]) };
}

// Every round begins with empty tables.
async function imports() {
  const conversations = readFileSync(process.argv[4], 'utf8').split('\n').filter(Boolean).map((line) => ({
    messages: JSON.parse(line).messages.map(({ role, content, sources, latency_ms, top_k, query_type }) =>
      ({ role, content, sources, latency_ms, top_k, query_type })),
  }));
  const total = conversations.reduce((sum, { messages }) => sum + messages.length, 0);

  async function add({ messages }) {
    const [{ id }] = await rows({ name: 'create', text: 'SELECT rag_create_session() AS id' });
    for (const { role, content, sources, latency_ms, top_k, query_type } of messages) {
      await rows({
        name: 'add',
        text: 'SELECT rag_add_message($1, $2, $3, $4, $5, $6, $7)',
        values: [id, role, content, sources && JSON.stringify(sources), latency_ms, top_k, query_type],
      });
    }
  }
  const ways = {
    import: async (conversation) =>
      rows({ name: 'import', text: 'SELECT rag_import_session($1)', values: [JSON.stringify(conversation)] }),
    calls: add,
    transactions: async (conversation) => {
      await rows('BEGIN');
      await add(conversation);
      await rows('COMMIT');
    },
  };

  async function measure(name) {
    await pool.query('TRUNCATE sessions, messages, rag_feedback');
    const begin = process.hrtime.bigint();
    for (const conversation of conversations) await ways[name](conversation);
    const us = Number(process.hrtime.bigint() - begin) / 1000;
    const [{ count }] = await rows('SELECT count(*) FROM messages');
    await expectEqual(+count, total, name);
    return us / total;
  }
  return { ways, measure };
}

// The mean of the middle half: without what else the machine does.
function middle(times) {
  const sorted = times.toSorted((a, b) => a - b);
  const part = sorted.slice(Math.floor(sorted.length / 4), sorted.length - Math.floor(sorted.length / 4));
  return part.reduce((sum, time) => sum + time, 0) / part.length;
}

const { ids, ways, calls, measure, end } = await { history, context, import: imports }[what]();
let next = 0;

async function measureCalls(name) {
  const times = [];
  for (let i = 0; i < calls(name); i++) {
    const id = ids[next++ % ids.length];
    const begin = process.hrtime.bigint();
    await ways[name](id);
    times.push(Number(process.hrtime.bigint() - begin) / 1000);
  }
  return middle(times);
}

const names = Object.keys(ways);
const take = measure ?? measureCalls;
for (const name of names) await take(name); // to warm up, both sides
for (let round = 0; round < rounds; round++) {
  for (let i = 0; i < names.length; i++) {
    const name = names[(i + round) % names.length];
    console.log([round, name, await take(name)].join('\t'));
  }
}
await end?.();
await pool.end();
