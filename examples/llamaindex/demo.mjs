// A chat engine that remembers: LlamaIndex.TS with a Memory in rag_events. Model and retriever are pretended ones.
//
//     node demo.mjs
//
// PGHOST, PGDATABASE … lead to a database with the extension.
import { ContextChatEngine, TextNode } from 'llamaindex';
import pg from 'pg';
import { RagEventsMemory } from './memory.mjs';

const answers = ['A single ticket is valid for 75 minutes.', 'Dogs need a child ticket.'];
const chatModel = { // your model
  metadata: { contextWindow: 8000 },
  chat: async () => ({ raw: null, message: { role: 'assistant', content: answers.shift() } }),
};
const passage = new TextNode({ id_: 'tariff-04', text: 'A single ticket is valid for 75 minutes.' });
const retriever = { retrieve: async () => [{ node: passage, score: 0.91 }] }; // your index.asRetriever()

const pool = new pg.Pool();
const sessionId = crypto.randomUUID();
for (const message of ['How long is a ticket valid?', 'And for dogs?']) {
  // In a web application userId is the authenticated user.
  const memory = await RagEventsMemory.open({ pool, sessionId, userId: 'maya' });
  const engine = new ContextChatEngine({ retriever, chatModel, chatHistory: memory });
  const start = performance.now();
  const { message: answer, sourceNodes } = await engine.chat({ message });
  const sources = sourceNodes.map(({ node, score }) => ({ document_id: node.id_, score, text: node.getText() }));
  await memory.describe({ sources, latency_ms: performance.now() - start });
  console.log(answer.content);
}
const memory = await RagEventsMemory.open({ pool, sessionId, userId: 'maya' });
for (const { role, content } of await memory.get()) console.log(`${role}: ${content}`);
const cited = 'SELECT document_id, score FROM rag_message_sources WHERE session_id = $1';
for (const row of (await pool.query(cited, [sessionId])).rows) console.log(row.document_id, row.score);
try { // a web application answers 409
  await RagEventsMemory.open({ pool, sessionId, userId: 'eve' });
} catch (error) {
  console.log(error.code, error.message);
}
await pool.end();
