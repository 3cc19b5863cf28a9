# Under pressure: calls that are cancelled at random points, no memory, no room, values
# at PostgreSQL's limits, locks, no connection left, DISCARD ALL, and prepared statements
# while the extension is updated. What was acknowledged is there, nothing is there by
# half, errors are errors, and the server lives.
#
# (040_bulk.pl has a full disk during a bulk write and calls that end at a chosen point,
# 030_crash.pl waits that end before their time.)

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use IPC::Run;
use List::Util qw(sum uniq);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use Test::More;

my $seed = $ENV{RAG_TEST_SEED} // int(rand(1_000_000_000));
my $cancelled_calls = $ENV{RAG_TEST_CANCELLED_CALLS} // 400;
my $node = start_server('pressure', 'max_connections = 25', 'log_min_messages = error', 'log_error_verbosity = verbose');
my $start = sql($node, 'postgres', 'SELECT pg_postmaster_start_time()');

srand($seed);
note("RAG_TEST_SEED=$seed");
sql($node, 'postgres', 'CREATE EXTENSION rag_events');

sub id { my ($n) = @_; return sprintf("'00000000-0000-0000-0000-%012d'", $n); }

sub session { return RagTest::Session->new($node, 'postgres', @_); }

# fresh(N): no data but N sessions with 20 messages each.
sub fresh
{
	my ($n) = @_;

	sql($node, 'postgres', 'TRUNCATE sessions, messages, rag_feedback');
	sql($node, 'postgres', 'SELECT rag_add_messages(' . id($_) . q{, (SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', 'first ' || n)) FROM generate_series(1, 20) AS n), create_session => true)})
	  for 1 .. $n;
	return;
}

sub rows { return rows_of($node, 'postgres', 'public'); }

# whole(NAME): indexes and table agree, every message has its session, and the server
# has not been started anew.
sub whole
{
	my ($name) = @_;

	is( sql($node, 'postgres', <<'EOT'), "0|0|t", "$name: tables and indexes are whole");
SET enable_seqscan = on; SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off;
CREATE TEMP TABLE by_table AS SELECT id, session_id FROM messages;
SET enable_seqscan = off; SET enable_indexscan = on; SET enable_indexonlyscan = on;
CREATE TEMP TABLE by_index AS SELECT id, session_id FROM messages ORDER BY session_id, id;
SELECT (SELECT count(*) FROM messages m WHERE NOT EXISTS (SELECT FROM sessions s WHERE s.id = m.session_id)),
       (SELECT count(*) FROM rag_check_schema() WHERE kind <> 'not_dumped'),
       (SELECT count(*) FROM by_table) = (SELECT count(*) FROM by_index) AND NOT EXISTS (TABLE by_table EXCEPT ALL TABLE by_index)
EOT
	is(sql($node, 'postgres', 'SELECT pg_postmaster_start_time()'), $start, "$name: the server went on all the time");
	return;
}

# run_scripts(SCRIPT...): psql runs all of them at the same time. Returns for each its
# output and errors.
sub run_scripts
{
	my (@scripts) = @_;
	my @running;
	my $n = 0;

	for my $script (@scripts)
	{
		my %psql = (out => '', err => '');
		my $file = PostgreSQL::Test::Utils::tempdir() . '/script' . ++$n . '.sql';

		open(my $handle, '>', $file) or die $!;
		print $handle $script;
		close $handle;
		$psql{handle} = IPC::Run::start(
			[ 'psql', '-XAtq', '-v', 'VERBOSITY=sqlstate', '-d', $node->connstr('postgres') . ' application_name=victim', '-f', $file ],
			'>' => \$psql{out}, '2>' => \$psql{err},
			IPC::Run::timeout(3 * $PostgreSQL::Test::Utils::timeout_default));
		push @running, \%psql;
	}
	$_->{handle}->finish for @running;
	return @running;
}

sub states { my ($err) = @_; return $err =~ /(?:ERROR|FATAL|PANIC):\s+([0-9A-Z]{5})\b/g; }

# ---------------------------------------------------------------------------
note('calls cancelled and timed out at random points');
# ---------------------------------------------------------------------------

# Each call writes so many messages, all named after it, and says so when it is done.
# A time-out of a random length, and another client that cancels whatever runs.
for my $way ('directly', 'by INSERT')
{
	my (@scripts, %size, @results, %stored);
	my ($acknowledged, $given_up) = (0, 0);

	fresh(4);
	sql($node, 'postgres', <<'EOT') if $way eq 'by INSERT';
CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER pass BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION pass();
EOT
	for my $client (1 .. 3)
	{
		my $script = '';

		for my $call (1 .. $cancelled_calls / 4)
		{
			my $tag = "call $client $call";
			my $n = (1, 5, 100, 3000)[ int(rand(4)) ];
			my $to = id(1 + int(rand(4)));
			my $messages = qq((SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', '$tag', 'idempotency_key', '$tag ' || n)) FROM generate_series(1, $n) AS n));
			my $set = 'SET statement_timeout = ' . (rand() < 0.5 ? 0 : 1 + int(rand(60))) . ';';

			$size{$tag} = $n;
			$script .= "$set\n";
			if (rand() < 0.2)
			{
				# A new session each, by the document of another one.
				$script .= "SELECT '$tag', rag_import_session(jsonb_build_object('messages', $messages)) IS NOT NULL;\n";
			}
			else
			{
				$script .= "SELECT '$tag', cardinality(rag_add_messages($to, $messages)) = $n;\n";
			}
		}
		push @scripts, $script;
	}
	push @scripts, join('', map {
			sprintf("SELECT pg_sleep(%.4f); SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE application_name = 'victim' AND pid <> pg_backend_pid() AND state = 'active' AND random() < 0.7;\n", rand(0.03))
		} 1 .. $cancelled_calls);
	@results = run_scripts(@scripts);
	for my $client (0 .. 2)
	{
		my @unexpected = grep { $_ ne '57014' } states($results[$client]{err});

		is("@unexpected", '', "$way, client $client: no error but that it was cancelled");
		$given_up += () = states($results[$client]{err});
	}
	$stored{ (split /\|/)[0] } = (split /\|/)[1]
	  for split /\n/, sql($node, 'postgres', q(SELECT content, count(*) FROM messages WHERE content LIKE 'call %' GROUP BY content));
	my %done = map { $_ => 1 } map { $_->{out} =~ /^(call \d+ \d+)\|t$/mg } @results;
	my @lost = grep { ($stored{$_} // 0) != $size{$_} } keys %done;
	my @half = grep { ($stored{$_} // 0) != 0 && !$done{$_} } keys %size;

	$acknowledged = keys %done;
	is("@lost", '', "$way: every call that was acknowledged ($acknowledged) is there with all its messages");
	is("@half", '', "$way: of the others (" . (keys(%size) - $acknowledged) . ') nothing is there');
	cmp_ok($acknowledged, '>', 0, "$way: some were acknowledged");
	cmp_ok($given_up, '>', 0, "$way: some were cancelled");
	is( sql($node, 'postgres', 'SELECT count(*) FROM sessions s WHERE updated_at < (SELECT max(created_at) FROM messages m WHERE m.session_id = s.id)'),
		'0', "$way: no message without the touch of its session");
	whole($way);
}
sql($node, 'postgres', 'DROP TRIGGER pass ON messages');

# ---------------------------------------------------------------------------
note('no memory');
# ---------------------------------------------------------------------------

# A backend that may have so many more megabytes than it has, and a call that needs
# more: the less it may have, the earlier it fails.
SKIP:
{
	my $prlimit = (grep { -x "$_/prlimit" } split /:/, $ENV{PATH} . ':/usr/bin')[0];
	my $pid;

	skip 'no prlimit and /proc', 1 if !$prlimit || !-r '/proc/self/status';
	fresh(2);
	sql($node, 'postgres', <<'EOT');
CREATE TABLE given AS SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', 'message ' || n, 'idempotency_key', 'key ' || n, 'sources', '[1, {"a": 2}]'::jsonb)) AS j
FROM generate_series(1, 40000) AS n;
EOT
	for my $case (
		[ 'rag_add_messages()', 'SELECT cardinality(rag_add_messages(' . id(1) . ', j)) FROM given' ],
		[ 'rag_import_session()', 'SELECT rag_delete_session(rag_import_session(j)) FROM given' ],
		[ 'rag_copy_session()', 'SELECT rag_delete_session(rag_copy_session(' . id(1) . '))' ],
		[ 'rag_export_session()', 'SELECT length(rag_export_session(' . id(1) . ')::text)' ],
		[ 'rag_get_messages()', 'SELECT count(*) FROM rag_get_messages(' . id(1) . ', NULL)' ],
		[ 'rag_get_context()', 'SELECT count(*) FROM rag_get_context(' . id(1) . ', NULL)' ])
	{
		my ($name, $call) = @$case;
		my @states;

		sql($node, 'postgres', 'SELECT cardinality(rag_add_messages(' . id(1) . ', j)) FROM given') if $name eq 'rag_copy_session()';
		for my $megabytes (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144)
		{
			my $client = session();
			my $before = $name eq 'rag_add_messages()' ? sql($node, 'postgres', 'SELECT count(*) FROM messages') : undef;
			my ($state, $size);

			# Work memory is not what is short, nor what the first calls take once.
			$client->query(q{SET work_mem = '1GB'; SELECT rag_add_message(} . id(1) . q{, 'user', 'warm')});
			$client->query('BEGIN; ' . ($call =~ s/\bFROM given/FROM (SELECT '[]'::jsonb AS j) AS given/r =~ s/${\ id(1)}/${\ id(2)}/r) . '; ROLLBACK');
			($size) = slurp_file('/proc/' . $client->pid . '/status') =~ /^VmSize:\s+(\d+) kB/m;
			system_or_bail("$prlimit/prlimit", '--pid', $client->pid, '--as=' . 1024 * ($size + 1024 * $megabytes) . ':');
			$state = $client->sqlstate("BEGIN; $call");
			push @states, $state;
			system_or_bail("$prlimit/prlimit", '--pid', $client->pid, '--as=unlimited:');
			$client->query('ROLLBACK');
			is($client->answer('SELECT rag_add_message(' . id(1) . q{, 'user', 'goes on') IS NOT NULL}), 't',
				"$name, $megabytes MB: the same connection goes on")
			  if $state eq '53200';
			$client->quit;
		}
		is(join(' ', grep { $_ ne '53200' && $_ ne '' } @states), '', "$name: it works, or is out of memory");
		like("@states", qr/53200/, "$name: memory was short (" . join(' ', map { $_ eq '' ? 'ok' : $_ } @states) . ')');
	}
	whole('no memory');
	sql($node, 'postgres', 'DROP TABLE given');
}

# ---------------------------------------------------------------------------
note('no room');
# ---------------------------------------------------------------------------

# As in 040_bulk.pl, a limit on the size of files stands for a full disk.
{
	my @pg_ctl = ('pg_ctl', '-D', $node->data_dir, '-l', $node->logfile, '-w');
	my ($client, $before);

	fresh(1);
	sql($node, 'postgres', 'SELECT cardinality(rag_add_messages(' . id(1) . q{, (SELECT jsonb_agg(jsonb_build_object('role', 'user', 'content', repeat(md5(n::text) || md5((n + 1)::text), 25))) FROM generate_series(1, 12000) AS n)))});
	$before = rows();
	$node->stop;
	system_or_bail('sh', '-c', 'ulimit -f 65536 && exec "$@"', 'sh', @pg_ctl, 'start');
	$client = session();
	for my $call ('rag_copy_session(' . id(1) . ')', 'rag_import_session(rag_export_session(' . id(1) . '))')
	{
		my $name = $call =~ /(rag_\w+\()/ ? "$1)" : die;
		my @states = map { $client->sqlstate("SELECT $call") } 1 .. 3;

		# (To PostgreSQL, a file that is too large is an internal error.)
		ok((grep { $_ ne '' } @states) > 0, "$name: there is no room (@states)");
		$client->query('DELETE FROM sessions WHERE id <> ' . id(1));
	}
	is_same_text(rows(), $before, 'no room: of calls that failed nothing is there');
	is($client->answer("SELECT count(*) FROM rag_get_messages(" . id(1) . ", 5)"), '5', 'no room: and the same connection goes on');
	$client->quit;
	system_or_bail(@pg_ctl, '-m', 'fast', 'stop');
	$node->start;
	$start = sql($node, 'postgres', 'SELECT pg_postmaster_start_time()');
	whole('no room');
}

# ---------------------------------------------------------------------------
note('at the limits of values');
# ---------------------------------------------------------------------------

{
	my $client = session();
	my ($before, $insert);

	fresh(1);
	$before = rows();

	# Not even PostgreSQL itself stores a row with that.
	$insert = $client->sqlstate('INSERT INTO messages (session_id, role, content) VALUES (' . id(1) . q{, 'user', repeat('x', 1073741800))});
	isnt($insert, '', "an INSERT of 1 GB fails ($insert)");
	is($client->sqlstate('SELECT rag_add_message(' . id(1) . q{, 'user', repeat('x', 1073741800))}), $insert, 'content of 1 GB: the error is that of an INSERT');
	is($client->sqlstate('SELECT rag_add_messages(' . id(1) . q{, jsonb_build_array(jsonb_build_object('role', 'user', 'content', repeat('x', 300000000))))}), '54000', 'a JSON string of 300 MB: there are none');
	is_same_text(rows(), $before, 'it leaves nothing');

	is($client->answer('SELECT cardinality(rag_add_messages(' . id(1) . q{, (SELECT jsonb_agg('{"role": "user", "content": "x"}'::jsonb) FROM generate_series(1, 1000000))))}), '1000000', 'a million messages in one call');
	is($client->answer('SELECT count(*) FROM rag_get_messages(' . id(1) . q{, NULL) WHERE content = 'x'}), '1000000', '... are there');
	is($client->answer('SELECT rag_delete_messages(' . id(1) . ', (SELECT min(id) + 20 FROM messages))'), '1000000', '... and go');
	for my $json ('jsonb_agg(n)', q(jsonb_agg('{"role": "user"}'::jsonb)), q(jsonb_agg('[]'::jsonb)), q(jsonb_agg('{"role": "bot", "content": ""}'::jsonb)))
	{
		like($client->sqlstate('SELECT rag_add_messages(' . id(1) . ", (SELECT $json FROM generate_series(1, 1000000) AS n))"), qr/^(22023|22004|23514)$/, "a million of what is no message: $json");
		like($client->sqlstate("SELECT rag_import_session((SELECT $json FROM generate_series(1, 1000000) AS n))"), qr/^(22023|22004|23514)$/, '... nor a conversation');
	}
	$client->quit;
}

# JSON as deep as PostgreSQL reads it, in a backend with as little stack as it allows.
{
	my $client = session();
	my %states;

	fresh(1);
	sql($node, 'postgres', <<'EOT');
CREATE TABLE deep (depth int, j jsonb);
DO $$
BEGIN
  FOR i IN 1 .. 14 LOOP
    BEGIN
      INSERT INTO deep SELECT depth, (repeat('[', depth) || repeat(']', depth))::jsonb FROM (SELECT (2 ^ i)::int AS depth) AS d;
      INSERT INTO deep SELECT depth, (repeat('{"a":', depth) || '1' || repeat('}', depth))::jsonb FROM (SELECT (2 ^ i)::int AS depth) AS d;
    EXCEPTION WHEN statement_too_complex THEN
      EXIT;
    END;
  END LOOP;
END $$;
EOT
	$client->query("SET max_stack_depth = '100kB'");
	for my $depth (split /\n/, sql($node, 'postgres', 'SELECT DISTINCT depth FROM deep ORDER BY 1'))
	{
		for my $call (
			'rag_add_message(' . id(1) . q{, 'user', 'x', j)},
			'rag_add_message(' . id(1) . q{, 'user', 'x', metadata => jsonb_build_object('a', 1))},
			'rag_add_messages(' . id(1) . q{, jsonb_build_array(m))},
			'rag_add_messages(' . id(1) . ', j)',
			'rag_add_conversations(j)',
			q{rag_add_conversations(jsonb_build_array(jsonb_build_object('session_id', } . id(1) . q{, 'messages', jsonb_build_array(m))))},
			'rag_create_session(metadata => j)',
			'rag_update_session(' . id(1) . ', j)',
			'rag_update_message(' . id(1) . ', (SELECT min(id) FROM messages), sources => j, metadata => j)',
			'rag_import_session(m)', 'rag_import_session(jsonb_build_array(m))', 'rag_import_session(j)',
			'rag_export_session(' . id(1) . ')')
		{
			# The document is built with stack enough.
			sql($node, 'postgres', "DROP TABLE IF EXISTS built; CREATE TABLE built AS SELECT j, jsonb_build_object('role', 'user', 'content', 'x', 'sources', j, 'metadata', jsonb_build_object('a', j)) AS m FROM deep WHERE depth = $depth");
			$states{ $client->sqlstate("SELECT $call FROM built") }++;
		}
	}
	is(join(' ', sort grep { !/^(|22023|22004|54001)$/ } keys %states), '', 'deep JSON: stored, refused, or too deep for the stack (' . join(', ', map { ($_ eq '' ? 'ok' : $_) . " $states{$_}" } sort keys %states) . ')');
	cmp_ok($states{''} // 0, '>', 0, '... some of it is stored');
	cmp_ok($states{'54001'} // 0, '>', 0, '... and some too deep');
	is($client->answer('SELECT 1'), '1', '... and the same connection goes on');
	$client->quit;
	sql($node, 'postgres', 'DROP TABLE deep, built');
	whole('limits of values');
}

# ---------------------------------------------------------------------------
note('locks');
# ---------------------------------------------------------------------------

{
	my $holder = session();
	my $waiter = session();
	my $before;

	fresh(2);
	$before = rows();
	$holder->query('BEGIN; DELETE FROM sessions WHERE id = ' . id(1));
	$waiter->query(q(SET lock_timeout = '20ms'));
	for my $call (
		q(rag_add_message(S, 'user', 'x')), q(rag_add_message(S, 'user', 'x', idempotency_key => 'k')),
		q(rag_add_messages(S, '[{"role": "user", "content": "x"}]')), q(rag_add_messages(S, '[{"role": "user", "content": "x"}]', create_session => true)),
		q(rag_add_conversations(jsonb_build_array(jsonb_build_object('session_id', S, 'messages', '[{"role": "user", "content": "x"}]'::jsonb)))),
		q(rag_update_session(S, '{"a": 1}')), q(rag_delete_session(S)), q(rag_update_message(S, (SELECT min(id) FROM messages), 'y')),
		q(rag_delete_messages(S, 1)), q(rag_copy_session(S)), q(rag_put_message(S, 'k', 'user', 'x')), q(rag_reassign_sessions(NULL, 'eve', S)))
	{
		is($waiter->sqlstate('SELECT ' . $call =~ s/S(?=[,)])/id(1)/er), '55P03', "a lock that is not to be had: $call");
	}
	for my $call (q(count(*) FROM rag_get_messages(S)), q(count(*) FROM rag_get_messages_after(S, 0)), q(count(*) FROM rag_get_context(S, 1000)),
		q(jsonb_array_length(rag_export_session(S) -> 'messages')), q(jsonb_array_length(rag_get_prompt(S, NULL))))
	{
		is($waiter->answer('SELECT ' . $call =~ s/S(?=[,)])/id(1)/er), '20', "a reader does not wait: $call");
	}
	$holder->query('ROLLBACK');
	is_same_text(rows(), $before, 'nothing was written');

	# Each has copied what the other one is about to delete.
	$_->query("RESET lock_timeout; SET deadlock_timeout = '50ms'; BEGIN") for $holder, $waiter;
	$holder->query('SELECT rag_copy_session(' . id(1) . ')');
	$waiter->query('SELECT rag_copy_session(' . id(2) . ')');
	$holder->send('SELECT rag_delete_session(' . id(2) . ')');
	wait_until_blocked($node, $holder);
	$waiter->send('SELECT rag_delete_session(' . id(1) . ')');
	my @states = (($waiter->result)[0], ($holder->result)[0]);
	is(join(' ', sort @states), ' 40P01', 'a deadlock between copies and deletes ends for one of them with an error');
	$_->query('ROLLBACK') for $holder, $waiter;
	is_same_text(rows(), $before, '... nothing of either is there after they have rolled back');
	$_->quit for $holder, $waiter;
}

