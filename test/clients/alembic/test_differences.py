"""What keeps tables from being adopted: all of it is told, with what mends it."""

from psycopg2 import errors

from harness import (
    STRANGER,
    SUPERUSER,
    DatabaseTest,
    adopt,
    catalog,
    names,
    query,
    rows,
    update,
)

# Statements by which tables come to differ, and what the error says of it. Each
# of them is mended by the DDL of the error's hint.
MENDABLE = {
    # columns
    "ALTER TABLE messages DROP COLUMN top_k": "column messages.top_k is missing",
    "ALTER TABLE sessions ADD COLUMN title text": "column sessions.title is unexpected",
    "ALTER TABLE messages RENAME COLUMN query_type TO kind": (
        "column messages.query_type is missing",
        "column messages.kind is unexpected",
    ),
    "ALTER TABLE messages ALTER COLUMN id TYPE bigint": (
        "column messages.id is changed (expected type: integer, found type: bigint)"
    ),
    "ALTER TABLE messages ALTER COLUMN role TYPE varchar(20)": (
        "column messages.role is changed"
        " (expected type: character varying, found type: character varying(20))"
    ),
    "ALTER TABLE messages ALTER COLUMN content TYPE varchar": "column messages.content is changed",
    "ALTER TABLE sessions ALTER COLUMN metadata TYPE json": "column sessions.metadata is changed",
    "ALTER TABLE sessions ALTER COLUMN created_at TYPE timestamptz": (
        "column sessions.created_at is changed"
        " (expected type: timestamp without time zone, found type: timestamp with time zone)"
    ),
    "ALTER TABLE sessions ALTER COLUMN user_id TYPE text": "column sessions.user_id is changed",
    'ALTER TABLE sessions ALTER COLUMN user_id TYPE varchar COLLATE "C"': (
        "column sessions.user_id is changed"
    ),
    "ALTER TABLE messages ALTER COLUMN content DROP NOT NULL": (
        "column messages.content is changed (expected not null: yes, found not null: no)"
    ),
    "ALTER TABLE sessions ALTER COLUMN updated_at DROP NOT NULL": (
        "column sessions.updated_at is changed"
    ),
    "ALTER TABLE messages ALTER COLUMN sources SET NOT NULL": (
        "column messages.sources is changed (expected not null: no, found not null: yes)"
    ),
    "ALTER TABLE messages ALTER COLUMN created_at SET DEFAULT now()": (
        "column messages.created_at is changed"
        " (expected default: CURRENT_TIMESTAMP, found default: now())"
    ),
    "ALTER TABLE sessions ALTER COLUMN created_at DROP DEFAULT": (
        "column sessions.created_at is changed"
        " (expected default: CURRENT_TIMESTAMP, found default: none)"
    ),
    "ALTER TABLE sessions ALTER COLUMN id SET DEFAULT gen_random_uuid()": (
        "column sessions.id is changed (expected default: none, found default: gen_random_uuid())"
    ),
    "ALTER TABLE messages ALTER COLUMN id DROP DEFAULT": "column messages.id is changed",
    "ALTER TABLE messages ALTER COLUMN id DROP DEFAULT; DROP SEQUENCE messages_id_seq": (
        "sequence messages_id_seq is missing"
    ),
    "ALTER SEQUENCE messages_id_seq OWNED BY NONE": "sequence messages_id_seq is changed",
    "ALTER SEQUENCE messages_id_seq AS bigint": "sequence messages_id_seq is changed",
    "ALTER SEQUENCE messages_id_seq INCREMENT BY 10": "sequence messages_id_seq is changed",
    # options
    "ALTER TABLE messages ALTER COLUMN content SET STORAGE EXTERNAL": (
        "storage of column messages.content is unexpected"
    ),
    "ALTER TABLE messages ALTER COLUMN content SET COMPRESSION pglz": (
        "compression of column messages.content is unexpected"
    ),
    "ALTER TABLE messages ALTER COLUMN content SET STATISTICS 500": (
        "statistics of column messages.content is unexpected"
    ),
    "ALTER TABLE messages ALTER COLUMN content SET (n_distinct = 5)": (
        "option n_distinct of column messages.content is unexpected"
    ),
    "ALTER TABLE sessions SET (fillfactor = 70)": (
        "option fillfactor of table sessions is unexpected"
    ),
    "ALTER TABLE messages SET (autovacuum_enabled = off)": (
        "option autovacuum_enabled of table messages is unexpected"
    ),
    "ALTER TABLE messages SET UNLOGGED": "table messages is changed",
    # constraints
    "ALTER TABLE messages DROP CONSTRAINT ck_messages_role": (
        "constraint ck_messages_role of table messages is missing"
    ),
    """ALTER TABLE messages DROP CONSTRAINT ck_messages_role, ADD CONSTRAINT ck_messages_role
       CHECK (role IN ('user', 'assistant', 'system'))""": (
        "constraint ck_messages_role of table messages is changed"
    ),
    """ALTER TABLE messages DROP CONSTRAINT ck_messages_role, ADD CONSTRAINT ck_messages_role
       CHECK (role IN ('user', 'assistant')) NOT VALID""": (
        "constraint ck_messages_role of table messages is changed"
    ),
    "ALTER TABLE messages ADD CHECK (length(content) > 0)": (
        "constraint messages_content_check of table messages is unexpected"
    ),
    "ALTER TABLE sessions ADD UNIQUE (user_id, id)": (
        "constraint sessions_user_id_id_key of table sessions is unexpected"
    ),
    "ALTER TABLE messages DROP CONSTRAINT messages_session_id_fkey": (
        "constraint messages_session_id_fkey of table messages is missing"
    ),
    """ALTER TABLE messages DROP CONSTRAINT messages_session_id_fkey,
       ADD FOREIGN KEY (session_id) REFERENCES sessions""": (
        "constraint messages_session_id_fkey of table messages is changed"
    ),
    """ALTER TABLE messages DROP CONSTRAINT messages_session_id_fkey,
       ADD FOREIGN KEY (session_id) REFERENCES sessions ON DELETE CASCADE DEFERRABLE""": (
        "constraint messages_session_id_fkey of table messages is changed"
    ),
    """ALTER TABLE messages DROP CONSTRAINT messages_session_id_fkey,
       ADD FOREIGN KEY (session_id) REFERENCES sessions ON DELETE CASCADE NOT VALID""": (
        "constraint messages_session_id_fkey of table messages is changed"
    ),
    "ALTER TABLE messages DROP CONSTRAINT messages_pkey": (
        "constraint messages_pkey of table messages is missing"
    ),
    "ALTER TABLE messages DROP CONSTRAINT messages_pkey, ADD PRIMARY KEY (session_id, id)": (
        "constraint messages_pkey of table messages is changed"
    ),
    # indexes
    "DROP INDEX ix_sessions_user_created": "index ix_sessions_user_created is missing",
    "CREATE INDEX own ON messages (query_type)": "index own is unexpected",
    "CREATE INDEX again ON messages (session_id)": "index again is unexpected",
    """DROP INDEX ix_messages_session_id;
       CREATE INDEX ix_messages_session_id ON messages (session_id, id)""": (
        "index ix_messages_session_id is changed"
    ),
    """DROP INDEX ix_sessions_user_id;
       CREATE UNIQUE INDEX ix_sessions_user_id ON sessions (user_id, id)""": (
        "index ix_sessions_user_id is changed"
    ),
    """DROP INDEX ix_sessions_user_id;
       CREATE INDEX ix_sessions_user_id ON sessions (user_id) WHERE user_id IS NOT NULL""": (
        "index ix_sessions_user_id is changed"
    ),
    """DROP INDEX ix_sessions_created_at;
       CREATE INDEX ix_sessions_created_at ON sessions (created_at DESC)""": (
        "index ix_sessions_created_at is changed"
    ),
    """ALTER TABLE sessions ADD COLUMN title text;
       DROP INDEX ix_sessions_user_id;
       CREATE INDEX ix_sessions_user_id ON sessions (user_id, title)""": (
        "column sessions.title is unexpected",
        "index ix_sessions_user_id is changed",
    ),
    """ALTER INDEX ix_sessions_user_id RENAME TO swap;
       ALTER INDEX ix_sessions_created_at RENAME TO ix_sessions_user_id;
       ALTER INDEX swap RENAME TO ix_sessions_created_at""": (
        "index ix_sessions_user_id is changed",
        "index ix_sessions_created_at is changed",
    ),
    "ALTER INDEX ix_sessions_user_id SET (fillfactor = 50)": (
        "index ix_sessions_user_id is changed"
    ),
    # what pg_dump would leave out
    """CREATE TRIGGER own BEFORE UPDATE ON sessions
       FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()""": (
        "trigger own of table sessions is unexpected"
    ),
    "CREATE RULE own AS ON DELETE TO messages WHERE OLD.id < 0 DO INSTEAD NOTHING": (
        "rule own of table messages is unexpected"
    ),
    "CREATE POLICY own ON sessions USING (user_id = current_user)": (
        "policy own of table sessions is unexpected"
    ),
    "ALTER TABLE sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY": (
        "row security of table sessions is unexpected",
        "forced row security of table sessions is unexpected",
    ),
    "CREATE PUBLICATION own FOR TABLE messages": "publication own of table messages is unexpected",
    "ALTER TABLE messages REPLICA IDENTITY FULL": (
        "replica identity of table messages is unexpected"
    ),
    # names that need quotes
    """ALTER TABLE sessions ADD COLUMN "My ""Column" text;
       CREATE INDEX "Own Index" ON sessions ("My ""Column")""": (
        'column sessions.My "Column is unexpected',
        "index Own Index is unexpected",
    ),
}

