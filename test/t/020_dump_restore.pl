# pg_dump and pg_restore, from beginning to end as the owner of the database, who
# is no superuser: what comes back, what goes on after it, and what the switches
# that choose a part of a database do.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use Test::More;

my $node = start_server('main');
my $dumps = PostgreSQL::Test::Utils::tempdir();
my $superuser = sql($node, 'postgres', 'SELECT current_user');
my $session = "'00000000-0000-0000-0000-000000000002'";

sql($node, 'postgres', <<'EOT');
CREATE ROLE rag_owner LOGIN;
CREATE ROLE rag_reader LOGIN;
CREATE ROLE rag_writer LOGIN;
EOT

sub create_database
{
	my ($db) = @_;
	sql($node, 'postgres', "CREATE DATABASE $db OWNER rag_owner");
	return;
}

# Runs a program that must succeed and have nothing to complain of.
sub succeeds_quietly
{
	my ($name, @command) = @_;
	my ($stdout, $stderr) = run_command(\@command);

	is("$stderr(exit status " . ($? >> 8) . ')', '(exit status 0)', $name);
	return;
}

sub dump_database
{
	my ($db, $file, @options) = @_;
	succeeds_quietly(
		"pg_dump @options of $db",
		'pg_dump', '-U', 'rag_owner', '-d', $node->connstr($db),
		'-f', $file, @options);
	return;
}

sub restore_archive
{
	my ($db, $file, @options) = @_;
	succeeds_quietly(
		"pg_restore @options into $db",
		'pg_restore', '-U', 'rag_owner', '-d', $node->connstr($db),
		'--exit-on-error', @options, $file);
	return;
}

sub restore_script
{
	my ($db, $file) = @_;
	succeeds_quietly("psql restores $db",
		'psql', '-Xq', '-U', 'rag_owner', '-d', $node->connstr($db),
		'-v', 'ON_ERROR_STOP=1', '-f', $file);
	return;
}

sub log_of
{
	my ($db, $schema) = @_;
	return sql($node, $db,
		"SELECT id, version, previous_version, applied_by FROM $schema.rag_migration_log ORDER BY id"
	);
}

sub last_id
{
	my ($db, $schema) = @_;
	return sql($node, $db, "SELECT last_value FROM $schema.messages_id_seq");
}

# What an installation by the owner writes into the log.
create_database('fresh');
sql($node, 'fresh', 'CREATE EXTENSION rag_events', 'rag_owner');
my $fresh_log = log_of('fresh', 'public');
like($fresh_log, qr/^1\|1\.0\|\|rag_owner$/m,
	'the log of a new installation names the version and the owner');

# Where the dump of $source went, all is as in $source and life goes on.
sub is_restored
{
	my ($db, $source, $schema, %differs) = @_;

	is_same_text(rows_of($node, $db, $schema),
		rows_of($node, $source, $schema), "$db: rows");
	is(rights_of($node, $db, $schema), rights_of($node, $source, $schema),
		"$db: owners and privileges")
	  unless $differs{rights};
	is(log_of($db, $schema),
		$differs{log} // $fresh_log,
		"$db: the log tells of the restore alone");
	is( answer($node, $db,
			"SELECT $schema.rag_add_message($session, 'user', 'after the restore')",
			$differs{rights} ? 'rag_owner' : 'rag_writer'),
		last_id($source, $schema) + 1,
		"$db: ids go on where those of $source ended");
	return;
}

# ---------------------------------------------------------------------------
# A database with all of it, for each of two schemas
# ---------------------------------------------------------------------------

my %schemas = (public => 'public', named => '"Chat Room"');

for my $case (sort keys %schemas)
{
	my $schema = $schemas{$case};
	my $source = "source_$case";

	create_database($source);
	sql($node, $source, <<"EOT", 'rag_owner');
CREATE SCHEMA IF NOT EXISTS $schema;
CREATE EXTENSION rag_events SCHEMA $schema;
GRANT USAGE ON SCHEMA $schema TO rag_writer, rag_reader;
GRANT SELECT ON $schema.sessions TO rag_reader WITH GRANT OPTION;
GRANT SELECT (id, session_id, content) ON $schema.messages TO rag_reader;
GRANT SELECT, INSERT, UPDATE ON $schema.sessions TO rag_writer;
GRANT INSERT ON $schema.messages TO rag_writer;
GRANT USAGE ON SEQUENCE $schema.messages_id_seq TO rag_writer;
CREATE TABLE $schema.feedback (message_id int REFERENCES $schema.messages ON DELETE CASCADE, stars int);
CREATE VIEW $schema.questions AS SELECT content FROM $schema.messages WHERE role = 'user';
EOT
	sql($node, $source, conversations($schema) . judgments($schema), 'rag_owner');
	sql($node, $source,
		"INSERT INTO $schema.feedback SELECT max(id), 5 FROM $schema.messages",
		'rag_owner');
	sql($node, $source,
		"INSERT INTO $schema.rag_migration_log (version) VALUES ('not to be dumped')"
	);
	is( sql($node, $source, <<"EOT"), 't|t|t',
SELECT max(octet_length(sources::text)) > 80000, max(id) < $schema.rag_add_message($session, 'user', 'the last'),
       bool_or(content = E'\\\\.')
FROM $schema.messages
EOT
		"$source: sources of 80 kB, and an id that is no longer in use");
	sql($node, $source,
		"DELETE FROM $schema.messages WHERE content = 'the last'");
}

