"""Taking over the tables of a real Alembic."""

import sys

from psycopg2 import errors

from harness import (
    HERE,
    OWNER,
    READER,
    STRANGER,
    SUPERUSER,
    DatabaseTest,
    adopt,
    catalog,
    names,
    privileges,
    query,
    rows,
    run,
    stored_rows,
    update,
    value,
    versions,
)

HEAD = "SELECT default_version FROM pg_available_extensions WHERE name = 'rag_events'"
INSERT = "INSERT INTO messages (session_id, role, content) SELECT id, 'user', 'new' FROM sessions LIMIT 1 RETURNING id"


class Adoption(DatabaseTest):
    def setUp(self):
        super().setUp()
        self.database = self.alembic_database()
        self.owner = self.connect()

    def fresh(self):
        """A database that never knew Alembic."""
        fresh = self.connect(self.create_database("alembic_fresh"))
        query(fresh, "CREATE EXTENSION rag_events VERSION '1.0'")
        return fresh

    def test_data(self):
        """adoption writes no row anew, and ids go on"""
        before = stored_rows(self.owner)
        filenodes = "SELECT pg_relation_filenode('sessions'), pg_relation_filenode('messages')"
        files = query(self.owner, filenodes)
        last = value(self.owner, "SELECT last_value FROM messages_id_seq")
        self.assertGreater(len(before), 500)

        adopt(self.owner)
        update(self.owner, "1.0")

        self.assertEqual(stored_rows(self.owner), before)
        self.assertEqual(query(self.owner, filenodes), files)
        self.assertEqual(value(self.owner, INSERT), last + 1)

    def test_version(self):
        """ALTER EXTENSION UPDATE goes on to the head, the rows as they were"""
        before = rows(self.owner)
        adopt(self.owner)
        update(self.owner)

        self.assertEqual(value(self.owner, "SELECT rag_version()"), value(self.owner, HEAD))
        self.assertEqual(versions(self.owner)[-1], value(self.owner, HEAD))
        self.assert_healthy(self.owner)
        self.assertEqual(rows(self.owner), before)
        self.assertEqual(
            query(self.owner, "SELECT version FROM rag_migration_log ORDER BY id LIMIT 2"),
            [("001_initial_schema",), ("1.0",)],
        )

    def test_same_as_fresh(self):
        """an adopted database has the names of a fresh one, at every version"""
        fresh = self.fresh()
        adopt(self.owner)
        for version in versions(fresh):
            with self.subTest(version=version):
                if version != "1.0":
                    update(fresh, version)
                update(self.owner, version)
                self.assertEqual(names(self.owner), names(fresh))
                self.assert_healthy(self.owner)

    def test_members(self):
        """the extension's members are those of a fresh database, at every version"""
        members = """
            SELECT pg_describe_object(classid, objid, 0) FROM pg_depend
            WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
              AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'rag_events')
            ORDER BY 1"""
        fresh = self.fresh()
        adopt(self.owner)
        for version in versions(fresh):
            with self.subTest(version=version):
                if version != "1.0":
                    update(fresh, version)
                update(self.owner, version)
                self.assertEqual(query(self.owner, members), query(fresh, members))

    def test_privileges(self):
        """adoption leaves ownership and grants as they were"""
        before = privileges(self.owner)
        self.assertIn(READER, {row[4] for row in before})
        adopt(self.owner)
        update(self.owner)
        self.assertEqual(privileges(self.owner), before)
        self.assertEqual(
            query(
                self.owner,
                "SELECT count(*) FROM pg_init_privs WHERE objoid IN"
                " ('sessions'::regclass, 'messages'::regclass, 'messages_id_seq'::regclass)",
            ),
            [(0,)],
        )

    def test_dump(self):
        """a dump of an adopted database restores rows, grants and the sequence"""
        adopt(self.owner)
        update(self.owner)
        # Before any write, so that the ids of both go on alike.
        dump = run(["pg_dump", "--no-sync"], self.database)
        self.assertIn(f"GRANT SELECT,INSERT ON TABLE public.sessions TO {READER}", dump)
        self.assertNotIn("CREATE TABLE public.sessions", dump)

        restored = self.restore(dump, "alembic_restored")
        self.assertEqual(rows(restored), rows(self.owner))
        self.assertEqual(privileges(restored), privileges(self.owner))
        self.assertEqual(value(restored, INSERT), value(self.owner, INSERT))
        self.assert_healthy(restored)
        self.assertIn("001_initial_schema", self.project.alembic("alembic_restored", "current"))

    def restore(self, dump, name):
        self.create_database(name)
        file = self.project.path / "dump.sql"
        file.write_text(dump, encoding="utf-8")
        run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(file)], name)
        return self.connect(name)

    def test_alembic_version(self):
        """alembic_version stays as it was, and Alembic's own"""
        adopt(self.owner)
        update(self.owner)
        self.assertEqual(
            query(self.owner, "SELECT * FROM alembic_version"), [("001_initial_schema",)]
        )
        self.assertIn(
            "001_initial_schema (head)", self.project.alembic(self.database, "current")
        )
        query(self.owner, "DROP EXTENSION rag_events")
        self.assertEqual(value(self.owner, "SELECT count(*) FROM alembic_version"), 1)

    def test_rollback(self):
        """adoption that is rolled back leaves all as it was"""
        before = catalog(self.owner), stored_rows(self.owner)
        self.owner.autocommit = False
        adopt(self.owner)
        update(self.owner)
        value(self.owner, "SELECT rag_add_message(id, 'user', 'gone') FROM sessions LIMIT 1")
        self.assertNotEqual(catalog(self.owner), before[0])
        self.owner.rollback()
        self.owner.autocommit = True
        self.assertEqual((catalog(self.owner), stored_rows(self.owner)), before)
        adopt(self.owner)

    def test_plain_create(self):
        """CREATE EXTENSION without the version adopts nothing"""
        before = catalog(self.owner)
        with self.assertRaises(errors.DuplicateTable):
            query(self.owner, "CREATE EXTENSION rag_events")
        self.assertEqual(catalog(self.owner), before)

    def test_no_way_down(self):
        """no step leads back to the adoption version"""
        adopt(self.owner)
        update(self.owner)
        with self.assertRaises(errors.InvalidParameterValue):
            update(self.owner, "001_initial_schema")


