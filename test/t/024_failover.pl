# A primary that ends under load while a standby follows it, a subscriber that takes
# over, and a restore to a point in time: all that was acknowledged is there once, no
# function writes where it must not, ids and order go on.

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

my $seed = $ENV{RAG_TEST_SEED} // int(rand(2**31));
my $session = "'00000000-0000-0000-0000-000000000001'";
my $primary = start_server('primary', 'fsync = on', 'wal_level = logical', 'max_wal_senders = 10', 'wal_log_hints = on', 'wal_keep_size = 512MB', 'max_connections = 40');

sql($primary, 'postgres', 'CREATE EXTENSION rag_events; CREATE EXTENSION amcheck');
sql($primary, 'postgres', conversations('public'));
my $load = RagLoad->new($primary, 'postgres', seed => $seed, writers => 3);

# Volatile => the functions that write, by what the catalog says of them.
sub functions_that
{
	my ($node, $volatile) = @_;

	return split /\n/, sql($node, 'postgres', <<"EOT");
SELECT proname FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND extname = 'rag_events'
WHERE (provolatile = 'v' AND proname <> 'rag_uuidv7') = $volatile AND prorettype <> 'internal'::regtype ORDER BY proname
EOT
}

# Orphaned backends go on until they notice that the postmaster is gone, and the next
# one does not start before.
sub start_again
{
	my ($node) = @_;

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return $node->_update_pid(1) if system_log('pg_ctl', '-s', '-w', '-D', $node->data_dir, '-l', $node->logfile, 'start') == 0;
		select(undef, undef, undef, 0.1);
	}
	die 'the server does not start again';
}

# ---------------------------------------------------------------------------
# A standby, while the primary is written to
# ---------------------------------------------------------------------------

$primary->enable_archiving;
$primary->restart;
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;

