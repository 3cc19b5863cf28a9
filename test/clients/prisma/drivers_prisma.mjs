// What docs/drivers.md says of Prisma with its driver adapter.
import assert from 'node:assert/strict';
import { PrismaClient } from '@prisma/client';
import { PrismaPg } from '@prisma/adapter-pg';
import { finish, test } from './tap.mjs';

const { PGHOST: host, PGPORT: port, PGUSER: user, PGDATABASE: database } = process.env;
const prisma = new PrismaClient({ adapter: new PrismaPg({ host, port: Number(port), user, database }) });
const messages = [{ role: 'user', content: 'Hi' }];
const sources = [{ document_id: 'd' }];

await test('Prisma: no casts, JSON.stringify() for JSON, null is NULL, bigint comes as BigInt', async () => {
  for (const owner of [42, '00000000-0000-4000-8000-000000000042']) {
    const [{ id }] = await prisma.$queryRaw`SELECT rag_create_session(${owner}) AS id`;
    const [{ ids }] = await prisma.$queryRaw`SELECT rag_add_messages(${id}, ${JSON.stringify(messages)}, ${owner}) AS ids`;
    await prisma.$queryRaw`SELECT rag_add_message(${id}, 'assistant', 'x', sources => ${JSON.stringify(sources)}, latency_ms => ${1.5}, top_k => ${5},
                                                  query_type => ${null}, metadata => ${{ a: 1 }})`;
    const rows = await prisma.$queryRaw`SELECT id, content, sources, top_k, query_type, metadata FROM rag_get_messages(${id}, ${5}, user_id => ${owner})`;
    assert.deepStrictEqual(rows, [
      { id: ids[0], content: 'Hi', sources: null, top_k: null, query_type: null, metadata: null },
      { id: rows[1].id, content: 'x', sources, top_k: 5, query_type: null, metadata: { a: 1 } },
    ]);
    assert.equal(typeof ids[0], 'bigint');
  }
});

await test('Prisma: an array that is not made JSON is one of PostgreSQL', async () => {
  const [{ id }] = await prisma.$queryRaw`SELECT rag_create_session('maya') AS id`;
  await assert.rejects(prisma.$queryRaw`SELECT rag_add_message(${id}, 'assistant', 'x', sources => ${sources})`, (error) => cause(error).originalCode === '22P02');
});

function cause(error) {
  return error.meta.driverAdapterError.cause;
}

await test('Prisma: transactions, and errors with their SQLSTATE', async () => {
  const [{ id }] = await prisma.$queryRaw`SELECT rag_create_session('maya') AS id`;
  await assert.rejects(prisma.$transaction(async (tx) => {
    await tx.$queryRaw`SELECT rag_add_message(${id}, 'user', 'undone')`;
    throw new Error('undo');
  }), /undo/);
  await prisma.$transaction(async (tx) => tx.$queryRaw`SELECT rag_add_message(${id}, 'user', 'done')`);
  assert.deepStrictEqual(await prisma.$queryRaw`SELECT content FROM rag_get_messages(${id})`, [{ content: 'done' }]);
  await assert.rejects(prisma.$queryRaw`SELECT rag_get_messages(${'00000000-0000-4000-8000-00000000ffff'})`, (error) => {
    assert.deepStrictEqual([error.code, cause(error).originalCode, cause(error).originalMessage], ['P2010', '23503', 'session does not exist']);
    return true;
  });
});

await test('Prisma: what returns nothing is for $executeRaw', async () => {
  const [{ id }] = await prisma.$queryRaw`SELECT rag_create_session('maya') AS id`;
  const [{ answer }] = await prisma.$queryRaw`SELECT rag_add_message(${id}, 'assistant', 'x') AS answer`;
  await prisma.$executeRaw`SELECT rag_update_message(${id}, ${answer}, content => ${'y'})`;
  assert.deepStrictEqual(await prisma.$queryRaw`SELECT content FROM rag_get_messages(${id})`, [{ content: 'y' }]);
  await assert.rejects(prisma.$queryRaw`SELECT rag_update_message(${id}, ${answer}, content => ${'z'})`, /type 'void'/);
});

await prisma.$disconnect();
finish();
