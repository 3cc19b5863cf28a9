"""The functions of a conversation, called with psycopg 3; prints TAP. See tap.py for the environment."""

import datetime
import logging
import uuid

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from tap import POOL_SIZE, PREPARE, at_once, equal, finish, test

CLIENTS = 8  # more than a pooler has connections to the server
USER = "maya"
ADD = "SELECT rag_add_message(%s, %s, %s, user_id => %s)"
LAST = "SELECT * FROM rag_get_messages(%s, max_messages => %s, before_id => %s, user_id => %s)"
AFTER = "SELECT * FROM rag_get_messages_after(%s, %s, max_messages => %s, user_id => %s)"
CONTEXT = "SELECT * FROM rag_get_context(%s, max_tokens => %s, user_id => %s)"
LIST = "SELECT * FROM rag_list_sessions(%s, max_sessions => %s, after_cursor => %s)"


def connect():
    # Prepared at the first call, or never.
    return psycopg.connect(autocommit=True, row_factory=dict_row, prepare_threshold=0 if PREPARE else None)


def rows(conn, statement, *values):
    return conn.execute(statement, values).fetchall()


def value(conn, statement, *values):
    ((result,),) = (row.values() for row in rows(conn, statement, *values))
    return result


def new_session(conn, user_id=USER, **metadata):
    return value(conn, "SELECT rag_create_session(user_id => %s, metadata => %s)", user_id, Jsonb(metadata))


def add_many(conn, session_id, contents):
    messages = [{"role": "user", "content": content} for content in contents]
    return value(conn, "SELECT rag_add_messages(%s, %s, user_id => %s)", session_id, Jsonb(messages), USER)


def contents(messages):
    return [message["content"] for message in messages]


def open_all_servers():
    """The pooler opens all of its connections to the server, as so many transactions are open at once."""
    clients = [connect() for _ in range(POOL_SIZE)]
    for client in clients:
        client.execute("BEGIN")
    equal(len({value(client, "SELECT pg_backend_pid()") for client in clients}), POOL_SIZE)
    for client in clients:
        client.execute("COMMIT")
        client.close()


# ---------------------------------------------------------------------------


def types(conn):
    """Each column comes as the type that Python has for it."""
    session_id = new_session(conn, title="Trams", collection=["a", "b"])
    assert isinstance(session_id, uuid.UUID), session_id
    message_id = value(
        conn,
        """SELECT rag_add_message(%s, %s, %s, sources => %s, latency_ms => %s, top_k => %s, query_type => %s,
                                  user_id => %s, token_count => %s, metadata => %s, idempotency_key => %s)""",
        *(session_id, "assistant", "Ünï 🙂", Jsonb([{"score": 0.5}]), 12.5, 5, "how-to", USER),
        *(7, Jsonb({"model": "m-1"}), "request-1"),
    )
    assert type(message_id) is int, message_id
    (message,) = rows(conn, LAST, session_id, 10, None, USER)
    created_at = message.pop("created_at")
    assert isinstance(created_at, datetime.datetime) and created_at.tzinfo is None, created_at
    expected = dict(
        id=message_id,
        role="assistant",
        content="Ünï 🙂",
        sources=[{"score": 0.5}],
        latency_ms=12.5,
        top_k=5,
        query_type="how-to",
        token_count=7,
        metadata={"model": "m-1"},
        idempotency_key="request-1",
    )
    equal(message, expected)
    with conn.cursor(binary=True) as cursor:
        (message,) = cursor.execute(LAST, (session_id, 10, None, USER)).fetchall()
        equal({**message, "created_at": created_at}, {**expected, "created_at": created_at})
    without = "SELECT * FROM rag_get_messages(%s, include_sources => false)"
    equal(rows(conn, without, session_id)[0]["sources"], None)


def first_turn(conn):
    """A session and its first turn in one call; the ids are a list of int."""
    session_id = uuid.uuid4()
    turn = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A", "sources": [1]}]
    call = "SELECT rag_add_messages(%s, %s, user_id => %s, create_session => true)"
    ids = value(conn, call, session_id, Jsonb(turn), USER)
    assert all(type(i) is int for i in ids) and ids == sorted(ids), ids
    # A list of dicts need not be wrapped inside of an object.
    ids += value(conn, call, session_id, Jsonb({"messages": turn}), USER)
    messages = rows(conn, LAST, session_id, None, None, USER)
    equal([m["id"] for m in messages], ids)
    equal([(m["role"], m["sources"]) for m in messages], [("user", None), ("assistant", [1])] * 2)
    fails(conn, "23505", "sessions_pkey", None, call, session_id, Jsonb(turn), "eve")