# From now on what is acknowledged is on both.
sql($primary, 'postgres', q(ALTER SYSTEM SET synchronous_standby_names = '*'; SELECT pg_reload_conf()));
$primary->poll_query_until('postgres', q(SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')))
  or die 'the standby does not follow';

$load->start($primary);
$load->run_until(40);

my @writers = functions_that($standby, 'true');
my @readers = functions_that($standby, 'false');
cmp_ok(scalar @writers, '>=', 9, 'functions that write: ' . join(' ', @writers));
for my $function (@writers)
{
	# Other functions that the sample calls would fail first.
	my $call = sample_call($function, 'public');

	$call =~ s/public\.rag_add_message\([^()]*\)/1/g if $function ne 'rag_add_message';
	$call =~ s/public\.rag_create_session\([^()]*\)/$session/g if $function ne 'rag_create_session';
	my (undef, undef, $err) = $standby->psql('postgres', "SET default_transaction_read_only = off; $call", extra_params => [ '-v', 'VERBOSITY=verbose' ]);

	like($err, qr/ERROR:  25006: cannot execute \Q$function\E\(\) in a read-only transaction/, "on a standby under load, $function() is 25006");
}
for my $function (@readers)
{
	is(answer($standby, 'postgres', sample_call($function, 'public')), 't', "... and $function() works");
}
$load->stop($primary);
is_deeply([ $load->check($primary) ], [], 'the primary has what was acknowledged');
my $reader = RagTest::Session->new($standby, 'postgres');
my $same = "SELECT md5(string_agg(m::text, ' ' ORDER BY id)) FROM rag_get_messages($session, NULL) m";
is($reader->query($same), sql($primary, 'postgres', $same), 'a session is read there as on the primary');

# ---------------------------------------------------------------------------
# The primary is killed, the standby promoted, and the writers go on there
# ---------------------------------------------------------------------------

$load->start($primary);
$load->run_until(100);
$primary->kill9;
my $acknowledged = $load->finish;
$standby->promote;
sql($standby, 'postgres', q(ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf()));
cmp_ok($acknowledged, '>=', 100, "promoted after $acknowledged calls");
is_deeply([ $load->check($standby) ], [], 'what was acknowledged is there once, and nothing else');
is_deeply([ RagLoad::corruption($standby, 'postgres') ], [], '... tables and indexes are sound');
is($reader->answer("SELECT rag_add_message($session, 'user', 'after the promotion') > (SELECT max(id) FROM messages)"),
	't', '... a connection from before now writes, and ids go on');
is_deeply([ check_schema($standby, 'postgres', 'public') ], [], '... the schema is as it was');

$load->start($standby);
$load->run_until(60);
$standby->kill9;
$load->finish;
start_again($standby);
is_deeply([ $load->check($standby) ], [], 'writers go on there, repeat what was on its way, and survive its crash');

# ---------------------------------------------------------------------------
# The old primary comes back as a standby
# ---------------------------------------------------------------------------

start_again($primary);
$primary->stop('fast');    # pg_rewind wants it in order
$standby->append_conf('postgresql.conf', 'wal_keep_size = 64MB');
command_ok([ 'pg_rewind', '--no-sync', '--target-pgdata', $primary->data_dir, '--source-server', $standby->connstr('postgres') ], 'pg_rewind of the old primary');
$primary->append_conf('postgresql.conf', 'port = ' . $primary->port . "\nunix_socket_directories = '" . $primary->host . "'\nprimary_conninfo = '" . $standby->connstr . "'\narchive_mode = off");
$primary->set_standby_mode;
$primary->start;
$standby->wait_for_catchup($primary, 'replay', $standby->lsn('insert'));
is_same_text(rows_of($primary, 'postgres', 'public'), rows_of($standby, 'postgres', 'public'), '... which then follows the new one');
$primary->stop;

# ---------------------------------------------------------------------------
# A subscriber of all tables, that takes over
# ---------------------------------------------------------------------------

my $subscriber = start_server('subscriber');
sql($subscriber, 'postgres', 'CREATE EXTENSION rag_events; CREATE EXTENSION amcheck');
sql($subscriber, 'postgres', "SET check_function_bodies = off; CREATE FUNCTION load_text(tag text, k int) RETURNS text LANGUAGE sql STABLE AS \$\$ SELECT tag || ' ' || coalesce((SELECT string_agg(md5(tag || i), '' ORDER BY i) FROM generate_series(1, k) i), '') \$\$");
sql($standby, 'postgres', 'CREATE PUBLICATION conversations FOR TABLE sessions, messages, rag_feedback, rag_usage_daily');
sql($subscriber, 'postgres', 'CREATE SUBSCRIPTION conversations CONNECTION $$' . $standby->connstr('postgres') . '$$ PUBLICATION conversations');
$subscriber->poll_query_until('postgres', "SELECT count(*) = 4 FROM pg_subscription_rel WHERE srsubstate IN ('r', 's')")
  or die 'initial synchronization';
$load->start($standby);
$load->run_until(100);
$load->stop($standby);
is_deeply([ $load->check($standby) ], [], 'the publisher has what was acknowledged');
$standby->wait_for_catchup('conversations');
is_same_text(rows_of($subscriber, 'postgres', 'public'), rows_of($standby, 'postgres', 'public'), 'the subscriber has every row: added, changed, deleted, imported');
is_deeply([ RagLoad::corruption($subscriber, 'postgres') ], [], '... its tables and indexes are sound');
for my $function (@readers)
{
	is(answer($subscriber, 'postgres', sample_call($function, 'public')), 't', "... and $function() works");
}
is(sqlstate($subscriber, 'postgres', "SELECT rag_add_message($session, 'user', 'too early')"),
	'23505', 'the sequence is not replicated: ids begin where they are taken');
sql($subscriber, 'postgres', "DROP SUBSCRIPTION conversations; SELECT setval('messages_id_seq', (SELECT max(id) FROM messages))");
is(answer($subscriber, 'postgres', "SELECT rag_add_message($session, 'user', 'after setval') = (SELECT max(id) + 1 FROM messages)"),
	't', '... and go on once it is set');
is_deeply([ check_schema($subscriber, 'postgres', 'public') ], [], '... where the schema is that of a new installation');
$subscriber->stop;

# ---------------------------------------------------------------------------
# A point in time
# ---------------------------------------------------------------------------

my $origin = start_server('origin', 'fsync = on', 'max_connections = 40');
$origin->enable_archiving;
$origin->restart;
sql($origin, 'postgres', 'CREATE EXTENSION rag_events; CREATE EXTENSION amcheck');
$origin->backup('backup');

my $adding = RagLoad->new($origin, 'postgres', seed => $seed, writers => 3, calls => 1000, adding => 1);
$adding->start($origin);
$adding->run_until(50);
my $from = $adding->position;
sql($origin, 'postgres', "SELECT pg_create_restore_point('before the accident')");
my $to = $adding->position;
$adding->run_until($adding->acknowledged + 50);
sql($origin, 'postgres', 'TRUNCATE messages');
$adding->run_until($adding->acknowledged + 10);
$origin->stop('fast');
$adding->finish;

my $restored = PostgreSQL::Test::Cluster->new('restored');
$restored->init_from_backup($origin, 'backup', has_restoring => 1, standby => 0);
$restored->append_conf('postgresql.conf', "recovery_target_name = 'before the accident'\nrecovery_target_action = 'promote'");
$restored->start;
$restored->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'recovery does not end';

# Of each writer one call may have been on its way when the point was made.
my %to = map { $_ => $to->{$_} + 200 } keys %$to;
is_deeply([ $adding->check_moment($restored, $from, \%to) ], [], 'restored to a point in time: each writer\'s calls up to it');
is_deeply([ RagLoad::corruption($restored, 'postgres') ], [], '... tables and indexes are sound');
is_deeply([ call_functions($restored, 'postgres', 'public', sql($restored, 'postgres', conversations('public') . 'SELECT current_user') =~ /(\w+)\s*\z/) ],
	[], '... every function works');
is(answer($restored, 'postgres', 'SET rag_events.allow_data_loss = on; ' . join('', map { "ALTER EXTENSION rag_events UPDATE TO '$_';" } '1.0', '1.1', '1.2') . 'SELECT count(*) FROM rag_check_schema()'),
	'0', '... and the extension goes down and up');

$_->stop for $restored, $standby;
done_testing();
