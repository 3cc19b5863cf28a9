# The server is killed, again and again, while writers of all kinds are at work: one of
# its backends, the postmaster, all processes at once, or the postmaster a second time
# while it recovers. After each recovery all that was acknowledged is there, once, and
# nothing that was not; what was on its way is there whole or not at all, and may be
# repeated; tables and indexes are sound.
#
# RAG_TEST_CRASHES says how many times (8 without it), RAG_TEST_SEED repeats a run.

use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagLoad;
use RagTest;
use Test::More;

my $crashes = $ENV{RAG_TEST_CRASHES} // 8;
my $seed = $ENV{RAG_TEST_SEED} // int(rand(2**31));

# As a server is: everything is flushed. Small buffers and frequent checkpoints put
# more of it on disk before the end.
my $node = start_server('main', 'fsync = on', 'synchronous_commit = on',
	'full_page_writes = on', 'shared_buffers = 4MB', 'max_wal_size = 32MB',
	'checkpoint_timeout = 30s', 'autovacuum_naptime = 1s', 'wal_compression = off');

sql($node, 'postgres', 'CREATE EXTENSION rag_events; CREATE EXTENSION amcheck');
my $load = RagLoad->new($node, 'postgres', seed => $seed, writers => 4);

sub pg_ctl_start { return system_log('pg_ctl', '-s', @_, '-D', $node->data_dir, '-l', $node->logfile, 'start') == 0; }

sub postmaster { return (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0]; }

