# make upgrade, make downgrade and the start-up script of the image beside those who hold
# locks: they say who is in the way and try again, end well once the way is free, and leave
# the database where it is if it does not get free.
#
# Nothing here depends on how long something takes. Whoever is to succeed may try as often
# as he likes, and the way gets free when he has told what is in it; whoever is to fail has
# somebody in his way all the time. Which of the errors ends an attempt is left open: the
# lock's timeout, a table that was not free at once, or a deadlock.

use strict;
use warnings;

use Cwd ();
use FindBin;
use lib $FindBin::RealBin;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use Test::More;

my $root = Cwd::abs_path("$FindBin::RealBin/../..");
my ($head) = slurp_file("$root/rag_events.control") =~ /^default_version = '(.*)'/m;
my $node = start_server('main', 'max_prepared_transactions = 5');
my $retried = qr/\((?:55P03|40P01|40001)\)/;

# Neither the make that runs the tests nor an .env file has a say.
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES TO FROM STEPS SCHEMA LOCK_TIMEOUT LOCK_ATTEMPTS LOCK_PAUSE)};
delete $ENV{$_} for grep { /^RAG_EVENTS_/ } keys %ENV;
@ENV{qw(PGHOST PGPORT PGDATABASE RAG_EVENTS_SQL)} =
  ($node->host, $node->port, 'postgres', "$root/docker/rag_events_start.sql");
chdir PostgreSQL::Test::Utils::tempdir() or die;

my $migrate = "$root/tools/migrate.sh";
my @make = ('make', '-s', '--no-print-directory', '-C', $root);
my $start = "$root/docker/rag_events_start.sh";
my %quick = (LOCK_TIMEOUT => '50ms', LOCK_PAUSE => '0.01');

# settings(PREFIX, ATTEMPTS): as words for env.
sub settings
{
	my ($prefix, $attempts) = @_;
	my %of = (%quick, LOCK_ATTEMPTS => $attempts);

	return ('env', map { "$prefix$_=$of{$_}" } sort keys %of);
}

# The three ways, each as a function of the number of attempts.
my $tool = sub { my ($n, @goal) = @_; return (settings('', $n), $migrate, @goal); };
my $goal = sub { my ($n, @goal) = @_; return (@make, @goal, (settings('', $n))[ 1 .. 3 ]); };
my $startup = sub { my ($n) = @_; return (settings('RAG_EVENTS_', $n), $start); };
my $forever = 999999;

sub version
{
	return sql($node, 'postgres', "SELECT extversion FROM pg_extension WHERE extname = 'rag_events'");
}

# at(VERSION): installs it anew, with a conversation.
sub at
{
	my ($version) = @_;

	sql($node, 'postgres', "SET client_min_messages = warning; DROP EXTENSION IF EXISTS rag_events; CREATE EXTENSION rag_events VERSION '$version'");
	sql($node, 'postgres', conversations('public'));
	return;
}

# run(COMMAND...): exit status, output, errors.
sub run
{
	my ($out, $err) = ('', '');

	IPC::Run::run([@_], '<', \undef, '>', \$out, '2>', \$err,
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return ($? >> 8, $out, $err);
}

# run_until_told(PATTERN, FREE, COMMAND...): the same, and calls FREE as soon as what it
# tells matches. Returns whether it did as well.
sub run_until_told
{
	my ($pattern, $free, @command) = @_;
	my ($out, $err) = ('', '');
	my $timeout = IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default);
	my $run = IPC::Run::start([@command], '<', \undef, '>', \$out, '2>', \$err, $timeout);

	$run->pump while $err !~ $pattern && $run->pumpable;
	my $told = $err =~ $pattern;
	$free->();
	$run->finish;
	return ($run->result(0), $out, $err, $told);
}

# reader(STATEMENT): a transaction that has run it, and stays open.
sub reader
{
	my ($statement) = @_;
	my $session = RagTest::Session->new($node, 'postgres');

	$session->query('BEGIN');
	$session->query($statement);
	return $session;
}

# How many attempts it tells of.
sub attempts { my ($err) = @_; return scalar(() = $err =~ /^Attempt \d+ of \d+ /mg); }

# ---------------------------------------------------------------------------
# Who lets go
# ---------------------------------------------------------------------------

