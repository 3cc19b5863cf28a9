// What docs/drivers.md says of postgres.js.
import assert from 'node:assert';
import postgres from 'postgres';
import { finish, test } from './tap.mjs';

const sql = postgres({ path: `${process.env.PGHOST}/.s.PGSQL.${process.env.PGPORT}`, onnotice: () => {} });

await test('postgres.js: JSON is passed by sql.json()', async () => {
  const [{ id }] = await sql`SELECT rag_create_session('maya') AS id`;
  const sources = [{ document_id: 'd' }];
  await sql`SELECT rag_add_message(${id}, 'assistant', 'x', sources => ${sql.json(sources)})`;
  await sql`SELECT rag_add_message(${id}, 'assistant', 'y', sources => ${sql.json([])})`;
  await sql`SELECT rag_add_messages(${id}, ${sql.json([{ role: 'user', content: 'z' }])})`;
  const rows = await sql`SELECT content, sources FROM rag_get_messages(${id})`;
  assert.deepStrictEqual(rows.map((row) => [row.content, row.sources]), [['x', sources], ['y', []], ['z', null]]);
});

await test('postgres.js: what is encoded twice is refused, with a hint', async () => {
  const [{ id }] = await sql`SELECT rag_create_session('maya') AS id`;
  await assert.rejects(
    sql`SELECT rag_add_message(${id}, 'assistant', 'x', sources => ${JSON.stringify([{ a: 1 }])})`,
    { code: '22023', hint: /encode a string once more/ },
  );
});

await sql.end();
finish();