# ---------------------------------------------------------------------------
# All of a database, in each format
# ---------------------------------------------------------------------------

for my $case (sort keys %schemas)
{
	my $schema = $schemas{$case};
	my $source = "source_$case";
	my $prefix = "$dumps/$case";

	note("custom format, schema $schema");
	create_database("custom_$case");
	dump_database($source, "$prefix.custom", '--format=custom');
	restore_archive("custom_$case", "$prefix.custom");
	is_restored("custom_$case", $source, $schema);
	is( sql($node, "custom_$case",
			"SELECT count(*), (SELECT count(*) FROM $schema.questions) > 0 FROM $schema.feedback JOIN $schema.messages ON id = message_id"
		),
		'1|t',
		"custom_$case: tables and views that depend on the messages");

	note("plain format, schema $schema");
	create_database("plain_$case");
	dump_database($source, "$prefix.sql");
	restore_script("plain_$case", "$prefix.sql");
	is_restored("plain_$case", $source, $schema);

	note("directory format, several at once, schema $schema");
	create_database("directory_$case");
	dump_database($source, "$prefix.directory", '--format=directory',
		'--jobs=2');
	# Parallel jobs are for what comes after the data. pg_dump keeps no dependency
	# between the rows of an extension's tables (nor of a table that refers to
	# them), so that jobs might load messages before their sessions.
	restore_archive("directory_$case", "$prefix.directory",
		'--section=pre-data', '--section=data');
	restore_archive("directory_$case", "$prefix.directory", '--jobs=2',
		'--section=post-data');
	is_restored("directory_$case", $source, $schema);

	note("over a database that has it already, schema $schema");
	sql($node, "custom_$case", <<"EOT", 'rag_owner');
DELETE FROM $schema.sessions WHERE user_id IS NOT NULL;
SELECT $schema.rag_add_message($session, 'user', 'to be gone');
EOT
	restore_archive("custom_$case", "$prefix.custom", '--clean',
		'--if-exists');
	is_restored("custom_$case", $source, $schema);

	note("a dump of what was restored, schema $schema");
	create_database("again_$case");
	dump_database("directory_$case", "$prefix.again", '--format=custom');
	restore_archive("again_$case", "$prefix.again");
	is_restored("again_$case", "directory_$case", $schema);

	note("data only, schema $schema");
	create_database("data_$case");
	sql($node, "data_$case",
		"CREATE SCHEMA IF NOT EXISTS $schema; CREATE EXTENSION rag_events SCHEMA $schema",
		'rag_owner');
	sql($node, "data_$case",
		"CREATE TABLE $schema.feedback (message_id int REFERENCES $schema.messages, stars int)",
		'rag_owner');
	dump_database($source, "$prefix.data", '--data-only');
	restore_script("data_$case", "$prefix.data");
	is_restored("data_$case", $source, $schema, rights => 1);
}

# ---------------------------------------------------------------------------
# Who owns what is restored
# ---------------------------------------------------------------------------

sub owners_of
{
	my ($db) = @_;
	return sql($node, $db, <<'EOT');
SELECT string_agg(DISTINCT relowner::regrole::text, ' ') FROM pg_class
WHERE relname IN ('sessions', 'messages', 'messages_id_seq') AND relnamespace = 'public'::regnamespace
EOT
}

create_database('by_superuser');
restore_archive('by_superuser', "$dumps/public.custom", '-U', $superuser);
is(owners_of('by_superuser'), $superuser,
	'restored by a superuser, the tables are the superuser\'s');
is( sqlstate($node, 'by_superuser', 'SELECT FROM messages', 'rag_owner'),
	'42501', '... and who owned them has no access to them');

create_database('for_owner');
restore_archive('for_owner', "$dumps/public.custom", '-U', $superuser,
	'--role=rag_owner');
