// What docs/drivers.md says of postgres.js.
import assert from 'node:assert';
import postgres from 'postgres';
import { PREPARE, finish, test } from './tap.mjs';

const sql = postgres({ path: `${process.env.PGHOST}/.s.PGSQL.${process.env.PGPORT}`, prepare: PREPARE, onnotice: () => {} });

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

await test('postgres.js: numbers and UUIDs are user ids, bigint comes as a string, null is NULL', async () => {
  for (const user of [42, '00000000-0000-4000-8000-000000000042']) {
    const [{ id }] = await sql`SELECT rag_create_session(${user}) AS id`;
    const [{ ids }] = await sql`SELECT rag_add_messages(${id}, ${sql.json([{ role: 'user', content: 'x' }])}, ${user}) AS ids`;
    const rows = await sql`SELECT id, query_type FROM rag_get_messages(${id}, ${5}, ${null}, ${user})`;
    assert.deepStrictEqual([...rows], [{ id: ids[0], query_type: null }]);
    assert.equal(typeof ids[0], 'string');
  }
});

await test('postgres.js: transactions and errors', async () => {
  const [{ id }] = await sql`SELECT rag_create_session('maya') AS id`;
  await assert.rejects(sql.begin(async (tx) => {
    await tx`SELECT rag_add_message(${id}, 'user', 'undone')`;
    throw new Error('undo');
  }), /undo/);
  await sql.begin(async (tx) => tx`SELECT rag_add_message(${id}, 'user', 'done')`);
  assert.deepStrictEqual([...await sql`SELECT content FROM rag_get_messages(${id})`], [{ content: 'done' }]);
  await assert.rejects(sql`SELECT rag_get_messages('00000000-0000-4000-8000-00000000ffff')`, { code: '23503', constraint_name: 'messages_session_id_fkey' });
});

await sql.end();
finish();
