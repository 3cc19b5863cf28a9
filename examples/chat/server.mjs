// The server of the chat: the page's files, a login, and a route for each thing that the page does, which is
// nearly always one call of rag_events. PGHOST, PGDATABASE … lead to a database with the extension, and PORT
// is the port of 127.0.0.1 to listen on (0: a free one).
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import pg from 'pg';

const { ask, retrieve } = await import(process.env.CHAT_MODEL ?? './model.mjs');

const USERS = ['maya', 'ben']; // who can log in, without a password: your own login goes here
const MAX_TOKENS = 3000; // what the conversation may take of the model's context window
const TOP_K = 3; // how many passages are retrieved for an answer
const PIECES = 20; // an answer is saved each time that so many have come
const MAX_BODY = 20_000_000;
const HTTP_STATUS = { '22P02': 400, 23503: 404, 23505: 409, 22001: 422, 22003: 422, 22004: 422, 22023: 422, 23514: 422 };

const pool = new pg.Pool();
pool.on('error', (error) => console.error(error.message)); // an idle connection has ended
// What comes from a user is always a parameter, never a part of the SQL.
const rows = async (sql, ...parameters) => (await pool.query(sql, parameters)).rows;
const value = async (sql, ...parameters) => Object.values((await rows(sql, ...parameters))[0])[0];

const httpError = (status, text) => Object.assign(new Error(text), { status });
// The status and the text that a client gets for an error.
function describe(error) {
  const status = error.status ?? (error instanceof SyntaxError ? 400 : HTTP_STATUS[error.code] ?? 500);
  if (status === 500) console.error(error);
  return [status, status === 500 ? 'Something went wrong on the server.' : error.message];
}

// A stored message as useChat() has it. Its metadata is what the page shows beside the text.
const uiMessage = ({ id, role, content, sources, latency_ms, metadata }) => ({
  id, role, parts: [{ type: 'text', text: content }],
  metadata: { stored: true, sources, latency_ms, status: metadata?.status },
});

// An answer as a stream of the AI SDK's chunks: each reader gets all of them, from the beginning on.
class Answer {
  sent = [];
  readers = new Set();
  stopping = new AbortController();

  send(...chunks) {
    const text = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('');
    this.sent.push(text);
    for (const reader of this.readers) reader.write(text);
  }

  begin({ id, parts: [{ text }], metadata }) {
    this.id = id;
    this.send({ type: 'start', messageId: id, messageMetadata: metadata }, { type: 'text-start', id });
    this.add(text);
    return this;
  }

  add(delta) {
    this.send({ type: 'text-delta', id: this.id, delta });
  }

  end(chunk) {
    this.send(chunk);
    this.ended = true;
    for (const reader of this.readers) reader.end();
    return this;
  }

  follow(res) {
    res.writeHead(200, { 'content-type': 'text/event-stream', 'x-vercel-ai-ui-message-stream': 'v1' });
    res.write(this.sent.join(''));
    if (this.ended) res.end();
    else this.readers.add(res.on('close', () => this.readers.delete(res)));
  }
}

// Those that are being written now, by owner and session. They are written to their end whether somebody
// reads them or not.
const answers = new Map();
const answerKey = (user, session) => `${user} ${session}`;

// Asks the model, and stores the answer as it grows; returns the last chunk. No transaction is open meanwhile.
async function writeAnswer(answer, user, session, question) {
  const start = performance.now();
  const { signal } = answer.stopping;
  const prompt = await value('SELECT rag_get_prompt($1, max_tokens => $2, user_id => $3)', session, MAX_TOKENS, user);
  const sources = await retrieve(question.content, TOP_K);
  const key = `answer to ${question.idempotency_key ?? randomUUID()}`;
  let content = '';
  let status = 'streaming';
  const put = (latency) => value(
    `SELECT rag_put_message($1, $2, 'assistant', $3, sources => $4, latency_ms => $5, top_k => $6, user_id => $7, metadata => $8)`,
    session, key, content, JSON.stringify(sources), latency, TOP_K, user, { status },
  );
  answer.begin(uiMessage({ id: await put(), role: 'assistant', content, sources, metadata: { status } }));
  try {
    for await (const piece of ask(prompt, sources, signal)) {
      content += piece;
      answer.add(piece);
      if (answer.sent.length % PIECES === 0) await put();
    }
    status = 'done';
  } catch (error) {
    status = 'failed';
    if (!signal.aborted) console.error(error);
  }
  if (signal.aborted) status = 'stopped';
  await put(performance.now() - start);
  return { type: 'finish', messageMetadata: { status } };
}

