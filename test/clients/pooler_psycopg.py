"""What clients of one pooler do to each other, with psycopg 3; prints TAP.

The environment is that of tap.py, and: DIRECT_HOST and DIRECT_PORT lead to the server itself, PREPARES is 1 where
the pooler knows prepared statements, MEMBER is a role that the user may set.
"""

import os
import threading
import time
import uuid

import psycopg
from psycopg.types.json import Jsonb

from tap import POOL_SIZE, at_once, equal, finish, test

CLIENTS = 8  # more than a pooler has connections to the server
PREPARES = os.environ["PREPARES"] == "1"
MEMBER = os.environ["MEMBER"]


def pooled(prepare=PREPARES):
    return psycopg.connect(autocommit=True, prepare_threshold=0 if prepare else None)


def direct():
    host, port = os.environ["DIRECT_HOST"], os.environ["DIRECT_PORT"]
    return psycopg.connect(host=host, port=port, autocommit=True, prepare_threshold=0)


def value(conn, statement, *values):
    return conn.execute(statement, values).fetchone()[0]


def column(conn, statement, *values):
    return [row[0] for row in conn.execute(statement, values)]


def open_all_servers():
    """The pooler opens all of its connections to the server, as so many transactions are open at once."""
    clients = [pooled(False) for _ in range(POOL_SIZE)]
    for client in clients:
        client.execute("BEGIN")
    equal(len({value(client, "SELECT pg_backend_pid()") for client in clients}), POOL_SIZE)
    for client in clients:
        client.execute("COMMIT")
        client.close()


# ---------------------------------------------------------------------------


def prepared():
    add = "SELECT rag_add_message(%s, 'user', 'prepared')"
    with pooled(False) as conn:
        session_id = value(conn, "SELECT rag_create_session()")
    with pooled(True) as conn:
        try:
            for _ in range(2 * POOL_SIZE):
                conn.execute(add, (session_id,))
            assert PREPARES, "no error"
        except psycopg.errors.InvalidSqlStatementName as error:
            # psycopg prepares and executes in two steps: already the first call fails.
            equal((PREPARES, error.sqlstate), (False, "26000"))
    stored = 2 * POOL_SIZE if PREPARES else 0
    with pooled(False) as conn:
        equal(value(conn, "SELECT count(*) FROM rag_get_messages(%s)", session_id), stored)


# ---------------------------------------------------------------------------


class Load:
    """Clients that go on until they are stopped, or one of them fails."""

    def __init__(self):
        self.stopped = threading.Event()
        self.calls = [0] * CLIENTS

    def client(self, i):
        # The last two are not pooled.
        with pooled() if i < CLIENTS - 2 else direct() as conn:
            try:
                body = self.read if i % 2 else self.write
                body(conn, i)
            finally:
                self.stopped.set()

    def write(self, conn, i):
        session_id = value(conn, "SELECT rag_create_session(user_id => %s)", f"client {i}")
        ids, expected = [], []
        while not self.stopped.is_set():
            expected.append(f"{i}: {len(ids)}")
            add = "SELECT rag_add_message(%s, 'user', %s, user_id => %s)"
            ids.append(value(conn, add, session_id, expected[-1], f"client {i}"))
            self.calls[i] += 1
        equal(ids, sorted(set(ids)))
        stored = conn.execute("SELECT id, content FROM messages WHERE session_id = %s ORDER BY id", (session_id,))
        equal(stored.fetchall(), list(zip(ids, expected)))

    def read(self, conn, i):
        session_id = value(conn, "SELECT rag_create_session(user_id => %s)", f"client {i}")
        for n in range(20):
            conn.execute("SELECT rag_add_message(%s, 'user', %s)", (session_id, f"{i}: {n}"))
        found = 0
        while not self.stopped.is_set():
            try:
                read = "SELECT content FROM rag_get_messages(%s, max_messages => 7, user_id => %s)"
                equal(column(conn, read, session_id, f"client {i}"), [f"{i}: {n}" for n in range(13, 20)])
                found += 1
            except psycopg.errors.UndefinedFunction:
                pass  # before 1.2
            self.calls[i] += 1
        assert found > 0

    def go_on(self, calls):
        """Waits until each client has made so many calls more."""
        goal = [n + calls for n in self.calls]
        deadline = time.monotonic() + 60
        while any(n < g for n, g in zip(self.calls, goal)):
            assert not self.stopped.is_set(), "a client has stopped"
            assert time.monotonic() < deadline, f"{self.calls} and not {goal}"
            time.sleep(0.01)