def page_backwards(conn):
    session_id = new_session(conn)
    ids = add_many(conn, session_id, [f"m{i}" for i in range(300)])
    seen, before_id = [], None
    with connect() as other:
        while page := rows(conn, LAST, session_id, 37, before_id, USER):
            seen = [m["id"] for m in page] + seen
            before_id = page[0]["id"]
            other.execute(ADD, (session_id, "user", "meanwhile", USER))
    equal(seen, ids)


def follow(conn):
    """While several write to the session, who follows it sees each message once, in order."""
    session_id = new_session(conn)
    writers = CLIENTS - 1
    done = [False] * writers

    def write(writer):
        with connect() as own:
            for i in range(20):
                own.execute(ADD, (session_id, "user", f"{writer} {i}", USER))
        done[writer] = True

    def read():
        seen = []
        while True:
            last = all(done)  # before the page is read
            page = rows(conn, AFTER, session_id, seen[-1]["id"] if seen else None, 7, USER)
            if last and not page:
                return seen
            seen += page

    try:
        seen = at_once([lambda w=w: write(w) for w in range(writers)] + [read])[-1]
    finally:
        done[:] = [True] * writers
    assert [m["id"] for m in seen] == sorted({m["id"] for m in seen})
    equal(sorted(contents(seen)), sorted(f"{w} {i}" for w in range(writers) for i in range(20)))


def context(conn):
    """The newest messages that fit, from a question on, with what each was counted as."""
    session_id = new_session(conn)
    turns = [
        {"role": role, "content": f"{role} {i}", "token_count": 10} for i in range(10) for role in ("user", "assistant")
    ]
    turns.append({"role": "user", "content": "eleven by."})  # not counted: a quarter of its bytes, rounded up
    value(conn, "SELECT rag_add_messages(%s, %s)", session_id, Jsonb(turns))
    window = rows(conn, CONTEXT, session_id, 60, USER)
    equal(contents(window), ["user 8", "assistant 8", "user 9", "assistant 9", "eleven by."])
    equal([m["token_count"] for m in window], [10, 10, 10, 10, 3])
    equal(set(window[0]), {"id", "role", "content", "token_count"})
    equal(rows(conn, CONTEXT, session_id, 2, USER), [])
    after = "SELECT * FROM rag_get_context(%s, %s, max_messages => 4, after_id => %s, user_id => %s)"
    equal(contents(rows(conn, after, session_id, None, None, USER)), ["user 9", "assistant 9", "eleven by."])
    equal(contents(rows(conn, after, session_id, None, window[3]["id"], USER)), ["eleven by."])


def sidebar(conn):
    """The pages of the list have each session once, the latest used first."""
    user_id = f"user {uuid.uuid4()}"
    ids = [new_session(conn, user_id, title=f"Chat {i}") for i in range(25)]
    conn.execute(ADD, (ids[3], "user", "x" * 300, user_id))
    listed, cursor = [], None
    while page := rows(conn, LIST, user_id, 7, cursor):
        listed += page
        cursor = page[-1]["cursor"]
    assert [s["session_id"] for s in listed] == [ids[3]] + [i for i in reversed(ids) if i != ids[3]]
    equal((listed[0]["title"], listed[0]["preview"]), ("Chat 3", "x" * 200))
    equal((listed[1]["title"], listed[1]["preview"]), ("Chat 24", None))
    equal(listed[1]["metadata"], {"title": "Chat 24"})
    assert listed[0]["updated_at"] > listed[0]["created_at"]


def stream(conn):
    """An answer is there from its first words on, for others as well."""
    session_id = new_session(conn)
    conn.execute(ADD, (session_id, "user", "Q", USER))
    answer_id = value(
        conn,
        "SELECT rag_add_message(%s, 'assistant', '', metadata => %s, user_id => %s)",
        *(session_id, Jsonb({"status": "streaming", "model": "m-1"}), USER),
    )
    text = ""
    with connect() as other:
        for piece in ("A single ", "ticket ", "is valid"):
            text += piece
            update = "SELECT rag_update_message(%s, %s, content => %s, user_id => %s)"
            conn.execute(update, (session_id, answer_id, text, USER))
            (_, answer) = rows(other, LAST, session_id, None, None, USER)
            equal((answer["content"], answer["metadata"]["status"]), (text, "streaming"))
        conn.execute(
            """SELECT rag_update_message(%s, %s, content => %s, sources => %s, latency_ms => %s,
                                         token_count => %s, metadata => %s, user_id => %s)""",
            (session_id, answer_id, text + ".", Jsonb([1]), 20, 6, Jsonb({"status": "done"}), USER),
        )
        (_, answer) = rows(other, LAST, session_id, None, None, USER)
    fields = ("id", "content", "sources", "latency_ms", "token_count", "metadata")
    expected = (answer_id, text + ".", [1], 20.0, 6, {"status": "done", "model": "m-1"})
    equal(tuple(answer[f] for f in fields), expected)


