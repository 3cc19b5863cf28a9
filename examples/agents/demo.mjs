// An agent that remembers: the runner of OpenAI's Agents SDK with a session in rag_events. The model is a pretended
// one: leave it out, and the SDK asks OpenAI's.
//
//     node demo.mjs
//
// PGHOST, PGDATABASE … lead to a database with the extension.
import { Agent, Runner, Usage, setTracingDisabled, tool } from '@openai/agents';
import pg from 'pg';
import { z } from 'zod';
import { RagEventsSession } from './session.mjs';

const outputs = [
  [{ type: 'function_call', callId: 'call-1', name: 'search', arguments: '{"words":"ticket"}' }],
  ...['A single ticket is valid for 75 minutes.', 'Dogs need a child ticket.'].map(
    (text) => [{ type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text }] }],
  ),
];
const model = { getResponse: async () => ({ usage: new Usage(), output: outputs.shift() }) };
const search = tool({ // your retrieval
  name: 'search',
  description: 'Finds passages.',
  parameters: z.object({ words: z.string() }),
  execute: async () => 'tariff-04: A single ticket is valid for 75 minutes.',
});

setTracingDisabled(true); // it goes to OpenAI
const pool = new pg.Pool();
const agent = new Agent({ name: 'trams', instructions: 'Answer from the passages only.', model, tools: [search] });
const sessionId = crypto.randomUUID();
for (const question of ['How long is a ticket valid?', 'And for dogs?']) {
  // In a web application userId is the authenticated user.
  const session = new RagEventsSession({ pool, sessionId, userId: 'maya' });
  const { finalOutput } = await new Runner().run(agent, question, { session });
  console.log(finalOutput);
}
for (const item of await new RagEventsSession({ pool, sessionId, userId: 'maya' }).getItems()) {
  console.log(item.role ?? item.type);
}
try { // a web application answers 409
  const session = new RagEventsSession({ pool, sessionId, userId: 'eve' });
  await new Runner().run(agent, 'What did she ask?', { session });
} catch (error) {
  console.log(error.code, error.message);
}
await pool.end();
