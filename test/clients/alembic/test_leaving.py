"""The way back: the tables and their data without the extension.

What runs here is the text of docs/alembic.md.
"""

import sys

from psycopg2 import errors

from harness import (
    HERE,
    OWNER,
    READER,
    STRANGER,
    SUPERUSER,
    DatabaseTest,
    Project,
    adopt,
    catalog,
    documented,
    names,
    privileges,
    query,
    rows,
    run,
    run_any,
    stored_rows,
    update,
    value,
    versions,
)

INSERT = "INSERT INTO messages (session_id, role, content) SELECT id, 'user', 'new' FROM sessions LIMIT 1 RETURNING id"
FUNCTIONS = "SELECT proname FROM pg_proc WHERE starts_with(proname, 'rag_')"


class Leaving(DatabaseTest):
    def setUp(self):
        super().setUp()
        self.project = Project()
        self.addCleanup(self.project.close)

    def script(self, name):
        file = self.project.path / f"{name}.sql"
        file.write_text(documented(name), encoding="utf-8")
        return ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(file)]

    def leave(self, database="alembic_test", **env):
        run(self.script("leave"), database, **env)

    def cannot_leave(self, **env):
        done = run_any(self.script("leave"), "alembic_test", **env)
        self.assertNotEqual(done.returncode, 0)
        return done.stdout

    def old_application(self, database="alembic_test", **env):
        run([sys.executable, str(HERE / "use_models.py")], database, self.project.path, **env)

    def fresh(self, version):
        """A database that never knew Alembic, with data and grants."""
        owner = self.connect(self.create_database())
        query(owner, "CREATE EXTENSION rag_events VERSION '1.0'")
        if version != "1.0":
            update(owner, version)
        run([sys.executable, str(HERE / "fill.py")], "alembic_test", self.project.path)
        query(owner, f"GRANT SELECT ON sessions, messages TO {READER}")
        query(owner, f"GRANT UPDATE (content) ON messages TO {READER}")
        return owner

    def all_versions(self):
        owner = self.connect(self.create_database())
        query(owner, "CREATE EXTENSION rag_events")
        return versions(owner)

    def assert_left(self, owner):
        self.assertEqual(query(owner, FUNCTIONS), [])
        self.assertEqual(
            query(owner, "SELECT relname FROM pg_class WHERE relname = 'rag_migration_log'"), []
        )
        self.assertEqual(
            query(owner, "SELECT extname FROM pg_extension"), [("plpgsql",)]
        )
        self.assertEqual(
            query(
                owner,
                "SELECT adnum FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum"
                " WHERE adrelid = 'sessions'::regclass AND attname = 'id'",
            ),
            [],
        )

    def test_versions(self):
        """the owner leaves from every version, with rows, grants and ids"""
        for version in self.all_versions():
            with self.subTest(version=version):
                owner = self.fresh(version)
                before = stored_rows(owner), privileges(owner), names(owner)
                last = value(owner, "SELECT last_value FROM messages_id_seq")
                self.leave()
                self.assert_left(owner)
                self.assertEqual((stored_rows(owner), privileges(owner), names(owner)), before)
                self.assertEqual(value(owner, INSERT), last + 1)

                self.project.alembic("alembic_test", "stamp", "001_initial_schema")
                self.assertIn("(head)", self.project.alembic("alembic_test", "current"))
                self.old_application()
                self.assert_dumped(owner)
                owner.close()

    def assert_dumped(self, owner):
        """Dumps hold the tables themselves again, with what is granted on them."""
        dump = run(["pg_dump", "--no-sync"], "alembic_test")
        self.assertIn("CREATE TABLE public.sessions", dump)
        self.assertNotIn("CREATE EXTENSION", dump)
        file = self.project.path / "dump.sql"
        file.write_text(dump, encoding="utf-8")
        self.create_database("alembic_restored")
        run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(file)], "alembic_restored")
        restored = self.connect("alembic_restored")
        self.assertEqual(rows(restored), rows(owner))
        self.assertEqual(privileges(restored), privileges(owner))
        self.assertEqual(names(restored), names(owner))
        self.assertEqual(value(restored, INSERT), value(owner, INSERT))
        restored.close()

    def test_alembic_goes_on(self):
        """from 1.0 and without the comments, the tables are Alembic's to the letter"""
        for version in self.all_versions():
            with self.subTest(version=version):
                owner = self.connect(self.alembic_database(), search_path="public")
                adopt(owner)
                update(owner, version)
                before = rows(owner)
                query(owner, "SET rag_events.allow_data_loss = on")
                update(owner, "1.0")
                self.leave()
                run(self.script("leave-comments"), "alembic_test")
                self.assertEqual(self.project.autogenerate("alembic_test"), [])
                self.assertEqual(rows(owner), before)
                owner.close()

        self.project.add("beside/ratings.py", "app/models/ratings.py")
        alembic = self.project.alembic
        alembic("alembic_test", "revision", "--autogenerate", "-m", "ratings", "--rev-id", "002")
        alembic("alembic_test", "upgrade", "head")
        alembic("alembic_test", "downgrade", "base")
        owner = self.connect()
        self.assertEqual(value(owner, "SELECT to_regclass('sessions') IS NULL"), True)

    def test_comments(self):
        """the comments that stay are all that Alembic would see"""
        owner = self.connect(self.alembic_database())
        adopt(owner)
        update(owner, "1.0")
        self.leave()
        proposed = [line for line in self.project.autogenerate("alembic_test") if "op." in line]
        self.assertNotEqual(proposed, [])
        for line in proposed:
            self.assertRegex(line, r"^op\.(alter_column|drop_table_comment)\(")

    def test_back_and_forth(self):
        """who has left can be adopted again"""
        owner = self.connect(self.alembic_database())
        before = stored_rows(owner), privileges(owner)
        for _ in range(3):
            adopt(owner)
            update(owner, "1.0")
            self.assert_healthy(owner)
            self.leave()
        self.assertEqual((stored_rows(owner), privileges(owner)), before)

    def test_default(self):
        """a default that calls a function of the extension does not keep anyone"""
        owner = self.fresh("1.0")
        query(owner, "ALTER TABLE sessions ALTER COLUMN id SET DEFAULT rag_create_session()")
        self.leave()
        self.assert_left(owner)

    def test_dependents(self):
        """what uses a function of the extension is told, and nothing is lost"""
        owner = self.fresh("1.0")
        query(owner, "CREATE VIEW used AS SELECT rag_version()")
        before = catalog(owner), stored_rows(owner)
        self.assertIn("view used depends on function rag_version()", self.cannot_leave())
        self.assertEqual((catalog(owner), stored_rows(owner)), before)
        self.assert_healthy(owner)

    def test_who(self):
        """nobody but the owner of the extension and the tables can leave"""
        owner = self.fresh("1.0")
        query(owner, f"GRANT ALL ON sessions, messages TO {STRANGER}")
        before = catalog(owner)
        self.assertIn("must be owner of extension rag_events", self.cannot_leave(user=STRANGER))
        self.assertEqual(catalog(owner), before)
        self.assert_healthy(owner)

        superuser = self.connect(user=SUPERUSER)
        query(superuser, f"ALTER TABLE messages OWNER TO {STRANGER}")
        self.assertIn("must be owner of table messages", self.cannot_leave(user=OWNER))
        self.assertEqual(value(owner, "SELECT rag_version()"), "1.0")

    def test_superuser(self):
        """where a superuser adopted, he leaves, and ownership stays"""
        self.alembic_database()
        owner = self.connect()
        before = stored_rows(owner), privileges(owner)
        superuser = self.connect(user=SUPERUSER)
        adopt(superuser)
        update(superuser, "1.0")
        self.assertIn("must be owner of extension rag_events", self.cannot_leave())
        self.leave(user=SUPERUSER)
        self.assert_left(owner)
        self.assertEqual((stored_rows(owner), privileges(owner)), before)

    def test_schema(self):
        """with search_path, the same statements leave another schema"""
        self.create_database()
        owner = self.connect(search_path="chat")
        query(owner, "CREATE SCHEMA chat")
        query(owner, "CREATE EXTENSION rag_events SCHEMA chat")
        query(owner, "SELECT rag_add_message(rag_create_session(), 'user', 'Hello')")
        before = stored_rows(owner)
        self.leave(search_path="chat")
        self.assert_left(owner)
        self.assertEqual(stored_rows(owner), before)

    def test_drop_extension_alone(self):
        """DROP EXTENSION without leaving drops the tables: the documented warning holds"""
        owner = self.fresh("1.0")
        query(owner, "DROP EXTENSION rag_events")
        with self.assertRaises(errors.UndefinedTable):
            rows(owner)