def regenerate(conn):
    session_id = new_session(conn)
    ids = add_many(conn, session_id, ["Q1", "A1", "Q2", "A2"])
    delete = "SELECT rag_delete_messages(%s, %s, user_id => %s)"
    equal(value(conn, delete, session_id, ids[3], USER), 1)
    again = value(conn, ADD, session_id, "assistant", "A2, again", USER)
    assert again > ids[3]
    equal(contents(rows(conn, LAST, session_id, None, None, USER)), ["Q1", "A1", "Q2", "A2, again"])
    equal(value(conn, delete, session_id, ids[1], USER), 3)
    equal(contents(rows(conn, LAST, session_id, None, None, USER)), ["Q1"])
    equal(value(conn, delete, session_id, again, USER), 0)


def session_itself(conn):
    session_id = new_session(conn, title="New", system_prompt="Be brief.")
    update = "SELECT rag_update_session(%s, %s, user_id => %s)"
    change = Jsonb({"title": "Trams", "system_prompt": None, "pinned": True})
    equal(value(conn, update, session_id, change, USER), {"title": "Trams", "pinned": True})
    add_many(conn, session_id, ["Q"])
    delete = "SELECT rag_delete_session(%s, user_id => %s)"
    equal(value(conn, delete, session_id, "eve"), False)
    equal(value(conn, delete, session_id, USER), True)
    equal(value(conn, delete, session_id, USER), False)
    fails(conn, "23503", "messages_session_id_fkey", "rag_create_session", LAST, session_id, 1, None, USER)
    equal(value(conn, "SELECT count(*) FROM messages WHERE session_id = %s", session_id), 0)


def whole_session(conn):
    """A copy up to a message, and a document that is a dict and becomes a session again."""
    session_id = new_session(conn, title="Trams")
    ids = add_many(conn, session_id, ["Q1", "A1 🙂", "Q2"])
    copy = value(conn, "SELECT rag_copy_session(%s, upto_id => %s, user_id => %s)", session_id, ids[1], USER)
    assert isinstance(copy, uuid.UUID) and copy != session_id, copy
    equal(contents(rows(conn, LAST, copy, None, None, USER)), ["Q1", "A1 🙂"])
    export = "SELECT rag_export_session(%s, user_id => %s)"
    document = value(conn, export, session_id, USER)
    equal((document["metadata"], contents(document["messages"])), ({"title": "Trams"}, ["Q1", "A1 🙂", "Q2"]))
    imported = value(conn, "SELECT rag_import_session(%s, user_id => %s)", Jsonb(document), "bob")
    again = value(conn, export, imported, "bob")
    renewed = ("session_id", "user_id")
    equal(without_ids(again, renewed), without_ids(document, renewed))
    openai = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    chat = value(conn, "SELECT rag_import_session(%s, user_id => %s)", Jsonb(openai), USER)
    equal(contents(rows(conn, LAST, chat, None, None, USER)), ["Hi"])
    no_session = ("23503", "messages_session_id_fkey", "Create the session first")
    fails(conn, *no_session, export, session_id, "eve")
    fails(conn, *no_session, "SELECT rag_copy_session(%s, user_id => %s)", session_id, "eve")
    fails(conn, "22023", None, None, "SELECT rag_import_session(%s)", Jsonb([{"role": "user", "content": "x", "latency_sm": 1}]))
    keep = "SELECT rag_import_session(%s, keep_id => true)"
    fails(conn, "23505", "sessions_pkey", None, keep, Jsonb(document))


def without_ids(document, renewed):
    messages = [{k: v for k, v in m.items() if k != "id"} for m in document["messages"]]
    return {**{k: v for k, v in document.items() if k not in renewed}, "messages": messages}


# ---------------------------------------------------------------------------