is(owners_of('for_owner'), 'rag_owner',
	'restored by a superuser with --role, they are that role\'s');
is_restored('for_owner', 'source_public', 'public',
	log => $fresh_log =~ s/rag_owner/$superuser/gr);

# ---------------------------------------------------------------------------
# A part of a database
# ---------------------------------------------------------------------------

my %parts = (
	schema => qr/^CREATE SCHEMA "Chat Room";/m,
	extension => qr/^CREATE EXTENSION IF NOT EXISTS rag_events WITH SCHEMA "Chat Room";/m,
	sessions => qr/^COPY "Chat Room"\.sessions \(/m,
	messages => qr/^COPY "Chat Room"\.messages \(/m,
	sequence => qr/^SELECT pg_catalog\.setval\('"Chat Room"\.messages_id_seq', \d+, true\);/m,
	grants => qr/^GRANT INSERT ON TABLE "Chat Room"\.messages TO rag_writer;/m,
	log => qr/rag_migration_log/,
	others => qr/^CREATE TABLE "Chat Room"\.feedback/m);
my $sessions = '--table="Chat Room".sessions';
my $messages = '--table="Chat Room".messages';
my $extension = '--extension=rag_events';
my $rows = 'sessions messages sequence';

for my $test (
	[ "schema extension $rows grants others" ],
	[ "schema extension $rows grants others", $extension ],
	[ "schema $rows others", '--schema="Chat Room"' ],
	[ "schema extension $rows grants others", '--schema="Chat Room"', $extension ],
	[ 'extension grants', '--exclude-schema="Chat Room"' ],
	[ 'messages', $messages ],
	[ 'sessions messages', $sessions, $messages ],
	[ "extension $rows grants", $sessions, $messages, $extension ],
	[ "$rows others", '--table="Chat Room".*' ],
	[ 'schema extension sessions sequence grants others', '--exclude-table-data="Chat Room".messages' ],
	[ 'schema extension grants others', '--schema-only' ],
	[ $rows, '--data-only' ])
{
	my ($expected, @options) = @$test;
	my $file = "$dumps/part.sql";

	dump_database('source_named', $file, @options);
	my $script = slurp_file($file);
	is( join(' ', grep { $script =~ $parts{$_} } sort keys %parts),
		join(' ', sort split(' ', $expected)),
		"what pg_dump @options keeps");
}

note('the extension and its rows alone');
create_database('alone');
sql($node, 'alone', 'CREATE SCHEMA "Chat Room"', 'rag_owner');
sql($node, 'alone', 'GRANT USAGE ON SCHEMA "Chat Room" TO rag_writer',
	'rag_owner');
dump_database('source_named', "$dumps/alone.custom", '--format=custom',
	$sessions, $messages, $extension);
restore_archive('alone', "$dumps/alone.custom");
is_same_text(
	rows_of($node, 'alone', '"Chat Room"'),
	rows_of($node, 'source_named', '"Chat Room"'),
	'--table with --extension restores into an empty schema');
is( answer($node, 'alone',
		"SELECT \"Chat Room\".rag_add_message($session, 'user', 'x')",
		'rag_writer'),
	last_id('source_named', '"Chat Room"') + 1,
	'... and ids go on there');

note('rows without the extension');
create_database('rows_only');
dump_database('source_named', "$dumps/schema.custom", '--format=custom',
	'--schema="Chat Room"');
$node->command_fails_like(
	[
		'pg_restore', '-U', 'rag_owner', '-d', $node->connstr('rows_only'),
		'--exit-on-error', "$dumps/schema.custom"
	],
	qr/relation "Chat Room\.messages" does not exist/,
	'--schema without --extension does not restore into an empty database');

# ---------------------------------------------------------------------------
# What is added to the tables of an extension is not dumped
# ---------------------------------------------------------------------------

create_database('local');
sql($node, 'local', <<'EOT', 'rag_owner');
CREATE EXTENSION rag_events;
CREATE INDEX local_index ON messages (query_type);
ALTER TABLE messages ADD CONSTRAINT local_check CHECK (content <> 'x');
CREATE FUNCTION local_function() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER local_trigger BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION local_function();
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY local_policy ON sessions USING (true);
EOT
dump_database('local', "$dumps/local.sql");
my $script = slurp_file("$dumps/local.sql");
like($script, qr/local_function/, 'the owner\'s own objects are dumped');
unlike($script, qr/local_(index|check|trigger|policy)|ROW LEVEL SECURITY;/,
	'but not what the owner added to the tables');

$node->stop;
done_testing();