function startAnswer(user, session, question) {
  const answer = Object.assign(new Answer(), { questionKey: question.idempotency_key });
  answers.set(answerKey(user, session), answer);
  answer.written = writeAnswer(answer, user, session, question)
    .catch((error) => ({ type: 'error', errorText: describe(error)[1] }))
    .then((chunk) => {
      answers.delete(answerKey(user, session));
      answer.end(chunk);
      tell(user);
    });
  return answer;
}

async function stopAnswer(user, session) {
  const answer = answers.get(answerKey(user, session));
  answer?.stopping.abort();
  await answer?.written;
}

// Stores the question, if there is one, and streams the answer to what was asked last: the one that is being
// written, the one that is there, or a new one. So the request may be sent again whenever a connection is lost.
async function answerQuestion({ user, session, body: { question }, res }) {
  const writing = answers.get(answerKey(user, session));
  if (question) {
    if (writing && writing.questionKey !== question.key) throw httpError(409, 'Another answer is being written in this chat.');
    await rows(
      'SELECT rag_add_messages($1, $2, user_id => $3, create_session => true)',
      session, JSON.stringify([{ role: 'user', content: question.text, idempotency_key: question.key }]), user,
    );
  }
  const [last] = await rows('SELECT * FROM rag_get_messages($1, max_messages => 1, user_id => $2)', session, user);
  if (!last) throw httpError(409, 'There is no question.');
  const answer = answers.get(answerKey(user, session))
    ?? (last.role === 'user' ? startAnswer(user, session, last) : new Answer().begin(uiMessage(last)).end({ type: 'finish' }));
  answer.follow(res);
}

const logins = new Map(); // the value of the cookie → the user
const tabs = new Map(); // the response of an open tab → its user

// Tells the tabs of a user that something has changed. (Several servers: by NOTIFY.)
function tell(user) {
  for (const [res, who] of tabs) if (who === user) res.write('data: changed\n\n');
}