class OldApplication(DatabaseTest):
    """The application's own models, on every version."""

    def old_application(self, database, **env):
        return run(
            [sys.executable, str(HERE / "use_models.py")], database, self.project.path, **env
        )

    def test_adopted(self):
        """the old models work before adoption and at every version, up and down"""
        owner = self.connect(self.alembic_database())
        self.old_application("alembic_test")
        adopt(owner)
        self.old_application("alembic_test")
        update(owner, "1.0")
        steps = versions(owner)
        for version in steps + steps[-2::-1]:
            with self.subTest(version=version):
                update(owner, version)
                self.assertEqual(value(owner, "SELECT rag_version()"), version)
                self.old_application("alembic_test")

    def test_fresh(self):
        """the old models work on every version of a database without Alembic"""
        owner = self.connect(self.create_database())
        query(owner, "CREATE EXTENSION rag_events VERSION '1.0'")
        for version in versions(owner):
            with self.subTest(version=version):
                update(owner, version)
                self.old_application("alembic_test")

    def test_beside_functions(self):
        """the old models read what the functions wrote, and the other way round"""
        owner = self.connect(self.alembic_database())
        adopt(owner)
        update(owner)
        session = value(owner, "SELECT rag_create_session('both', '{\"title\": \"t\"}')")
        value(owner, "SELECT rag_add_message(%s, 'user', 'from the function')", (session,))
        self.assertIn(
            "from the function",
            self.old_application("alembic_test", user=OWNER).splitlines(),
        )
        self.assertEqual(
            query(
                owner,
                "SELECT role, content FROM messages WHERE session_id = %s ORDER BY id",
                (session,),
            ),
            [("user", "from the function"), ("assistant", "from the models")],
        )