def fails(conn, sqlstate, constraint, hint, statement, *values):
    """The error has this SQLSTATE and constraint, and its hint this text."""
    try:
        conn.execute(statement, values)
    except psycopg.Error as error:
        equal((error.sqlstate, error.diag.constraint_name), (sqlstate, constraint))
        assert type(error) is psycopg.errors.lookup(sqlstate)
        assert (hint or "") in (error.diag.message_hint or ""), error.diag.message_hint
        return error.diag.message_primary
    raise AssertionError(f"no error {sqlstate}")


def errors(conn):
    session_id = new_session(conn)
    (message_id,) = add_many(conn, session_id, ["Q"])
    no_session = ("23503", "messages_session_id_fkey", "Create the session first")
    for nobodys, user_id in ((uuid.uuid4(), USER), (session_id, "eve")):
        for statement, *values in (
            (ADD, nobodys, "user", "x", user_id),
            (LAST, nobodys, 10, None, user_id),
            (AFTER, nobodys, 0, 10, user_id),
            (CONTEXT, nobodys, 10, user_id),
            ("SELECT rag_update_session(%s, '{}', user_id => %s)", nobodys, user_id),
            ("SELECT rag_update_message(%s, %s, 'x', user_id => %s)", nobodys, message_id, user_id),
            ("SELECT rag_delete_messages(%s, %s, user_id => %s)", nobodys, message_id, user_id),
        ):
            equal(fails(conn, *no_session, statement, *values), "session does not exist")
    fails(conn, "23503", None, None, "SELECT rag_update_message(%s, %s, 'x')", session_id, message_id + 1)
    fails(conn, "23514", "ck_messages_role", 'Did you mean "assistant"?', ADD, session_id, "Assistant", "x", USER)
    fails(conn, "22004", None, None, ADD, session_id, "user", None, USER)
    fails(conn, "22P02", None, None, ADD, "no uuid", "user", "x", USER)
    fails(conn, "22023", None, "NULL means all", LAST, session_id, -1, None, USER)
    fails(conn, "22023", None, "NULL means all", CONTEXT, session_id, -1, USER)
    fails(conn, "22023", None, "cursor of the last row", LIST, USER, 1, "no cursor")
    fails(conn, "22023", None, None, "SELECT rag_update_session(%s, '[]')", session_id)
    many = "SELECT rag_add_messages(%s, %s)"
    misspelt = Jsonb([{"role": "user", "content": "x"}, {"role": "user", "contents": "x"}])
    assert "message 2" in fails(conn, "22023", None, None, many, session_id, misspelt)
    latency = "SELECT rag_update_message(%s, %s, latency_ms => %s)"
    fails(conn, "22003", None, None, latency, session_id, message_id, -1)
    fails(conn, "23505", "sessions_pkey", None, "SELECT rag_create_session(session_id => %s)", session_id)
    keyed = "SELECT rag_add_message(%s, 'user', %s, idempotency_key => 'k')"
    first = value(conn, keyed, session_id, "x")
    equal(value(conn, keyed, session_id, "x"), first)
    fails(conn, "23505", "uq_messages_idempotency_key", None, keyed, session_id, "y")
    equal(contents(rows(conn, LAST, session_id, None, None, USER)), ["Q", "x"])


def pipeline(conn):
    """Many calls in one round trip; after an error those up to the sync are not run, nor kept."""
    session_id = new_session(conn)
    with conn.pipeline():
        added = [conn.execute(ADD, (session_id, "user", f"m{i}", USER)) for i in range(20)]
        read = conn.execute(LAST, (session_id, None, None, USER))
        ids = [row["rag_add_message"] for cursor in added for row in cursor.fetchall()]
        messages = read.fetchall()
    equal([(m["id"], m["content"]) for m in messages], [(n, f"m{i}") for i, n in enumerate(ids)])
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # it warns of the error that follows
    try:
        with conn.pipeline():
            conn.execute(ADD, (session_id, "user", "before the error", USER))
            conn.execute(ADD, (session_id, "bot", "the error", USER))
            conn.execute(ADD, (session_id, "user", "after the error", USER))
        raise AssertionError("no error")
    except psycopg.errors.CheckViolation as error:
        equal(error.diag.constraint_name, "ck_messages_role")
    equal(contents(rows(conn, LAST, session_id, 1, None, USER)), ["m19"])