# One that waits for a lock of a process that was killed never ends by itself.
sub end_orphans
{
	my $data = abs_path($node->data_dir);

	kill('KILL', grep { (readlink("/proc/$_/cwd") // '') eq $data } map { m{(\d+)$} } glob('/proc/[0-9]*'));
	return;
}

# Orphaned backends go on until they notice that the postmaster is gone, and the next
# one does not start before.
sub start_again
{
	for my $try (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return $node->_update_pid(1) if pg_ctl_start('-w');
		end_orphans() if $try % 50 == 0;
		select(undef, undef, undef, 0.1);
	}
	die 'the server does not start again';
}

# Lets a start run for a random moment, and kills it.
sub start_and_kill
{
	my $file = $node->data_dir . '/postmaster.pid';
	my $dead = slurp_file($file);

	for my $try (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		pg_ctl_start('-W');
		end_orphans() if $try % 50 == 0;
		select(undef, undef, undef, 0.02 + rand 0.2);
		next if !-s $file || slurp_file($file) eq $dead;    # orphans kept it from starting
		return kill('KILL', postmaster());
	}
	die 'the server does not start again';
}

# Kills a process, unless it has ended: then its parent may not have noticed, and a signal
# does nothing. One that is stopped has not.
sub kill_running
{
	my ($pid) = @_;

	kill('STOP', $pid) or return 0;
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		my $state = eval { slurp_file("/proc/$pid/stat") } // '';

		return kill('KILL', $pid) if $state =~ /^\d+ \(.*\) T/s;
		return 0 if $state eq '' || $state =~ /^\d+ \(.*\) [ZX]/s;
		select(undef, undef, undef, 0.01);
	}
	die "process $pid does not stop";
}

my %kill = (
	backend => sub {
		my @pids = $load->pids;
		my $first = int rand @pids;

		# One whose script is not at its end.
		for my $pid (@pids[ $first .. $#pids, 0 .. $first - 1 ])
		{
			$load->{killed} = $pid;
			return if kill_running($pid);
		}
		die 'the writers have ended';
	},
	postmaster => sub { $node->kill9; },
	all => sub {
		my @pids = split /\n/, sql($node, 'postgres', 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');

		kill('KILL', postmaster(), @pids);
		$node->kill9;
	},
	twice => sub { $node->kill9; });
my %start = (
	backend => sub { wait_until_recovered($node, $load->{killed}); },
	postmaster => \&start_again,
	all => \&start_again,
	twice => sub { start_and_kill(); start_again(); });

my @kinds = sort keys %kill;
my (%crashes, %messages);
my ($acknowledged, $on_their_way) = (0, 0);

for my $crash (1 .. $crashes)
{
	my $kind = $kinds[ ($crash - 1) % @kinds ];
	my $log = -s $node->logfile;

	$load->start($node);
	$load->run_until(20 + int rand 200);
	select(undef, undef, undef, rand 0.05);    # any moment of a call
	$kill{$kind}->();
	$acknowledged += $load->finish;
	$start{$kind}->();
	like(slurp_file($node->logfile, $log), qr/database system was not properly shut down/, "crash $crash ($kind): the server recovers");
	is_deeply([ $load->check($node) ], [], "... what was acknowledged is there once, and nothing else");
	is_deeply([ RagLoad::corruption($node, 'postgres') ], [], '... tables and indexes are sound');
	$crashes{$kind}++;
}

diag(sprintf('%d crashes (%s); %d calls acknowledged; %s messages in %s sessions; seed %d',
		$crashes, join(', ', map { "$_ $crashes{$_}" } sort keys %crashes), $acknowledged,
		split(/\|/, sql($node, 'postgres', 'SELECT count(*), (SELECT count(*) FROM sessions) FROM messages')), $seed));

# ---------------------------------------------------------------------------
# These checks see it
# ---------------------------------------------------------------------------

# Of messages, not all calls return the ids.
my $returned = join ', ', grep { defined } values %{ $load->{writers}[0]{ids} };

for my $case (
	[ 'a message that is lost', 'DELETE FROM messages WHERE id = (SELECT min(id) FROM messages)', qr/missing: message/ ],
	[
		'a message that is there twice',
		'INSERT INTO messages (session_id, role, content, top_k, latency_ms, metadata) SELECT session_id, role, content, top_k, latency_ms, metadata FROM messages ORDER BY id LIMIT 1',
		qr/is there twice/
	],
	[ 'a message that is another', q(UPDATE messages SET content = content || '.' WHERE id = (SELECT min(id) FROM messages)), qr/is not what was written/ ],
	[ 'a message under another id', "UPDATE messages SET id = nextval('messages_id_seq') WHERE id = (SELECT max(id) FROM messages WHERE id IN ($returned))", qr/has id/ ],
	[ 'a session that is lost', 'SET session_replication_role = replica; DELETE FROM sessions WHERE id IN (SELECT session_id FROM messages) AND user_id IS NOT NULL', qr/has lost its session/ ],
	[ 'a session that nobody made', q(SELECT rag_create_session('w1')), qr/unexpected: session/ ],
	[ 'a sequence that is behind', q(SELECT setval('messages_id_seq', 1)), qr/and the sequence at 1/ ],
	[ 'an index that is missing', 'DROP INDEX ix_sessions_created_at', qr/schema: index ix_sessions_created_at missing/ ])
{
	my ($name, $damage, $expected) = @$case;
	my $copy = RagLoad::copy_of($load);

	sql($node, 'postgres', 'CREATE DATABASE damaged TEMPLATE postgres');
	sql($node, 'damaged', $damage);
	$copy->{db} = 'damaged';
	like(join("\n", $copy->check($node)), $expected, "the check sees $name");
	sql($node, 'postgres', 'DROP DATABASE damaged');
}

for my $case (
	[ 'an index without a row', q(ALTER TABLE sessions SET (autovacuum_enabled = off);
UPDATE pg_index SET indisready = false, indislive = false WHERE indexrelid = 'ix_sessions_created_at'::regclass;
INSERT INTO sessions (id) SELECT gen_random_uuid();
UPDATE pg_index SET indisready = true, indislive = true WHERE indexrelid = 'ix_sessions_created_at'::regclass), qr/lacks matching index tuple/ ],
	[ 'a row of a transaction that is none', q(UPDATE pg_class SET relfrozenxid = pg_current_xact_id()::xid WHERE oid = 'messages'::regclass), qr/freeze threshold/ ])
{
	my ($name, $damage, $expected) = @$case;

	sql($node, 'postgres', 'CREATE DATABASE damaged TEMPLATE postgres');
	sql($node, 'damaged', "SET allow_system_table_mods = on; $damage");
	like(join("\n", RagLoad::corruption($node, 'damaged')), $expected, "amcheck sees $name");
	sql($node, 'postgres', 'DROP DATABASE damaged');
}

$node->stop;
done_testing();