INSERT = """
INSERT INTO messages (session_id, role, content) SELECT id, 'user', 'new' FROM sessions LIMIT 1
"""

# What no DDL mends: the tables are of another kind.
OTHER_KINDS = {
    "a partitioned table": """
        ALTER TABLE messages RENAME TO part;
        CREATE TABLE messages (LIKE part INCLUDING ALL) PARTITION BY RANGE (id)""",
    "an index of another table that has a name of ours": """
        DROP INDEX ix_messages_session_id;
        CREATE INDEX ix_messages_session_id ON alembic_version (version_num)""",
    "a partition": """
        CREATE TABLE whole (LIKE messages INCLUDING DEFAULTS) PARTITION BY RANGE (id);
        ALTER TABLE whole ATTACH PARTITION messages DEFAULT""",
    "a child": "CREATE TABLE parent (id uuid NOT NULL); ALTER TABLE sessions INHERIT parent",
    "a table with children": "CREATE TABLE child () INHERITS (messages)",
    "a view": """
        ALTER TABLE messages RENAME TO stored;
        CREATE VIEW messages AS SELECT * FROM stored""",
    "an identity column": """
        ALTER TABLE messages ALTER COLUMN id DROP DEFAULT;
        DROP SEQUENCE messages_id_seq;
        ALTER TABLE messages ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY""",
    "a table of another extension": "ALTER EXTENSION plpgsql ADD TABLE messages",
}


