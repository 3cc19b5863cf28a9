# Retention as docs/retention.md has it, to the letter: by a real pg_cron as an ordinary
# role, in both ways in which that runs jobs, beside writers; by a DO block and by \watch
# under load. What the page shows is what runs here; only times and sizes are smaller.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagLoad;
use RagTest;
use Test::More;

my $db = 'mydb';
my $page = slurp_file("$FindBin::RealBin/../../docs/retention.md");
my $roles = "$FindBin::RealBin/../../examples/roles.sql";
my $patience = 2 * $PostgreSQL::Test::Utils::timeout_default;

# How many sessions are to expire, and how many go at once.
my $old = 45;
my $batch = 30;

# block(PATTERN): the one block of the page that has it.
sub block
{
	my ($pattern) = @_;
	my @found = grep { /$pattern/ } $page =~ /^```\w*\n(.*?)^```$/msg;

	die scalar(@found) . " blocks of docs/retention.md match $pattern" if @found != 1;
	return $found[0];
}

# smaller(SQL): in the test's batches.
sub smaller
{
	my ($sql) = @_;

	$sql =~ s/\b1000\b/$batch/ or die "no size in $sql";
	return $sql;
}

# ---------------------------------------------------------------------------
# What is there
# ---------------------------------------------------------------------------

sub session_id { return sprintf("'%032d'", @_); }

# add(N, TEXT): a message to session N.
sub add { return 'SELECT chat.rag_add_message(' . session_id($_[0]) . ", 'user', '$_[1]')"; }

# prepare(NODE): the roles; sessions that are to expire (the first $old of them), five
# pinned ones of that age, and five that are awake. A trigger on the messages notes who
# deletes those of how many (on the sessions, it would change the way that is taken).
sub prepare
{
	my ($node) = @_;

	sql($node, 'postgres', "CREATE DATABASE $db");
	is(join('', run_command([ 'psql', '-Xq', '-d', $node->connstr($db), '-f', $roles ])),
		'', $node->name . ': examples/roles.sql');
	sql($node, $db, <<"EOT");
CREATE ROLE keeper LOGIN PASSWORD 'of the keeper' IN ROLE rag_keeper;
CREATE ROLE no_password LOGIN PASSWORD 'that nobody has' IN ROLE rag_keeper;
CREATE ROLE outsider LOGIN IN ROLE rag_reader;
CREATE ROLE app LOGIN IN ROLE rag_writer;
INSERT INTO chat.sessions (id, user_id, created_at, updated_at, metadata)
SELECT lpad(n::text, 32, '0')::uuid, kind, timestamp '2020-01-01' + n * interval '1 day',
       CASE kind WHEN 'awake' THEN LOCALTIMESTAMP - interval '80 days' ELSE '2021-01-01' END,
       CASE kind WHEN 'pinned' THEN '{"pinned": true, "title": "x"}' ELSE '{"title": "x"}' END::jsonb
FROM (SELECT n, CASE WHEN n <= $old THEN 'old' WHEN n <= $old + 5 THEN 'pinned' ELSE 'awake' END AS kind FROM generate_series(1, $old + 10) AS n) AS s;
INSERT INTO chat.messages (session_id, role, content) SELECT id, 'user', 'x' FROM chat.sessions, generate_series(1, 3);
CREATE TABLE batches (by name, id bigint, sessions bigint);
CREATE FUNCTION note() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql
AS 'BEGIN INSERT INTO public.batches SELECT session_user, txid_current(), count(DISTINCT session_id) FROM gone; RETURN NULL; END';
CREATE TRIGGER note AFTER DELETE ON chat.messages REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note();
EOT
	return;
}

# kinds(NODE): the sessions and messages of prepare() that are there.
sub kinds
{
	my ($node) = @_;

	return sql($node, $db, <<'EOT');
SELECT string_agg(format('%s: %s, %s', user_id, sessions, messages), '; ' ORDER BY user_id)
FROM (SELECT user_id, count(DISTINCT s.id) AS sessions, count(*) AS messages
      FROM chat.messages AS m LEFT JOIN chat.sessions AS s ON s.id = session_id WHERE content = 'x' GROUP BY 1) AS kind
EOT
}

