"""The functions of a conversation, called with SQLAlchemy Core; prints TAP. See tap.py for the environment.

Argument: the driver. psycopg2 writes the values into the statement, psycopg (of SQLAlchemy 2.0) sends them
apart, with the types that SQLAlchemy gives them. The calls are the same for both.
"""

import datetime
import sys
import uuid

import sqlalchemy
from sqlalchemy import BigInteger, Float, Integer, Text, column, create_engine, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP, UUID
from sqlalchemy.exc import DBAPIError

from tap import POOL_SIZE, PREPARE, at_once, equal, finish, test

CLIENTS = 8  # more than a pooler has connections to the server
USER = "maya"
DRIVER = sys.argv[1]

# What the functions return: parameters go by position, and columns have the types that are given here.
MESSAGE = (
    *(column("id", BigInteger), column("role", Text), column("content", Text), column("created_at", TIMESTAMP)),
    *(column("sources", JSONB), column("latency_ms", Float), column("top_k", Integer), column("query_type", Text)),
    *(column("token_count", Integer), column("metadata", JSONB), column("idempotency_key", Text)),
)
CONTEXT = (column("id", BigInteger), column("role", Text), column("content", Text), column("token_count", Integer))
SESSION = (
    *(column("session_id", UUID(as_uuid=True)), column("title", Text), column("preview", Text)),
    *(column("created_at", TIMESTAMP), column("updated_at", TIMESTAMP), column("metadata", JSONB)),
    column("cursor", Text),
)


def jsonb(value):
    return literal(value, JSONB(none_as_null=True))


def uid(value):
    return literal(value, UUID(as_uuid=True))


def create_session(user_id=USER, metadata=None):
    return func.rag_create_session(user_id, jsonb(metadata), type_=UUID(as_uuid=True))


def add(session_id, role, content, user_id=USER, sources=None, *more):
    values = (jsonb(sources), None, None, None, user_id, *more)
    return func.rag_add_message(uid(session_id), role, content, *values, type_=BigInteger)


def add_many(session_id, messages, user_id=USER, create=False):
    return func.rag_add_messages(uid(session_id), jsonb(messages), user_id, create, type_=ARRAY(BigInteger))


def get_messages(session_id, max_messages=None, before_id=None, user_id=USER):
    return func.rag_get_messages(uid(session_id), max_messages, before_id, user_id).table_valued(*MESSAGE)


def get_messages_after(session_id, after_id, max_messages=50, user_id=USER):
    return func.rag_get_messages_after(uid(session_id), after_id, max_messages, user_id).table_valued(*MESSAGE)


def get_context(session_id, max_tokens, max_messages=None, after_id=None, user_id=USER):
    call = func.rag_get_context(uid(session_id), max_tokens, max_messages, after_id, user_id)
    return call.table_valued(*CONTEXT)


def list_sessions(user_id, max_sessions=20, after_cursor=None):
    return func.rag_list_sessions(user_id, max_sessions, after_cursor).table_valued(*SESSION)


def update_message(session_id, message_id, content=None, metadata=None, sources=None, user_id=USER):
    values = (content, jsonb(sources), None, None, jsonb(metadata), user_id)
    return func.rag_update_message(uid(session_id), message_id, *values)


def delete_messages(session_id, from_id, user_id=USER):
    return func.rag_delete_messages(uid(session_id), from_id, user_id, type_=BigInteger)


def update_session(session_id, metadata, user_id=USER):
    return func.rag_update_session(uid(session_id), jsonb(metadata), user_id, type_=JSONB)


def delete_session(session_id, user_id=USER):
    return func.rag_delete_session(uid(session_id), user_id)


def copy_session(session_id, upto_id=None, user_id=USER):
    return func.rag_copy_session(uid(session_id), upto_id, user_id, type_=UUID(as_uuid=True))


def export_session(session_id, user_id=USER):
    return func.rag_export_session(uid(session_id), user_id, type_=JSONB)


