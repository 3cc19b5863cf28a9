# Updates while others write, up and down, again and again: writers wait or go on,
# whichever table they lock first; none of them is ended by a deadlock, and no
# message that was acknowledged is lost. And two who update at once.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use IPC::Run ();
use List::Util qw(sum0);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use RagVersions;
use Test::More;

my $plain = start_server('main');
my @chain = chain_of_versions($plain);
$plain->stop;

# Two versions made for the tests come after those there are.
my $tree = synthetic_tree($chain[-1]);
my $node = start_private_server('synthetic', $tree);
@chain = chain_of_versions($node);
my ($base, $head) = @chain[ 0, -1 ];
my $up = "ALTER EXTENSION rag_events UPDATE TO '$head'";
my $down = "ALTER EXTENSION rag_events UPDATE TO '$base'";
my $session = "'00000000-0000-0000-0000-000000000001'";

sub contents
{
	return sql($node, 'postgres',
		"SELECT string_agg(content, ' ' ORDER BY id) FROM messages");
}

sub version
{
	return sql($node, 'postgres',
		"SELECT extversion FROM pg_extension WHERE extname = 'rag_events'");
}

# At the base version, with a session and no messages.
sub start_again
{
	sql($node, 'postgres',
		"DROP EXTENSION IF EXISTS rag_events; CREATE EXTENSION rag_events VERSION '$base'; SELECT rag_create_session(session_id => $session)"
	);
	return;
}

# ---------------------------------------------------------------------------
# One writer between each two of whose statements an update comes
# ---------------------------------------------------------------------------

my $insert = "INSERT INTO messages (session_id, role, content) VALUES ($session, 'user', 'CONTENT')";
my $touch = "UPDATE sessions SET updated_at = CURRENT_TIMESTAMP WHERE id = $session";
my $add = "SELECT rag_add_message($session, 'user', 'CONTENT')";

for my $test (
	[ 'an ORM that inserts first', $insert, $touch ],
	[ 'an ORM that updates the session first', $touch, $insert ],
	[ 'a writer who goes on after a message', $insert, $insert ],
	[ 'the function, twice', $add, $add ],
	[ 'the function, then an insert', $add, $insert ],
	[ 'an insert, then the function', $insert, $add ],
	[ 'who reads messages, then sessions', 'TABLE messages', 'TABLE sessions' ],
	[ 'who reads sessions, then messages', 'TABLE sessions', 'TABLE messages' ])
{
	my ($name, $first, $second) = @$test;

	start_again();
	my $writer = RagTest::Session->new($node, 'postgres');
	my $updater = RagTest::Session->new($node, 'postgres');

	$writer->query('BEGIN');
	$writer->query($first =~ s/CONTENT/first/r);
	$updater->send($up);
	wait_until_blocked($node, $updater);
	is($writer->sqlstate($second =~ s/CONTENT/second/r),
		'', "$name goes on while an update waits");
	is($writer->sqlstate('COMMIT'), '', '... and commits');
	is(($updater->result)[0], '', '... whereupon the update goes on');
	is(version(), $head, "... to $head");
	my $expected = join(' ', map { $_->[1] =~ /CONTENT/ ? $_->[0] : () } [ 'first', $first ], [ 'second', $second ]);
	is(contents(), $expected, '... and every message is there');
}

# ---------------------------------------------------------------------------
# A writer who comes while an update is not yet committed
# ---------------------------------------------------------------------------