# batches(NODE): who has deleted how many in each transaction.
sub batches
{
	my ($node) = @_;

	return sql($node, $db, <<'EOT');
SELECT string_agg(concat_ws(' ', by, n), ', ' ORDER BY id)
FROM (SELECT by, id, sum(sessions) AS n FROM batches GROUP BY by, id HAVING sum(sessions) > 0) AS batch
EOT
}

# What is right in the end where somebody has come back to the first session.
my $all_kinds = "awake: 5, 15; old: $old, " . 3 * $old . '; pinned: 5, 15';
my $kept_kinds = 'awake: 5, 15; old: 1, 3; pinned: 5, 15';

# ---------------------------------------------------------------------------
# By pg_cron
# ---------------------------------------------------------------------------

# cron_version(): of the pg_cron that this PostgreSQL has, 0 if it has none.
sub cron_version
{
	my ($share) = run_command([ 'pg_config', '--sharedir' ]);
	my $control = "$share/extension/pg_cron.control";

	return 0 if !-e $control;
	return slurp_file($control) =~ /default_version = '([\d.]+)/ ? $1 : die "no version in $control";
}

my $cron_version = cron_version();

# From 1.5 on pg_cron knows seconds; before, a minute is the least. Where there are
# minutes, the hour stays a part of a time, in GMT as the page says: the servers are in
# another zone.
my $hour = (gmtime)[2];
my $often = $cron_version >= 1.5 ? '5 seconds' : "* $hour," . ($hour + 1) % 24 . ' * * *';

# scheduled(SQL): a job of the page, now and often.
sub scheduled
{
	my ($sql) = @_;

	$sql =~ s/'[\d*]+ \d+ \* \* \*'/'$often'/ or die "no time in $sql";
	return $sql;
}

# schedule(NODE, ROLE): by a superuser who becomes ROLE; passwords do not matter here.
sub schedule
{
	my ($node, $role, $schedule) = @_;

	sql($node, $db, "SET SESSION AUTHORIZATION $role; $schedule");
	return;
}

# start_cron(NAME, SETTING...): a server with pg_cron as the page says. Two roles need a
# password to connect, and only that of keeper is in .pgpass.
sub start_cron
{
	my ($name, @settings) = @_;
	my $node = start_server($name, "timezone = 'Asia/Kolkata'", 'max_connections = 50', block(qr/^shared_preload_libraries/m), @settings);
	my $hba = $node->data_dir . '/pg_hba.conf';
	my $lines = slurp_file($hba);

	prepare($node);
	sql($node, $db, 'CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO keeper, no_password, outsider');
	sql($node, $db, 'SET ROLE rag_owner; ' . block(qr/CREATE TABLE chat\.expired/));
	unlink $hba;
	$node->append_conf('pg_hba.conf', "local all keeper,no_password scram-sha-256\n$lines");
	$node->reload;
	return $node;
}