class WhoAndWhere(DatabaseTest):
    def setUp(self):
        super().setUp()
        self.alembic_database()
        self.owner = self.connect()

    def assert_refused(self, error, connection, schema=None, message=""):
        before = catalog(self.owner)
        with self.assertRaisesRegex(error, message):
            adopt(connection, schema)
        self.assertEqual(catalog(self.owner), before)

    def test_stranger(self):
        """a role that is not the tables' owner cannot adopt them: 42501"""
        query(self.server, f"GRANT CREATE ON DATABASE alembic_test TO {STRANGER}")
        query(self.owner, f"GRANT CREATE ON SCHEMA public TO {STRANGER}")
        query(self.owner, f"GRANT ALL ON sessions, messages TO {STRANGER}")
        self.assert_refused(errors.InsufficientPrivilege, self.connect(user=STRANGER))

    def test_database_owner(self):
        """nor can the database's owner, where the tables are another's"""
        query(self.server, f"ALTER DATABASE alembic_test OWNER TO {STRANGER}")
        self.assert_refused(
            errors.InsufficientPrivilege,
            self.connect(user=STRANGER),
            message="must be owner of table sessions",
        )

    def test_one_table(self):
        """nor can the owner of one of the two tables"""
        query(self.connect(user=SUPERUSER), f"ALTER TABLE messages OWNER TO {STRANGER}")
        self.assert_refused(
            errors.InsufficientPrivilege, self.owner, message="must be owner of table messages"
        )

    def test_schema_without_create(self):
        """nor can the owner, in a schema where he may not create"""
        query(self.server, f"ALTER DATABASE alembic_test OWNER TO {STRANGER}")
        query(self.server, f"GRANT CREATE ON DATABASE alembic_test TO {OWNER}")
        self.assert_refused(
            errors.InsufficientPrivilege,
            self.owner,
            message="permission denied for schema public",
        )

    def test_member_of_owner(self):
        """a member of the owning role can adopt as that role"""
        query(self.server, f"GRANT {OWNER} TO {STRANGER}")
        self.addCleanup(query, self.server, f"REVOKE {OWNER} FROM {STRANGER}")
        before = privileges(self.owner)
        member = self.connect(user=STRANGER)
        query(member, f"SET ROLE {OWNER}")
        adopt(member)
        update(member)
        self.assertEqual(privileges(self.owner), before)
        self.assert_healthy(self.owner)

    def test_superuser(self):
        """a superuser can adopt, and ownership stays"""
        before = privileges(self.owner)
        superuser = self.connect(user=SUPERUSER)
        adopt(superuser)
        update(superuser)
        self.assertEqual(privileges(self.owner), before)
        self.assert_healthy(self.owner)
        value(self.owner, INSERT)

    def test_no_tables(self):
        """where there are no tables, that is the error"""
        empty = self.connect(self.create_database("alembic_fresh"))
        with self.assertRaises(errors.UndefinedTable):
            adopt(empty)

    def test_schema(self):
        """tables in another schema are adopted where SCHEMA says"""
        for schema, quoted in (("chat", "chat"), ("Chat App", '"Chat App"')):
            with self.subTest(schema=schema):
                self.adopt_in_schema(quoted)

    def adopt_in_schema(self, schema):
        database = self.create_database("alembic_fresh")
        path = schema.replace(" ", "\\ ")
        owner = self.connect(database, search_path=path)
        query(owner, f"CREATE SCHEMA {schema}")
        self.project.alembic(database, "upgrade", "head", search_path=path)
        run(
            [sys.executable, str(HERE / "fill.py")],
            database,
            self.project.path,
            search_path=path,
        )
        before = rows(owner)

        public = self.connect(database)
        with self.assertRaises(errors.UndefinedTable):
            adopt(public)
        adopt(public, schema)
        update(public)

        self.assertEqual(rows(owner), before)
        self.assert_healthy(owner)
        run(
            [sys.executable, str(HERE / "use_models.py")],
            database,
            self.project.path,
            search_path=path,
        )
        public.close()
        owner.close()


