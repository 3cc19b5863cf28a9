// What docs/drivers.md says of Node's pg, and of Drizzle and Kysely over it.
import assert from 'node:assert/strict';
import { drizzle } from 'drizzle-orm/node-postgres';
import { sql as drizzled } from 'drizzle-orm';
import { Kysely, PostgresDialect, sql as kyselied } from 'kysely';
import pg from 'pg';
import { finish, test } from './tap.mjs';

const pool = new pg.Pool();
const messages = [{ role: 'user', content: 'Hi' }];
const sources = [{ document_id: 'd' }];

async function calls(rows, sql) {
  const [{ id }] = await rows(sql`SELECT rag_create_session(${'42'}) AS id`);
  await rows(sql`SELECT rag_add_messages(${id}, ${JSON.stringify(messages)})`);
  await rows(sql`SELECT rag_add_message(${id}, 'assistant', 'x', sources => ${JSON.stringify(sources)}, top_k => ${5}, query_type => ${null})`);
  const found = await rows(sql`SELECT content, sources, top_k, query_type FROM rag_get_messages(${id}, ${5}, user_id => ${'42'})`);
  assert.deepStrictEqual(found, [
    { content: 'Hi', sources: null, top_k: null, query_type: null },
    { content: 'x', sources, top_k: 5, query_type: null },
  ]);
}

await test('Drizzle on pg: JSON.stringify() for JSON, as with pg itself', async () => {
  const db = drizzle({ client: pool });
  await calls(async (query) => (await db.execute(query)).rows, drizzled);
});

await test('Drizzle: an error has that of pg as its cause', async () => {
  const db = drizzle({ client: pool });
  await assert.rejects(db.execute(drizzled`SELECT rag_get_messages(${'00000000-0000-4000-8000-00000000ffff'})`), (error) => (error.cause ?? error).code === '23503');
});

await test('Kysely: JSON.stringify() for JSON, and errors are those of pg', async () => {
  const db = new Kysely({ dialect: new PostgresDialect({ pool }) });
  await calls(async (query) => (await query.execute(db)).rows, kyselied);
  await assert.rejects(kyselied`SELECT rag_get_messages(${'00000000-0000-4000-8000-00000000ffff'})`.execute(db), { code: '23503' });
});

// transactions(RUN): whatever RUN(BODY) runs in a transaction that BODY's rejection undoes; BODY
// is given what takes a statement.
async function transactions(run) {
  const { rows: [{ id }] } = await pool.query('SELECT rag_create_session($1) AS id', ['maya']);
  await assert.rejects(run(async (query) => {
    await query(id, 'undone');
    throw new Error('undo');
  }), /undo/);
  await run((query) => query(id, 'done'));
  assert.deepStrictEqual((await pool.query('SELECT content FROM rag_get_messages($1)', [id])).rows, [{ content: 'done' }]);
}

await test('pg: numbers and UUIDs are user ids, bigint comes as a string, null is NULL', async () => {
  for (const user of [42, '00000000-0000-4000-8000-000000000042']) {
    const { rows: [{ id }] } = await pool.query('SELECT rag_create_session($1) AS id', [user]);
    const { rows: [{ ids }] } = await pool.query('SELECT rag_add_messages($1, $2, $3) AS ids', [id, JSON.stringify(messages), user]);
    const { rows } = await pool.query('SELECT id, query_type FROM rag_get_messages($1, $2, $3, $4)', [id, 5, null, user]);
    assert.deepStrictEqual(rows, [{ id: ids[0], query_type: null }]);
    assert.equal(typeof ids[0], 'string');
  }
});

await test('pg: transactions and errors', async () => {
  await transactions(async (body) => {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await body((id, content) => client.query('SELECT rag_add_message($1, $2, $3)', [id, 'user', content]));
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  });
  await assert.rejects(pool.query('SELECT rag_get_messages($1)', ['00000000-0000-4000-8000-00000000ffff']), { code: '23503', constraint: 'messages_session_id_fkey' });
});

await test('Drizzle: transactions', () =>
  transactions((body) => drizzle({ client: pool }).transaction((tx) =>
    body((id, content) => tx.execute(drizzled`SELECT rag_add_message(${id}, 'user', ${content})`)))));

await test('Kysely: transactions', () =>
  transactions((body) => new Kysely({ dialect: new PostgresDialect({ pool }) }).transaction().execute((tx) =>
    body((id, content) => kyselied`SELECT rag_add_message(${id}, 'user', ${content})`.execute(tx)))));

await pool.end();
finish();
