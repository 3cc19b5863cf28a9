"""What docs/drivers.md says of psycopg, psycopg2, asyncpg and SQLAlchemy."""

import asyncio
import json
import os
import uuid

import asyncpg
import psycopg
import psycopg2
import psycopg2.errors
import psycopg2.extras
from psycopg.types.json import Jsonb
from sqlalchemy import JSON, cast, create_engine, exc, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import create_async_engine

from tap import equal, finish, test

MESSAGES = [{"role": "user", "content": "Hi"}]


def psycopg_user_ids():
    with psycopg.connect(autocommit=True) as conn:
        for user in (42, uuid.uuid4()):
            try:
                conn.execute("SELECT rag_create_session(%s)", (user,))
                raise AssertionError(f"{user!r} is taken for text")
            except psycopg.errors.UndefinedFunction:
                pass
            session = conn.execute("SELECT rag_create_session(%s)", (str(user),)).fetchone()[0]
            equal(conn.execute("SELECT session_id FROM rag_list_sessions(%s)", (str(user),)).fetchall(), [(session,)])
            ids = conn.execute("SELECT rag_add_messages(%s, %s, %s)", (str(session), Jsonb(MESSAGES), str(user))).fetchone()[0]
            equal(len(ids), 1)


def asyncpg_calls():
    async def calls():
        conn = await asyncpg.connect(host=os.environ["PGHOST"])
        user = uuid.uuid4()
        try:
            await conn.fetchval("SELECT rag_create_session($1)", user)
            raise AssertionError("a UUID is taken for text")
        except asyncpg.exceptions.DataError:
            pass
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
        await conn.close()

    asyncio.run(calls())


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
test("asyncpg: user ids are text, and JSON is dumped", asyncpg_calls)
test("SQLAlchemy: JSON is a literal of JSONB", sqlalchemy_json)
test("psycopg2: user ids are text, and JSON is dumped", psycopg2_calls)
test("SQLAlchemy with asyncpg: the same calls, awaited", sqlalchemy_async)
finish()
