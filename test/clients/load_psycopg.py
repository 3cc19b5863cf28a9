"""Stores the conversations of the files given as arguments and reads them back; prints TAP."""

import json
import sys
import uuid

import psycopg
from psycopg.types.json import Jsonb

from tap import finish, test

ADD = """SELECT rag_add_message(session_id => %s, role => %s, content => %s, sources => %s,
                                latency_ms => %s, top_k => %s, query_type => %s)"""
FIELDS = ("role", "content", "sources", "latency_ms", "top_k", "query_type")


def jsonb(value):
    return None if value is None else Jsonb(value, dumps=lambda v: json.dumps(v, ensure_ascii=False))


def store(conn, conversation):
    """One transaction a conversation."""
    with conn.transaction():
        (session_id,) = conn.execute(
            "SELECT rag_create_session(user_id => %s, metadata => %s)",
            (conversation["user_id"], jsonb(conversation["metadata"])),
            prepare=True,
        ).fetchone()
        assert isinstance(session_id, uuid.UUID) and session_id.version == 7, session_id
        last = 0
        for message in conversation["messages"]:
            values = [jsonb(message.get(f)) if f == "sources" else message.get(f) for f in FIELDS]
            (message_id,) = conn.execute(ADD, (session_id, *values), prepare=True).fetchone()
            assert type(message_id) is int and message_id > last, message_id
            last = message_id
    return session_id


def check(conn, conversation, session_id, binary):
    """What is read is what was written; jsonb also as the server writes it."""
    user_id, metadata = conn.execute(
        "SELECT user_id, metadata FROM sessions WHERE id = %s", (session_id,), binary=binary
    ).fetchone()
    assert user_id == conversation["user_id"], user_id
    assert metadata == conversation["metadata"], metadata
    rows = conn.execute(
        """SELECT role, content, sources, latency_ms, top_k, query_type, sources::text
             FROM messages WHERE session_id = %s ORDER BY id""",
        (session_id,),
        binary=binary,
    ).fetchall()
    assert len(rows) == len(conversation["messages"]), len(rows)
    for message, (*row, sources) in zip(conversation["messages"], rows):
        expected = [message.get(f) for f in FIELDS]
        assert row == expected, (expected, row)
        assert row[1].encode() == message["content"].encode()
        (expected,) = conn.execute("SELECT %s::jsonb::text", (jsonb(message.get("sources")),)).fetchone()
        assert sources == expected, (expected, sources)


def roundtrip(conn, conversations, binary):
    for conversation in conversations:
        check(conn, conversation, store(conn, conversation), binary)


def fails(conn, expected, sqlstate, statement, values):
    """The error's class in Python, and its SQLSTATE where the server raised it."""
    try:
        conn.execute(statement, values)
    except psycopg.Error as error:
        assert type(error) is expected and error.sqlstate == sqlstate, (type(error), error.sqlstate, error)
        return error.diag
    raise AssertionError("no error")


def errors(conn):
    """What an application meets, and tells apart by class or SQLSTATE."""
    (session,) = conn.execute("SELECT rag_create_session(user_id => 'a')").fetchone()
    add = "SELECT rag_add_message(%s, %s, %s, sources => %s, user_id => %s)"

    diag = fails(conn, psycopg.errors.CheckViolation, "23514", add, (session, "human", "x", None, "a"))
    assert (diag.table_name, diag.constraint_name) == ("messages", "ck_messages_role"), diag
    assert "user" in diag.message_hint, diag.message_hint
    absent = fails(conn, psycopg.errors.ForeignKeyViolation, "23503", add, (uuid.uuid4(), "user", "x", None, "a"))
    other = fails(conn, psycopg.errors.ForeignKeyViolation, "23503", add, (session, "user", "x", None, "b"))
    assert absent.message_primary == other.message_primary == "session does not exist"
    fails(conn, psycopg.errors.NullValueNotAllowed, "22004", add, (session, "user", None, None, "a"))
    fails(conn, psycopg.errors.InvalidTextRepresentation, "22P02", add, ("no uuid", "user", "x", None, "a"))
    # Neither text nor jsonb holds U+0000; the driver and the server say so.
    fails(conn, psycopg.DataError, None, add, (session, "user", "\0", None, "a"))
    fails(conn, psycopg.errors.UntranslatableCharacter, "22P05", add, (session, "user", "x", Jsonb(["\0"]), "a"))
    # A list or dict is jsonb only inside of Jsonb().
    fails(conn, psycopg.ProgrammingError, None, add, (session, "user", "x", {"a": 1}, "a"))
    (count,) = conn.execute("SELECT count(*) FROM messages WHERE session_id = %s", (session,)).fetchone()
    assert count == 0, count


def argument_types(conn):
    """Text or UUID, int or float, None: the parameters' types are found."""
    (session,) = conn.execute("SELECT rag_create_session()").fetchone()
    for session_id, latency_ms in ((session, 12), (str(session), 12.5), (session, None)):
        conn.execute(ADD, (session_id, "user", "x", Jsonb([]), latency_ms, 5, None))
    given = uuid.uuid4()
    (returned,) = conn.execute("SELECT rag_create_session(session_id => %s)", (given,)).fetchone()
    assert returned == given


conversations = [json.loads(line) for name in sys.argv[1:] for line in open(name, encoding="utf-8")]
print("# psycopg", psycopg.__version__, psycopg.pq.__impl__)
print(f"# {len(conversations)} sessions, {sum(len(c['messages']) for c in conversations)} messages")
with psycopg.connect(autocommit=True) as conn:
    test("conversations are the same, read as text", roundtrip, conn, conversations, False)
    test("conversations are the same, read as binary", roundtrip, conn, conversations, True)
    test("errors have their class and SQLSTATE", errors, conn)
    test("parameters of several Python types are taken", argument_types, conn)
finish()
