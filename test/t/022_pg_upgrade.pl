# pg_upgrade, which takes the files of the tables along: nothing is loaded and no
# script of the extension runs. From this major to itself or, where the environment has
# oldinstall (test/matrix.sh --upgrade), from an older one; with a database of each
# version of the extension, and one that keeps what was added to the tables.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagLoad;
use RagTest;
use RagVersions;
use Test::More;

my $schema = '"Chat Room"';
my $session = "'00000000-0000-0000-0000-000000000002'";
# Each with a directory of extensions of its own.
my $old_tree = private_tree($ENV{oldinstall});
my $new_tree = private_tree();
my $old = RagTest::start(PostgreSQL::Test::Cluster->new('old', install_path => $old_tree->{installation}));
my $new = RagTest::start(PostgreSQL::Test::Cluster->new('new', install_path => $new_tree->{installation}));
my @chain = chain_of_versions($old);
my %databases = map { $_ => 'app_' . s/\W/_/gr } @chain, adoption_version();
my %before;

note('from PostgreSQL ' . $old->pg_version . ' to ' . $new->pg_version);

# What pg_dump will keep, and the log.
sub catalog_of
{
	my ($node, $db) = @_;
	return sql($node, $db, <<"EOT");
SELECT extversion, ARRAY(SELECT relname FROM unnest(extconfig) WITH ORDINALITY AS c(oid, n) JOIN pg_class USING (oid) ORDER BY n)
FROM pg_extension WHERE extname = 'rag_events';
SELECT id, version, previous_version, applied_at, applied_by FROM $schema.rag_migration_log ORDER BY id;
EOT
}

# What pg_upgrade must keep.
sub state_of
{
	my ($node, $db) = @_;

	return {
		rows => rows_of($node, $db, $schema),
		rights => rights_of($node, $db, $schema),
		catalog => catalog_of($node, $db),
		last_id => sql($node, $db, "SELECT last_value FROM $schema.messages_id_seq")
	};
}

# SQL that makes a session and a message in any version, the adopted one included.
sub seed_rows
{
	return <<"EOT";
INSERT INTO $schema.sessions (id, user_id) VALUES ($session, 'u');
INSERT INTO $schema.messages (session_id, role, content, sources) VALUES ($session, 'user', 'kept', '[1]'), ($session, 'assistant', 'too', NULL);
EOT
}

sql($old, 'postgres', 'CREATE ROLE rag_owner LOGIN; CREATE ROLE rag_writer LOGIN; CREATE ROLE rag_reader LOGIN');
for my $version (sort keys %databases)
{
	my $db = $databases{$version};
	my $adopted = $version eq adoption_version();

	sql($old, 'postgres', "CREATE DATABASE $db OWNER rag_owner");
	sql($old, $db, "CREATE SCHEMA $schema;" . ($adopted ? seed_tables($schema) . seed_rows() : ''), 'rag_owner');
	sql($old, $db, <<"EOT", 'rag_owner');
CREATE EXTENSION rag_events SCHEMA $schema VERSION '$version';
GRANT USAGE ON SCHEMA $schema TO rag_writer, rag_reader;
GRANT SELECT, UPDATE ON $schema.sessions TO rag_writer;
GRANT INSERT ON $schema.messages TO rag_writer;
GRANT USAGE ON SEQUENCE $schema.messages_id_seq TO rag_writer;
GRANT SELECT (id, user_id) ON $schema.sessions TO rag_reader WITH GRANT OPTION;
GRANT SELECT (id, session_id, content) ON $schema.messages TO rag_reader;
EOT
	if (!$adopted)
	{
		sql($old, $db, conversations($schema) . judgments($schema), 'rag_owner');
		sql($old, $db, "REVOKE EXECUTE ON FUNCTION $schema.rag_create_session FROM PUBLIC; GRANT EXECUTE ON FUNCTION $schema.rag_create_session TO rag_owner");
	}

	# Unlike a dump, pg_upgrade keeps what the owner has added to the tables.
	sql($old, $db, "CREATE INDEX local_index ON $schema.messages (query_type)", 'rag_owner');
	$before{$version} = state_of($old, $db);
}

