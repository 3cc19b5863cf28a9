# A streaming standby: it is read from, it refuses to write with a SQLSTATE that
# tells why, and once promoted it goes on where the primary ended.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use Test::More;

my $session = "'00000000-0000-0000-0000-000000000002'";
my $primary = start_server('primary');

sql($primary, 'postgres', 'CREATE EXTENSION rag_events');
sql($primary, 'postgres', conversations('public'));
$primary->backup('backup');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;

my $written =
  sql($primary, 'postgres',
	"SELECT rag_add_message($session, 'user', 'while the standby follows')");
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));

# ---------------------------------------------------------------------------
# Standing by
# ---------------------------------------------------------------------------

my $reader = RagTest::Session->new($standby, 'postgres');

is($reader->query('SELECT pg_is_in_recovery()'), 't', 'the standby stands by');
is_same_text(
	rows_of($standby, 'postgres', 'public'),
	rows_of($primary, 'postgres', 'public'),
	'the tables can be read there');
is( $reader->query('SELECT rag_version()'),
	sql($primary, 'postgres', 'SELECT rag_version()'),
	'rag_version() works there');

for my $call (
	'rag_create_session()',
	"rag_create_session('u', '{}', '00000000-0000-0000-0000-00000000000f')",
	"rag_create_session(session_id => $session, if_not_exists => true)",
	"rag_add_message($session, 'user', 'refused')",
	"rag_add_message('00000000-0000-0000-0000-00000000000f', 'user', 'of no session')",
	qq(rag_add_conversations('[{"session_id": "00000000-0000-0000-0000-00000000000f", "messages": []}]')),
	"rag_put_message($session, 'k', 'user', 'refused')",
	"rag_reassign_sessions('u', 'v')", "rag_expire_sessions('1 day')", "rag_erase_user('u')", "rag_set_feedback($session, 1, 1)", 'rag_close_days()')
{
	is($reader->sqlstate("SELECT $call"), '25006', "$call is refused there");
}

for my $call ('rag_create_session()', "rag_add_message($session, 'user', 'x')")
{
	my ($name) = $call =~ /^(\w+)/;
	my (undef, undef, $message) = $standby->psql('postgres', "SELECT $call");

	like(
		$message,
		qr/ERROR:  cannot execute \Q$name\E\(\) in a read-only transaction/,
		"... and the error names $name()");
}

is($reader->query('SELECT count(*) > 0 FROM messages'),
	't', 'the same connection goes on reading');

# ---------------------------------------------------------------------------
# Promoted, while the primary crashes in the middle of a transaction
# ---------------------------------------------------------------------------

my $writer = RagTest::Session->new($primary, 'postgres');
my $updated_at = $writer->query(
	"SELECT updated_at FROM sessions WHERE id = $session");

$writer->query(
	"BEGIN; SELECT rag_add_message($session, 'assistant', 'never committed')");
my $before = rows_of($primary, 'postgres', 'public');
my $last_id = sql($primary, 'postgres', 'SELECT max(id) FROM messages');

$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
$primary->stop('immediate');
$standby->promote;
$standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()')
  or die 'standby is not promoted';

is_same_text(rows_of($standby, 'postgres', 'public'),
	$before, 'after the promotion, what was committed is there, and no more');
is( $reader->query("SELECT updated_at FROM sessions WHERE id = $session"),
	$updated_at,
	'a message that was not committed did not touch its session');

my @ids = ($written);
push @ids,
  $reader->answer(
	"SELECT rag_add_message($session, 'assistant', 'after the promotion')");
push @ids,
  answer($standby, 'postgres',
	"SELECT rag_add_message(rag_create_session('new'), 'user', 'a new session')"
  );
cmp_ok($ids[1], '>', $last_id,
	'a connection from before the promotion now writes, with a new id');
cmp_ok($ids[2], '>', $ids[1], 'a new connection goes on with the ids');
is( sql($standby, 'postgres',
		"SELECT string_agg(id || ' ' || content, ', ' ORDER BY id) FROM messages WHERE id >= $written"
	),
	"$ids[0] while the standby follows, $ids[1] after the promotion, $ids[2] a new session",
	'each message is there once');
is( sql($standby, 'postgres',
		"SELECT updated_at > '$updated_at' FROM sessions WHERE id = $session"),
	't', 'and has touched its session');

$standby->stop;
done_testing();