// user is who is logged in; session and message are from the path, body (as JSON) and text are what was sent.
const routes = {
  'GET /api/login': ({ user }) => ({ user, users: USERS }),
  'POST /api/login': ({ body, res }) => {
    if (!USERS.includes(body.user)) throw httpError(422, 'There is no such user.');
    const token = randomUUID();
    logins.set(token, body.user);
    res.setHeader('set-cookie', `login=${token}; Path=/; HttpOnly; SameSite=Strict`);
  },
  'DELETE /api/login': ({ token }) => logins.delete(token),
  'GET /api/events': ({ user, res }) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' }).write('retry: 500\n\n');
    tabs.set(res.on('close', () => tabs.delete(res)), user);
  },
  'GET /api/sessions': ({ user, query }) => rows(
    'SELECT * FROM rag_find_sessions($1, query => $2, filter => $3, max_sessions => 20, after_cursor => $4)',
    user, query.get('query'), query.get('filter'), query.get('after'),
  ),
  'GET /api/folders': ({ user }) => rows(
    `SELECT DISTINCT metadata->>'folder' AS name FROM sessions WHERE user_id = $1 AND metadata ? 'folder' ORDER BY name`, user,
  ),
  'GET /api/sessions/:session': async ({ user, session, query }) => {
    const writing = answers.get(answerKey(user, session)); // the page asks for that one by itself
    const [[info], messages, feedback] = await Promise.all([
      rows('SELECT * FROM rag_get_session($1, user_id => $2)', session, user),
      rows('SELECT * FROM rag_get_messages($1, max_messages => $2, user_id => $3)', session, query.get('max'), user),
      rows('SELECT * FROM rag_get_feedback($1, user_id => $2)', session, user),
    ]);
    return { info, feedback, writing: !!writing, messages: messages.filter(({ id }) => id !== writing?.id).map(uiMessage) };
  },
  'PATCH /api/sessions/:session': ({ user, session, body: { title, folder, pinned } }) => rows(
    'SELECT rag_update_session($1, $2, user_id => $3)', session, { title, folder, pinned }, user,
  ),
  'DELETE /api/sessions/:session': async ({ user, session }) => {
    await stopAnswer(user, session);
    await rows('SELECT rag_delete_session($1, user_id => $2)', session, user);
  },
  'POST /api/sessions/:session/answer': answerQuestion,
  'POST /api/sessions/:session/stop': ({ user, session }) => stopAnswer(user, session),
  'DELETE /api/sessions/:session/messages/:message': async ({ user, session, message }) => {
    await stopAnswer(user, session);
    await rows('SELECT rag_delete_messages($1, $2, user_id => $3)', session, message, user);
  },
  'POST /api/sessions/:session/messages/:message/branch': ({ user, session, message }) => value(
    'SELECT rag_copy_session($1, upto_id => $2, user_id => $3)', session, message, user,
  ),
  'PUT /api/sessions/:session/messages/:message/feedback': ({ user, session, message, body: { score, comment, source_no } }) => rows(
    'SELECT rag_set_feedback($1, $2, $3, comment => $4, source_no => $5, user_id => $6)',
    session, message, score, comment, source_no, user,
  ),
  'GET /api/sessions/:session/export': async ({ user, session, res }) => {
    res.setHeader('content-disposition', `attachment; filename="${session}.json"`);
    return value('SELECT rag_export_session($1, user_id => $2)', session, user);
  },
  'POST /api/import': ({ user, text }) => value('SELECT rag_import_session($1, user_id => $2)', text, user),
};

async function serve(req, res) {
  const url = new URL(req.url, 'http://localhost');
  const [, , , session, , message] = url.pathname.split('/');
  const path = url.pathname.replace(/^(\/api\/sessions\/)[^/]+/, '$1:session').replace(/(\/messages\/)[^/]+/, '$1:message');
  const route = routes[`${req.method} ${path}`];
  const token = /(?:^|; )login=([^;]+)/.exec(req.headers.cookie)?.[1];
  const user = logins.get(token);
  if (!route) throw httpError(404, 'There is no such page.');
  if (!user && path !== '/api/login') throw httpError(401, 'Please log in.');
  if (req.headers['transfer-encoding'] || req.headers['content-length'] > MAX_BODY) throw httpError(413, 'That is too long.');
  const text = await readText(req);
  const result = await route({ user, token, session, message, query: url.searchParams, text, get body() { return JSON.parse(text); }, res });
  if (!res.headersSent) res.setHeader('content-type', 'application/json').end(JSON.stringify(result ?? null));
  if (req.method !== 'GET') tell(user);
}

// The page, as vite has built it.
const dist = new URL('dist/', import.meta.url);
const files = new Map(readdirSync(dist).map((name) => [`/${name}`.replace('/index.html', '/'), [name, readFileSync(new URL(name, dist))]]));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css' };

const server = createServer((req, res) => {
  res.setHeader('cache-control', 'no-store').setHeader('content-security-policy', "default-src 'self'; img-src 'self' data:");
  const [name, file] = files.get(req.url) ?? [];
  if (file) return res.setHeader('content-type', TYPES[extname(name)]).end(file);
  return serve(req, res).catch((error) => {
    const [status, text] = describe(error);
    if (!res.headersSent) res.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
    res.end(text);
  });
});

const version = await value('SELECT rag_version()');
server.listen(process.env.PORT ?? 3000, '127.0.0.1', () => {
  console.log(`rag_events ${version}. The chat is at http://127.0.0.1:${server.address().port}/ (Ctrl-C ends it).`);
});