def import_session(conversation, user_id=USER, keep_id=False):
    return func.rag_import_session(jsonb(conversation), user_id, keep_id, type_=UUID(as_uuid=True))


# ---------------------------------------------------------------------------

options = {"prepare_threshold": 0 if PREPARE else None} if DRIVER == "psycopg" else {}
engine = create_engine(f"postgresql+{DRIVER}://", pool_size=CLIENTS, connect_args=options, future=True)
autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")


def value(conn, call):
    return conn.execute(select(call)).scalar_one()


def rows(conn, table):
    return conn.execute(select(table)).all()


def contents(messages):
    return [message.content for message in messages]


def many(n):
    return [{"role": "user", "content": f"m{i}"} for i in range(n)]


def backend(conn):
    return value(conn, func.pg_backend_pid())


def open_all_servers():
    """The pooler opens all of its connections to the server, as so many transactions are open at once."""
    clients = [engine.connect() for _ in range(POOL_SIZE)]
    equal(len({backend(client) for client in clients}), POOL_SIZE)
    for client in clients:
        client.close()


def types(conn):
    session_id = value(conn, create_session(USER, {"title": "Trams", "collection": ["a", "b"]}))
    assert isinstance(session_id, uuid.UUID), session_id
    message_id = value(
        conn,
        add(session_id, "assistant", "Ünï 🙂", USER, [{"score": 0.5}], 7, jsonb({"model": "m-1"}), "request-1"),
    )
    (message,) = rows(conn, get_messages(session_id))
    assert isinstance(message.created_at, datetime.datetime) and message.created_at.tzinfo is None
    expected = (message_id, "assistant", "Ünï 🙂", message.created_at, [{"score": 0.5}])
    equal(tuple(message), (*expected, None, None, None, 7, {"model": "m-1"}, "request-1"))


def first_turn(conn):
    session_id = uuid.uuid4()
    turn = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
    ids = value(conn, add_many(session_id, turn, create=True))
    equal([(m.id, m.role) for m in rows(conn, get_messages(session_id))], list(zip(ids, ("user", "assistant"))))


def page_backwards(conn):
    session_id = value(conn, create_session())
    ids = value(conn, add_many(session_id, many(300)))
    seen, before_id = [], None
    with autocommit.connect() as other:
        while page := rows(conn, get_messages(session_id, 37, before_id)):
            seen = [m.id for m in page] + seen
            before_id = page[0].id
            value(other, add(session_id, "user", "meanwhile"))
    equal(seen, ids)


def follow(conn):
    session_id = value(conn, create_session())
    ids = value(conn, add_many(session_id, many(50)))
    seen = []
    while page := rows(conn, get_messages_after(session_id, seen[-1] if seen else None, 7)):
        seen += [m.id for m in page]
    equal(seen, ids)


def context(conn):
    session_id = value(conn, create_session())
    turns = [
        {"role": role, "content": f"{role} {i}", "token_count": 10} for i in range(10) for role in ("user", "assistant")
    ]
    value(conn, add_many(session_id, turns))
    equal(contents(rows(conn, get_context(session_id, 35))), ["user 9", "assistant 9"])
    equal(contents(rows(conn, get_context(session_id, None, 3))), ["user 9", "assistant 9"])


def sidebar(conn):
    user_id = f"user {uuid.uuid4()}"
    ids = [value(conn, create_session(user_id, {"title": f"Chat {i}"})) for i in range(25)]
    value(conn, add(ids[3], "user", "x" * 300, user_id))
    listed, cursor = [], None
    while page := rows(conn, list_sessions(user_id, 7, cursor)):
        listed += page
        cursor = page[-1].cursor
    equal([s.session_id for s in listed], [ids[3]] + [i for i in reversed(ids) if i != ids[3]])
    equal((listed[0].title, listed[0].preview, listed[0].metadata), ("Chat 3", "x" * 200, {"title": "Chat 3"}))


