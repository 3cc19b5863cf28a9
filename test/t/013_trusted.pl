# The extension is trusted: PostgreSQL runs its scripts as a superuser for whoever
# owns the database. That owner may have put anything into the schema and onto the
# tables. None of it runs with a superuser's rights in an installation, adoption,
# update or downgrade; what stands in the way is an error that says so; and nobody
# gets hold of what is another's.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use RagVersions;
use Test::More;

my $plain = start_server('main');
my @chain = chain_of_versions($plain);
my ($base, $head) = @chain[ 0, -1 ];
$plain->stop;

# Two versions made for the tests come after those there are.
my $tree = synthetic_tree($head);
my $node = start_private_server('synthetic', $tree);
my $adopt = "CREATE EXTENSION rag_events SCHEMA chat VERSION '" . adoption_version() . "'";
my $databases = 0;
my $read = 0;    # how much of the server's log has been looked at

@chain = chain_of_versions($node);

# What an attacker has his code do: tell of itself, and make him a superuser. The
# log keeps what a rollback takes away.
sql($node, 'postgres', <<'EOT');
CREATE ROLE attacker LOGIN;
CREATE ROLE victim LOGIN;
CREATE DATABASE hostile OWNER attacker;
EOT
sql($node, 'hostile', <<'EOT', 'attacker');
CREATE SCHEMA evil;
CREATE FUNCTION evil.run() RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RAISE LOG 'attack as %', CASE WHEN (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)
                           THEN 'superuser' ELSE 'ordinary role' END;
  BEGIN
    ALTER ROLE attacker SUPERUSER;
  EXCEPTION WHEN OTHERS THEN
    NULL;
  END;
  RETURN 1;
END $$;
CREATE FUNCTION evil.trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.run(); RETURN NEW; END $$;
CREATE FUNCTION evil.is(anyelement) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN evil.run() = 1; END $$;
CREATE FUNCTION evil.is(anyelement, anyelement) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN evil.run() = 1; END $$;
CREATE FUNCTION evil.same(anyelement) RETURNS anyelement LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM evil.run(); RETURN $1; END $$;
CREATE SCHEMA chat;
EOT

sub new_database
{
	my $db = 'attacked_' . ++$databases;

	sql($node, 'postgres', "CREATE DATABASE $db TEMPLATE hostile OWNER attacker");
	return $db;
}

# What ran since the last time: of the attacker's code, as whom.
sub attacks
{
	my $log = slurp_file($node->logfile, $read);
	my %seen;

	$read += length($log);
	$seen{$1}++ while $log =~ /LOG:  attack as (\w+)/g;
	return join(' ', sort keys %seen);
}

sub attacker_is_superuser
{
	return sql($node, 'postgres',
		"SELECT rolsuper OR EXISTS (SELECT FROM pg_auth_members WHERE member = 'attacker'::regrole) FROM pg_roles WHERE rolname = 'attacker'"
	);
}

# Runs statements as the attacker. Returns the SQLSTATE of the first error, or ''.
sub run
{
	my ($db, @statements) = @_;

	for (@statements)
	{
		my $state = sqlstate($node, $db, $_, 'attacker');
		return $state if $state;
	}
	return '';
}

# The statements give this SQLSTATE, and nothing of the attacker's runs as a
# superuser.
sub is_harmless
{
	my ($name, $db, $expected, @statements) = @_;

	attacks();
	is(run($db, @statements), $expected, $name);
	unlike(attacks(), qr/superuser/, '... no code of his with a superuser\'s rights');
	is(attacker_is_superuser(), 'f', '... and he is none');
	return;
}

sub update_to { return "ALTER EXTENSION rag_events UPDATE TO '$_[0]'"; }