# start_jobs(NODE): those of the page, and such as must fail.
sub start_jobs
{
	my ($node) = @_;
	my $failing = "SELECT cron.schedule('%s', '$often', 'SELECT * FROM %srag_expire_sessions(''90 days'')')";

	# A run of keeper's and one of another role that have ended long ago.
	sql($node, $db, <<"EOT");
INSERT INTO cron.job_run_details (jobid, database, username, status, end_time)
SELECT 0, '$db', name, 'succeeded', now() - interval '8 days' FROM unnest(ARRAY['keeper', 'outsider']) AS name
EOT
	schedule($node, 'keeper', scheduled(smaller(block(qr/cron\.schedule\('expire'/))));
	schedule($node, 'keeper', scheduled(block(qr/cron\.schedule\('expire-log'/)));
	schedule($node, 'keeper', sprintf($failing, 'no schema', ''));
	schedule($node, 'outsider', sprintf($failing, 'no right', 'chat.'));
	sql($node, $db, 'ALTER ROLE no_password SET search_path = chat');
	schedule($node, 'no_password', "SELECT cron.schedule('no password', '$often', 'SELECT * FROM rag_expire_sessions(''90 years'')')");
	return;
}

# ends(NODE, JOB): how its runs have ended, each way once.
sub ends
{
	my ($node, $job) = @_;

	return sql($node, $db, <<"EOT");
SELECT string_agg(DISTINCT concat_ws(': ', r.username, r.status, split_part(trim(return_message), E'\\n', 1)), '; ')
FROM cron.job_run_details AS r JOIN cron.job USING (jobid) WHERE jobname = '$job' AND r.status IN ('succeeded', 'failed')
EOT
}

# is_done(NODE): whether what is to go has gone, and every job has run.
sub is_done
{
	my ($node) = @_;

	return sql($node, $db, <<"EOT") eq 't';
SELECT NOT EXISTS (SELECT FROM chat.sessions WHERE user_id = 'old' AND id <> ${\ session_id(1)})
   AND count(DISTINCT jobid) FILTER (WHERE status IN ('succeeded', 'failed')) = 5
   AND count(*) FILTER (WHERE status = 'succeeded' AND command ~ 'chat.expired') >= 2
FROM cron.job_run_details WHERE jobid <> 0
EOT
}

# run_jobs(NODE...): until all is done there, while sessions that are awake are written
# to, and somebody comes back to the first of the old ones: he has not committed when
# the first batch goes. Returns how many messages were written.
sub run_jobs
{
	my @nodes = @_;
	my $deadline = time + $patience;
	my (@writers, %sleeper);
	my $written = 0;

	for my $node (@nodes)
	{
		$sleeper{ $node->name } = RagTest::Session->new($node, $db, 'app');
		$sleeper{ $node->name }->query('BEGIN; ' . add(1, 'back again'));
		push @writers, map { [ RagTest::Session->new($node, $db, 'app'), $_ ] } $old + 6 .. $old + 8;
		start_jobs($node);
	}
	while (grep { !is_done($_) } @nodes)
	{
		if (time > $deadline)
		{
			diag(sql($_, $db, 'TABLE cron.job_run_details')) for @nodes;
			die 'the jobs do not get done';
		}
		for my $node (grep { batches($_) ne '' } @nodes)
		{
			my $sleeper = delete $sleeper{ $node->name } // next;

			$sleeper->query('COMMIT');
		}
		for (1 .. 10)
		{
			$_->[0]->query(add($_->[1], 'on and on')) for @writers;
			$written++;
			select(undef, undef, undef, 0.02);
		}
	}
	return 3 * $written;
}

sub check_cron
{
	my ($node, $written, $no_password) = @_;
	my $name = $node->name;

	is(kinds($node), $kept_kinds, "$name: what is pinned, awake or woke up stays, and no more");
	is( sql($node, $db, "SELECT count(*) FROM chat.messages WHERE content = 'on and on'"),
		$written, "$name: every message is there that was written meanwhile");
	is(batches($node), "keeper $batch, keeper " . ($old - 1 - $batch), "$name: it goes in batches, by the role itself");
	is( sql($node, $db, "SELECT string_agg(concat_ws(' ', sessions, messages, oldest, more), ', ' ORDER BY at) FROM chat.expired WHERE sessions > 0"),
		join(', ', map { "$_->[0] " . 3 * $_->[0] . " 2021-01-01 00:00:00 $_->[1]" } [ $batch, 't' ], [ $old - 1 - $batch, 'f' ]),
		"$name: the table has what was deleted");
	like(ends($node, 'expire'), qr/^keeper: succeeded: INSERT 0 1[^;]*$/, "$name: the log has that it succeeded");
	like(ends($node, 'no right'), qr/^outsider: failed: ERROR:.*permission denied for table sessions$/, "$name: ... and that a role lacks the right");
	like(ends($node, 'no schema'), qr/^keeper: failed: ERROR:.*function rag_expire_sessions\(unknown\) does not exist$/,
		"$name: ... and that a name is not found");
	like(ends($node, 'no password'), $no_password, "$name: ... and how it goes without a password");
	is( sql($node, $db, 'SELECT string_agg(username, $$ $$) FROM cron.job_run_details WHERE jobid = 0'),
		'outsider', "$name: a role empties its own log");
	is( sql($node, $db,
			'SET SESSION AUTHORIZATION keeper; SELECT count(*) FROM ('
			  . block(qr/return_message/) =~ s/;\s*\z//r
			  . ') AS log; SELECT DISTINCT username FROM cron.job_run_details'),
		"3\nkeeper", "$name: a role sees its own log");
	is(sql($node, $db, "SELECT coalesce(current_setting('cron.timezone', true), 'GMT')"), 'GMT', "$name: in GMT");
	return;
}

SKIP:
{
	skip('pg_cron is not installed for this PostgreSQL', 1) if !$cron_version;
	my $passwords = PostgreSQL::Test::Utils::tempdir() . '/pgpass';

	append_to_file($passwords, "*:*:*:keeper:of the keeper\n");
	chmod 0600, $passwords or die $!;
	local $ENV{PGPASSFILE} = $passwords;

	# The folder of the sockets.
	my $host = PostgreSQL::Test::Cluster->new('host')->host;
	my $connection = start_cron('connection', "cron.host = '$host'");
	my $worker = start_cron('worker', 'cron.use_background_workers = on', 'max_worker_processes = 20');
	my $written = run_jobs($connection, $worker);

	note("pg_cron $cron_version, $written messages in each database meanwhile");
	is(sql($worker, $db, 'SHOW cron.host'), 'localhost', 'connections would go to localhost');
	check_cron($connection, $written, qr/^no_password: failed: connection failed$/);
	check_cron($worker, $written, qr/^no_password: succeeded: [^;]*$/);
	$_->stop for $connection, $worker;
}

# ---------------------------------------------------------------------------
# By a DO block, and by psql
# ---------------------------------------------------------------------------

# The load is in the schema of the connection.
my $node = start_server('loops');

prepare($node);
sql($node, $db, 'ALTER DATABASE mydb SET search_path = chat, public');
is(kinds($node), $all_kinds, 'all are there');

my $load = RagLoad->new($node, $db, seed => 1, writers => 2, calls => 2000, adding => 1);
my $sleeper = RagTest::Session->new($node, $db, 'app');

$sleeper->query('BEGIN; ' . add(1, 'back again'));
$load->start($node);
$load->run_until(20);
sql($node, $db, smaller(block(qr/^DO /m)), 'keeper');
is(batches($node), "keeper $batch, keeper " . ($old - 1 - $batch), 'a DO block commits after each batch, and passes over who is written to');
is(kinds($node), $kept_kinds, 'what is pinned or awake stays');
$load->run_until(20 + $load->acknowledged);

# Nothing came of that message. The loop goes on until it is interrupted.
my $watch = smaller(block(qr/\\watch/));
my $file = PostgreSQL::Test::Utils::tempdir() . '/watch.sql';
my ($out, $err) = ('', '');

$watch =~ s/\\watch 10$/\\watch 1/m or die $watch;
append_to_file($file, $watch);
my $psql = IPC::Run::start([ 'psql', '-XAt', '-d', $node->connstr($db), '-U', 'keeper', '-f', $file ], '>' => \$out, '2>' => \$err);

$node->poll_query_until($db, "SELECT state = 'idle' FROM pg_stat_activity WHERE usename = 'keeper' AND query ~ 'rag_expire'") or die 'no \watch';
$sleeper->query('ROLLBACK');
$node->poll_query_until($db, "SELECT NOT EXISTS (SELECT FROM sessions WHERE user_id = 'old')") or die '\watch does not go on';
$psql->signal('INT');
eval { $psql->finish; 1 } or die $@;
is($err, '', '\watch goes on until it is interrupted');
like($out, qr{\A0\|0\|\|f\n+(0\|0\|\|f\n+)*1\|3\|2021-01-01 00:00:00\|f\n}, '... and comes back to what was passed over');
is(kinds($node), $kept_kinds =~ s/old.*?; //r, '... and no more than that has gone');
$load->stop($node);
is_deeply([ $load->check($node) ], [], 'of what was written meanwhile, all is there');
$node->stop;

done_testing();