# The same tables under other names, or in other words.
OTHER_FORMS = {
    "constraints that PostgreSQL named": """
        ALTER TABLE messages RENAME CONSTRAINT ck_messages_role TO messages_role_check""",
    "constraints of a naming convention": """
        ALTER TABLE sessions RENAME CONSTRAINT sessions_pkey TO pk_sessions;
        ALTER TABLE messages RENAME CONSTRAINT messages_pkey TO pk_messages;
        ALTER TABLE messages RENAME CONSTRAINT ck_messages_role TO ck_messages_ck_messages_role;
        ALTER TABLE messages RENAME CONSTRAINT messages_session_id_fkey
          TO fk_messages_session_id_sessions""",
    "other names of indexes": """
        ALTER INDEX ix_sessions_user_id RENAME TO idx_sessions_user;
        ALTER INDEX ix_sessions_user_created RENAME TO "Sessions by user";
        ALTER INDEX ix_sessions_created_at RENAME TO sessions_created_at_idx;
        ALTER INDEX ix_messages_session_id RENAME TO messages_session_id_idx;
        ALTER INDEX ix_messages_session_created RENAME TO idx_messages_session_created""",
    "another name of the sequence": """
        ALTER SEQUENCE messages_id_seq RENAME TO message_ids""",
    "an expression with OR": """
        ALTER TABLE messages DROP CONSTRAINT ck_messages_role,
          ADD CONSTRAINT ck_messages_role CHECK (role = 'user' OR role = 'assistant')""",
    "roles the other way round": """
        ALTER TABLE messages DROP CONSTRAINT ck_messages_role,
          ADD CHECK (role IN ('assistant', 'user'))""",
    "an expression with ANY": """
        ALTER TABLE messages DROP CONSTRAINT ck_messages_role,
          ADD CHECK (role = ANY (ARRAY['user', 'assistant']))""",
}


class OtherForms(DatabaseTest):
    def setUp(self):
        super().setUp()
        fresh = self.connect(self.create_database("alembic_fresh"))
        query(fresh, "CREATE EXTENSION rag_events")
        self.names_of_fresh = names(fresh)

    def assert_adoptable(self, owner):
        before = stored_rows(owner)
        adopt(owner)
        update(owner, "1.0")
        self.assertEqual(stored_rows(owner), before)
        self.assert_healthy(owner)
        update(owner)
        self.assert_healthy(owner)
        self.assertEqual(names(owner), self.names_of_fresh)
        with self.assertRaises(errors.CheckViolation) as refused:
            query(owner, INSERT.replace("'user'", "'system'"))
        self.assertEqual(refused.exception.diag.constraint_name, "ck_messages_role")

    def test_forms(self):
        """names and words of the same constraints and indexes become ours"""
        owner = self.connect(self.alembic_database(), autocommit=False)
        for form, statements in OTHER_FORMS.items():
            with self.subTest(form=form):
                before = catalog(owner)
                query(owner, statements)
                self.assertNotEqual(catalog(owner), before)
                self.assert_adoptable(owner)
            owner.rollback()

    def dumped_and_restored(self):
        self.create_database("alembic_restored")
        file = str(self.project.path / "dump")
        run(["pg_dump", "-Fc", "--no-sync", "-f", file], "alembic_test")
        run(["pg_restore", "--exit-on-error", "-d", "alembic_restored", file], "alembic_restored")
        return self.connect("alembic_restored")

    def test_restored(self):
        """a database that came from a dump is adopted as well"""
        self.alembic_database()
        self.assert_adoptable(self.dumped_and_restored())

    def test_restored_forms(self):
        """and so is one with other names and words that came from a dump"""
        owner = self.connect(self.alembic_database())
        for form in (
            "constraints of a naming convention",
            "other names of indexes",
            "another name of the sequence",
        ):
            query(owner, OTHER_FORMS[form])
        self.assert_adoptable(self.dumped_and_restored())
