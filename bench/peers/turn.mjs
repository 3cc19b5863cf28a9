// A turn, a question and its answer with sources, written by each library in the way
// that its users write it. Prints lines of results: round, way, microseconds a turn.
//
//   node turn.mjs FILE ROUNDS TURNS     FILE: JSON Lines, {"messages": […]}
//
// The databases are $PGDATABASE_NEW for rag_events and $PGDATABASE_PEERS for the others,
// on the server of PGHOST, PGUSER …

import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { PostgresChatMessageHistory } from '@langchain/community/stores/message/postgres';
import { AIMessage, HumanMessage } from '@langchain/core/messages';
import { PostgresStore } from '@mastra/pg';

const SESSIONS = 100;
const [file, rounds, turns] = [process.argv[2], +process.argv[3], +process.argv[4]];

// Every question with the answer that follows it, those with sources if there are any.
function readTurns(path) {
  const found = [];
  for (const line of readFileSync(path, 'utf8').split('\n').filter(Boolean)) {
    const { messages } = JSON.parse(line);
    messages.forEach((answer, i) => {
      if (answer.role === 'assistant' && messages[i - 1]?.role === 'user') {
        found.push({ question: messages[i - 1].content, answer: answer.content, sources: answer.sources ?? null });
      }
    });
  }
  const sourced = found.filter((turn) => turn.sources);
  return sourced.length > 0 ? sourced : found;
}

function connection(database) {
  return {
    host: process.env.PGHOST,
    port: +process.env.PGPORT,
    user: process.env.PGUSER,
    password: process.env.PGPASSWORD ?? '',
    database,
  };
}

async function ragEvents() {
  const pool = new pg.Pool(connection(process.env.PGDATABASE_NEW));
  const { rows } = await pool.query('SELECT id FROM sessions ORDER BY id LIMIT $1', [SESSIONS]);
  return {
    write: ({ question, answer, sources }, session) =>
      pool.query({
        name: 'add-turn',
        text: 'SELECT rag_add_messages($1, $2)',
        values: [
          rows[session].id,
          JSON.stringify([
            { role: 'user', content: question },
            { role: 'assistant', content: answer, sources },
          ]),
        ],
      }),
    count: async () => +(await pool.query('SELECT count(*) FROM messages')).rows[0].count,
    end: () => pool.end(),
  };
}

async function langchain() {
  const pool = new pg.Pool(connection(process.env.PGDATABASE_PEERS));
  const histories = Array.from({ length: SESSIONS }, () => new PostgresChatMessageHistory({ pool, sessionId: randomUUID() }));
  for (const history of histories) await history.ensureTable();
  return {
    write: ({ question, answer, sources }, session) =>
      histories[session].addMessages([
        new HumanMessage(question),
        new AIMessage({ content: answer, additional_kwargs: { sources } }),
      ]),
    count: async () => +(await pool.query('SELECT count(*) FROM langchain_chat_histories')).rows[0].count,
    end: () => pool.end(),
  };
}

async function mastra() {
  const store = new PostgresStore({ id: 'bench', ...connection(process.env.PGDATABASE_PEERS) });
  await store.init();
  const threads = Array.from({ length: SESSIONS }, () => randomUUID());
  for (const id of threads) {
    await store.saveThread({
      thread: { id, resourceId: 'user-1', title: 'bench', metadata: {}, createdAt: new Date(), updatedAt: new Date() },
    });
  }
  const message = (threadId, role, text, metadata) => ({
    id: randomUUID(),
    threadId,
    resourceId: 'user-1',
    role,
    type: 'v2',
    createdAt: new Date(),
    content: { format: 2, parts: [{ type: 'text', text }], content: text, ...(metadata && { metadata }) },
  });
  return {
    write: ({ question, answer, sources }, session) =>
      store.saveMessages({
        messages: [
          message(threads[session], 'user', question),
          message(threads[session], 'assistant', answer, { sources }),
        ],
        format: 'v2',
      }),
    count: async () => +(await store.db.one('SELECT count(*) FROM mastra_messages')).count,
    end: () => store.close(),
  };
}

const data = readTurns(file);
const ways = { rag_events: await ragEvents(), langchain: await langchain(), mastra: await mastra() };
const names = Object.keys(ways);

// The mean of the middle half: without what else the machine does.
function middle(times) {
  const sorted = times.toSorted((a, b) => a - b);
  const part = sorted.slice(Math.floor(sorted.length / 4), sorted.length - Math.floor(sorted.length / 4));
  return part.reduce((sum, time) => sum + time, 0) / part.length;
}

async function measure(way) {
  const times = [];
  for (let i = 0; i < turns; i++) {
    const begin = process.hrtime.bigint();
    await way.write(data[i % data.length], i % SESSIONS);
    times.push(Number(process.hrtime.bigint() - begin) / 1000);
  }
  return middle(times);
}

for (const name of names) await measure(ways[name]); // to warm up, both sides
for (let round = 0; round < rounds; round++) {
  for (let i = 0; i < names.length; i++) {
    const name = names[(i + round) % names.length];
    console.log([round, name, await measure(ways[name])].join('\t'));
  }
}
for (const name of names) {
  const found = await ways[name].count();
  if (found !== 2 * turns * (rounds + 1)) throw new Error(`${name} wrote ${found} messages`);
  await ways[name].end();
}