# An index that is built anew while a new connection finds out whether the tables are
# plain. The next calls of that connection go without the executor again: no statement
# is kept.
fresh(1);
{
	my ($holder, $waiter) = (session(), session());
	my $read = 'SELECT count(*) FROM rag_get_messages(' . id(1) . ')';
	my $write = 'SELECT rag_add_message(' . id(1) . q{, 'user', 'x')};
	my $kept = q{SELECT count(*) FROM pg_backend_memory_contexts WHERE ident ~ '^(SELECT|UPDATE|INSERT).* public[.](sessions|messages)'};

	for my $index (qw(sessions_pkey ix_messages_session_id))
	{
		$holder->query("BEGIN; REINDEX INDEX $index");
		$waiter->query(q(SET lock_timeout = '20ms'));
		is($waiter->sqlstate($read), '55P03', "an index that is locked: $index");
		$waiter->query('RESET lock_timeout');
		$holder->query('ROLLBACK');
	}
	is($waiter->answer($read), '20', '... then a page is read');
	$waiter->query($write);
	is($waiter->answer($kept), '0', '... and a message added, both directly');
	$waiter->query("SET session_replication_role = local; $write; $read");
	cmp_ok($waiter->answer($kept), '>', 0, '... as statements would be seen');
	$_->quit for $holder, $waiter;
}
{
	my $maker = session();
	my $deleter = session();

	# Deleted and made anew while somebody waits to delete it.
	fresh(1);
	$maker->query('BEGIN; SELECT rag_delete_session(' . id(1) . '); SELECT rag_create_session(session_id => ' . id(1) . ')');
	$deleter->send('SELECT rag_delete_session(' . id(1) . ')');
	wait_until_blocked($node, $deleter);
	$maker->query('COMMIT');
	is(join(' ', ($deleter->result)[ 0, 1 ]), ' t', 'a session that was deleted and made anew meanwhile is deleted');
	is(sql($node, 'postgres', 'SELECT count(*) FROM sessions'), '0', '... and gone');
	$_->quit for $maker, $deleter;
}
{
	my (@scripts, @results);

	# What VACUUM and ANALYZE tell the other backends: to forget what they know of a table.
	fresh(4);
	@scripts = map {
		join('', map { my $at = id($_ % 4 + 1); "SELECT rag_add_message($at, 'user', 'x'); SELECT rag_add_messages($at, '[{\"role\": \"user\", \"content\": \"x\"}]'); SELECT count(*) FROM rag_get_messages($at, 3);\n" } 1 .. 400)
	} 1 .. 4;
	push @scripts, join('', map { $_ % 10 ? "ANALYZE messages; ANALYZE sessions;\n" : "VACUUM messages; VACUUM sessions;\n" } 1 .. 150);
	@results = run_scripts(@scripts);
	is(join(' ', uniq map { states($_->{err}) } @results), '', 'writers, while the tables are vacuumed and analyzed: no error');
	is(sql($node, 'postgres', q(SELECT count(*) FROM messages WHERE content = 'x')), 4 * 400 * 2, '... and every message is there');
	whole('vacuum and analyze');
}
{
	my @results;
	my @unexpected;

	# One call each transaction: they wait for each other, in no circle.
	fresh(4);
	@results = run_scripts(map {
			join('', map {
					my $at = id(1 + int(rand(4)));
					my $other = id(1 + int(rand(4)));
					my $call = (
						"rag_copy_session($at)", "rag_delete_session($at)", "rag_delete_messages($at, (SELECT max(id) - 3 FROM rag_get_messages($at)))",
						qq(rag_add_messages($at, '[{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]', create_session => true)),
						qq(rag_add_conversations(jsonb_build_array(jsonb_build_object('session_id', $at, 'create_session', true, 'messages', '[{"role": "user", "content": "x"}]'::jsonb), jsonb_build_object('session_id', $other, 'messages', '[{"role": "user", "content": "x"}]'::jsonb)))),
						qq(rag_update_session($at, '{"a": 1}')), "rag_import_session(rag_export_session($at))",
						qq(rag_update_message($at, (SELECT max(id) FROM rag_get_messages($at)), 'z')),
						qq(rag_put_message($at, 'k', 'user', 'z')), q(rag_reassign_sessions('ann', 'bob')),
						q((SELECT sessions FROM rag_expire_sessions('1 microsecond', 1))), q((SELECT sessions FROM rag_erase_user('bob'))))[ int(rand(12)) ];
					"SELECT $call;\n"
				} 1 .. 150)
		} 1 .. 4);
	# A session or a message that has gone, or no message's id.
	@unexpected = grep { !/^(23503|22004)$/ } map { states($_->{err}) } @results;
	is(join(' ', uniq @unexpected), '', 'copies, deletes, edits and writers at the same time: no deadlock, and no error but of what has gone');
	whole('locks');
}