def stream(conn):
    session_id = value(conn, create_session())
    value(conn, add(session_id, "user", "Q"))
    streaming = jsonb({"status": "streaming", "model": "m-1"})
    answer_id = value(conn, add(session_id, "assistant", "", USER, None, None, streaming))
    with autocommit.connect() as other:
        for text in ("A single ", "A single ticket "):
            conn.execute(select(update_message(session_id, answer_id, text)))
            equal(contents(rows(other, get_messages(session_id))), ["Q", text])
        conn.execute(select(update_message(session_id, answer_id, "A ticket.", {"status": "done"}, [1])))
        answer = rows(other, get_messages(session_id))[-1]
    expected = (answer_id, "A ticket.", {"status": "done", "model": "m-1"}, [1])
    equal((answer.id, answer.content, answer.metadata, answer.sources), expected)


def regenerate(conn):
    session_id = value(conn, create_session())
    ids = value(conn, add_many(session_id, many(4)))
    equal(value(conn, delete_messages(session_id, ids[3])), 1)
    value(conn, add(session_id, "assistant", "again"))
    equal(contents(rows(conn, get_messages(session_id))), ["m0", "m1", "m2", "again"])


def session_itself(conn):
    session_id = value(conn, create_session(USER, {"title": "New", "system_prompt": "Be brief."}))
    change = {"title": "Trams", "system_prompt": None, "pinned": True}
    equal(value(conn, update_session(session_id, change)), {"title": "Trams", "pinned": True})
    equal([value(conn, delete_session(session_id, user)) for user in ("eve", USER, USER)], [False, True, False])


def whole_session(conn):
    session_id = value(conn, create_session(USER, {"title": "Trams"}))
    ids = value(conn, add_many(session_id, many(3)))
    equal(contents(rows(conn, get_messages(value(conn, copy_session(session_id, ids[1]))))), ["m0", "m1"])
    document = value(conn, export_session(session_id))
    imported = value(conn, import_session(document, "bob"))
    again = value(conn, export_session(imported, "bob"))
    equal(again["metadata"], document["metadata"])
    texts = [[(m["role"], m["content"], m["created_at"]) for m in d["messages"]] for d in (document, again)]
    equal(*texts)
    openai = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    equal(contents(rows(conn, get_messages(value(conn, import_session(openai))))), ["Hi"])
    no_session = ("IntegrityError", "23503", "messages_session_id_fkey", "Create the session first")
    fails(conn, *no_session, export_session(session_id, "eve"))
    fails(conn, *no_session, copy_session(session_id, None, "eve"))
    fails(conn, "IntegrityError", "23505", "sessions_pkey", None, import_session(document, USER, True))


def fails(conn, kind, sqlstate, constraint, hint, call):
    try:
        conn.execute(select(call))
    except DBAPIError as error:
        assert isinstance(error, getattr(sqlalchemy.exc, kind)), type(error)
        equal((error.orig.diag.sqlstate, error.orig.diag.constraint_name), (sqlstate, constraint))
        assert (hint or "") in (error.orig.diag.message_hint or ""), error.orig.diag.message_hint
        return
    raise AssertionError(f"no error {sqlstate}")


def errors(conn):
    session_id = value(conn, create_session())
    (message_id,) = value(conn, add_many(session_id, many(1)))
    no_session = ("IntegrityError", "23503", "messages_session_id_fkey", "Create the session first")
    for nobodys, user_id in ((uuid.uuid4(), USER), (session_id, "eve")):
        fails(conn, *no_session, add(nobodys, "user", "x", user_id))
        fails(conn, *no_session, get_messages(nobodys, user_id=user_id))
        fails(conn, *no_session, get_context(nobodys, 10, user_id=user_id))
        fails(conn, *no_session, update_message(nobodys, message_id, "x", user_id=user_id))
        fails(conn, *no_session, delete_messages(nobodys, message_id, user_id))
        fails(conn, *no_session, update_session(nobodys, {}, user_id))
    role = ("IntegrityError", "23514", "ck_messages_role", 'Did you mean "assistant"?')
    fails(conn, *role, add(session_id, "Assistant", "x"))
    fails(conn, "DataError", "22004", None, None, add(session_id, "user", None))
    fails(conn, "DataError", "22023", None, "NULL means all", get_messages(session_id, -1))
    fails(conn, "DataError", "22023", None, "cursor of the last row", list_sessions(USER, 1, "no cursor"))
    fails(conn, "DataError", "22023", None, None, add_many(session_id, [{"role": "user"}, {"rôle": 1}]))
    equal(contents(rows(conn, get_messages(session_id))), ["m0"])