# All the way up and down again.
my @tour = (
	'SET rag_events.allow_data_loss = on;'
	  . join(';', map { update_to($_) } @chain, reverse(@chain[ 0 .. $#chain - 1 ]), $head, $base));

# ---------------------------------------------------------------------------
# Before the installation: objects in the target schema
# ---------------------------------------------------------------------------

note('installation');

# An operator for each pair of types that a comparison in a script may have.
sub capture_operators
{
	my $sql = '';
	my $count = 0;

	for my $types (
		[ 'varchar', 'varchar' ], [ 'varchar', 'text' ], [ 'text', 'text' ],
		[ 'int4', 'int4' ], [ 'int8', 'int4' ], [ 'name', 'text' ],
		[ 'uuid', 'uuid' ], [ 'text', 'name' ], [ 'text', 'text[]' ], [ 'int4', 'int8' ], [ 'int8', 'int8' ],
		[ 'timestamp', 'timestamp' ], [ 'jsonb', 'text' ], [ 'jsonb', 'jsonb' ], [ 'bytea', 'bytea' ])
	{
		for my $operator ('=', '<>', '>=', '<=', '<', '>', '~~', '||', '->', '->>')
		{
			my $function = 'chat.op_' . ++$count;

			$sql .=
			  "CREATE FUNCTION $function($types->[0], $types->[1]) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN evil.run() = 1; END';\n"
			  . "CREATE OPERATOR chat.$operator (LEFTARG = $types->[0], RIGHTARG = $types->[1], FUNCTION = $function);\n";
		}
	}
	return $sql;
}

sub capture_functions
{
	my $sql = '';

	for my $function (
		'nextval(regclass)', 'nextval(text)', 'setval(regclass, bigint)',
		'pg_extension_config_dump(regclass, text)', 'pg_extension_config_dump(text, text)',
		'text(varchar)', 'varchar(text)', '"varchar"(varchar)', 'regclass(text)',
		'now()', '"current_user"()', 'count(anyelement)', 'length(text)', 'octet_length(text)',
		'left(text, integer)', 'encode(bytea, text)', 'timestamp_send(timestamp)', 'uuid_send(uuid)',
		'array_agg(bigint)', 'unnest(bigint[])', 'unnest(text[])', 'to_jsonb(anyelement)', 'jsonb_object_agg(text, jsonb)',
		'jsonb_build_object(text, jsonb)', 'to_tsvector(regconfig, text)', 'int8(integer)', 'nullif(text, text)', 'array_position(bigint[], bigint)',
		'jsonb_typeof(jsonb)', 'md5(text)', 'coalesce(text, text)', 'format(text, text)')
	{
		$sql .= "CREATE FUNCTION chat." . $function =~ s/^(coalesce|left|nullif)/"$1"/r
		  . " RETURNS int LANGUAGE sql AS 'SELECT evil.run()';\n";
	}
	return $sql;
}

sub capture_types
{
	return join "\n",
	  map { "CREATE DOMAIN chat.\"$_\" AS pg_catalog.text CHECK (evil.is(value));" }
	  qw(uuid varchar text int4 int8 jsonb float8 timestamp timestamptz bool regclass regrole name regtype oid);
}

my @installation = (
	[ 'nothing in the way', '', '' ],
	[ 'operators of his', '', capture_operators() ],
	[ 'functions of his', '', capture_functions() ],
	[ 'types of his, with constraints', '', capture_types() ],
	[
		'privileges by default', '',
		'ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC; ALTER DEFAULT PRIVILEGES IN SCHEMA chat GRANT ALL ON TABLES TO PUBLIC'
	],
	[
		'a function of another signature', '',
		"CREATE FUNCTION chat.rag_add_message(uuid) RETURNS int LANGUAGE sql AS 'SELECT evil.run()'"
	],
	[
		'a cast of his',
		'',
		"CREATE TYPE chat.pair AS (a text, b text);"
		  . "CREATE FUNCTION chat.to_text(chat.pair) RETURNS text LANGUAGE sql AS 'SELECT evil.run()::text';"
		  . "CREATE CAST (chat.pair AS text) WITH FUNCTION chat.to_text(chat.pair) AS IMPLICIT"
	],
	[
		'a variadic function in the place of a helper', '',
		"CREATE FUNCTION chat.rag_check_install(VARIADIC regrole[]) RETURNS int LANGUAGE sql AS 'SELECT evil.run()'"
	],
	[
		'a polymorphic function in the place of a helper', '',
		"CREATE FUNCTION chat.rag_check_install(anyelement) RETURNS int LANGUAGE sql AS 'SELECT evil.run()'"
	],
	[
		'a default argument in the place of a helper', '42725',
		"CREATE FUNCTION chat.rag_check_install(regrole, int DEFAULT evil.run()) RETURNS int LANGUAGE sql AS 'SELECT evil.run()'"
	],
	[
		'a function that the extension has', '42723',
		"CREATE FUNCTION chat.rag_version() RETURNS text LANGUAGE sql AS 'SELECT evil.run()::text'"
	],
	[
		'a helper', '42723',
		"CREATE FUNCTION chat.rag_check_install(regrole) RETURNS int LANGUAGE sql AS 'SELECT evil.run()'"
	],
	[
		'a table', '42P07',
		'CREATE TABLE chat.sessions (id int DEFAULT evil.run())'
	],
	[
		'a view', '42P07',
		'CREATE VIEW chat.messages AS SELECT evil.run() AS id'
	],
	[ 'a sequence', '42P07', 'CREATE SEQUENCE chat.messages_id_seq' ],
	[
		'an index', '42P07',
		'CREATE TABLE chat.t (i int); CREATE INDEX ix_sessions_user_id ON chat.t (evil.same(i))'
	],
	[ 'a composite type', '42P07', 'CREATE TYPE chat.sessions AS (i int)' ],
	[
		'a domain', '42710',
		'CREATE DOMAIN chat.messages AS int CHECK (evil.is(value))'
	],
	[
		'a log with a trigger',
		'42P07',
		'CREATE TABLE chat.rag_migration_log (id int, version text, previous_version text);'
		  . 'CREATE TRIGGER t BEFORE INSERT ON chat.rag_migration_log FOR EACH ROW EXECUTE FUNCTION evil.trigger()'
	]);

for my $test (@installation)
{
	my ($name, $expected, $before) = @$test;
	my $db = new_database();

	is(run($db, $before), '', "before the installation: $name");
	is_harmless("$name: installation",
		$db, $expected, 'CREATE EXTENSION rag_events SCHEMA chat');
	if ($expected)
	{
		is( sql($node, $db, "SELECT count(*) FROM pg_extension WHERE extname = 'rag_events'"),
			0, '... which leaves nothing');
		next;
	}
	is_harmless("$name: all versions, up and down", $db, '', @tour);
	is_harmless(
		"$name: use",
		$db, '',
		"SELECT chat.rag_create_session(session_id => '00000000-0000-0000-0000-000000000001')",
		"SELECT chat.rag_add_message('00000000-0000-0000-0000-000000000001', 'user', 'x')",
		'SELECT * FROM chat.rag_check_schema()');
	is(sqlstate($node, $db, "INSERT INTO chat.messages (session_id, role, content) VALUES ('00000000-0000-0000-0000-000000000001', 'other', 'x')"),
		'23514', '... and the check of roles is the real one');
}

note('settings of his');
{
	my $db = new_database();

	is( run($db, capture_operators() . capture_functions(), <<"EOT"), '', 'settings of his');
ALTER ROLE attacker SET search_path = chat, evil, pg_catalog;
ALTER ROLE attacker SET check_function_bodies = off;
ALTER ROLE attacker SET quote_all_identifiers = on;
ALTER ROLE attacker SET transform_null_equals = on;
ALTER ROLE attacker SET default_transaction_isolation = serializable;
ALTER ROLE attacker SET client_encoding = latin1;
ALTER ROLE attacker SET datestyle = 'SQL, DMY';
EOT
	is_harmless('installation under settings of his',
		$db, '', 'CREATE EXTENSION rag_events SCHEMA chat');
	is_harmless('all versions under settings of his', $db, '', @tour);
	is( sql($node, $db, 'SELECT count(*) FROM chat.rag_check_schema()'),
		0, '... and all is as it should be');
	sql($node, 'postgres', 'ALTER ROLE attacker RESET ALL');
}

note('names of his');
{
	sql($node, 'postgres', 'CREATE ROLE "a; b" LOGIN');
	sql($node, 'postgres', "CREATE DATABASE names OWNER \"a; b\"");
	is( sqlstate($node, 'names', 'CREATE SCHEMA "x; DROP y"; CREATE EXTENSION rag_events SCHEMA "x; DROP y"', 'a; b'),
		'', 'names of owner and schema that would end a statement');
	is( sql($node, 'names', "SELECT string_agg(DISTINCT tableowner, ' ') FROM pg_tables WHERE tablename IN ('sessions', 'messages')"),
		'a; b', '... are names');
}

# ---------------------------------------------------------------------------
# Use: whoever calls a function runs none of what is beside it
# ---------------------------------------------------------------------------

note('use');

# A call of each function, by the catalog, without an operator or a cast that a
# search_path could capture.
sub plain_calls
{
	my ($db) = @_;
	my %by_name = (
		role => "'user'", from_version => "'$chain[0]'", to_version => "'$chain[1]'", user_id => 'NULL', after_cursor => 'NULL',
		message_id => '1', from_id => '1', messages => q('[{"role": "user", "content": "x", "idempotency_key": "k", "metadata": {"a": 1}, "created_at": 1}]'),
		conversations => q('[{"session_id": "00000000-0000-0000-0000-000000000001", "messages": [{"role": "user", "content": "x", "idempotency_key": "k2"}]}, {"session_id": "00000000-0000-0000-0000-00000000000e", "create_session": true, "user_id": "u", "messages": [{"role": "user", "content": "x"}]}]'),
		conversation => q('{"session_id": "00000000-0000-0000-0000-00000000000f", "metadata": {"summary_upto_id": 1}, "messages": [{"id": 1, "role": "user", "content": "x"}]}'),
		older_than => "'1000 years'", upto => "'1000-01-01'", from_day => 'NULL', to_day => 'NULL', ddl => q('{}'), source_no => 'NULL', fraction => '0.5', dry_run => 'false', filter => q('{"title": null}'), keep => q('[{"a": 1}]'), sources => q('[1]'), metadata => q('{"summary": "s", "summary_upto_id": 1}'));
	my %by_type = (
		uuid => "'00000000-0000-0000-0000-000000000001'", text => "'x'", integer => '10', bigint => '10', 'double precision' => '1.5', boolean => 'true', date => 'NULL', 'integer[]' => q('{1,1}'));
	my %of_function = ('rag_erase_user user_id' => "'gone'", 'rag_reassign_sessions user_id' => "'gone'", 'rag_reassign_sessions session_id' => 'NULL');
	my %calls;

	for (split /\n/, sql($node, $db, <<'EOT'))
SELECT p.oid::regprocedure, p.proname, p.prokind, string_agg(a.name || ' ' || format_type(a.type, NULL), ',' ORDER BY n)
FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND extname = 'rag_events'
LEFT JOIN LATERAL unnest(p.proargtypes::oid[], p.proargnames[1:p.pronargs]) WITH ORDINALITY AS a (type, name, n) ON true
GROUP BY p.oid
EOT
	{
		my ($signature, $function, $kind, $parameters) = split /\|/;
		next if $signature =~ /\(internal\)/; # no call has such an argument
		my @arguments = map {
			my ($name, $type) = split / /, $_, 2;
			my $value = $of_function{"$function $name"} // $by_name{$name} // $by_type{$type} // die "no value for $name $type of $signature";
			$type = 'int4' if $type eq 'integer';
			$type = 'int8' if $type eq 'bigint';
			$type = 'float8' if $type eq 'double precision';
			$type = 'bool' if $type eq 'boolean';
			$type = 'int4[]' if $type eq 'integer[]';
			my $named = $kind eq 'a' ? '' : "$name => ";
			"${named}CAST($value AS pg_catalog.$type)"
		} split /,/, $parameters;
		$calls{$function} = "SELECT chat.$function(" . join(', ', @arguments) . ')';
	}
	return %calls;
}

{
	my $db = new_database();
	my $superuser = sql($node, 'postgres', 'SELECT current_user');

	is(run($db, capture_operators() . capture_functions() . capture_types()), '', 'before the use: operators, functions and types of his');
	sql($node, $db, 'CREATE EXTENSION rag_events SCHEMA chat', 'attacker');
	sql($node, $db, <<'EOT');
SELECT chat.rag_create_session(metadata => '{"title": "t"}', session_id => '00000000-0000-0000-0000-000000000001');
SELECT chat.rag_add_message('00000000-0000-0000-0000-000000000001', 'user', 'x', idempotency_key => 'k');
SELECT chat.rag_create_session('gone', '{}', '00000000-0000-0000-0000-000000000002');
SELECT chat.rag_add_message('00000000-0000-0000-0000-000000000002', 'user', 'x');
GRANT ALL ON SCHEMA chat, evil TO victim;
GRANT ALL ON ALL TABLES IN SCHEMA chat TO victim;
GRANT ALL ON ALL SEQUENCES IN SCHEMA chat TO victim;
EOT
	my %calls = plain_calls($db);
	# There is no cluster here, and these are for the owner.
	my %refused = (
		$superuser => { rag_distribute => '55000', rag_prepare_node => '55000' },
		victim => { rag_distribute => '42501', rag_prepare_node => '42501', rag_undistribute => '42501' });

	cmp_ok(scalar keys %calls, '>=', 21, 'functions to call');
	for my $role ($superuser, 'victim')
	{
		for my $function (sort keys %calls)
		{
			attacks();
			is(sqlstate($node, $db, "SET search_path = chat, evil, pg_catalog; BEGIN; $calls{$function}; $calls{$function}; ROLLBACK", $role) =~ s/^23505$//r,
				$refused{$role}{$function} // '', "$function() by " . ($role eq 'victim' ? 'an ordinary role' : 'a superuser') . ', his schema first in the search_path');
			is(attacks(), '', '... runs no code of his');
		}
	}

	# This test sees what is not qualified.
	sql($node, $db, q(CREATE FUNCTION chat.unqualified(a text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN a = ''x''; END'));
	sqlstate($node, $db, "SET search_path = chat, evil, pg_catalog; SELECT FROM chat.unqualified('x'::pg_catalog.text)");
	is(attacks(), 'superuser', 'a function with an operator that is not qualified would');
	sql($node, 'postgres', 'ALTER ROLE attacker NOSUPERUSER');
}

# ---------------------------------------------------------------------------
# Where he may not
# ---------------------------------------------------------------------------

note('what is not his');
{
	my $db = new_database();

	sql($node, $db, 'CREATE SCHEMA theirs AUTHORIZATION victim; GRANT USAGE ON SCHEMA theirs TO attacker');
	for my $schema (qw(theirs pg_catalog information_schema))
	{
		is_harmless("installation into schema $schema",
			$db, '42501', "CREATE EXTENSION rag_events SCHEMA $schema");
	}
	sql($node, $db, seed_tables('theirs'), 'victim');
	$adopt =~ s/SCHEMA chat/SCHEMA theirs/;
	is_harmless('adoption in a schema where he may not create', $db, '42501', $adopt);
	sql($node, $db, 'GRANT ALL ON SCHEMA theirs TO attacker; GRANT ALL ON ALL TABLES IN SCHEMA theirs TO attacker');

	# Somebody reads the tables: whoever locked them would have to wait.
	my $reader = RagTest::Session->new($node, $db);
	$reader->query('BEGIN; TABLE theirs.sessions; TABLE theirs.messages;');
	my $hasty = "SET lock_timeout = '5s';" . $adopt;
	is_harmless('adoption of another\'s tables, without a lock on them', $db, '42501', $hasty);
	$reader->query('COMMIT');
	sql($node, $db, 'ALTER TABLE theirs.sessions OWNER TO attacker');
	$reader->query('BEGIN; TABLE theirs.messages;');
	is_harmless('... nor where only one of them is his', $db, '42501', $hasty);
	$reader->query('COMMIT');
	sql($node, $db, 'ALTER TABLE theirs.messages OWNER TO attacker');
	is_harmless('... but of his own', $db, '', $adopt);
	$adopt =~ s/SCHEMA theirs/SCHEMA chat/;
}
{
	my $db = new_database();

	is(sqlstate($node, $db, 'CREATE EXTENSION rag_events', 'victim'),
		'42501', 'installation into another\'s database');
	sql($node, $db, 'CREATE EXTENSION rag_events SCHEMA chat', 'attacker');
	is(sqlstate($node, $db, update_to($base), 'victim'),
		'42501', 'update of another\'s extension');
}

# ---------------------------------------------------------------------------
# Adoption: tables that are not what they seem
# ---------------------------------------------------------------------------

note('adoption');

my $child = 'CREATE TABLE chat.child () INHERITS (chat.messages);';
my $role_type = <<'EOT';
ALTER TABLE chat.messages DROP CONSTRAINT ck_messages_role;
CREATE TYPE chat.kind AS (a text);
CREATE FUNCTION chat.to_text(chat.kind) RETURNS text LANGUAGE plpgsql IMMUTABLE
AS 'BEGIN PERFORM evil.run(); RETURN ''user''; END';
CREATE CAST (chat.kind AS text) WITH FUNCTION chat.to_text(chat.kind) AS IMPLICIT;
ALTER TABLE chat.messages ALTER role TYPE chat.kind USING ROW('user')::chat.kind;
ALTER TABLE chat.messages ADD CONSTRAINT ck_messages_role CHECK (role::text = ANY (ARRAY['user', 'assistant']));
EOT

my @adoption = (
	[ 'nothing in the way', '', '' ],
	[ 'operators of his', '', capture_operators() ],
	[ 'functions of his', '', capture_functions() ],
	[ 'types of his, with constraints', '', capture_types() ],
	[
		'a default argument in the place of the helper', '42725',
		"CREATE FUNCTION chat.rag_adopt(regrole, int DEFAULT evil.run()) RETURNS int LANGUAGE sql AS 'SELECT evil.run()'"
	],
	[
		'the helper', '42723',
		"CREATE FUNCTION chat.rag_adopt(regrole) RETURNS int LANGUAGE sql AS 'SELECT evil.run()'"
	],
	[
		'a log with a trigger', '55000',
		'CREATE TABLE chat.rag_migration_log (id int, version text, previous_version text);'
		  . 'CREATE TRIGGER t BEFORE INSERT ON chat.rag_migration_log FOR EACH ROW EXECUTE FUNCTION evil.trigger()'
	],
	[
		'a log with a default', '42P07',
		'CREATE TABLE chat.rag_migration_log (id int DEFAULT evil.run(), version text, previous_version text)'
	],
	map({
			[
				"a trigger of kind \"$_\"", '55000',
				"CREATE TRIGGER t $_ EXECUTE FUNCTION evil.trigger()"
			]
		} 'BEFORE INSERT ON chat.messages FOR EACH ROW',
		'AFTER UPDATE OR DELETE ON chat.sessions FOR EACH STATEMENT',
		'AFTER TRUNCATE ON chat.messages FOR EACH STATEMENT'),
	[
		'a rule', '55000',
		'CREATE RULE r AS ON INSERT TO chat.sessions DO ALSO SELECT evil.run()'
	],
	[
		'a policy', '55000',
		'CREATE POLICY p ON chat.messages USING (evil.is(content)); ALTER TABLE chat.messages ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY'
	],
	[
		'a default', '55000',
		'ALTER TABLE chat.messages ALTER id SET DEFAULT evil.run()'
	],
	[
		'a default of a nullable column', '55000',
		"ALTER TABLE chat.sessions ALTER user_id SET DEFAULT evil.run()::text"
	],
	[
		'a generated column', '55000',
		'ALTER TABLE chat.messages ADD evil text GENERATED ALWAYS AS (evil.same(content)) STORED'
	],
	[
		'a column of a domain', '55000',
		'CREATE DOMAIN chat.d AS int CHECK (evil.is(value)); ALTER TABLE chat.sessions ADD evil chat.d'
	],
	[
		'a column that became a domain', '55000',
		'CREATE DOMAIN chat.d AS text CHECK (evil.is(value)); ALTER TABLE chat.messages ALTER content TYPE chat.d'
	],
	[
		'an index of an expression', '55000',
		'CREATE INDEX ON chat.messages ((evil.same(content)))'
	],
	[
		'an index with a predicate', '55000',
		'CREATE INDEX ON chat.messages (id) WHERE evil.is(content)'
	],
	[
		'an index of our name with a predicate', '55000',
		'DROP INDEX chat.ix_messages_session_id; CREATE INDEX ix_messages_session_id ON chat.messages (session_id) WHERE evil.is(content)'
	],
	[
		'a constraint', '55000',
		'ALTER TABLE chat.messages ADD CHECK (evil.is(content))'
	],
	[
		'a constraint that was not validated', '55000',
		'ALTER TABLE chat.sessions ADD CHECK (evil.is(user_id)) NOT VALID'
	],
	[
		'a constraint of our name', '55000',
		'ALTER TABLE chat.messages DROP CONSTRAINT ck_messages_role, ADD CONSTRAINT ck_messages_role CHECK (evil.is(role))'
	],
	[
		'the constraint of our name with an operator of his',
		'55000',
		'ALTER TABLE chat.messages DROP CONSTRAINT ck_messages_role;'
		  . capture_operators()
		  . 'ALTER TABLE chat.messages ADD CONSTRAINT ck_messages_role CHECK (role OPERATOR(chat.=) ANY (ARRAY[\'user\'::varchar, \'assistant\'::varchar]))'
	],
	[ 'a type of his with a cast', '55000', $role_type ],
	[
		'a foreign key', '55000',
		'CREATE TABLE chat.users (id varchar PRIMARY KEY); INSERT INTO chat.users VALUES (\'u\');'
		  . 'ALTER TABLE chat.sessions ADD FOREIGN KEY (user_id) REFERENCES chat.users'
	],
	[
		'a child with a trigger', '55000',
		"$child CREATE TRIGGER t BEFORE INSERT ON chat.child FOR EACH ROW EXECUTE FUNCTION evil.trigger()"
	],
	[
		'a view in place of a table', '55000',
		'ALTER TABLE chat.sessions RENAME TO s; CREATE VIEW chat.sessions AS SELECT *, evil.run() FROM chat.s'
	],
	[
		'a partitioned table in place of a table', '55000',
		'DROP TABLE chat.messages, chat.sessions;'
		  . seed_tables('chat') =~
		  s/(PRIMARY KEY \(id\))\);/$1) PARTITION BY HASH (id);/r
	],
	[
		'a sequence in place of a table', '55000',
		'DROP TABLE chat.messages, chat.sessions; CREATE SEQUENCE chat.sessions; CREATE SEQUENCE chat.messages'
	],
	[
		'a sequence of another table', '55000',
		'CREATE TABLE chat.other (id serial); ALTER TABLE chat.messages ALTER id SET DEFAULT nextval(\'chat.other_id_seq\'); DROP SEQUENCE chat.messages_id_seq; ALTER SEQUENCE chat.other_id_seq RENAME TO messages_id_seq'
	],
	[ 'no tables', '42P01', 'DROP TABLE chat.messages, chat.sessions' ]);

for my $test (@adoption)
{
	my ($name, $expected, $before) = @$test;
	my $db = new_database();

	is( run($db, seed_tables('chat'), <<'EOT', $before), '', "before the adoption: $name");
INSERT INTO chat.sessions (id, user_id) VALUES ('00000000-0000-0000-0000-000000000001', 'u');
INSERT INTO chat.messages (session_id, role, content) VALUES ('00000000-0000-0000-0000-000000000001', 'user', 'kept');
EOT
	my $snapshot = snapshot($node, $db);
	is_harmless("$name: adoption", $db, $expected, $adopt);
	if ($expected)
	{
		is_deeply([ differences($snapshot, snapshot($node, $db)) ],
			[], '... which changes nothing');
		next;
	}
	is_harmless("$name: all versions, up and down", $db, '', @tour);
	is(sql($node, $db, 'SELECT content FROM chat.messages'), 'kept', '... and the rows stay');
}

note('adoption by a superuser');
{
	my $db = new_database();

	run($db, seed_tables('chat'));
	sql($node, $db, $adopt);
	is( sql($node, $db, <<'EOT'), 'attacker', 'adopted by a superuser, the tables belong to whom they did');
SELECT string_agg(DISTINCT relowner::regrole::text, ' ') FROM pg_class
WHERE relname IN ('sessions', 'messages', 'messages_id_seq')
EOT
}

# ---------------------------------------------------------------------------
# After the installation: what he puts onto the tables that he owns
# ---------------------------------------------------------------------------

note('updates');

my @update = (
	map({ my ($name, $sql) = @$_; [ $name, '', $sql ] }
		[ 'operators of his', capture_operators() ],
		[ 'functions of his', capture_functions() ],
		[ 'types of his, with constraints', capture_types() ],
		[
			'triggers',
			join(';', map { "CREATE TRIGGER t BEFORE INSERT OR UPDATE OR DELETE ON chat.$_ FOR EACH ROW EXECUTE FUNCTION evil.trigger();"
					. "CREATE TRIGGER s AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON chat.$_ FOR EACH STATEMENT EXECUTE FUNCTION evil.trigger()" } qw(sessions messages))
		],
		[
			'rules',
			join(';', map { "CREATE RULE r AS ON UPDATE TO chat.$_ DO ALSO SELECT evil.run()" } qw(sessions messages))
		],
		[
			'policies',
			join(';', map { "CREATE POLICY p ON chat.$_ USING (evil.is(id)); ALTER TABLE chat.$_ ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY" } qw(sessions messages))
		],
		[
			'defaults',
			'ALTER TABLE chat.sessions ALTER user_id SET DEFAULT evil.run()::text, ALTER metadata SET DEFAULT to_jsonb(evil.run());'
			  . 'ALTER TABLE chat.messages ALTER top_k SET DEFAULT evil.run()'
		],
		[
			'constraints',
			'ALTER TABLE chat.sessions ADD CHECK (evil.is(id)), ADD CHECK (evil.is(user_id)) NOT VALID;'
			  . 'ALTER TABLE chat.messages ADD CHECK (evil.is(content)), ADD CHECK (evil.is(role)) NOT VALID'
		],
		[
			'indexes of expressions and with predicates',
			'CREATE INDEX ON chat.sessions ((evil.same(user_id))) WHERE evil.is(id);'
			  . 'CREATE INDEX ON chat.messages ((evil.same(content))) WHERE evil.is(role)'
		],
		[
			'a generated column',
			'ALTER TABLE chat.messages ADD evil text GENERATED ALWAYS AS (evil.same(content)) STORED'
		],
		[
			'columns of domains',
			'CREATE DOMAIN chat.d AS int CHECK (evil.is(value)); ALTER TABLE chat.messages ADD evil chat.d; ALTER TABLE chat.sessions ADD evil chat.d'
		],
		[
			'statistics of an expression',
			'CREATE STATISTICS chat.st ON (evil.same(content)), role FROM chat.messages; ANALYZE chat.messages'
		],
		[
			'children',
			'CREATE TABLE chat.child1 (CHECK (evil.is(id))) INHERITS (chat.sessions); CREATE TABLE chat.child2 (CHECK (evil.is(content))) INHERITS (chat.messages);'
			  . 'CREATE INDEX ON chat.child2 ((evil.same(content)))'
		],
		[
			'a type of his with a cast',
			$role_type
		],
		[
			'a view that depends on the tables',
			'CREATE VIEW chat.v AS SELECT m.id, evil.same(content) FROM chat.messages m JOIN chat.sessions s ON s.id = session_id WHERE evil.is(user_id)'
		],
		[
			'a function of his among the extension\'s',
			"CREATE FUNCTION chat.evil() RETURNS int LANGUAGE sql AS 'SELECT evil.run()'; ALTER EXTENSION rag_events ADD FUNCTION chat.evil()"
		]),
	[
		'a view in place of a table', '55000',
		'ALTER EXTENSION rag_events DROP TABLE chat.messages; ALTER TABLE chat.messages RENAME TO m; CREATE VIEW chat.messages AS SELECT *, evil.run() FROM chat.m'
	],
	[
		'a view among the extension\'s', '55000',
		'ALTER EXTENSION rag_events DROP TABLE chat.sessions; ALTER TABLE chat.sessions RENAME TO s; CREATE VIEW chat.sessions AS SELECT *, evil.run() FROM chat.s; ALTER EXTENSION rag_events ADD VIEW chat.sessions'
	],
	[
		'a table of his in place of one', '55000',
		'ALTER EXTENSION rag_events DROP TABLE chat.messages; ALTER TABLE chat.messages RENAME TO m; CREATE TABLE chat.messages (LIKE chat.m INCLUDING ALL)'
	],
	[
		'a default argument in the place of a helper', '42725',
		"CREATE FUNCTION chat.rag_lock_tables(int DEFAULT evil.run()) RETURNS int LANGUAGE sql AS 'SELECT evil.run()'"
	],
	[
		'a helper', '42723',
		"CREATE FUNCTION chat.rag_lock_tables() RETURNS int LANGUAGE sql AS 'SELECT evil.run()'"
	],
	[
		'a function that a later version has', '42723',
		"CREATE FUNCTION chat.rag_synthetic(int) RETURNS int LANGUAGE sql AS 'SELECT evil.run()'"
	],
	[
		'... and put among the extension\'s', '42723',
		"CREATE FUNCTION chat.rag_synthetic(int) RETURNS int LANGUAGE sql AS 'SELECT evil.run()'; ALTER EXTENSION rag_events ADD FUNCTION chat.rag_synthetic(int)"
	],
	[
		'a column that a later version has', '42701',
		'ALTER TABLE chat.messages ADD synthetic_note int DEFAULT evil.run()'
	],
	[
		'an index that a later version has', '42P07',
		'CREATE INDEX ix_messages_synthetic ON chat.messages ((evil.same(content)))'
	]);

# Each function that a version after the base brings, in its place beforehand.
{
	my $db = new_database();
	my %there;

	sql($node, $db, "CREATE EXTENSION rag_events SCHEMA chat VERSION '$base'", 'attacker');
	%there = %{ functions_of($node, $db) };
	sql($node, $db, "ALTER EXTENSION rag_events UPDATE TO '$head'", 'attacker');
	for my $function (sort grep { !exists $there{$_} } keys %{ functions_of($node, $db) })
	{
		next if $function =~ /\(internal\)/; # he cannot make one with such an argument
		push @update, [ "$function, which a later version has", '42723', "CREATE FUNCTION chat.$function RETURNS int LANGUAGE sql AS 'SELECT evil.run()'" ];
	}
}

for my $test (@update)
{
	my ($name, $expected, $before) = @$test;

	for my $start ($base, $chain[-1])
	{
		# From the head, what it has cannot be put in its way.
		next if $start ne $base && $expected && $expected ne '55000' && $expected ne '42725';
		my $db = new_database();

		is( run($db, "CREATE EXTENSION rag_events SCHEMA chat VERSION '$start'", <<'EOT', $before), '', "at $start: $name");
INSERT INTO chat.sessions (id, user_id) VALUES ('00000000-0000-0000-0000-000000000001', 'u');
INSERT INTO chat.messages (session_id, role, content) VALUES ('00000000-0000-0000-0000-000000000001', 'user', 'kept');
EOT
		if ($start eq $base)
		{
			is_harmless("$name: all versions, up and down", $db, $expected, @tour);
		}
		else
		{
			is_harmless(
				"$name: from the head down",
				$db, $expected,
				'SET rag_events.allow_data_loss = off;'
				  . join(';', map { update_to($_) } reverse @chain[ 0 .. $#chain - 1 ]));
		}
	}
}

# A step down that counts values runs none of his code either, where it refuses.
{
	my $db = new_database();

	run($db, 'CREATE EXTENSION rag_events SCHEMA chat', <<'EOT');
INSERT INTO chat.sessions (id, synthetic_tag) VALUES ('00000000-0000-0000-0000-000000000001', 'x');
CREATE TRIGGER t BEFORE INSERT OR UPDATE OR DELETE ON chat.sessions FOR EACH ROW EXECUTE FUNCTION evil.trigger();
ALTER TABLE chat.sessions ADD CHECK (evil.is(synthetic_tag)), ADD CHECK (evil.is(id)) NOT VALID;
CREATE INDEX ON chat.sessions ((evil.same(synthetic_tag))) WHERE evil.is(user_id);
CREATE POLICY p ON chat.sessions USING (evil.is(id));
ALTER TABLE chat.sessions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
EOT
	is_harmless('a step down that refuses to lose values', $db, '55000', update_to('98.0'));
}

# ---------------------------------------------------------------------------
# The helpers outside of a script
# ---------------------------------------------------------------------------

note('the helpers');

# The functions that a script creates, calls and drops: name => the three
# statements.
sub helpers
{
	my %helpers;

	for my $file (glob("$FindBin::RealBin/../../sql/*.sql"))
	{
		my $script = slurp_file($file);

		$script =~ s/\@extschema\@/chat/g;
		$script =~ s/\@extowner\@/attacker/g;
		$script =~ s/MODULE_PATHNAME/rag_events/g;
		while ($script =~ /^(CREATE FUNCTION chat\.(\w+)\([^;]*;)/mg)
		{
			my ($create, $name) = ($1, $2);
			next if $script !~ /^(DROP FUNCTION chat\.$name\(.*;)/m;
			my $drop = $1;
			my ($call) = $script =~ /^(SELECT chat\.$name\([^;]*;)/m
			  or die "$file does not call $name()";
			$helpers{$name} = [ $create, $call, $drop ];
		}
	}
	return %helpers;
}

{
	my $db = new_database();
	my %helpers = helpers();

	sql($node, $db, 'CREATE EXTENSION rag_events SCHEMA chat', 'attacker');
	cmp_ok(keys %helpers, '>', 0, 'the scripts have helpers');
	for my $name (sort keys %helpers)
	{
		my ($create, $call, $drop) = @{ $helpers{$name} };

		is(run($db, $create), '42501', "$name: only a superuser can declare it");
		sql($node, $db, $create);
		my $before = snapshot($node, $db);
		is(sqlstate($node, $db, $call), '42501', '... and outside of a script it refuses even him');
		is(run($db, $call), '42501', '... and the owner of the tables');
		is_deeply([ differences($before, snapshot($node, $db)) ], [], '... and does nothing');
		sql($node, $db, $drop);
	}
}

# ---------------------------------------------------------------------------
# This test sees it: steps that do what steps must not
# ---------------------------------------------------------------------------

note('steps that are wrong');

for my $test (
	[
		'DML on the tables',
		'UPDATE @extschema@.messages SET top_k = 1;',
		'CREATE TRIGGER t BEFORE UPDATE ON chat.messages FOR EACH ROW EXECUTE FUNCTION evil.trigger()'
	],
	[
		'a planned query',
		'SELECT pg_catalog.count(*) FROM @extschema@.messages;',
		'CREATE INDEX ON chat.messages (id) WHERE evil.run() = 1'
	],
	[
		'SET NOT NULL',
		'ALTER TABLE @extschema@.messages ALTER top_k SET NOT NULL;',
		'ALTER TABLE chat.messages ADD CHECK (evil.run() = top_k)'
	],
	[
		'an unqualified operator',
		'ALTER TABLE @extschema@.messages ADD CHECK (query_type = \'x\'::pg_catalog.varchar);',
		capture_operators()
	],
	[
		'IN',
		'ALTER TABLE @extschema@.messages ADD CHECK (query_type IN (\'x\'::pg_catalog.varchar));',
		capture_operators()
	],
	[
		'an unqualified function',
		'ALTER TABLE @extschema@.messages ADD CHECK (length(query_type) > 0);',
		"CREATE FUNCTION chat.length(varchar) RETURNS int LANGUAGE sql AS 'SELECT evil.run()'"
	])
{
	my ($name, $step, $before) = @$test;
	my $db = new_database();

	is( run($db, "CREATE EXTENSION rag_events SCHEMA chat VERSION '98.0'", <<'EOT', $before), '', "before: $name");
INSERT INTO chat.sessions (id) VALUES ('00000000-0000-0000-0000-000000000001');
INSERT INTO chat.messages (session_id, role, content, top_k, query_type) VALUES ('00000000-0000-0000-0000-000000000001', 'user', 'x', 1, 'x');
EOT
	write_step($tree, '98.0--99.0', $step);
	attacks();
	run($db, update_to('99.0'));
	like(attacks(), qr/superuser/, "$name would run his code as a superuser");
	sql($node, 'postgres', 'ALTER ROLE attacker NOSUPERUSER');
}

$node->stop;
done_testing();
