# Backends and servers that end in the middle of a write: what was acknowledged is
# there once, the rest is not there at all. And waits that end before their time:
# cancelled, timed out, terminated.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use Test::More;

my $node = start_server('main');
my $session = "'00000000-0000-0000-0000-000000000001'";
my $other = "'00000000-0000-0000-0000-000000000002'";

sql($node, 'postgres', 'CREATE EXTENSION rag_events');
sql($node, 'postgres', conversations('public'));

sub session { return RagTest::Session->new($node, 'postgres'); }

sub add
{
	my ($content, $to) = @_;
	$to //= $session;
	return "SELECT rag_add_message($to, 'user', '$content');";
}

sub rows { return rows_of($node, 'postgres', 'public'); }

sub last_id { return sql($node, 'postgres', 'SELECT max(id) FROM messages'); }

# Kills the backend as the kernel would for want of memory. The server then ends
# all other backends, and recovers.
sub kill_backend
{
	my ($victim) = @_;
	my $start = sql($node, 'postgres', 'SELECT pg_postmaster_start_time()');
	my $log = -s $node->logfile;

	# What it wrote, and did not commit, is to be on disk.
	sql($node, 'postgres', 'CHECKPOINT');
	kill('KILL', $victim->pid) == 1 or die 'backend is gone already';
	$victim->result;
	wait_until_recovered($node, $victim->pid);
	like(
		slurp_file($node->logfile, $log),
		qr/database system was not properly shut down/,
		'the server recovered');
	is(sql($node, 'postgres', 'SELECT pg_postmaster_start_time()'),
		$start, '... by itself');
	return;
}

# ---------------------------------------------------------------------------
# A backend is killed
# ---------------------------------------------------------------------------

note('with an open transaction');
{
	my $victim = session();
	my $bystander = session();
	my $before = rows();
	my $last_id;

	$victim->query('BEGIN;' . join('', map { add("lost $_") } 1 .. 50));
	$victim->query("SELECT rag_create_session('lost')");
	$last_id = $bystander->query(add('acknowledged', $other));
	$before = rows();
	kill_backend($victim);
	is_same_text(rows(), $before,
		'of an open transaction nothing is left, of others nothing is lost');
	cmp_ok(sql($node, 'postgres', add('after it')),
		'>', $last_id, 'ids go on above those that were given');
}

note('while it waits for the lock of the session');
{
	my $holder = session();
	my $victim = session();
	my $before = rows();

	$holder->query('BEGIN;' . add('lost, first'));
	$victim->send(add('lost, second'));
	wait_until_blocked($node, $victim);
	kill_backend($victim);
	is_same_text(rows(), $before, 'neither of two writers has left anything');
}

note('between the touch of the session and the end of the call');
for my $when ('BEFORE', 'AFTER')
{
	my $holder = session();
	my $victim = session();
	my $before;

	sql($node, 'postgres', <<"EOT");
CREATE OR REPLACE FUNCTION wait_for_holder() RETURNS trigger LANGUAGE plpgsql
AS 'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END';
CREATE TRIGGER wait_for_holder $when INSERT ON messages FOR EACH ROW EXECUTE FUNCTION wait_for_holder();
EOT
	$before = rows();
	$holder->query('SELECT pg_advisory_lock(1)');
	$victim->send(add("lost $when"));
	wait_until_blocked($node, $victim);
	kill_backend($victim);
	is_same_text(rows(), $before,
		"killed in a trigger $when INSERT, the call has left nothing, updated_at included"
	);
	sql($node, 'postgres', 'DROP TRIGGER wait_for_holder ON messages');
}
like(answer($node, 'postgres', add('goes on')), qr/^\d+$/,
	'and the session can be written to');

# ---------------------------------------------------------------------------
# The server is killed
# ---------------------------------------------------------------------------

note('at rest');
{
	my $open = session();
	my $last_id = sql($node, 'postgres', add('committed'));
	my $before = rows();

	$open->query('BEGIN;' . add('lost with the server'));
	$node->stop('immediate');
	$node->start;
	is_same_text(rows(), $before, 'what was committed is there, and no more');
	cmp_ok(sql($node, 'postgres', add('after it')),
		'>', $last_id, 'ids go on above those that were given');
}