for my $test (
	[ 'make upgrade', $goal, ['upgrade'], '1.0', $head, "Updated rag_events from 1.0 to $head.\n" ],
	[ 'make downgrade', $goal, [ 'downgrade', 'TO=1.1' ], $head, '1.1', "Went back from rag_events $head to 1.1.\n" ],
	[ 'upgrade', $tool, [ 'upgrade', 'STEPS=1' ], '1.1', '1.2', "Updated rag_events from 1.1 to 1.2.\n" ],
	[ 'the start-up script', $startup, [], '1.0', $head, '' ])
{
	my ($name, $way, $args, $from, $to, $says) = @$test;

	at($from);
	my $rows = rows_of($node, 'postgres', 'public') if $from ne '1.0';
	my $reader = reader('SELECT count(*) AS long_report FROM messages');
	my $pid = $reader->pid;
	my ($status, $out, $err, $told) =
	  run_until_told(qr/^  pid $pid, .*\n/m, sub { $reader->query('COMMIT') }, $way->($forever, @$args));

	ok($told, "$name beside a reader says who is in the way");
	like($err, qr/^Attempt 1 of $forever to get the locks to go from \Q$from\E to \S+: .*$retried\. In the way:\n/m, '... and that it tries again');
	like($err, qr/^  pid $pid, idle in transaction, for \d+ s, has AccessShareLock on messages: SELECT count\(\*\) AS long_report FROM messages;?\n/m,
		'... since when, with which lock, and what it runs');
	is($status, 0, '... and succeeds when the reader has ended');
	is($out, $says, '... which it says');
	is(version(), $to, "... at $to");
	is(sql($node, 'postgres', 'SELECT count(*) FROM rag_check_schema()'), 0, '... and all is as it should be');
	isnt(sql($node, 'postgres', 'SELECT count(*) FROM messages'), 0, '... with the messages');
}

# Each step is a transaction of its own. (The log does not say so: it has the times of
# transactions.)
at('1.0');
is((run($tool->($forever, 'upgrade')))[0], 0, 'upgrade with nobody in the way');
is(sql($node, 'postgres', 'SELECT count(DISTINCT xmin::text) = count(*) FROM rag_migration_log'), 't',
	'... makes each step in a transaction of its own');
at('1.0');
is((run($startup->($forever)))[0], 0, 'the start-up script with nobody in the way');
is(sql($node, 'postgres', 'SELECT count(DISTINCT xmin::text) = count(*) FROM rag_migration_log'), 't', '... too');

# ---------------------------------------------------------------------------
# Who does not
# ---------------------------------------------------------------------------

# fails(NAME, VERSION, END, COMMAND...): two attempts, and then an error with END, the
# statement that helps; the database stays at VERSION. Returns what it tells.
sub fails
{
	my ($name, $version, $end, @command) = @_;
	my ($status, $out, $err) = run(@command);

	isnt($status, 0, "$name fails in the end");
	is($out, '', '... and claims nothing');
	is(version(), $version, "... the database stays at $version");
	is(attempts($err), 1, '... after as many attempts as it was told to make, of which the last has no next');
	like($err, qr/^error: the locks .* were not to be had in 2 attempts; the last: .*$retried\n/m, '... which it says');
	like($err, qr/^rag_events is at \Q$version\E\. /m, '... with the version');
	like($err, qr/^    \Q$end\E\n/m, '... and what ends what is in the way');
	like($err, qr/LOCK_TIMEOUT \(now 50ms; 0: for ever\)/, '... or how to wait longer');
	unlike($err, qr/[\x00-\x09\x0b-\x1f\x7f]/, '... without control characters');
	return $err;
}

at('1.1');
my $hostile = "SELECT '\x1b[31mred \x07\xc2\x9b31m\xe2\x80\xae\ttab\nline', count(*) FROM messages";
my $padding = ' -- ' . 'x' x 200;
my $reader = reader("$hostile$padding\n");
my $pid = $reader->pid;
my $shown = "SELECT '?[31mred ??31m? tab line', count(*) FROM messages";
$shown .= substr($padding, 0, 80 - length($shown)) . ' ...';

