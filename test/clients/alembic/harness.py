"""What the tests here share: databases, Alembic, and what the catalogs say.

Each test has databases of its own, on the server of PGHOST, PGPORT and PGUSER (a
superuser). The application's role, rag_app, owns them and is no superuser.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import psycopg2
import psycopg2.errors
import psycopg2.sql

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
DOCUMENT = ROOT / "docs" / "alembic.md"

SUPERUSER = os.environ["PGUSER"]
OWNER = "rag_app"
READER = "rag_reader"
STRANGER = "rag_stranger"
ROLES = (OWNER, READER, STRANGER)

TEMPLATE = "alembic_template"
ADOPT = "CREATE EXTENSION rag_events {schema} VERSION '001_initial_schema'"
UPDATE = "ALTER EXTENSION rag_events UPDATE"


def connect(database, user=OWNER, autocommit=True, search_path=None):
    options = f"-c search_path={search_path}" if search_path else ""
    connection = psycopg2.connect(dbname=database, user=user, options=options)
    connection.autocommit = autocommit
    return connection


def query(connection, statement, parameters=None):
    """The rows of a query, or None of a command."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else None


def value(connection, statement, parameters=None):
    return query(connection, statement, parameters)[0][0]


def environment(database, user=OWNER, search_path=None):
    env = dict(os.environ, PGDATABASE=database, PGUSER=user)
    if search_path:
        env["PGOPTIONS"] = f"-c search_path={search_path}"
    return env


def run(arguments, database=None, cwd=None, **env):
    """Runs a program that must succeed; its output and errors as one text."""
    done = run_any(arguments, database, cwd, **env)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(arguments)}: {done.stdout}")
    return done.stdout


def run_any(arguments, database, cwd=None, **env):
    return subprocess.run(
        arguments,
        cwd=cwd,
        env=environment(database, **env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )


def documented(name):
    """The code that follows the line "<!-- NAME -->" in docs/alembic.md."""
    found = re.search(
        rf"<!-- {re.escape(name)} -->\n+```\w*\n(.*?)^```$",
        DOCUMENT.read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    if found is None:
        raise AssertionError(f"{DOCUMENT.name} has no code named {name}")
    return found.group(1)


class Project:
    """A copy of the application's Alembic project, to be removed with close()."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="alembic_"))
        shutil.copytree(HERE / "project", self.path, dirs_exist_ok=True)

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)

    def add(self, source, target):
        shutil.copy(HERE / source, self.path / target)

    def alembic(self, database, *arguments, **env):
        """Runs alembic, which must succeed; its output."""
        return run(self.command(arguments), database, self.path, **env)

    def alembic_fails(self, database, *arguments, **env):
        """Runs alembic, which must fail; its output."""
        done = run_any(self.command(arguments), database, self.path, **env)
        if done.returncode == 0:
            raise AssertionError(f"alembic {arguments} succeeded: {done.stdout}")
        return done.stdout

    def autogenerate(self, database, **env):
        """The body of upgrade() that Alembic would write, as a list of lines.

        "alembic check" says the same, but older ones do not have it.
        """
        self.alembic(
            database, "revision", "--autogenerate", "-m", "probe", "--rev-id", "probe", **env
        )
        (file,) = (self.path / "migrations" / "versions").glob("probe*.py")
        text = file.read_text(encoding="utf-8")
        file.unlink()
        body = re.search(r"def upgrade\(\).*?:\n(.*?)\n\n\n", text, re.DOTALL).group(1)
        lines = [line.strip() for line in body.splitlines()]
        return [line for line in lines if line and line != "pass" and not line.startswith("#")]

    @staticmethod
    def command(arguments):
        return [sys.executable, "-m", "alembic", *arguments]


# The rows with where they are stored: equal before and after when nothing was
# rewritten. Columns that later versions add are left out.
ROWS = """
SELECT {where} id, user_id, created_at, updated_at, metadata::text,
       NULL, NULL, NULL, NULL, NULL, NULL
FROM sessions
UNION ALL
SELECT {where} session_id, id::text, created_at, NULL, NULL,
       role, content, sources::text, latency_ms, top_k, query_type
FROM messages
ORDER BY {order} id, user_id
"""

# All that an attempt at adoption could change in the catalogs.
CATALOG = """
SELECT 'relation', relname::text, concat_ws(' ', relkind, relowner::regrole, relacl,
       pg_relation_filenode(oid), relrowsecurity, reloptions)
FROM pg_class WHERE relnamespace = current_schema()::regnamespace
UNION ALL
SELECT 'column', attrelid::regclass || '.' || attname, concat_ws(' ',
       format_type(atttypid, atttypmod), attnotnull, attidentity, attacl,
       pg_get_expr(adbin, adrelid), col_description(attrelid, attnum))
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relnamespace = current_schema()::regnamespace AND attnum > 0 AND NOT attisdropped
UNION ALL
SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
UNION ALL
SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid)
FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
WHERE relnamespace = current_schema()::regnamespace
UNION ALL
SELECT 'function', oid::regprocedure::text, NULL
FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
UNION ALL
SELECT 'extension', extname, concat_ws(' ', extversion, extowner::regrole) FROM pg_extension
ORDER BY 1, 2, 3
"""

# The names that later versions may not change either.
NAMES = """
SELECT conrelid::regclass::text, conname::text FROM pg_constraint
WHERE conrelid IN ('sessions'::regclass, 'messages'::regclass) AND contype <> 'n'
UNION
SELECT indrelid::regclass::text, indexrelid::regclass::text FROM pg_index
WHERE indrelid IN ('sessions'::regclass, 'messages'::regclass)
UNION
SELECT 'sequence', pg_get_serial_sequence('messages', 'id')
ORDER BY 1, 2
"""

PRIVILEGES = """
SELECT relname::text, NULL::text AS attname, relowner::regrole::text AS owner, acl.*
FROM pg_class LEFT JOIN LATERAL
  (SELECT grantor::regrole::text, grantee::regrole::text, privilege_type, is_grantable
   FROM aclexplode(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner)))
  ) AS acl ON true