def transaction():
    """Several calls in a transaction: all of them or none."""
    with engine.begin() as conn:
        session_id = value(conn, create_session())
        value(conn, add(session_id, "user", "Q"))
        try:
            with conn.begin_nested():
                value(conn, add(session_id, "bot", "x"))
        except DBAPIError:
            value(conn, add(session_id, "user", "kept"))
    with engine.connect() as conn:
        equal(value(conn, delete_messages(session_id, 0)), 2)
        conn.get_transaction().rollback()
        equal(contents(rows(conn, get_messages(session_id))), ["Q", "kept"])


def one_client(user_id):
    """A client's conversation, and each time what it reads; returns the backends that it met."""
    backends = set()
    with autocommit.connect() as conn:
        session_id = value(conn, create_session(user_id))
        expected = []
        for i in range(12):
            question, answer = f"{user_id} asks {i}", f"{user_id} is told {i}"
            value(conn, add(session_id, "user", question, user_id))
            equal(contents(rows(conn, get_context(session_id, 2000, user_id=user_id))), expected + [question])
            answer_id = value(conn, add(session_id, "assistant", "", user_id))
            conn.execute(select(update_message(session_id, answer_id, answer, user_id=user_id)))
            expected += [question, answer]
            equal(contents(rows(conn, get_messages(session_id, user_id=user_id))), expected)
            backends.add(backend(conn))
        equal([s.session_id for s in rows(conn, list_sessions(user_id))], [session_id])
    return backends


def many_clients():
    assert CLIENTS > POOL_SIZE
    met = at_once([lambda u=f"{uuid.uuid4()}": one_client(u) for _ in range(CLIENTS)])
    if POOL_SIZE:
        assert 1 < len(set().union(*met)) <= POOL_SIZE, met
        assert any(len(backends) > 1 for backends in met), met
    else:
        equal(len(set().union(*met)), CLIENTS)


def moves(conn):
    """Each statement of a client runs on another backend than the one before it."""
    session_id = value(conn, create_session())
    call = add(session_id, "user", "x")
    pids = [conn.execute(select(func.pg_backend_pid(), call)).first()[0] for _ in range(2 * POOL_SIZE)]
    equal(len(set(pids[:POOL_SIZE])), POOL_SIZE)
    equal(pids[:POOL_SIZE], pids[POOL_SIZE:])


print(f"# SQLAlchemy {sqlalchemy.__version__}, {DRIVER} {engine.dialect.dbapi.__version__}")
if POOL_SIZE:
    open_all_servers()
with autocommit.connect() as conn:
    if POOL_SIZE:
        test("consecutive statements of a client run on different backends", moves, conn)
    test("types: UUID, bigint, timestamp, jsonb", types, conn)
    test("a first turn creates its session in one call", first_turn, conn)
    test("paging backwards gives each of 300 messages once while others append", page_backwards, conn)
    test("following a session gives each message once", follow, conn)
    test("the context fits the budget and begins with a question", context, conn)
    test("paging the list of sessions gives each once, the latest first", sidebar, conn)
    test("a streamed answer grows and is finished", stream, conn)
    test("an answer is regenerated", regenerate, conn)
    test("a session is updated and deleted", session_itself, conn)
    test("a session is copied, exported and imported", whole_session, conn)
    test("errors have their class, SQLSTATE, constraint and hint", errors, conn)
test("transactions and savepoints", transaction)
test(f"{CLIENTS} clients at once each read their own conversation", many_clients)
finish()
