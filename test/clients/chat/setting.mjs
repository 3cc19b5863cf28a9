// What chat.mjs needs around the page: its server, a model that can be steered, a connection that can
// be lost, and a look into the database.
import { execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:http';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { isDeepStrictEqual } from 'node:util';

// sql(TEXT): the rows as psql prints them.
export const sql = (text) => execFileSync('psql', ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', text], { encoding: 'utf8' }).trim();

// until(NAME, EXPECTED, BODY): BODY gives EXPECTED, now or after a while.
export async function until(name, expected, body) {
  let actual;
  for (let i = 0; i < 1200; i += 1) {
    actual = await body();
    if (isDeepStrictEqual(actual, expected)) return;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  throw new Error(`${name}: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`);
}

const listening = (server) => new Promise((resolve) => {
  server.listen(0, '127.0.0.1', () => resolve(server.address().port));
});

const chats = [];

// startChat(ENVIRONMENT): runs examples/chat/run.sh; gives its port.
export async function startChat(environment) {
  const child = spawn(`${process.env.RAG_ROOT}/examples/chat/run.sh`, {
    env: { ...environment, PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => { child.on('exit', resolve); });
  chats.push(() => { child.kill(); return ended; });
  for await (const line of createInterface({ input: child.stdout })) {
    console.log('#', line);
    const port = /http:\/\/127\.0\.0\.1:(\d+)\//.exec(line)?.[1];
    if (port) return port;
  }
  throw new Error('the chat has not started');
}

export const stopChats = () => Promise.all(chats.map((stop) => stop()));

// The model: say(PIECE) waits until it is asked for more and answers that; end() ends the answer, fail() breaks it.
export async function startModel() {
  const asked = []; // requests that wait
  const model = { prompt: null, waiting: () => asked.length };
  const server = createServer(async (req, res) => {
    let text = '';
    for await (const piece of req) text += piece;
    asked.push(res);
    model.prompt = JSON.parse(text);
    res.on('close', () => { if (asked.includes(res)) asked.splice(asked.indexOf(res), 1); });
  });
  const answer = async (status, piece) => {
    await until('the model is asked', true, () => asked.length > 0);
    asked.shift().writeHead(status).end(piece);
  };
  model.say = async (...pieces) => { for (const piece of pieces) await answer(200, piece); };
  model.end = (...pieces) => model.say(...pieces, '');
  model.fail = () => answer(500, '');
  model.url = `http://127.0.0.1:${await listening(server)}/`;
  return model;
}

// A connection to PORT that can be lost: lose() ends all of it, and mend() lets new ones through.
export async function startConnection(port) {
  const sockets = new Set();
  let lost = false;
  const server = net.createServer((socket) => {
    if (lost) return socket.destroy();
    const other = net.connect(port, '127.0.0.1');
    for (const [from, to] of [[socket, other], [other, socket]]) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => {}).on('close', () => { sockets.delete(from); to.destroy(); });
    }
    return other;
  });
  return {
    port: await listening(server),
    lose() { lost = true; sockets.forEach((socket) => socket.destroy()); },
    mend() { lost = false; },
  };
}