WHERE relnamespace = current_schema()::regnamespace
  AND relname IN ('sessions', 'messages', 'messages_id_seq')
UNION ALL
SELECT relname::text, attname::text, NULL, grantor::regrole::text, grantee::regrole::text,
       privilege_type, is_grantable
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid, aclexplode(attacl)
WHERE relnamespace = current_schema()::regnamespace AND relname IN ('sessions', 'messages')
ORDER BY 1, 2, 4, 5, 6
"""


def rows(connection):
    return query(connection, ROWS.format(where="", order=""))


def stored_rows(connection):
    """The rows, and where each is: equal while no row is written anew."""
    where = "tableoid, ctid::text, xmin::text,"
    return query(connection, ROWS.format(where=where, order="1, 2, 3,"))


def catalog(connection):
    return query(connection, CATALOG)


def names(connection):
    return query(connection, NAMES)


def privileges(connection):
    return query(connection, PRIVILEGES)


def versions(connection):
    return [row[0] for row in query(connection, "SELECT version FROM rag_migrations()")]


def faults(connection):
    """What rag_check_schema() finds wrong."""
    return query(
        connection,
        "SELECT object, kind, expected, actual FROM rag_check_schema()"
        " WHERE kind NOT IN ('not_dumped', 'warning')",
    )


def adopt(connection, schema=None):
    query(connection, ADOPT.format(schema=f"SCHEMA {schema}" if schema else ""))


def update(connection, version=None):
    query(connection, UPDATE + (f" TO '{version}'" if version else ""))


class DatabaseTest(unittest.TestCase):
    """A test with databases of its own."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.project = Project()
        cls.addClassCleanup(cls.project.close)

    def setUp(self):
        self.server = connect("postgres", SUPERUSER)
        self.addCleanup(self.server.close)

    def create_database(self, name="alembic_test", template="template0", owner=OWNER):
        """A database of the application, to be dropped after the test."""
        for statement in (
            f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
            f"CREATE DATABASE {name} OWNER {owner} TEMPLATE {template}",
        ):
            query(self.server, statement)
        self.addCleanup(query, self.server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        return name

    def alembic_database(self, name="alembic_test"):
        """A database that Alembic made and the application filled."""
        return self.create_database(name, TEMPLATE)

    def connect(self, database="alembic_test", user=OWNER, **options):
        connection = connect(database, user, **options)
        self.addCleanup(connection.close)
        return connection

    def assert_healthy(self, connection):
        self.assertEqual(faults(connection), [])


def conversations():
    with open(ROOT / "test" / "data" / "conversations.jsonl", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def create_template():
    """What all tests begin with: Alembic's tables, filled by the application."""
    server = connect("postgres", SUPERUSER)
    for role in ROLES:
        query(server, f"CREATE ROLE {role} LOGIN")
    query(server, f"CREATE DATABASE {TEMPLATE} OWNER {OWNER}")
    server.close()

    project = Project()
    try:
        project.alembic(TEMPLATE, "upgrade", "head")
        run([sys.executable, str(HERE / "fill.py")], TEMPLATE, project.path)
    finally:
        project.close()

    owner = connect(TEMPLATE)
    for statement in (
        f"GRANT SELECT, INSERT ON sessions, messages TO {READER}",
        f"GRANT UPDATE (content) ON messages TO {READER} WITH GRANT OPTION",
        f"GRANT USAGE ON SEQUENCE messages_id_seq TO {READER}",
        f"REVOKE TRUNCATE ON messages FROM {OWNER}",
    ):
        query(owner, statement)
    owner.close()


def drop_template():
    server = connect("postgres", SUPERUSER)
    query(server, f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE)")
    for role in ROLES:
        query(server, f"DROP ROLE IF EXISTS {role}")
    server.close()