# ---------------------------------------------------------------------------
note('one session that is created and deleted all the time');
# ---------------------------------------------------------------------------

# Nobody is told of a trigger that is not there.
{
	my @calls = map { sprintf($_, id(7)) } (
		q{rag_create_session('u', session_id => %s, if_not_exists => true)},
		q{rag_delete_session(%s)},
		q{rag_add_messages(%s, '[{"role": "user", "content": "x"}]', 'u', true)});
	my @results = run_scripts(
		map {
			join('', map { 'SELECT ' . $calls[ int(rand(3)) ] . " IS NULL;\n" } 1 .. 1500)
		} 1 .. 6);

	is(join(' ', uniq grep { $_ ne '40001' } map { states($_->{err}) } @results), '', 'each call succeeds, or says that it is to be repeated');
	whole('one session');
}

# ---------------------------------------------------------------------------
note('no connection left, and DISCARD ALL');
# ---------------------------------------------------------------------------

{
	my @clients;

	fresh(1);
	for (1 .. 30)
	{
		my $client = eval { RagTest::Session->new($node, 'postgres') };

		last if !$client;
		push @clients, $client;
	}
	like(slurp_file($node->logfile), qr/FATAL:  53300/, 'there is a connection too many (after ' . @clients . ')');
	is(join(' ', uniq map { $_->answer('SELECT rag_add_message(' . id(1) . q{, 'user', 'x') IS NOT NULL}) } @clients), 't', 'those that there are go on');
	(shift @clients)->quit;
	$node->poll_query_until('postgres', 'SELECT true') or die;
	is(sql($node, 'postgres', 'SELECT rag_add_message(' . id(1) . q{, 'user', 'x') IS NOT NULL}), 't', 'and one more, when one has gone');
	$_->quit for @clients;
}
{
	my $client = session();
	my @calls = (
		q(SELECT rag_add_message(S, 'user', 'x', idempotency_key => 'k') IS NOT NULL), q(SELECT cardinality(rag_add_messages(S, '[{"role": "user", "content": "x"}]'))),
		q(SELECT rag_add_conversations(jsonb_build_array(jsonb_build_object('session_id', S, 'messages', '[{"role": "user", "content": "x"}]'::jsonb)))),
		q(SELECT count(*) FROM rag_get_messages(S, 5)), q(SELECT count(*) FROM rag_get_messages_after(S, 0, 5)), q(SELECT count(*) > 0 FROM rag_get_context(S, 100)),
		q(SELECT count(*) FROM rag_list_sessions(NULL)), q(SELECT rag_update_session(S, '{"a": 1}')), q(SELECT rag_update_message(S, (SELECT min(id) FROM messages), 'y')),
		q(SELECT rag_delete_messages(S, rag_add_message(S, 'user', 'z'))), q(SELECT rag_delete_session(rag_copy_session(S))), q(SELECT rag_delete_session(rag_import_session(rag_export_session(S)))),
		q(SELECT rag_delete_session(rag_create_session())), q(SELECT count(*) FROM rag_get_session(S)), q(SELECT count(*) FROM rag_find_sessions(NULL, 'x')), q(SELECT jsonb_array_length(rag_get_prompt(S, 20)) > 0),
		q(SELECT rag_put_message(S, 'put', 'user', 'x') = rag_put_message(S, 'put', 'user', 'y')), q(SELECT rag_reassign_sessions('no', 'body')), q(SELECT sessions FROM rag_expire_sessions('1000 years')), q(SELECT sessions FROM rag_erase_user('no')));
	my @before;

	fresh(1);
	@before = map { $client->answer(s/S(?=[,)])/id(1)/egr) } @calls;
	is(scalar(grep { /SQLSTATE/ } @before), 0, 'every function is called');
	for my $discard ('DISCARD PLANS', 'DISCARD ALL', 'DISCARD ALL')
	{
		$client->query($discard);
		is_deeply([ map { $client->answer(s/S(?=[,)])/id(1)/egr) } @calls ], \@before, "... and does the same after $discard");
	}
	$client->quit;
	whole('connections');
}

