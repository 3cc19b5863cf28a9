"""Alembic in a database that has the extension."""

import sys

from harness import (
    HERE,
    DatabaseTest,
    Project,
    adopt,
    catalog,
    documented,
    query,
    rows,
    run,
    stored_rows,
    update,
    value,
)


class Beside(DatabaseTest):
    def setUp(self):
        super().setUp()
        # Its own, as the tests add revisions.
        self.project = Project()
        self.addCleanup(self.project.close)
        self.database = self.alembic_database()
        self.owner = self.connect()

    def adopted(self):
        adopt(self.owner)
        update(self.owner)

    def old_application(self):
        run([sys.executable, str(HERE / "use_models.py")], self.database, self.project.path)

    def test_documented(self):
        """docs/alembic.md shows the files that are tested here"""
        for name in ("env.py", "env_include_name.py", "002_rag_events.py"):
            with self.subTest(name=name):
                file = (HERE / "beside" / name).read_text(encoding="utf-8")
                for part in documented(name).split("...\n"):
                    self.assertIn(part.strip(), file)

    def test_drift_plain(self):
        """autogenerate finds no drift before, and without include_object the log after"""
        self.assertEqual(self.project.autogenerate(self.database), [])
        self.adopted()
        proposed = self.project.autogenerate(self.database)
        self.assertIn("op.drop_table('rag_migration_log')", proposed)

    def test_drift_excluded(self):
        """include_object keeps the extension's tables out of autogenerate"""
        self.project.add("beside/env.py", "migrations/env.py")
        self.assertEqual(self.project.autogenerate(self.database), [])
        self.adopted()
        self.assertEqual(self.project.autogenerate(self.database), [])

        query(self.owner, "CREATE TABLE drift (id integer)")
        self.assertEqual(self.project.autogenerate(self.database), ["op.drop_table('drift')"])

    def test_include_name(self):
        """include_name does so where the models are gone, without looking at the tables"""
        self.project.add("beside/env_include_name.py", "migrations/env.py")
        (self.project.path / "app" / "models" / "conversation.py").unlink()
        self.adopted()
        self.assertEqual(self.project.autogenerate(self.database), [])

    def test_own_table(self):
        """Alembic goes on with the team's own tables, which refer to ours"""
        self.project.add("beside/env.py", "migrations/env.py")
        self.project.add("beside/ratings.py", "app/models/ratings.py")
        self.adopted()
        proposed = self.project.autogenerate(self.database)
        self.assertEqual(
            [line for line in proposed if line.startswith("op.")],
            [
                "op.create_table('ratings',",
                "op.create_index(op.f('ix_ratings_message_id'), 'ratings', ['message_id'],"
                " unique=False)",
            ],
        )
        before = rows(self.owner)
        alembic = self.project.alembic
        alembic(self.database, "revision", "--autogenerate", "-m", "ratings", "--rev-id", "002")
        alembic(self.database, "upgrade", "head")
        query(self.owner, "INSERT INTO ratings (message_id, stars) SELECT id, 5 FROM messages")
        self.assertEqual(self.project.autogenerate(self.database), [])
        self.assertIn("002 (head)", alembic(self.database, "current"))
        alembic(self.database, "downgrade", "-1")
        self.assertEqual(rows(self.owner), before)
        self.assert_healthy(self.owner)

    def test_downgrade(self):
        """Alembic cannot drop the extension's tables, and says whose they are"""
        self.adopted()
        before = catalog(self.owner), stored_rows(self.owner)
        output = self.project.alembic_fails(self.database, "downgrade", "base")
        self.assertIn("extension rag_events requires it", output)
        self.assertEqual((catalog(self.owner), stored_rows(self.owner)), before)

    def test_stamp(self):
        """where the extension made the tables, alembic stamp tells Alembic so"""
        fresh = self.connect(self.create_database("alembic_fresh"))
        query(fresh, "CREATE EXTENSION rag_events")
        output = self.project.alembic_fails("alembic_fresh", "upgrade", "head")
        self.assertIn('relation "sessions" already exists', output)
        self.project.alembic("alembic_fresh", "stamp", "001_initial_schema")
        self.assertIn("(head)", self.project.alembic("alembic_fresh", "current"))
        self.project.alembic("alembic_fresh", "upgrade", "head")
        self.assert_healthy(fresh)

    def test_revision(self):
        """a revision of Alembic adopts, and the way down leaves"""
        self.project.add("beside/002_rag_events.py", "migrations/versions/002_rag_events.py")
        before = stored_rows(self.owner)
        for _ in range(2):
            self.project.alembic(self.database, "upgrade", "head")
            self.assertEqual(value(self.owner, "SELECT rag_version()"), "1.0")
            self.assert_healthy(self.owner)
            self.project.alembic(self.database, "downgrade", "-1")
            self.assertEqual(
                query(self.owner, "SELECT extname FROM pg_extension"), [("plpgsql",)]
            )
        self.assertEqual(stored_rows(self.owner), before)
        self.old_application()

        # In a new database the same history makes the tables and adopts them.
        fresh = self.connect(self.create_database("alembic_fresh"))
        self.project.alembic("alembic_fresh", "upgrade", "head")
        self.assert_healthy(fresh)
        update(fresh)
        self.assert_healthy(fresh)

    def test_revision_refused(self):
        """such a revision changes nothing where the tables differ"""
        self.project.add("beside/002_rag_events.py", "migrations/versions/002_rag_events.py")
        query(self.owner, "DROP INDEX ix_sessions_user_created")
        before = catalog(self.owner)
        output = self.project.alembic_fails(self.database, "upgrade", "head")
        self.assertIn("index ix_sessions_user_created is missing", output)
        self.assertIn("CREATE INDEX ix_sessions_user_created ON public.sessions", output)
        self.assertEqual(catalog(self.owner), before)
        self.assertIn("001_initial_schema", self.project.alembic(self.database, "current"))
