"""What docs/drivers.md says of psycopg, psycopg2, asyncpg and SQLAlchemy, directly and through a pooler."""

import asyncio
import json
import os
import uuid

import asyncpg
import psycopg
import psycopg2
import psycopg2.errors
import psycopg2.extras
import sqlalchemy
from psycopg.types.json import Jsonb
from sqlalchemy import JSON, cast, create_engine, exc, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import create_async_engine

from tap import PREPARE, equal, finish, test

MESSAGES = [{"role": "user", "content": "Hi"}]
NOBODY = uuid.UUID("00000000-0000-4000-8000-00000000ffff")


class Undone(Exception):
    pass


def connect_psycopg():
    return psycopg.connect(autocommit=True, prepare_threshold=2 if PREPARE else None)


def connect_asyncpg():
    return asyncpg.connect(host=os.environ["PGHOST"], statement_cache_size=100 if PREPARE else 0)


def psycopg_user_ids():
    with connect_psycopg() as conn:
        for user in (42, uuid.uuid4()):
            try:
                conn.execute("SELECT rag_create_session(%s)", (user,))
                raise AssertionError(f"{user!r} is taken for text")
            except psycopg.errors.UndefinedFunction:
                pass
            session = conn.execute("SELECT rag_create_session(%s)", (str(user),)).fetchone()[0]
            equal(conn.execute("SELECT session_id FROM rag_list_sessions(%s)", (str(user),)).fetchone(), (session,))
            ids = conn.execute("SELECT rag_add_messages(%s, %s, %s)", (str(session), Jsonb(MESSAGES), str(user))).fetchone()[0]
            equal(len(ids), 1)


def asyncpg_calls():
    async def calls():
        conn = await connect_asyncpg()
        user = uuid.uuid4()
        for wrong in (42, user):
            try:
                async with conn.transaction():
                    await conn.fetchval("SELECT rag_create_session($1)", wrong)
                raise AssertionError(f"{wrong!r} is taken for text")
            except asyncpg.exceptions.DataError:
                pass
        transaction = conn.transaction()
        await transaction.start()
        session = await conn.fetchval("SELECT rag_create_session($1)", str(user))
        await conn.fetchval("SELECT rag_add_messages($1, $2)", str(session), json.dumps(MESSAGES))
        added = await conn.fetchval(
            "SELECT rag_add_message($1, $2, $3, sources => $4, top_k => $5)",
            session, "assistant", "x", json.dumps([{"document_id": "d"}]), 5,
        )
        rows = await conn.fetch("SELECT id, content, sources FROM rag_get_messages($1, $2)", session, 5)
        equal([row["content"] for row in rows], ["Hi", "x"])
        equal(rows[1]["id"], added)
        equal(json.loads(rows[1]["sources"]), [{"document_id": "d"}])
        equal(rows[0]["sources"], None)
        await transaction.commit()
        await conn.close()

    asyncio.run(calls())


def psycopg_transactions():
    with connect_psycopg() as conn:
        session = conn.execute("SELECT rag_create_session(%s)", ("maya",)).fetchone()[0]
        try:
            with conn.transaction():
                conn.execute("SELECT rag_add_message(%s, 'user', %s)", (session, "undone"))
                raise Undone
        except Undone:
            pass
        with conn.transaction():
            added = conn.execute("SELECT rag_add_message(%s, 'user', %s, query_type => %s)", (session, "done", None)).fetchone()[0]
        rows = conn.execute("SELECT id, content, query_type FROM rag_get_messages(%s, %s)", (session, 5)).fetchall()
        equal(rows, [(added, "done", None)])
        try:
            conn.execute("SELECT rag_get_messages(%s)", (NOBODY,))
            raise AssertionError("no error")
        except psycopg.errors.ForeignKeyViolation as error:
            equal((error.sqlstate, error.diag.constraint_name), ("23503", "messages_session_id_fkey"))


def psycopg2_transactions():
    conn = psycopg2.connect("")
    with conn.cursor() as cursor:
        cursor.execute("SELECT rag_create_session(%s)", ("maya",))
        session = cursor.fetchone()[0]
        conn.commit()
        cursor.execute("SELECT rag_add_message(%s, 'user', %s)", (session, "undone"))
        conn.rollback()
        cursor.execute("SELECT rag_add_message(%s, 'user', %s, query_type => %s)", (session, "done", None))
        conn.commit()
        cursor.execute("SELECT content, query_type FROM rag_get_messages(%s)", (session,))
        equal(cursor.fetchall(), [("done", None)])
        try:
            cursor.execute("SELECT rag_get_messages(%s)", (str(NOBODY),))
            raise AssertionError("no error")
        except psycopg2.errors.ForeignKeyViolation as error:
            equal((error.pgcode, error.diag.constraint_name), ("23503", "messages_session_id_fkey"))
    conn.close()