def update_to(conn, version):
    # A step may give up on locking both tables, and is then to be repeated.
    for _ in range(100):
        try:
            return conn.execute(f"ALTER EXTENSION rag_events UPDATE TO '{version}'")
        except psycopg.errors.LockNotAvailable:
            pass
    raise AssertionError("the tables could not be locked")


def update():
    load = Load()

    def steps():
        try:
            with direct() as conn:
                for version in ("1.1", "1.2", "1.1", "1.0", "1.1", "1.2"):
                    load.go_on(10)
                    update_to(conn, version)
                load.go_on(10)
        finally:
            load.stopped.set()

    with direct() as conn:
        conn.execute("DROP EXTENSION rag_events")
        conn.execute("CREATE EXTENSION rag_events VERSION '1.0'")
    at_once([lambda i=i: load.client(i) for i in range(CLIENTS)] + [steps])


# ---------------------------------------------------------------------------

POLICIES = f"""
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions, messages TO {MEMBER};
GRANT USAGE ON SEQUENCE messages_id_seq TO {MEMBER};
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON sessions TO {MEMBER} USING (user_id = current_setting('app.user_id'));
CREATE POLICY own ON messages TO {MEMBER} USING (EXISTS (SELECT FROM sessions WHERE id = session_id));
"""


def member(conn, user_id, others):
    """A transaction of a user, who does not say in any call who he is."""
    with conn.transaction():
        conn.execute(f"SET LOCAL ROLE {MEMBER}")
        conn.execute("SELECT set_config('app.user_id', %s, true)", (user_id,))
        mine = column(conn, "SELECT session_id FROM rag_list_sessions(%s)", user_id)
        session_id = mine[0] if mine else value(conn, "SELECT rag_create_session(user_id => %s)", user_id)
        conn.execute("SELECT rag_add_messages(%s, %s)", (session_id, Jsonb([{"role": "user", "content": user_id}])))
        contents = column(conn, "SELECT content FROM rag_get_messages(%s, max_messages => NULL)", session_id)
        equal(column(conn, "SELECT session_id FROM rag_list_sessions(%s)", others[1]), [])
        try:
            with conn.transaction():
                conn.execute("SELECT * FROM rag_get_messages(%s)", (others[0],))
            raise AssertionError("another user's session is there")
        except psycopg.errors.ForeignKeyViolation as error:
            equal(error.diag.message_primary, "session does not exist")
            assert str(others[0]) not in error.diag.message_detail, error.diag.message_detail
    return session_id, contents


def row_security():
    """Users under row security and the owner of the tables take turns on the same backends."""
    others = (uuid.uuid4(), "the others")
    with direct() as conn:
        conn.execute(POLICIES, prepare=False)  # several commands
        conn.execute("SELECT rag_create_session(session_id => %s, user_id => %s)", others)
        conn.execute("SELECT rag_add_message(%s, 'user', 'theirs')", (others[0],))

    def client(i):
        user_id = f"user {i}"
        with pooled() as conn:
            for n in range(1, 11):
                session_id, contents = member(conn, user_id, others)
                equal(contents, [user_id] * n)
                # As the owner of the tables, to whom no policy applies:
                equal(column(conn, "SELECT content FROM rag_get_messages(%s)", others[0]), ["theirs"])
                equal(value(conn, "SELECT count(*) FROM rag_get_messages(%s)", session_id), n)

    at_once([lambda i=i: client(i) for i in range(CLIENTS)])


open_all_servers()
test(
    "prepared statements run on every backend"
    if PREPARES
    else "PgBouncer before 1.21: a prepared statement is an error (26000) on another backend, and writes nothing",
    prepared,
)
test("updates up and down while clients with prepared statements call: no wrong result, and none lost", update)
test("row security and SET LOCAL ROLE: each user has his own sessions, on whatever backend", row_security)
finish()
