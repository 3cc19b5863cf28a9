// A chat with pg: each line of the input is a question, and the answer appears as it is written.
//
//     node chat.mjs maya             a new session of the user maya
//     node chat.mjs maya SESSION     goes on with one of hers
//
// /again replaces the last answer by another one, and /list shows the user's sessions.
// PGHOST, PGDATABASE … lead to a database with the extension.
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

const HTTP_STATUS = { '22P02': 400, 23503: 404, 23505: 409, 22004: 422, 22023: 422, 23514: 422 };

function httpStatus(error) {
  // A foreign key of your own, such as that of a table of ratings, is not a session that is missing.
  if (error.code === '23503' && ![undefined, 'messages_session_id_fkey'].includes(error.constraint)) return 409;
  return HTTP_STATUS[error.code] ?? 500;
}
const MAX_TOKENS = 3000; // what the conversation may take of the model's context window
const PIECES = 5; // an answer is saved each time that so many have come

async function retrieve(question) { // your search
  return [{ document_id: 'tariff-04', score: 0.91, text: 'A single ticket is valid for 75 minutes.' }];
}

export const model = {
  async* ask(prompt, sources) { // your model, which yields its answer piece by piece
    const asked = prompt.filter((message) => message.role === 'user').length;
    yield* `Answer ${asked}: ${sources[0].text}`.match(/\S+ ?/g);
  },
};

// The session's system prompt, and as many of the newest messages as fit.
export async function buildPrompt(pool, userId, sessionId) {
  const { rows: [session] } = await pool.query(
    `SELECT metadata->>'system_prompt' AS prompt FROM sessions WHERE id = $1 AND user_id = $2`,
    [sessionId, userId],
  );
  const { rows: messages } = await pool.query(
    'SELECT role, content FROM rag_get_context($1, max_tokens => $2, user_id => $3)',
    [sessionId, MAX_TOKENS, userId],
  );
  return [{ role: 'system', content: session.prompt }, ...messages];
}

// Yields the pieces of an answer to what was asked last. Meanwhile others read what there is of it.
async function* writeAnswer(pool, userId, sessionId) {
  const prompt = await buildPrompt(pool, userId, sessionId);
  const sources = await retrieve(prompt.at(-1).content);
  const { rows: [{ id: answerId }] } = await pool.query(
    `SELECT rag_add_message($1, 'assistant', '', metadata => $2, user_id => $3) AS id`,
    [sessionId, { status: 'streaming', model: 'm-1' }, userId],
  );
  const start = performance.now();
  let text = '';
  let status = 'failed';
  let n = 0;
  try {
    for await (const piece of model.ask(prompt, sources)) {
      text += piece;
      yield piece;
      n += 1;
      if (n % PIECES === 0) {
        await pool.query(
          'SELECT rag_update_message($1, $2, content => $3, user_id => $4)',
          [sessionId, answerId, text, userId],
        );
      }
    }
    status = 'done';
  } finally { // also when the model fails, or the user stops it
    await pool.query(
      `SELECT rag_update_message($1, $2, content => $3, sources => $4, latency_ms => $5, metadata => $6, user_id => $7)`,
      [sessionId, answerId, text, JSON.stringify(sources), performance.now() - start, { status }, userId],
    ); // metadata is merged into what is there: the model stays
  }
}

// Stores a question and yields the pieces of its answer. A request that is sent again is not answered again.
export async function* ask(pool, userId, sessionId, question, requestId) {
  const { rows: [{ id: questionId }] } = await pool.query(
    `SELECT rag_add_message($1, 'user', $2, user_id => $3, idempotency_key => $4) AS id`,
    [sessionId, question, userId, requestId],
  );
  // No BEGIN: the question is safe now, and nothing is locked while the model works.
  const { rows: [answer] } = await pool.query(
    'SELECT content FROM rag_get_messages_after($1, $2, max_messages => 1, user_id => $3)',
    [sessionId, questionId, userId],
  );
  if (answer) yield answer.content;
  else yield* writeAnswer(pool, userId, sessionId);
}

// Deletes the last answer and yields the pieces of another one.
export async function* again(pool, userId, sessionId) {
  const { rows: [last] } = await pool.query(
    'SELECT id, role FROM rag_get_messages($1, max_messages => 1, user_id => $2)',
    [sessionId, userId],
  );
  if (last?.role === 'assistant') {
    await pool.query('SELECT rag_delete_messages($1, $2, user_id => $3)', [sessionId, last.id, userId]);
  }
  if (last) yield* writeAnswer(pool, userId, sessionId);
}

// Yields the user's sessions, latest first; the next page would be after_cursor => the last row's cursor.
async function* listSessions(pool, userId) {
  const { rows } = await pool.query('SELECT * FROM rag_list_sessions($1, max_sessions => 10)', [userId]);
  for (const row of rows) yield `${row.session_id} ${row.title}: ${row.preview}\n`;
}

async function main(userId, sessionId) {
  const pool = new pg.Pool();
  if (!sessionId) {
    const { rows: [{ id }] } = await pool.query(
      'SELECT rag_create_session(user_id => $1, metadata => $2) AS id',
      [userId, { title: 'Trams', system_prompt: 'Answer from the passages only.' }],
    );
    sessionId = id;
    console.log('Session', sessionId);
  }
  for await (const line of createInterface({ input: process.stdin })) {
    let pieces;
    if (line === '/list') pieces = listSessions(pool, userId);
    else if (line === '/again') pieces = again(pool, userId, sessionId);
    else pieces = ask(pool, userId, sessionId, line.trim(), randomUUID());
    try {
      for await (const piece of pieces) process.stdout.write(piece);
      console.log();
    } catch (error) { // what a web application answers
      console.log(httpStatus(error), error.message);
    }
  }
  await pool.end();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(...process.argv.slice(2));
