# Whole conversations, and what is beyond one database and one call: replication,
# standbys, crashes, calls that end in the middle, no room on the disk, large arrays,
# and the memory of a backend after many calls.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use List::Util qw(uniq);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use Test::More;

my $session = "'00000000-0000-0000-0000-000000000001'";

# How many calls of each kind a backend makes while its memory is watched.
my $calls = $ENV{RAG_TEST_CALLS} // 5_000;

my $node = start_server('publisher', 'wal_level = logical');
sql($node, 'postgres', 'CREATE EXTENSION rag_events');
sql($node, 'postgres', conversations('public'));
$node->backup('backup');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;

my $subscriber = start_server('subscriber');
sql($subscriber, 'postgres', 'CREATE EXTENSION rag_events');

# messages(FIRST, LAST): SQL for an array of messages with all that they can have.
# Every hundredth is stored out of line.
sub messages
{
	my ($first, $last) = @_;

	return <<"EOT";
(SELECT jsonb_agg(jsonb_build_object(
  'role', CASE n % 2 WHEN 0 THEN 'user' ELSE 'assistant' END,
  'content', CASE n % 100 WHEN 0 THEN (SELECT string_agg(md5(n || ' ' || i), '') FROM generate_series(1, 400) i)
             ELSE E'Message \\t\\\\N ' || n END,
  'sources', CASE n % 3 WHEN 0 THEN jsonb_build_array(n) END, 'latency_ms', CASE n % 4 WHEN 0 THEN n / 7.0 END,
  'top_k', n, 'query_type', 'q' || n, 'token_count', CASE n % 5 WHEN 0 THEN n END,
  'metadata', CASE n % 6 WHEN 0 THEN jsonb_build_object('n', n) END,
  'idempotency_key', CASE n % 7 WHEN 0 THEN 'key ' || n END,
  'created_at', CASE n % 8 WHEN 0 THEN n END) ORDER BY n) FROM generate_series($first, $last) n)
EOT
}

sub add_messages
{
	my ($first, $last) = @_;
	return "SELECT cardinality(rag_add_messages($session, " . messages($first, $last) . '))';
}

# ways(SQL): in which ways the messages of its calls were inserted. (Those with a time
# of their own and those without are inserted apart.)
sub ways
{
	my ($sql) = @_;
	my (undef, undef, $stderr) = $node->psql('postgres', "SET client_min_messages = debug1; SET jit = off; $sql");

	return [ uniq $stderr =~ /messages are inserted (directly|by INSERT)/g ];
}