def transaction(conn):
    """Several calls in a transaction: all of them or none."""
    session_id = new_session(conn)
    with conn.transaction():
        add_many(conn, session_id, ["Q1", "A1"])
        try:
            with conn.transaction():  # a savepoint
                conn.execute(ADD, (session_id, "bot", "x", USER))
        except psycopg.errors.CheckViolation:
            conn.execute(ADD, (session_id, "user", "kept", USER))
    try:
        with conn.transaction():
            conn.execute("SELECT rag_delete_messages(%s, 0)", (session_id,))
            equal(rows(conn, LAST, session_id, None, None, USER), [])
            raise InterruptedError
    except InterruptedError:
        pass
    equal(contents(rows(conn, LAST, session_id, None, None, USER)), ["Q1", "A1", "kept"])


def same_request():
    """All clients send one request at the same time: one message, and all get its id."""
    with connect() as conn:
        session_id = new_session(conn)

    def send():
        with connect() as own:
            keyed = "SELECT rag_add_message(%s, 'user', 'Q', user_id => %s, idempotency_key => 'request-1')"
            return value(own, keyed, session_id, USER)

    ids = at_once([send] * CLIENTS)
    with connect() as conn:
        equal([m["id"] for m in rows(conn, LAST, session_id, None, None, USER)], list(set(ids)))


def one_client(user_id):
    """A client's conversation, and each time what it reads; returns the backends that it met."""
    backends = set()

    def call(statement, *values):
        result = rows(own, f"SELECT pg_backend_pid() AS pid, x.* FROM {statement} AS x", *values)
        backends.update(row.pop("pid") for row in result)
        return result

    with connect() as own:
        ((session_id,),) = (r.values() for r in call("rag_create_session(user_id => %s)", user_id))
        expected = []
        for i in range(12):
            question, answer = f"{user_id} asks {i}", f"{user_id} is told {i}"
            call("rag_add_message(%s, 'user', %s, user_id => %s)", session_id, question, user_id)
            window = call("rag_get_context(%s, %s, user_id => %s)", session_id, 1000, user_id)
            equal(contents(window), expected + [question])
            streamed = "rag_add_message(%s, 'assistant', '', user_id => %s)"
            ((answer_id,),) = (r.values() for r in call(streamed, session_id, user_id))
            call("rag_update_message(%s, %s, content => %s, user_id => %s)", session_id, answer_id, answer, user_id)
            expected += [question, answer]
            equal(contents(call("rag_get_messages(%s, user_id => %s)", session_id, user_id)), expected)
        equal([s["session_id"] for s in call("rag_list_sessions(%s)", user_id)], [session_id])
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
    session_id = new_session(conn)
    pids = []
    for i in range(2 * POOL_SIZE):
        call = "SELECT pg_backend_pid() AS pid, rag_add_message(%s, 'user', %s, user_id => %s)"
        pids.append(rows(conn, call, session_id, f"m{i}", USER)[0]["pid"])
    equal(len(set(pids[:POOL_SIZE])), POOL_SIZE)
    equal(pids[:POOL_SIZE], pids[POOL_SIZE:])
    equal(contents(rows(conn, LAST, session_id, None, None, USER)), [f"m{i}" for i in range(2 * POOL_SIZE)])


print(f"# psycopg {psycopg.__version__} ({psycopg.pq.__impl__}), libpq {psycopg.pq.version()}")
if POOL_SIZE:
    open_all_servers()
with connect() as conn:
    if POOL_SIZE:
        test("consecutive statements of a client run on different backends", moves, conn)
    test("types: uuid, bigint, timestamp, jsonb, as text and binary", types, conn)
    test("a first turn creates its session in one call", first_turn, conn)
    test("paging backwards gives each of 300 messages once while others append", page_backwards, conn)
    test("following a session skips nothing while others write to it", follow, conn)
    test("the context fits the budget and begins with a question", context, conn)
    test("paging the list of sessions gives each once, the latest first", sidebar, conn)
    test("a streamed answer grows and is finished", stream, conn)
    test("an answer is regenerated", regenerate, conn)
    test("a session is updated and deleted", session_itself, conn)
    test("a session is copied, exported and imported", whole_session, conn)
    test("errors have their class, SQLSTATE, constraint and hint", errors, conn)
    test("pipeline mode: results in order, an error undoes all", pipeline, conn)
    test("transactions and savepoints", transaction, conn)
test("a request that all clients send at once is one message", same_request)
test(f"{CLIENTS} clients at once each read their own conversation", many_clients)
finish()
