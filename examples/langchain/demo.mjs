// A chain that remembers: RunnableWithMessageHistory over rag_events. The model is LangChain's fake one.
//
//     node demo.mjs
//
// PGHOST, PGDATABASE … lead to a database with the extension.
//
// RunnableWithMessageHistory adds question and answer when the answer is there, and only logs an error of that.
// Where a question must not be lost, add it yourself before the model is asked, and then the answer:
//
//     await history.addMessage(new HumanMessage(question));
//     await history.addMessage(await model.invoke(await history.getMessages()));
import { randomUUID } from 'node:crypto';
import { ChatPromptTemplate, MessagesPlaceholder } from '@langchain/core/prompts';
import { RunnableWithMessageHistory } from '@langchain/core/runnables';
import { FakeListChatModel } from '@langchain/core/utils/testing';
import pg from 'pg';
import { RagEventsChatMessageHistory } from './history.mjs';

const pool = new pg.Pool();
const model = new FakeListChatModel({ // your model
  responses: ['A single ticket is valid for 75 minutes.', 'Dogs need a child ticket.'],
});
const prompt = ChatPromptTemplate.fromMessages([
  ['system', 'Answer from the passages only.'],
  new MessagesPlaceholder('history'),
  ['human', '{question}'],
]);

// In a web application userId is the authenticated user: another user's session is then as good as missing.
const historyOf = (userId) => (sessionId) => new RagEventsChatMessageHistory({
  pool, sessionId, userId, maxTokens: 3000,
});
const chainOf = (userId) => new RunnableWithMessageHistory({
  runnable: prompt.pipe(model),
  getMessageHistory: historyOf(userId),
  inputMessagesKey: 'question',
  historyMessagesKey: 'history',
});

const sessionId = randomUUID();
const config = { configurable: { sessionId } };
for (const question of ['How long is a ticket valid?', 'And for dogs?']) {
  const answer = await chainOf('maya').invoke({ question }, config);
  console.log(answer.content);
}
for (const message of await historyOf('maya')(sessionId).getMessages()) {
  console.log(`${message.getType()}: ${message.text}`);
}
try { // a web application answers 409
  await chainOf('eve').invoke({ question: 'What did she ask?' }, config);
} catch (error) {
  console.log(error.code, error.message);
}
await pool.end();