# ---------------------------------------------------------------------------
note('prepared statements while the extension is updated, up and down');
# ---------------------------------------------------------------------------

# What a pool holds: connections with statements that were prepared at another version.
{
	my %since = (add => '1.0', turn => '1.1', get => '1.2', context => '1.2', copy => '1.2', edit => '1.2');
	my $prepare = 'PREPARE add AS SELECT rag_add_message($1, $2, $3) IS NOT NULL;'
	  . 'PREPARE turn AS SELECT cardinality(rag_add_messages($1, $2));'
	  . 'PREPARE get AS SELECT count(*) FROM rag_get_messages($1, 5);'
	  . 'PREPARE context AS SELECT count(*) > 0 FROM rag_get_context($1, 100);'
	  . 'PREPARE copy AS SELECT rag_copy_session($1) IS NOT NULL;'
	  . 'PREPARE edit AS SELECT rag_delete_messages($1, $2);';
	my %execute = (
		add => 'EXECUTE add(' . id(1) . q{, 'user', 'x')}, turn => 'EXECUTE turn(' . id(1) . q{, '[{"role": "user", "content": "x"}]')},
		get => 'EXECUTE get(' . id(1) . ')', context => 'EXECUTE context(' . id(1) . ')', copy => 'EXECUTE copy(' . id(1) . ')', edit => 'EXECUTE edit(' . id(1) . ', 2000000000)');
	my %answers = (add => 't', turn => '1', get => '5', context => 't', copy => 't', edit => '0');
	my @pool = map { session() } 1 .. 8;
	my (@scripts, @results, @unexpected);
	my $left = 0;

	fresh(1);
	$_->query($prepare) for @pool;
	for my $version ('1.1', '1.0', '1.1', '1.2', '1.0', '1.2')
	{
		my @wrong;

		sql($node, 'postgres', "SET rag_events.allow_data_loss = on; ALTER EXTENSION rag_events UPDATE TO '$version'");
		for my $statement (sort keys %since)
		{
			my $expected = $since{$statement} le $version ? $answers{$statement} : 'SQLSTATE 42883';
			my @got = uniq map { $_->answer($execute{$statement}) } @pool;

			push @wrong, "$statement: @got" if "@got" ne $expected;
		}
		is(join(', ', @wrong), '', "at $version, each prepared statement works or says that there is no such function");
	}
	$_->quit for @pool;

	# The same while they run. A call that found its function, and then waited for a step
	# down to 1.0, finds the columns gone (42703); and PostgreSQL does not lock a function
	# that a plan calls, so that a step can drop it in between (XX000; the last test looks
	# whether it was that).
	sql($node, 'postgres', 'CREATE TABLE ready (n int)');
	@scripts = map { "$prepare INSERT INTO ready VALUES ($_);\n" . join('', map { $execute{ (sort keys %execute)[ int(rand(6)) ] } . ";\n" } 1 .. 300) } 1 .. 6;
	push @scripts, "DO \$\$BEGIN FOR i IN 1 .. 3000 LOOP PERFORM pg_sleep(0.02); COMMIT; EXIT WHEN (SELECT count(*) = 6 FROM ready); END LOOP; END\$\$; SET rag_events.allow_data_loss = on; SET lock_timeout = '10s';\n" . "ALTER EXTENSION rag_events UPDATE TO '1.1'; ALTER EXTENSION rag_events UPDATE TO '1.0'; ALTER EXTENSION rag_events UPDATE TO '1.1'; ALTER EXTENSION rag_events UPDATE TO '1.2';\n" x 12;
	@results = run_scripts(@scripts);
	@unexpected = map { states($_->{err}) } @results[ 0 .. 5 ];
	is(join(' ', uniq grep { !/^(42883|42703|XX000)$/ } @unexpected), '', 'while it is updated, a statement works or says that there is no such function, or column (' . @unexpected . ' of 1800)');
	is(join(' ', uniq grep { $_ ne '55P03' } states($results[6]{err})), '', '... and no update fails, but for a lock');
	sql($node, 'postgres', "SET rag_events.allow_data_loss = on; ALTER EXTENSION rag_events UPDATE");
	is(sql($node, 'postgres', q(SELECT count(*) FROM messages WHERE content = 'x' AND session_id = ) . id(1)) > 0, 1, '... messages were written');
	whole('prepared statements');
}

# Of PostgreSQL's own: a function that is dropped between a plan and its execution, a file
# that is too large, and (before its later minor versions) a row of 1 GB.
is( join("\n", grep { /XX000|TRAP:|PANIC|terminated by signal/ && !/cache lookup failed for function \d+(?: at character \d+)?$/ && !/could not (?:extend|write) .*file|invalid memory alloc request size 10737418\d\d/ } split /\n/, slurp_file($node->logfile)),
	'', 'no internal error in all this');
$node->stop;
done_testing();