sub rows { my ($of) = @_; return rows_of($of // $node, 'postgres', 'public'); }

# ---------------------------------------------------------------------------
# Replication
# ---------------------------------------------------------------------------

sql($node, 'postgres', 'CREATE PUBLICATION conversations FOR TABLE sessions, messages');
sql($subscriber, 'postgres',
	'CREATE SUBSCRIPTION conversations CONNECTION $$'
	  . $node->connstr('postgres')
	  . '$$ PUBLICATION conversations');
$subscriber->poll_query_until('postgres',
	"SELECT count(*) = 2 FROM pg_subscription_rel WHERE srsubstate IN ('r', 's')")
  or die 'initial synchronization';

is_deeply(ways(add_messages(1, 2500)), ['directly'],
	'2500 messages are inserted directly');
is_deeply(ways("SELECT rag_add_message($session, 'user', 'one', metadata => '{\"a\": 1}', idempotency_key => 'one')"),
	['directly'], '... and so is a single one');
sql($node, 'postgres', <<"EOT");
BEGIN;
SELECT rag_add_messages('00000000-0000-0000-0000-000000000010', '[{"role": "user", "content": "first turn"}]', 'erin', true);
SAVEPOINT s;
SELECT rag_add_messages($session, '[{"role": "user", "content": "never"}]');
ROLLBACK TO s;
SELECT rag_add_messages($session, '[{"role": "user", "content": "after the savepoint"}]');
COMMIT;
BEGIN;
SELECT rag_add_messages($session, '[{"role": "user", "content": "never"}]');
ROLLBACK;
EOT
sql($node, 'postgres', <<"EOT");
CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER pass BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION pass();
EOT
is_deeply(ways(add_messages(2501, 2600)), ['by INSERT'], 'others by INSERT');
sql($node, 'postgres', 'DROP TRIGGER pass ON messages');

$node->wait_for_catchup('conversations');
is_same_text(rows($subscriber), rows(), 'the subscriber has every row of both ways');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is_same_text(rows($standby), rows(), 'so has the standby');
is(sqlstate($standby, 'postgres', "SELECT rag_add_messages($session, '[]')"),
	'25006', 'which refuses to write');

# In the role of a subscriber's worker, keys and triggers are left alone.
is( sql($subscriber, 'postgres', 'SELECT count(*) FROM messages m LEFT JOIN sessions s ON s.id = m.session_id WHERE s.id IS NULL'),
	'0', 'no message has lost its session');
sql($subscriber, 'postgres', 'DROP SUBSCRIPTION conversations');

# A publication of all tables includes the log of migrations, of which each database has
# its own rows: docs/reliability.md says to empty the subscriber's first.
for my $server ($node, $subscriber)
{
	sql($server, 'postgres', 'CREATE DATABASE every');
	sql($server, 'every', 'CREATE EXTENSION rag_events');
}
sql($node, 'every', 'CREATE PUBLICATION every FOR ALL TABLES');
sql($node, 'every', q(SELECT rag_add_message(rag_create_session(), 'user', 'before')));
sql($subscriber, 'every', 'DELETE FROM rag_migration_log');
sql($subscriber, 'every', 'CREATE SUBSCRIPTION every CONNECTION $$' . $node->connstr('every') . '$$ PUBLICATION every');
ok( $subscriber->poll_query_until('every', q(SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel)),
	'a publication of all tables gets ready');
sql($node, 'every', q(SELECT rag_add_message((SELECT id FROM sessions), 'user', 'after')));
$node->wait_for_catchup('every');
is(sql($subscriber, 'every', q(SELECT string_agg(content, ' ' ORDER BY id) FROM messages)), 'before after', '... with what was there, and what came then');

# Feedback and usage have no primary key.
my $judged = 'SELECT rater, score FROM rag_feedback ORDER BY rater NULLS FIRST';
my $counted = 'SELECT day, user_id, questions FROM rag_usage_daily WHERE questions > 0';
sql($node, 'every', <<'EOT');
SELECT rag_set_feedback(session_id, id, -1), rag_set_feedback(session_id, id, 1, rater => 'pat') FROM messages WHERE content = 'before';
SELECT rag_add_messages(rag_create_session('pat'), '[{"role": "user", "content": "x", "created_at": "2026-01-01"}]');
SELECT rag_close_days();
EOT
$node->wait_for_catchup('every');
is(sql($subscriber, 'every', "$judged; $counted"), "|-1\npat|1\n2026-01-01|pat|1", '... and feedback and usage');
sql($node, 'every', q(SELECT rag_set_feedback(session_id, id, 1) FROM messages WHERE content = 'before'; SELECT rag_erase_user('pat')));
$node->wait_for_catchup('every');
is(sql($subscriber, 'every', "$judged; $counted"), "|1\n2026-01-01||1", '... what is replaced and erased, too');
sql($subscriber, 'every', 'DROP SUBSCRIPTION every');
$subscriber->stop;
$standby->stop;

# ---------------------------------------------------------------------------
# A crash
# ---------------------------------------------------------------------------

{
	my $open = RagTest::Session->new($node, 'postgres');
	my $before;

	sql($node, 'postgres', add_messages(3001, 4500));
	$before = rows();
	$open->query('BEGIN; ' . add_messages(5001, 6500));
	$node->stop('immediate');
	$node->start;
	is_same_text(rows(), $before, 'after a crash, what was committed is there, and no more');
	is( sql($node, 'postgres', "SET enable_seqscan = off; SELECT count(*) FROM messages WHERE session_id = $session AND idempotency_key LIKE 'key %'"),
		sql($node, 'postgres', "SET enable_indexscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM messages WHERE session_id = $session AND idempotency_key LIKE 'key %'"),
		'its indexes find it');
}

# ---------------------------------------------------------------------------
# In the middle of a call
# ---------------------------------------------------------------------------

# At one message the call waits for whoever has stored another one like it, and not yet
# committed: 1500 messages are stored by then, or about to be.
sql($node, 'postgres', <<'EOT');
CREATE UNIQUE INDEX wait ON messages (content) WHERE content = 'wait here';
ALTER TABLE messages ADD CONSTRAINT good CHECK (content <> 'bad');
EOT
my $middle = "SELECT rag_add_messages($session, (SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', "
  . "CASE n WHEN 1500 THEN 'wait here' ELSE 'in the middle' END) ORDER BY n) FROM generate_series(1, 2500) n))";

for my $way ('directly', 'by INSERT')
{
	my $waiter;
	my $holder = RagTest::Session->new($node, 'postgres');
	my $before = rows();

	if ($way eq 'by INSERT')
	{
		sql($node, 'postgres', 'CREATE TRIGGER pass BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION pass()');
	}
	is_deeply(ways("BEGIN; $middle; ROLLBACK"), [$way], "2500 messages $way");
	$holder->query("BEGIN; INSERT INTO messages (session_id, role, content) VALUES ($session, 'user', 'wait here')");
	for my $case ([ 'cancelled', '57014', '' ],
		[ 'timed out', '57014', q(SET statement_timeout = '300ms';) ],
		[ 'terminated', '57P01', '' ])
	{
		my ($name, $expected, $set) = @$case;
		my $pid;
		my $state;

		$waiter = RagTest::Session->new($node, 'postgres');
		$pid = $waiter->pid;
		$waiter->query($set) if $set ne '';
		$waiter->send($middle);
		wait_until_blocked($node, $waiter) if $set eq '';
		sql($node, 'postgres', "SELECT pg_cancel_backend($pid)") if $name eq 'cancelled';
		sql($node, 'postgres', "SELECT pg_terminate_backend($pid)") if $name eq 'terminated';
		($state) = $waiter->result;
		is($state, $expected, "$way, $name in the middle");
		is_same_text(rows(), $before, '... it leaves nothing, updated_at included');
		next if $name eq 'terminated';
		is( $waiter->query("RESET statement_timeout; BEGIN; " . add_messages(8001, 9500) . '; ROLLBACK'),
			'1500',
			'... and the same connection goes on');
		$waiter->quit;
	}
	$holder->quit;

	# An error instead, within a transaction that goes on.
	$waiter = RagTest::Session->new($node, 'postgres');
	$waiter->query("BEGIN; SELECT rag_add_message($session, 'user', 'kept, first')");
	$waiter->query('SAVEPOINT s');
	is( $waiter->sqlstate($middle =~ s/'wait here'/'bad'/r),
		'23514', "$way, a constraint fails in the middle");
	$waiter->query('ROLLBACK TO s');
	$waiter->query("SELECT rag_add_messages($session, '[{\"role\": \"user\", \"content\": \"kept, second\"}]'); COMMIT");
	$waiter->quit;
	is( sql($node, 'postgres', "SELECT count(*) FILTER (WHERE content LIKE 'kept, %'), count(*) FILTER (WHERE content = 'in the middle') FROM messages"),
		'2|0',
		'... what was before and after the savepoint is there');
	sql($node, 'postgres', "DELETE FROM messages WHERE content LIKE 'kept, %'");
}
sql($node, 'postgres', 'DROP TRIGGER pass ON messages; ALTER TABLE messages DROP CONSTRAINT good; DROP INDEX wait');

# ---------------------------------------------------------------------------
# 100,000 messages in one call
# ---------------------------------------------------------------------------

for my $way ('directly', 'by INSERT')
{
	sql($node, 'postgres', 'TRUNCATE messages');
	sql($node, 'postgres', 'CREATE TRIGGER pass BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION pass()')
	  if $way eq 'by INSERT';
	is_deeply(
		ways("CREATE TABLE added AS SELECT u.* FROM unnest(rag_add_messages($session, "
			  . "(SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', 'no ' || n, 'idempotency_key', 'k' || n % 99999) ORDER BY n) "
			  . "FROM generate_series(1, 99999) n) || '[{\"role\": \"user\", \"content\": \"no 1\", \"idempotency_key\": \"k1\"}]')) WITH ORDINALITY AS u (id, n)"),
		[$way],
		"100000 messages $way");
	is( sql($node, 'postgres', <<'EOT'), '100000|99999|99999', '... each id is that of its element, the last that of the first');
SELECT count(*), count(DISTINCT a.id), count(*) FILTER (WHERE m.content = 'no ' || a.n)
FROM added a JOIN messages m USING (id)
EOT
	is( sql($node, 'postgres', 'SELECT bool_and(id > before) FROM (SELECT id, lag(id) OVER (ORDER BY n) AS before FROM added WHERE n < 100000) AS a'),
		't', '... and they ascend');
	sql($node, 'postgres', 'DROP TABLE added');
}
sql($node, 'postgres', 'DROP TRIGGER pass ON messages; TRUNCATE messages');

# ---------------------------------------------------------------------------
# No room
# ---------------------------------------------------------------------------

# A limit on the size of files stands for a full disk: the table cannot grow either.
# (Segments of the WAL are smaller.)
SKIP:
{
	my @pg_ctl = ('pg_ctl', '-D', $node->data_dir, '-l', $node->logfile, '-w');
	my $before;
	my $client;

	skip 'no limits on Windows', 4 if $windows_os;
	$node->stop;
	system_or_bail('sh', '-c', 'ulimit -f 65536 && exec "$@"', 'sh', @pg_ctl, 'start');
	$before = rows();
	$client = RagTest::Session->new($node, 'postgres');
	$client->send("SELECT rag_add_messages($session, (SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', "
		  . "repeat(md5(n::text) || md5((n + 1)::text), 25))) FROM generate_series(1, 60000) n))");
	my ($state, undef, $message) = $client->result;
	isnt($state, '', 'there is no room for the messages of a call');
	is_same_text(rows(), $before, '... it leaves nothing');
	is($client->query(add_messages(1, 100)), '100', '... and the same connection goes on');
	$client->quit;
	system_or_bail(@pg_ctl, '-m', 'fast', 'stop');
	$node->start;
	is(sql($node, 'postgres', 'SELECT count(*) FROM messages'), '100', 'they are there after a restart');
}

# ---------------------------------------------------------------------------
# Memory
# ---------------------------------------------------------------------------

# Calls of each kind, many times over in one backend, with a transaction for every
# hundred of them. Errors are caught.
sub repeated
{
	my ($call, $n) = @_;

	return <<"EOT";
DO \$\$
BEGIN
  FOR i IN 1 .. $n LOOP
    BEGIN
      PERFORM $call;
    EXCEPTION WHEN unique_violation OR check_violation OR foreign_key_violation OR invalid_parameter_value THEN
    END;
    IF i % 100 = 0 THEN
      COMMIT;
    END IF;
  END LOOP;
END \$\$
EOT
}

# Contexts of the caches grow with what is looked at, not with the number of calls: by
# then all has been looked at, but for a table or two that PostgreSQL doubles later.
# No allocation is smaller than 16 bytes.
my $memory = 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts';
my $turn = '\'[{"role": "user", "content": "Question", "token_count": 1}, {"role": "assistant", "content": "Answer", "sources": [1, 2, 3], "metadata": {"model": "m"}}]\'';

for my $case (
	[ 'rag_add_message()', "rag_add_message($session, 'user', 'x', '[1]', 1, 1, 'q', NULL, 1, '{}')" ],
	[ 'rag_add_message() with a key', "rag_add_message($session, 'user', 'x', idempotency_key => 'k' || i)" ],
	[ 'rag_add_message() repeated', "rag_add_message($session, 'user', 'x', idempotency_key => 'k1')" ],
	[ 'rag_add_messages()', "rag_add_messages($session, $turn)" ],
	[ 'rag_add_messages() with keys', "rag_add_messages($session, jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'x', 'idempotency_key', 'k' || i)))" ],
	[ 'rag_add_messages() of new sessions', "rag_add_messages(gen_random_uuid(), $turn, 'erin', true)" ],
	[ 'rag_add_conversations()', "rag_add_conversations(jsonb_build_array(jsonb_build_object('session_id', $session, 'messages', ${turn}::jsonb), jsonb_build_object('session_id', gen_random_uuid(), 'create_session', true, 'user_id', 'erin', 'messages', ${turn}::jsonb)))" ],
	[ 'rag_add_messages() by INSERT', "rag_add_messages($session, $turn)", 'INSERT' ],
	[ 'rag_add_message() by INSERT', "rag_add_message($session, 'user', 'x', token_count => 1)", 'INSERT' ],
	[ 'an error in JSON', "rag_add_messages($session, '[{\"role\": \"user\", \"content\": \"x\"}, {\"role\": \"user\", \"contents\": \"x\"}]')" ],
	[ 'an error in a time', "rag_add_messages($session, '[{\"role\": \"user\", \"content\": \"x\", \"created_at\": \"2024-01-01 12:00 Nowhere/Land\"}]')" ],
	[ 'no session', "rag_add_messages('00000000-0000-0000-0000-00000000000f', $turn)" ],
	[ 'a key used for another message', "rag_add_message($session, 'user', 'another', idempotency_key => 'k1')" ],
	[ 'an error of the table', "rag_add_messages($session, '[{\"role\": \"user\", \"content\": \"x\", \"query_type\": \"refused\"}]')", 'CHECK' ],
  )
{
	my ($name, $call, $table) = @$case;
	my $client;
	my ($before, $after);

	sql($node, 'postgres', 'TRUNCATE messages');
	sql($node, 'postgres', 'CREATE TRIGGER pass BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION pass()')
	  if defined $table && $table eq 'INSERT';
	sql($node, 'postgres', q(ALTER TABLE messages ADD CONSTRAINT refuse CHECK (query_type <> 'refused')))
	  if defined $table && $table eq 'CHECK';
	sql($node, 'postgres', "SELECT rag_add_message($session, 'user', 'x', idempotency_key => 'k1')");
	$client = RagTest::Session->new($node, 'postgres');
	$client->query($memory);
	$client->query(repeated($call, 500));
	$before = $client->query($memory);
	$client->query(repeated($call, $calls));
	$after = $client->query($memory);
	cmp_ok($after - $before, '<', 16 * $calls, "$name: $calls calls do not grow the memory of the backend");
	note("$name: $before, $after bytes");
	$client->quit;
	sql($node, 'postgres', 'DROP TRIGGER IF EXISTS pass ON messages; ALTER TABLE messages DROP CONSTRAINT IF EXISTS refuse');
}

$node->stop;
done_testing();
