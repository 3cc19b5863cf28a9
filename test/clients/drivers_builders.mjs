// What docs/drivers.md says of Drizzle and Kysely, over Node's pg.
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

await pool.end();
finish();
