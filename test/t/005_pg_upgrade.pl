# pg_upgrade, which takes the files of the tables along: nothing is loaded and no
# script of the extension runs.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use Test::More;

my $session = "'00000000-0000-0000-0000-000000000002'";
my $old = start_server('old');
my $new = start_server('new');

# Owners, privileges, what pg_dump will keep, and the log.
sub catalog_of
{
	my ($node) = @_;
	return sql($node, 'app', <<'EOT');
SELECT relname, relowner::regrole, relacl FROM pg_class
WHERE relnamespace = '"Chat Room"'::regnamespace ORDER BY relname;
SELECT proname, proowner::regrole, proacl FROM pg_proc
WHERE pronamespace = '"Chat Room"'::regnamespace ORDER BY proname;
SELECT extversion, ARRAY(SELECT relname FROM unnest(extconfig) WITH ORDINALITY AS c(oid, n) JOIN pg_class USING (oid) ORDER BY n)
FROM pg_extension WHERE extname = 'rag_events';
SELECT id, version, previous_version, applied_at, applied_by FROM "Chat Room".rag_migration_log ORDER BY id;
EOT
}

sql($old, 'postgres', <<'EOT');
CREATE ROLE rag_owner LOGIN;
CREATE ROLE rag_writer LOGIN;
CREATE DATABASE app OWNER rag_owner;
EOT
sql($old, 'app', <<'EOT', 'rag_owner');
CREATE SCHEMA "Chat Room";
CREATE EXTENSION rag_events SCHEMA "Chat Room";
GRANT USAGE ON SCHEMA "Chat Room" TO rag_writer;
GRANT SELECT, UPDATE ON "Chat Room".sessions TO rag_writer;
GRANT INSERT ON "Chat Room".messages TO rag_writer;
GRANT USAGE ON SEQUENCE "Chat Room".messages_id_seq TO rag_writer;
EOT
sql($old, 'app', conversations('"Chat Room"'), 'rag_owner');
# Unlike a dump, pg_upgrade keeps what the owner has added to the tables.
sql($old, 'app',
	'CREATE INDEX local_index ON "Chat Room".messages (query_type)',
	'rag_owner');

my $rows = rows_of($old, 'app', '"Chat Room"');
my $catalog = catalog_of($old);
my $last_id =
  sql($old, 'app', 'SELECT last_value FROM "Chat Room".messages_id_seq');

is(sqlstate($old, 'app', 'ALTER EXTENSION rag_events UPDATE', 'rag_owner'),
	'', 'the owner of the tables can update the extension');
$old->stop;
$new->stop;

my $bindir = $new->config_data('--bindir');
chdir PostgreSQL::Test::Utils::tempdir_short()
  or die "no folder for pg_upgrade to work in: $!";
my ($stdout) = run_command(
	[
		'pg_upgrade', '--no-sync',
		'-b', $bindir, '-B', $bindir,
		'-d', $old->data_dir, '-D', $new->data_dir,
		'-p', $old->port, '-P', $new->port,
		'-s', $new->host
	]);
is($? >> 8, 0, 'pg_upgrade succeeds') or diag($stdout);
$new->start;

is_same_text(rows_of($new, 'app', '"Chat Room"'), $rows, 'rows');
is(catalog_of($new), $catalog, 'owners, privileges, version and log');
is( answer($new, 'app',
		"SELECT \"Chat Room\".rag_add_message($session, 'user', 'after it')",
		'rag_writer'),
	$last_id + 1,
	'ids go on');

# PostgreSQL has the superuser own every extension after it, and no command to
# change that.
is(sqlstate($new, 'app', 'ALTER EXTENSION rag_events UPDATE', 'rag_owner'),
	'42501', 'the owner of the tables can no longer update the extension');
is(sqlstate($new, 'app', 'ALTER EXTENSION rag_events UPDATE'),
	'', '... but a superuser can');
is( sql($new, 'app',
		q(SELECT DISTINCT relowner::regrole FROM pg_class WHERE relname IN ('sessions', 'messages'))
	),
	'rag_owner',
	'... and the tables stay the owner\'s');

$new->stop;
done_testing();