def asyncpg_transactions():
    async def calls():
        conn = await connect_asyncpg()
        async with conn.transaction():
            session = await conn.fetchval("SELECT rag_create_session($1)", "maya")
        try:
            async with conn.transaction():
                await conn.fetchval("SELECT rag_add_message($1, 'user', $2)", session, "undone")
                raise Undone
        except Undone:
            pass
        async with conn.transaction():
            await conn.fetchval("SELECT rag_add_message($1, 'user', $2)", session, "done")
            equal([row["content"] for row in await conn.fetch("SELECT content FROM rag_get_messages($1)", session)], ["done"])
        try:
            async with conn.transaction():
                await conn.fetch("SELECT rag_get_messages($1)", NOBODY)
            raise AssertionError("no error")
        except asyncpg.exceptions.ForeignKeyViolationError as error:
            equal((error.sqlstate, error.constraint_name), ("23503", "messages_session_id_fkey"))
        await conn.close()

    asyncio.run(calls())


def sqlalchemy_transactions():
    engine = create_engine("postgresql+psycopg2://")
    with engine.begin() as conn:
        session = cast_uuid(conn.execute(select(func.rag_create_session("maya"))).scalar())
    try:
        with engine.begin() as conn:
            conn.execute(select(func.rag_add_message(session, "user", "undone")))
            raise Undone
    except Undone:
        pass
    with engine.connect() as conn:  # which does not commit by itself
        conn.execute(select(func.rag_add_message(session, "user", "undone, too")))
    with engine.begin() as conn:
        conn.execute(select(func.rag_add_message(session, "user", "done", None)))
    with engine.begin() as conn:
        rows = conn.execute(select(func.rag_get_context(session, 100).table_valued("id", "role", "content", "token_count")))
        equal([row.content for row in rows], ["done"])
    try:
        with engine.begin() as conn:
            conn.execute(select(func.rag_get_messages(cast_uuid(NOBODY))))
        raise AssertionError("no error")
    except exc.IntegrityError as error:
        equal(error.orig.pgcode, "23503")
    engine.dispose()


def sqlalchemy_json():
    engine = create_engine("postgresql+psycopg2://", isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        session = conn.execute(select(func.rag_create_session("maya"))).scalar()
        for wrong in (MESSAGES, cast(literal(MESSAGES, JSON), JSON)):
            try:
                conn.execute(select(func.rag_add_messages(session, wrong))).scalar()
                raise AssertionError(f"{wrong!r} is taken for jsonb")
            except exc.ProgrammingError:
                pass
        ids = conn.execute(select(func.rag_add_messages(cast_uuid(session), literal(MESSAGES, JSONB)))).scalar()
        equal(len(ids), 1)
    engine.dispose()


def psycopg2_calls():
    conn = psycopg2.connect("")
    conn.autocommit = True
    with conn.cursor() as cursor:
        for user, seen in ((42, "integer"), (uuid.uuid4(), "uuid")):
            try:
                if isinstance(user, uuid.UUID):
                    psycopg2.extras.register_uuid()
                cursor.execute("SELECT rag_create_session(%s)", (user,))
                raise AssertionError(f"{seen} is taken for text")
            except psycopg2.errors.UndefinedFunction:
                pass
        cursor.execute("SELECT rag_create_session(%s)", ("maya",))
        session = cursor.fetchone()[0]
        cursor.execute("SELECT rag_add_messages(%s, %s)", (session, json.dumps(MESSAGES)))
        cursor.execute("SELECT content FROM rag_get_messages(%s, user_id => %s)", (session, "maya"))
        equal(cursor.fetchall(), [("Hi",)])
    conn.close()


def sqlalchemy_async():
    async def calls():
        engine = create_async_engine("postgresql+asyncpg://", isolation_level="AUTOCOMMIT", connect_args={"host": os.environ["PGHOST"]})
        async with engine.connect() as conn:
            session = (await conn.execute(select(func.rag_create_session("maya")))).scalar()
            await conn.execute(select(func.rag_add_messages(cast_uuid(session), literal(MESSAGES, JSONB))))
            rows = await conn.execute(select(func.rag_get_context(cast_uuid(session), 100).table_valued("id", "role", "content", "token_count")))
            equal([row.content for row in rows], ["Hi"])
        await engine.dispose()

    asyncio.run(calls())


def cast_uuid(session):
    from sqlalchemy.dialects.postgresql import UUID

    return cast(str(session), UUID)


test("psycopg: user ids are text", psycopg_user_ids)
test("psycopg: transactions, NULL and errors", psycopg_transactions)
test("psycopg2: user ids are text, and JSON is dumped", psycopg2_calls)
test("psycopg2: transactions, NULL and errors", psycopg2_transactions)
test("asyncpg: user ids are text, and JSON is dumped", asyncpg_calls)
test("asyncpg: transactions and errors", asyncpg_transactions)
print("# SQLAlchemy", sqlalchemy.__version__)
test("SQLAlchemy: JSON is a literal of JSONB", sqlalchemy_json)
test("SQLAlchemy: transactions, NULL and errors", sqlalchemy_transactions)
if PREPARE:
    test("SQLAlchemy with asyncpg: the same calls, awaited", sqlalchemy_async)
finish()