for my $test ([ 'COMMIT', $head ], [ 'ROLLBACK', $base ])
{
	my ($end, $expected) = @$test;

	start_again();
	my @writers = map { RagTest::Session->new($node, 'postgres') } 1 .. 3;
	my $updater = RagTest::Session->new($node, 'postgres');

	# Plans kept from before.
	$writers[0]->query($add =~ s/CONTENT/before/r);
	$writers[1]->query("PREPARE p AS $insert");
	$updater->query("BEGIN; $up;");
	$writers[0]->send($add =~ s/CONTENT/function/r);
	$writers[1]->send('EXECUTE p');
	$writers[2]->send("BEGIN; $touch; " . ($insert =~ s/CONTENT/orm/r) . '; COMMIT');
	wait_until_blocked($node, $_) for @writers;
	$updater->query($end);
	is(join(',', map { ($_->result)[0] } @writers), ',,', "writers wait for an update, and go on after its $end");
	is(version(), $expected, "... at $expected");
	is(join(' ', sort split / /, contents()), 'CONTENT before function orm', '... and every message is there');
}

# ---------------------------------------------------------------------------
# Two who update at once
# ---------------------------------------------------------------------------

for my $test (
	[ 'up', $base, $head, 'COMMIT', $head ],
	[ 'down', $head, $base, 'COMMIT', $base ],
	[ 'up, and the first one gives up', $base, $head, 'ROLLBACK', $head ])
{
	my ($name, $from, $to, $end, $expected) = @$test;
	my $update = "ALTER EXTENSION rag_events UPDATE TO '$to'";

	sql($node, 'postgres', "DROP EXTENSION rag_events; CREATE EXTENSION rag_events VERSION '$from'");
	my $steps = sql($node, 'postgres', 'SELECT count(*) FROM rag_migration_log');
	my ($one, $other) = map { RagTest::Session->new($node, 'postgres') } 1 .. 2;
	$one->query("BEGIN; $update;");
	$other->send($update);
	wait_until_blocked($node, $other);
	$one->query($end);

	# Newer minor releases of PostgreSQL let the second one see that it is done; in
	# older ones it fails ("tuple concurrently updated").
	my $state = ($other->result)[0];
	like($state, $end eq 'COMMIT' ? qr/^(XX000)?$/ : qr/^$/, "two updates $name: the second waits for the first");
	is(version(), $expected, "... it is at $expected");
	is(sql($node, 'postgres', 'SELECT count(*) FROM rag_migration_log') - $steps,
		$#chain, '... and each script ran once');
	is(sql($node, 'postgres', 'SELECT count(*) FROM rag_check_schema()'), 0, '... and all is as it should be');
	is($other->sqlstate($update), '', '... the second time it finds nothing to do');

	# With a lock that both take first, the second finds the work done.
	sql($node, 'postgres', "DROP EXTENSION rag_events; CREATE EXTENSION rag_events VERSION '$from'");
	my $lock = "SELECT pg_advisory_xact_lock(hashtext('rag_events'))";
	$one->query("BEGIN; $lock; $update;");
	$other->send("BEGIN; $lock; $update; COMMIT");
	wait_until_blocked($node, $other);
	$one->query($end);
	is(($other->result)[0], '', '... under a lock, it is no error at all');
	is(version(), $expected, "... it is at $expected");
}

# ---------------------------------------------------------------------------
# Many writers, and tour after tour
# ---------------------------------------------------------------------------

start_again();
sql($node, 'postgres', <<'EOT');
INSERT INTO sessions (id) SELECT ('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))::uuid FROM generate_series(2, 5) i
EOT

my $scripts = PostgreSQL::Test::Utils::tempdir();
my $draw = "\\set n random(1, 5)\n";
my $drawn = "('00000000-0000-0000-0000-' || lpad(:n::text, 12, '0'))::uuid";
my %writers = (
	function => "${draw}SELECT rag_add_message($drawn, 'user', 'function');\n",
	insert_first =>
	  "${draw}BEGIN;\nINSERT INTO messages (session_id, role, content) VALUES ($drawn, 'user', 'insert_first');\n"
	  . "UPDATE sessions SET updated_at = CURRENT_TIMESTAMP WHERE id = $drawn;\nCOMMIT;\n",
	update_first =>
	  "${draw}BEGIN;\nUPDATE sessions SET updated_at = CURRENT_TIMESTAMP WHERE id = $drawn;\n"
	  . "INSERT INTO messages (session_id, role, content) VALUES ($drawn, 'user', 'update_first');\nCOMMIT;\n",
	insert_only =>
	  "${draw}INSERT INTO messages (session_id, role, content) VALUES ($drawn, 'user', 'insert_only');\n");

# ORM transactions that share a session can deadlock among themselves, without any
# update: a key's check and an UPDATE of the same row. One client each, and its own
# session where it inserts first.
$writers{insert_first} =~ s/random\(1, 5\)/random(5, 5)/;
$writers{$_} =~ s/random\(1, 5\)/random(1, 4)/ for qw(function update_first insert_only);

append_to_file("$scripts/$_.sql", $writers{$_}) for keys %writers;

my %acknowledged = map { $_ => 0 } keys %writers;
my ($tours, $rounds, $refused, $clean) = (0, 0, 0, 1);
my $updater = RagTest::Session->new($node, 'postgres');
my $transactions = 400;

# Round after round of a fixed number of messages, until enough tours have been
# made while somebody wrote.
while ($tours < 5 && $rounds++ < 100)
{
	my %runs;

	for my $writer (keys %writers)
	{
		my %run = map { $_ => "$scripts/$writer.$_" } qw(out err);
		my $clients = $writer eq 'insert_first' ? 1 : 2;

		$run{handle} = IPC::Run::start(
			[
				# A thread for each: pgbench waits when it prepares a statement.
				$node->installed_command('pgbench'), '-n', '-M', 'prepared',
				'-c', $clients, '-j', $clients, '-t', $transactions, '-f',
				"$scripts/$writer.sql", $node->connstr('postgres')
			],
			'<', \undef, '>', $run{out}, '2>', $run{err});
		$runs{$writer} = \%run;
	}
	$node->poll_query_until('postgres',
		sprintf('SELECT count(*) > %d FROM messages', sum0(values %acknowledged)))
	  or die 'nobody writes';

	my $busy = sub { grep { $_->{handle}->pumpable } values %runs };
	while ($busy->())
	{
		my $failed = 0;

		for my $update ($up, $down)
		{
			my $state;

			# When there is always somebody between the two tables, an update says so,
			# and is to be tried again.
			do
			{
				$state = $updater->sqlstate($update);
				$refused++ if $state eq '55P03';
			} while ($state eq '55P03');
			$failed = 1 if $state;
		}
		$clean = 0 if $failed;
		for my $run ($busy->())
		{
			# It may end at any moment.
			eval { $run->{handle}->pump_nb; 1 } or $@ =~ /ended prematurely/ or die $@;
		}
		$tours++ if $busy->() && !$failed;
	}
	for my $writer (keys %runs)
	{
		my $run = $runs{$writer};

		my $ended = $run->{handle}->finish;
		my ($out, $err) = map { slurp_file($run->{$_}) } qw(out err);

		$clean = 0 if !$ended || $err =~ /error|aborted/i;
		diag("$writer: $err") if !$ended || $err =~ /error|aborted/i;
		my ($processed) = $out =~ /^number of transactions actually processed: (\d+)/m;
		$acknowledged{$writer} += $processed;
	}
}

cmp_ok($tours, '>=', 5, "updates up and down while others write ($tours tours, $rounds rounds)");
note("$refused times, an update was asked to try again");
ok($clean, 'no writer and no update failed');
is(version(), $base, 'it ends where it began');
for my $writer (sort keys %writers)
{
	my $clients = $writer eq 'insert_first' ? 1 : 2;

	is($acknowledged{$writer}, $rounds * $clients * $transactions,
		"$writer: every message was acknowledged");
	is(sql($node, 'postgres', "SELECT count(*) FROM messages WHERE content = '$writer'"),
		$acknowledged{$writer}, '... and none is lost');
}
is(sql($node, 'postgres', 'SELECT count(*) FROM rag_check_schema()'), 0, 'all is as it should be');
unlike(slurp_file($node->logfile), qr/deadlock detected/, 'there was no deadlock');

$node->stop;
done_testing();