note('while clients write, each message in a transaction of its own');
{
	my $wanted = 200;
	my @clients;

	for my $client (1, 2)
	{
		my %psql = (out => '', err => '');
		my $script = PostgreSQL::Test::Utils::tempdir() . "/stream.sql";

		# More than will be written until the server ends. Both write to the
		# same session, so that one of them always waits.
		append_to_file($script, join('',
				map { "SELECT $_, rag_add_message($session, 'user', 'stream $client $_');\n" }
				  1 .. 100_000));
		$psql{handle} = IPC::Run::start(
			[ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', $script ],
			'>' => \$psql{out}, '2>' => \$psql{err},
			IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
		push @clients, \%psql;
	}
	for my $psql (@clients)
	{
		$psql->{handle}->pump until ($psql->{out} =~ tr/\n//) >= $wanted;
	}
	$node->stop('immediate');
	for my $psql (@clients)
	{
		$psql->{handle}->finish;
		like($psql->{err}, qr/connection to server was lost/,
			'the client lost its connection in the middle of it');
	}
	$node->start;

	for my $client (1, 2)
	{
		my @acknowledged = $clients[ $client - 1 ]{out} =~ /^(\d+\|\d+)\n/mg;
		my @stored = split(/\n/, sql($node, 'postgres', <<"EOT"));
SELECT split_part(content, ' ', 3), id FROM messages WHERE content LIKE 'stream $client %' ORDER BY id
EOT
		my $more = @stored - @acknowledged;

		cmp_ok(scalar @acknowledged, '>=', $wanted,
			"client $client: messages were acknowledged");
		ok($more == 0 || $more == 1,
			"client $client: at most the one on its way is there besides")
		  or diag("$more more");
		is_deeply(
			[ @stored[ 0 .. $#acknowledged ] ],
			\@acknowledged,
			"client $client: each of them is there once, under its id, in order");
		is_deeply(
			[ map { (split /\|/)[0] } @stored ],
			[ 1 .. @stored ],
			"client $client: without a gap");
	}
	is( sql($node, 'postgres', <<"EOT"), 't',
SELECT updated_at = (SELECT max(created_at) FROM messages WHERE session_id = s.id)
FROM sessions s WHERE id = $session
EOT
		'the session was last touched by the latest message that is there');
}

# ---------------------------------------------------------------------------
# A wait for the lock of the session ends before its time
# ---------------------------------------------------------------------------

for my $case (
	[ 'cancelled', '57014', '' ],
	[ 'timed out', '57014', q(SET statement_timeout = '50ms';) ],
	[ 'timed out, the lock', '55P03', q(SET lock_timeout = '50ms';) ],
	[ 'terminated', '57P01', '' ])
{
	my ($name, $expected, $set) = @$case;
	my $holder = session();
	my $waiter = session();
	my $pid = $waiter->pid;
	my $before = rows();
	my ($id, $state);

	note($name);
	$waiter->query(add('plans are kept', $other)
		  . "DELETE FROM messages WHERE content = 'plans are kept'; $set");
	$before = rows();
	$holder->query('BEGIN;');
	$id = $holder->query(add('held'));
	$waiter->send(add('given up'));
	if ($set eq '')
	{
		wait_until_blocked($node, $waiter);
		sql($node, 'postgres',
			$name eq 'terminated'
			? "SELECT pg_terminate_backend($pid)"
			: "SELECT pg_cancel_backend($pid)");
	}
	($state) = $waiter->result;
	is($state, $expected, "$name: SQLSTATE $expected");
	is_same_text(rows(), $before, "$name: nothing was written");

	$waiter = session() if $name eq 'terminated';
	$waiter->query('RESET statement_timeout; RESET lock_timeout;');
	is($waiter->answer(add('to another session', $other)),
		$id + 1,
		"$name: the backend goes on with another session, and no id was drawn");
	$holder->query('ROLLBACK;');
	is($waiter->answer(add('to the same session')),
		$id + 2, "$name: and with the same one, once it is free");
	is($waiter->answer('SELECT pg_backend_pid();'),
		$pid, "$name: in the same backend")
	  if $name ne 'terminated';
	is( sql($node, 'postgres', <<"EOT"), 0,
SELECT count(*) FROM messages WHERE content IN ('given up', 'held') OR content LIKE 'lost%'
EOT
		"$name: nor does anything come up later");
}

note('in a transaction with savepoints');
{
	my $holder = session();
	my $waiter = session();

	$holder->query('BEGIN;' . add('held'));
	$waiter->query('BEGIN;' . add('kept', $other) . 'SAVEPOINT s;');
	$waiter->send(add('given up'));
	wait_until_blocked($node, $waiter);
	sql($node, 'postgres', 'SELECT pg_cancel_backend(' . $waiter->pid . ')');
	is(($waiter->result)[0], '57014', 'cancelled after a savepoint');
	$waiter->query('ROLLBACK TO s;' . add('kept too', $other) . 'COMMIT;');
	$holder->query('ROLLBACK;');
	is( sql($node, 'postgres',
			"SELECT string_agg(content, ', ' ORDER BY id) FROM messages WHERE content IN ('kept', 'kept too', 'held', 'given up')"
		),
		'kept, kept too',
		'the transaction goes on from the savepoint');
}

$node->stop;
done_testing();