# An extension that keeps what was added comes along; its files are needed when the new
# server's dumps are restored.
my $keeps = 'keeps';
sub keeper_state
{
	my ($node) = @_;
	return sql($node, $keeps, <<"EOT");
SELECT extversion FROM pg_extension WHERE extname = 'rag_local_keeps';
SELECT object, actual FROM $schema.rag_check_schema() WHERE kind IN ('kept', 'not_dumped') ORDER BY object COLLATE "C";
SELECT id, "Own", mood, loud FROM $schema.messages ORDER BY id;
EOT
}
sql($old, 'postgres', "CREATE DATABASE $keeps OWNER rag_owner");
sql($old, $keeps, <<"EOT", 'rag_owner');
CREATE SCHEMA $schema;
CREATE EXTENSION rag_events SCHEMA $schema;
CREATE TYPE $schema.mood AS ENUM ('good', 'bad');
CREATE FUNCTION $schema.loud(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper(\$1)';
ALTER TABLE $schema.messages ADD "Own" text DEFAULT 'own', ADD mood $schema.mood DEFAULT 'good', ADD loud text GENERATED ALWAYS AS ($schema.loud(role)) STORED;
ALTER TABLE $schema.sessions ADD number int GENERATED ALWAYS AS IDENTITY;
CREATE POLICY own ON $schema.messages USING ($schema.loud(role) <> 'X');
ALTER TABLE $schema.messages ENABLE ROW LEVEL SECURITY;
EOT
sql($old, $keeps, conversations($schema), 'rag_owner');
my %keeper = keeper_files($old, $keeps, $schema, "rag_local_$keeps");
write_file($old_tree, $_, $keeper{$_}) for keys %keeper;
sql($old, $keeps, "CREATE EXTENSION rag_local_keeps SCHEMA $schema VERSION 'complete'", 'rag_owner');
my $kept = keeper_state($old);

# It reads what an update has left, too.
my $head = $databases{ $chain[-1] };
is(sqlstate($old, $head, "SET rag_events.allow_data_loss = on; ALTER EXTENSION rag_events UPDATE TO '$chain[0]'", 'rag_owner'),
	'', 'the owner of the tables can take the extension to another version');
sql($old, $head, 'ALTER EXTENSION rag_events UPDATE;' . judgments($schema), 'rag_owner');
$before{ $chain[-1] } = state_of($old, $head);
$old->stop;
$new->stop;

chdir PostgreSQL::Test::Utils::tempdir_short()
  or die "no folder for pg_upgrade to work in: $!";
my ($stdout) = run_command(
	[
		'pg_upgrade', '--no-sync',
		'-b', $old->config_data('--bindir'), '-B', $new->config_data('--bindir'),
		'-d', $old->data_dir, '-D', $new->data_dir,
		'-p', $old->port, '-P', $new->port,
		'-s', $new->host
	]);
is($? >> 8, 0, 'pg_upgrade succeeds') or diag($stdout);
$new->start;

for my $version (sort keys %databases)
{
	my $db = $databases{$version};
	my $was = $before{$version};
	my $state = state_of($new, $db);
	my $columns = columns_of($new, $db, $schema);

	note("version $version");
	is_same_text($state->{rows}, $was->{rows}, "$version: rows");
	is($state->{rights}, $was->{rights}, "$version: owners and privileges");
	is($state->{catalog}, $was->{catalog}, "$version: version, what is dumped, and log");
	if ($version ne adoption_version())
	{
		is( answer($new, $db, "SELECT $schema.rag_add_message($session, 'user', 'after it')", 'rag_writer'),
			$was->{last_id} + 1,
			"$version: ids go on, for whom they did");
		is_deeply(
			[ grep { !/index local_index\|not_dumped/ } check_schema($new, $db, $schema, 'rag_owner') ],
			[], "$version: the schema is that of a new installation");
	}

	# PostgreSQL has the superuser own every extension after it, and no command to
	# change that.
	is(sqlstate($new, $db, 'ALTER EXTENSION rag_events UPDATE', 'rag_owner'),
		'42501', "$version: the owner of the tables can no longer update the extension");
	is(sqlstate($new, $db, 'ALTER EXTENSION rag_events UPDATE'),
		'', '... but a superuser can');
	is( sql($new, $db, "SELECT DISTINCT relowner::regrole FROM pg_class WHERE relname IN ('sessions', 'messages')"),
		'rag_owner',
		'... and the tables stay the owner\'s');
	is_deeply(
		[ grep { !/index local_index\|not_dumped/ } check_schema($new, $db, $schema, 'rag_owner') ],
		[], '... the schema is that of the newest version');
	is( answer($new, $db, "SELECT $schema.rag_add_message($session, 'user', 'after the update') > $was->{last_id}", 'rag_writer'),
		't', '... and it can be written to');
	sql($new, $db, 'CREATE EXTENSION amcheck');
	is_deeply([ RagLoad::corruption($new, $db) ], [], '... tables and indexes are sound');
}

# ---------------------------------------------------------------------------
note('what was added to the tables, and is kept');
# ---------------------------------------------------------------------------

is(keeper_state($new), $kept, 'pg_upgrade takes it along');
is(sql($new, $keeps, "SELECT count(*) FROM $schema.rag_check_schema() WHERE kind = 'kept'"), '0', '... without files, nothing is kept');
%keeper = keeper_files($new, $keeps, $schema, "rag_local_$keeps");
write_file($new_tree, $_, $keeper{$_}) for keys %keeper;
is(sql($new, $keeps, "SELECT count(*) FROM $schema.rag_check_schema() WHERE kind NOT IN ('kept', 'not_dumped', 'warning')"), '0', '... with them, nothing is missing');
is(sql($new, $keeps, "SELECT count(*) FROM $schema.rag_check_schema() WHERE kind IN ('not_dumped', 'warning')"), '0', '... and all is kept');

$new->stop;
done_testing();