for my $test (
	[ 'upgrade', $tool, 'upgrade', 'TO=1.2' ],
	[ 'downgrade', $tool, 'downgrade' ],
	[ 'the start-up script', $startup ])
{
	my ($name, $way, @args) = @$test;
	my $err = fails("$name beside one who never lets go", '1.1', "SELECT pg_terminate_backend($pid);", $way->(2, @args));
	my @lines = $err =~ /^  pid $pid, .*? on messages: (.*)$/mg;

	is_deeply([ sort { $a cmp $b } @lines ], [ $shown, $shown ], '... and shows the query each time, cut and clean');
}
my ($status, $out, $err) = run($goal->(2, 'upgrade'));
is($status, 2, 'make fails as well');
is($out, '', '... and claims nothing');

($status, $out, $err) = run_until_told(
	qr/^LOCK_TIMEOUT is 0: .*\n  pid $pid, /m,
	sub { sql($node, 'postgres', "SELECT pg_terminate_backend($pid)") },
	'env', 'LOCK_TIMEOUT=0', 'LOCK_ATTEMPTS=1', $migrate, 'upgrade', 'TO=1.2');
is($status, 0, 'without a timeout, one attempt waits until the reader is ended as the message said');
like($err, qr/^  pid $pid, /m, '... and says who is in the way, too');
is(attempts($err), 0, '... once');
is(version(), '1.2', '... at 1.2');

# Who has the lock of migrations and does nothing with it.
my $idle = reader("SELECT pg_advisory_xact_lock(hashtext('rag_events'))");
$pid = $idle->pid;
for my $test ([ 'downgrade', $tool, 'downgrade' ], [ 'the start-up script', $startup ])
{
	my ($name, $way, @args) = @$test;

	$err = fails("$name beside an idle migration", '1.2', "SELECT pg_terminate_backend($pid);", $way->(2, @args));
	like($err, qr/^  pid $pid, idle in transaction, for \d+ s, has the lock of migrations: /m, '... and says who has which lock');
}
$idle->query('COMMIT');

# One that is at work is waited for, and that is no attempt. This one holds the lock while
# it waits for the lock of a table.
$reader = reader('SELECT count(*) FROM messages');
my $other = reader("SELECT pg_advisory_xact_lock(hashtext('rag_events'))");
$pid = $other->pid;
$other->send('LOCK TABLE messages');
wait_until_blocked($node, $other);
my $told;
($status, $out, $err, $told) = run_until_told(
	qr/\A(?:Another migration is at work:\n(?:  .*\n)*  pid $pid, active, .*\n(?:  .*\n)*Trying again.*\n){3}/,
	sub { $reader->query('COMMIT'); $other->result; $other->query('COMMIT') },
	$tool->($forever, 'downgrade'));
ok($told, 'another migration at work is waited for, and not counted as an attempt');
is($status, 0, '... until it has ended');
is($out, "Went back from rag_events 1.2 to 1.1.\n", '... and then the step is made');

# ---------------------------------------------------------------------------
# Prepared transactions
# ---------------------------------------------------------------------------