class Differences(DatabaseTest):
    def setUp(self):
        super().setUp()
        self.alembic_database()
        # A publication needs the right to create in the database, which its owner has.
        self.owner = self.connect(autocommit=False)
        fresh = self.connect(self.create_database("alembic_fresh"))
        query(fresh, "CREATE EXTENSION rag_events")
        self.names_of_fresh = names(fresh)

    def refusal(self, connection):
        """The error of an attempt at adoption, which must have changed nothing."""
        before = catalog(connection)
        query(connection, "SAVEPOINT attempt")
        with self.assertRaises(errors.ObjectNotInPrerequisiteState) as refused:
            adopt(connection)
        query(connection, "ROLLBACK TO attempt")
        self.assertEqual(catalog(connection), before)
        return refused.exception.diag

    def mend(self, refused):
        first, _, statements = refused.message_hint.partition("\n")
        loses = " (a dropped column loses its values)" if "DROP COLUMN" in statements else ""
        self.assertEqual(
            first, f"Nothing was changed. Run this as their owner{loses}, and try again:"
        )
        query(self.owner, statements)

    def assert_told(self, refused, expected):
        """Each difference is there, and no other."""
        expected = (expected,) if isinstance(expected, str) else expected
        lines = refused.message_detail.splitlines()
        for difference in expected:
            self.assertTrue(
                any(line.startswith(difference) for line in lines),
                f"{difference}: not in {lines}",
            )

    def test_each(self):
        """each kind of difference is refused, and mended by the DDL that the error gives"""
        for statements, expected in MENDABLE.items():
            with self.subTest(statements=statements):
                query(self.owner, statements)
                refused = self.refusal(self.owner)
                self.assertIn("cannot be adopted", refused.message_primary)
                self.assert_told(refused, expected)
                self.mend(refused)
                kept = rows(self.owner)
                adopt(self.owner)
                update(self.owner)
                self.assert_healthy(self.owner)
                query(self.owner, INSERT)
                self.assertEqual(names(self.owner), self.names_of_fresh)
                query(self.owner, "DELETE FROM messages WHERE content = 'new'")
                self.assertEqual(rows(self.owner), kept)
            self.owner.rollback()

    def test_all_at_once(self):
        """one error lists all differences"""
        together = [
            "DROP INDEX ix_sessions_user_created",
            "CREATE INDEX own ON messages (query_type)",
            "ALTER TABLE sessions ADD COLUMN title text",
            "ALTER TABLE messages ALTER COLUMN created_at SET DEFAULT now()",
            "ALTER TABLE messages ALTER COLUMN content DROP NOT NULL",
            "ALTER TABLE messages ALTER COLUMN id TYPE bigint",
            "ALTER TABLE messages DROP CONSTRAINT messages_session_id_fkey",
            "ALTER TABLE sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        ]
        for statement in together:
            query(self.owner, statement)
        # Names alone are no difference, and are not told of.
        query(self.owner, "ALTER INDEX ix_sessions_user_id RENAME TO other_name")
        refused = self.refusal(self.owner)
        for statement in together:
            self.assert_told(refused, MENDABLE[statement])
        self.assertEqual(len(refused.message_detail.splitlines()), len(together) + 1)
        self.mend(refused)
        adopt(self.owner)
        update(self.owner)
        self.assert_healthy(self.owner)

    def test_other_kinds(self):
        """tables of another kind are refused"""
        superuser = self.connect(user=SUPERUSER, autocommit=False)
        for kind, statements in OTHER_KINDS.items():
            with self.subTest(kind=kind):
                query(superuser, statements)
                self.refusal(superuser)
            superuser.rollback()

    def test_invalid_data(self):
        """rows that break a missing rule are told by the mending DDL, not lost"""
        query(self.owner, "ALTER TABLE messages DROP CONSTRAINT ck_messages_role")
        query(self.owner, "UPDATE messages SET role = 'system' WHERE id = (SELECT min(id) FROM messages)")
        kept = rows(self.owner)
        refused = self.refusal(self.owner)
        query(self.owner, "SAVEPOINT mending")
        with self.assertRaises(errors.CheckViolation):
            self.mend(refused)
        query(self.owner, "ROLLBACK TO mending")
        self.assertEqual(rows(self.owner), kept)

    def test_other_owner(self):
        """a superuser is told that the tables belong to different roles"""
        superuser = self.connect(user=SUPERUSER, autocommit=False)
        query(superuser, f"ALTER TABLE messages OWNER TO {STRANGER}")
        self.assert_told(self.refusal(superuser), "table messages is changed (expected owner")