for my $test (
	[ 'plain', 'plain', "ROLLBACK PREPARED 'plain';" ],
	[ q(it's \\ one), q(it's \\ one), q(ROLLBACK PREPARED E'it''s \\\\ one';) ],
	[ "esc\x1b[31m'\xc2\x9b", 'with control characters', q(ROLLBACK PREPARED E'esc\u001b[31m''\u009b';) ])
{
	my ($gid, $name, $end) = @$test;

	at('1.1');
	my $session = reader("INSERT INTO sessions (id) VALUES ('00000000-0000-0000-0000-00000000000a')");
	$session->query("PREPARE TRANSACTION '" . ($gid =~ s/'/''/gr) . "'");
	$session->quit;
	for my $way ([ 'upgrade', $tool, 'upgrade', 'TO=1.2' ], [ 'the start-up script', $startup ])
	{
		my ($what, $how, @args) = @$way;

		$err = fails("$what beside the prepared transaction $name", '1.1', $end, $how->(2, @args));
		like($err, qr/^  prepared transaction .*, for \d+ s, has RowExclusiveLock on sessions\n/m, '... and tells its locks');
	}
	# It holds the same locks when the server was started anew.
	if ($gid eq 'plain')
	{
		$node->restart;
		fails('upgrade after a restart', '1.1', $end, $tool->(2, 'upgrade', 'TO=1.2'));
	}
	sql($node, 'postgres', ($err =~ /^    (ROLLBACK PREPARED .*;)$/m)[0]);
	is((run($tool->($forever, 'upgrade', 'TO=1.2')))[0], 0, '... and goes on when it was ended as the message said');
	is(version(), '1.2', '... at 1.2');
}

# ---------------------------------------------------------------------------
# Other errors, and the other SQLSTATEs
# ---------------------------------------------------------------------------

# ends_at_once(NAME, VERSION, ERROR, COMMAND...)
sub ends_at_once
{
	my ($name, $version, $error, @command) = @_;
	my ($status, $out, $err) = run(@command);

	is($status, 1, "$name ends with an error");
	like($err, $error, '... which is told');
	is($out, '', '... and claims nothing');
	unlike($err, qr/Attempt|Trying again|In the way/, '... at the first attempt');
	is(version(), $version, "... the database stays at $version");
	return $err;
}

at('1.1');
sql($node, 'postgres', 'UPDATE messages SET token_count = 5');
ends_at_once('a step down that would lose data', '1.1', qr/^ERROR:  this step down would lose data\n/m, $tool->(12, 'downgrade'));
ends_at_once('a version that is not there', '1.1', qr/^error: there is no version "0\.9"/m, $tool->(12, 'downgrade', 'TO=0.9'));
for my $setting ([ 'LOCK_TIMEOUT', 'soon' ], [ 'LOCK_TIMEOUT', '5 s' ], [ 'LOCK_ATTEMPTS', '0' ], [ 'LOCK_PAUSE', '1.' ])
{
	my ($variable, $value) = @$setting;

	ends_at_once("$variable=$value", '1.1', qr/^error: $variable is "\Q$value\E"/m, $migrate, 'upgrade', "$variable=$value");
	ends_at_once("RAG_EVENTS_$variable=$value", '1.1', qr/^error: RAG_EVENTS_$variable is "\Q$value\E"/m, 'env', "RAG_EVENTS_$variable=$value", $start);
}

# An event trigger lets steps from a version fail, a number of times, as the table fail says.
sub let_fail
{
	my ($version, $state, $times) = @_;

	sql($node, 'postgres', <<"EOT");
DROP EVENT TRIGGER IF EXISTS fail;
DROP SEQUENCE IF EXISTS failed;
CREATE SEQUENCE failed;
CREATE OR REPLACE FUNCTION fail() RETURNS event_trigger LANGUAGE plpgsql AS \$\$
BEGIN
  IF EXISTS (SELECT FROM pg_extension WHERE extname = 'rag_events' AND extversion = '$version') AND nextval('failed') <= $times THEN
    RAISE 'made to fail' USING ERRCODE = '$state';
  END IF;
END \$\$;
CREATE EVENT TRIGGER fail ON ddl_command_start WHEN TAG IN ('ALTER EXTENSION') EXECUTE FUNCTION fail();
EOT
	return;
}

for my $way ([ 'upgrade', $tool, 'upgrade' ], [ 'the start-up script', $startup ])
{
	my ($name, $how, @args) = @$way;

	for my $state (qw(55P03 40P01 40001))
	{
		at('1.0');
		let_fail('1.1', $state, 2);
		($status, $out, $err) = run($how->($forever, @args));
		is($status, 0, "$name tries again on $state");
		like($err, qr/^Attempt $_ of $forever to get the locks to go from 1\.1 to 1\.2: made to fail \($state\)/m, "... attempt $_") for 1, 2;
		is(version(), $head, "... and comes to $head");
	}
	at('1.0');
	let_fail('1.1', 'P0001', 1000);
	ends_at_once("an error in the second step of $name", '1.1', qr/^(?:psql:\S+ )?ERROR:  made to fail\n/m, $how->(12, @args));
	is(sql($node, 'postgres', 'SELECT last_value FROM failed'), 1, '... when it was tried once');
	is(sql($node, 'postgres', 'SELECT count(*) FROM rag_check_schema()'), 0, '... and the first step is there as a whole');
}
at('1.0');
($status, $out, $err) = run($tool->(12, 'upgrade'));
like($err, qr/^rag_events went from 1\.0 to 1\.1 before that, and stays there\./m, '... which upgrade says');

$node->stop;
done_testing();
