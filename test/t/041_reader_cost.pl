# What a call reads is bounded by what it is asked for: however large the table, the
# session or the user's list is, whatever the planner knows or is told, and whenever
# the plan was made.
#
# Counted are the rows, index entries and pages of our tables that a call reads in its
# transaction (no catalogs), in a database of a thousand messages and in one of a
# million; and the shared buffers that EXPLAIN reports. Times are not looked at.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use JSON::PP;
use List::Util qw(max);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use Test::More;

my $node = start_server('cost', 'autovacuum = off', 'shared_buffers = 256MB', 'max_wal_size = 4GB');

# ---------------------------------------------------------------------------
# The conversations
# ---------------------------------------------------------------------------

# Ids that are random, and such that ascend.
my %id = (
	random => 'f0a8c1de-5b1b-4a6f-9c3e-2d7f9be1c0aa',
	ordered => '01900000-0000-7000-8000-0000000000aa',
	answers => '7b1f2c3d-1111-4a6f-9c3e-2d7f9be1c0ab',
	old => '00000001-0000-7000-8000-000000000001',
	new => 'fffffffe-0000-7000-8000-000000000002',
	empty => '80000000-0000-4000-8000-000000000003',
	sources => '80000000-0000-4000-8000-000000000004',
	contents => '80000000-0000-4000-8000-000000000005',
	crowded => '80000000-0000-4000-8000-000000000006',
);

# Users: heavy has three sessions that grow with the table; few has five; crowd has
# all the small sessions, and many a thousand of them; NULL is nobody.
my $sessions = <<"EOT";
INSERT INTO sessions (id, user_id) VALUES
  ('$id{random}', 'heavy'), ('$id{ordered}', 'heavy'), ('$id{answers}', 'heavy'),
  ('$id{old}', 'few'), ('$id{new}', 'few'), ('$id{empty}', 'few'),
  ('$id{sources}', 'few'), ('$id{contents}', 'few'), ('$id{crowded}', 'crowd');
INSERT INTO sessions (id, user_id, updated_at)
SELECT md5('many' || n)::uuid, 'many', LOCALTIMESTAMP - n * interval '1 hour' FROM generate_series(1, 1000) AS n;
INSERT INTO sessions (id) SELECT md5('nobody' || n)::uuid FROM generate_series(1, 5) AS n;
EOT

# The ids of the small sessions: every other one is random.
my $small_id = q((CASE s % 2 WHEN 0 THEN md5(s::text) ELSE lpad(to_hex(s), 12, '0') || '70008000000000000000' END)::uuid);

# fill(FIRST, LAST): messages, of which three tenths go to each of two sessions, a
# tenth, only answers, to another, and the rest to small sessions of ten.
sub fill
{
	my ($first, $last) = @_;

	return <<"EOT";
SET session_replication_role = replica;
INSERT INTO sessions (id, user_id)
SELECT $small_id, 'crowd' FROM generate_series($first / 34, $last / 34) AS s ON CONFLICT DO NOTHING;
INSERT INTO messages (id, session_id, role, content, token_count)
SELECT 1000 + n,
  CASE WHEN n % 10 < 3 THEN '$id{random}'::uuid WHEN n % 10 < 6 THEN '$id{ordered}'::uuid
       WHEN n % 10 = 6 THEN '$id{answers}'::uuid ELSE $small_id END,
  CASE WHEN n % 10 = 6 OR n % 2 = 1 THEN 'assistant' ELSE 'user' END,
  'Hello ' || n, CASE WHEN n % 10 < 6 THEN 10 END
FROM generate_series($first, $last) AS n, LATERAL (VALUES (n / 34)) AS v (s);
EOT
}

# special(FIRST_ID, SESSION, COUNT[, CONTENT, SOURCES]): messages of one session.
sub special
{
	my ($id, $name, $count, $content, $sources) = @_;
	my $text = "(SELECT string_agg(md5(n || ' ' || i), '') FROM generate_series(1, 300) AS i)";

	return "INSERT INTO messages (id, session_id, role, content, sources)\n"
	  . "SELECT $id + n, '$id{$name}', CASE n % 2 WHEN 0 THEN 'user' ELSE 'assistant' END, "
	  . ($content ? $text : "'$name ' || n") . ', '
	  . ($sources ? "to_jsonb($text)" : 'NULL')
	  . " FROM generate_series(0, $count - 1) AS n;\n";
}

# ---------------------------------------------------------------------------
# What is called, and what it may read
# ---------------------------------------------------------------------------

# whole(CALL): SQL that reads all of the result; the others, for each reader.
sub whole { my ($call) = @_; return "SELECT count(*), sum(octet_length(to_jsonb(r)::text)) FROM $call AS r"; }
sub get { return whole("rag_get_messages($_[0])"); }
sub after { return whole("rag_get_messages_after($_[0])"); }
sub context { return whole("rag_get_context($_[0])"); }
sub list { return whole("rag_list_sessions($_[0])"); }

# "rows" are those of messages, "sessions" those of sessions; "toast" pages of what is
# stored out of line. A text of 9600 bytes takes five rows of a TOAST table, two pages
# or three and their index.
my $toast_of_one = 20;
my @calls = (
	{ name => 'the last 50', sql => get("'$id{random}'"), user => 'heavy', rows => 50, returns => 50 },
	{ name => 'the last 50, ids in order', sql => get("'$id{ordered}'"), user => 'heavy', rows => 50, returns => 50 },
	{ name => 'the last 50, of the user', sql => get("'$id{random}', user_id => 'heavy'"), user => 'heavy', rows => 50, returns => 50 },
	{ name => 'the last 50, of a user of many sessions', sql => get("'$id{crowded}', user_id => 'crowd'"), user => 'crowd', rows => 2, returns => 2 },
	{ name => 'the last 20', sql => get("'$id{random}', 20"), user => 'heavy', rows => 20, returns => 20 },
	{ name => 'the last 50 before the middle', sql => get("'$id{random}', before_id => MIDDLE"), user => 'heavy', rows => 50, returns => 50 },
	{ name => 'the last 50 before the first', sql => get("'$id{random}', before_id => 1000"), user => 'heavy', rows => 0, returns => 0 },
	{ name => 'the last 50 of an old session', sql => get("'$id{old}'"), user => 'few', rows => 50, returns => 50 },
	{ name => 'the last 50 of a new session', sql => get("'$id{new}'"), user => 'few', rows => 50, returns => 50 },
	{ name => 'the last 50 of an empty session', sql => get("'$id{empty}'"), user => 'few', rows => 0, returns => 0 },
	{ name => 'none', sql => get("'$id{random}', 0"), user => 'heavy', rows => 0, returns => 0 },
	{ name => 'the last 10 with sources', sql => get("'$id{sources}', 10"), user => 'few', rows => 10, toast => 10 * $toast_of_one, toast_read => 1 },
	{ name => 'the last 10 without sources', sql => get("'$id{sources}', 10, include_sources => false"), user => 'few', rows => 10, toast => 0 },
	{ name => 'the next 50', sql => after("'$id{random}', MIDDLE"), user => 'heavy', rows => 50, returns => 50 },
	{ name => 'the next 50, of the user', sql => after("'$id{random}', MIDDLE, user_id => 'heavy'"), user => 'heavy', rows => 50, returns => 50 },
	{ name => 'the first 50', sql => after("'$id{ordered}', NULL"), user => 'heavy', rows => 50, returns => 50 },
	{ name => 'the first 50 of a new session', sql => after("'$id{new}', NULL"), user => 'few', rows => 50, returns => 50 },
	{ name => 'the first 50 of an empty session', sql => after("'$id{empty}', NULL"), user => 'few', rows => 0, returns => 0 },
	{ name => 'nothing new', sql => after("'$id{random}', 2000000000"), user => 'heavy', rows => 0, returns => 0 },
	{ name => 'the next 10 without sources', sql => after("'$id{sources}', NULL, 10, include_sources => false"), user => 'few', rows => 10, toast => 0 },
	{ name => 'context, tokens known', sql => context("'$id{random}', 500"), user => 'heavy', rows => 51 },
	{ name => 'context, of the user', sql => context("'$id{ordered}', 500, user_id => 'heavy'"), user => 'heavy', rows => 51 },
	{ name => 'context, tokens estimated', sql => context("'$id{old}', 90"), user => 'few', rows => 46 },
	{ name => 'context of answers alone', sql => context("'$id{answers}', 100"), user => 'heavy', rows => 34, returns => 0 },
	{ name => 'context of an empty session', sql => context("'$id{empty}', 500"), user => 'few', rows => 0, returns => 0 },
	{ name => 'context of 10 messages', sql => context("'$id{random}', NULL, 10"), user => 'heavy', rows => 10 },
	{ name => 'context of texts out of line', sql => context("'$id{contents}', 5000"), user => 'few', rows => 3, returns => 2, toast => 2 * $toast_of_one, toast_read => 1 },
	{ name => 'context that no text fits in', sql => context("'$id{contents}', 2000"), user => 'few', rows => 1, returns => 0, toast => 0 },
	{ name => 'context without sources', sql => context("'$id{sources}', 30"), user => 'few', rows => 11, toast => 0 },
	{ name => 'sessions of a user of few', sql => list("'few'"), user => 'few', sessions => 5, rows => 50, blocks => 5 * 5, toast => $toast_of_one, returns => 5 },
	{ name => 'sessions of large conversations', sql => list("'heavy'"), user => 'heavy', sessions => 3, rows => 30, blocks => 3 * 5, returns => 3 },
	{ name => 'sessions of a user of a thousand', sql => list("'many'"), user => 'many', sessions => 1000, rows => 200, blocks => 20 * 5, returns => 20 },
	{ name => 'the next page of these', sql => list("'many', 20, (SELECT cursor FROM rag_list_sessions('many', 1))"), user => 'many', sessions => 2000, rows => 210, blocks => 21 * 5, returns => 20 },
	{ name => 'sessions of nobody', sql => list('NULL'), sessions => 5, rows => 50, blocks => 5 * 5, returns => 5 },
	{ name => 'sessions of an unknown user', sql => list("'zoe'"), sessions => 0, rows => 0, returns => 0 },
	{ name => 'prompt', sql => "SELECT jsonb_array_length(rag_get_prompt('$id{random}', 500))", user => 'heavy', rows => 51 },
	{ name => 'a session', sql => whole("rag_get_session('$id{random}')"), user => 'heavy', rows => 10, blocks => 5, returns => 1 },
	{ name => 'sessions of a folder', sql => whole("rag_find_sessions('many', filter => '{\"folder\": null}')"), user => 'many', sessions => 1020, rows => 200, blocks => 20 * 8, returns => 20 },
	{ name => 'change a message', sql => "SELECT rag_update_message('$id{random}', MIDDLE, 'Changed', metadata => '{\"a\": 1}')", user => 'heavy', writes => 1 },
	{ name => 'change a message, of the user', sql => "SELECT rag_update_message('$id{crowded}', 800, 'Changed', user_id => 'crowd')", user => 'crowd', writes => 1 },
	{ name => 'delete the last message', sql => "SELECT rag_delete_messages('$id{random}', LAST)", user => 'heavy', writes => 1, returns => 1 },
	{ name => 'delete the last message, of the user', sql => "SELECT rag_delete_messages('$id{crowded}', 801, 'crowd')", user => 'crowd', writes => 1, returns => 1 },
	{ name => 'add a message with a key', sql => "SELECT rag_add_message('$id{random}', 'user', 'x', idempotency_key => 'k')", user => 'heavy', writes => 1 },
	{ name => 'add a message, of the user', sql => "SELECT rag_add_message('$id{crowded}', 'user', 'x', user_id => 'crowd')", user => 'crowd', writes => 1 },
	{ name => 'change a session, of the user', sql => "SELECT rag_update_session('$id{crowded}', '{\"a\": 1}', 'crowd')", user => 'crowd', writes => 1 },
);

# Beside the rows: the way down an index for the session and one for the messages,
# each of up to four pages, what the planner looks at when it makes a plan, and for
# those that write, each index of both tables.
my $slack = 25;
my $slack_of_writer = 100;
my $rows_of_writer = 10;

# excess(CALL, READ, SESSIONS): what of it is beyond the bound, as text. With row
# security, each message is looked up among the sessions.
sub excess
{
	my ($call, $read, $secured) = @_;
	my $rows = $call->{writes} ? $rows_of_writer : $call->{rows};
	my $sessions = ($call->{sessions} // ($call->{writes} ? $rows_of_writer : 1))
	  + ($secured ? $rows * 3 + 5 : 0);
	my %most = (
		rows => $rows,
		sessions => $sessions,
		entries => 2 * ($rows + $sessions) + 10,
		blocks => $rows + $sessions + ($call->{blocks} // 0)
		  + ($call->{writes} ? $slack_of_writer : $slack)
		  + ($secured ? 4 * $rows : 0),
		toast => $call->{toast} // 0,
		scanned => 0);
	my @beyond = map { "$_ $read->{$_} of $most{$_}" } grep { $read->{$_} > $most{$_} } sort keys %most;

	push @beyond, "returns $read->{returns}, not $call->{returns}"
	  if defined $call->{returns} && $read->{returns} ne $call->{returns} && !($secured && !$call->{user});
	push @beyond, 'what is out of line is not read, and so not measured'
	  if $call->{toast_read} && $read->{toast} == 0;
	return @beyond ? "$call->{name}: " . join(', ', @beyond) . "\n" : '';
}

# What was read of our tables so far in this transaction.
my $helper = <<'EOT';
CREATE FUNCTION read_so_far(OUT rows bigint, OUT sessions bigint, OUT scanned bigint,
  OUT entries bigint, OUT blocks bigint, OUT toast bigint) LANGUAGE sql AS $$
WITH tables AS (
  SELECT oid, relname, reltoastrelid FROM pg_class
  WHERE oid IN ('public.sessions'::regclass, 'public.messages'::regclass)
), indexes AS (
  SELECT t.relname, i.indexrelid AS oid FROM tables AS t JOIN pg_index AS i ON i.indrelid = t.oid
), relations AS (
  SELECT relname, oid FROM tables UNION ALL SELECT relname, oid FROM indexes
), toast AS (
  SELECT reltoastrelid AS oid FROM tables
  UNION ALL SELECT i.indexrelid FROM tables AS t JOIN pg_index AS i ON i.indrelid = t.reltoastrelid
)
SELECT
  -- What an index scan fetches is counted for the index.
  (SELECT sum(pg_stat_get_xact_tuples_fetched(oid)) FROM relations WHERE relname = 'messages'),
  (SELECT sum(pg_stat_get_xact_tuples_fetched(oid)) FROM relations WHERE relname = 'sessions'),
  (SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM tables),
  (SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM indexes),
  (SELECT sum(pg_stat_get_xact_blocks_fetched(oid)) FROM relations),
  (SELECT sum(pg_stat_get_xact_blocks_fetched(oid)) FROM toast)
$$;
EOT

my @columns = qw(rows sessions scanned entries blocks toast);

# call_sql(CALL, LAST): a call as SQL, where LAST is the last message of the sessions
# that grow.
sub call_sql
{
	my ($call, $last) = @_;
	my $middle = 1000 + int(($last - 1000) / 20) * 10;

	return $call->{sql} =~ s/MIDDLE/$middle/gr =~ s/LAST/$last/gr;
}

# read_by(CLIENT, CALL, LAST, SECURED): what the call reads, in a transaction that is
# rolled back.
sub read_by
{
	my ($client, $call, $last, $secured) = @_;
	my $role = $secured ? 'SET LOCAL ROLE ' . ($call->{user} // 'zoe') . ';' : '';
	my $so_far = "SELECT concat_ws(' ', " . join(', ', @columns) . ') FROM read_so_far();';
	my ($before, $result, $after) = split /\n/,
	  $client->query("BEGIN; $so_far $role\n" . call_sql($call, $last) . ";\nRESET ROLE; $so_far ROLLBACK");
	my @before = split / /, $before;
	my @after = split / /, $after;
	my %read = map { $columns[$_] => $after[$_] - $before[$_] } 0 .. $#columns;

	($read{returns}) = $result =~ /\A([^|]*)/;
	return \%read;
}

# call_often(CLIENT, LAST): each call ten times over, whether it fails or not: PostgreSQL
# would have chosen between custom and generic plans by then.
sub call_often
{
	my ($client, $last) = @_;

	for my $call (@calls)
	{
		$client->answer('BEGIN; ' . (call_sql($call, $last) . '; ROLLBACK; BEGIN;') x 10 . 'ROLLBACK');
	}
	return;
}

# What the functions do directly where the table is plain for the caller, they do by
# statements for one who writes for a replica; with "local" nothing else is different.
sub by_statements
{
	my ($db) = @_;
	my $client = RagTest::Session->new($node, $db);

	$client->query('SET session_replication_role = local');
	return $client;
}

# check(DATABASE, LAST, NAME[, option => value ...]): each call keeps to its bounds.
# Options: client, a backend that goes on to be used (otherwise a new one, that goes by
# statements unless "directly"); cold, for a new backend for each call; set, what the
# caller sets; secured, for row security.
sub check
{
	my ($db, $last, $name, %option) = @_;
	my $client = $option{client};
	my $beyond = '';
	my $most = 0;

	for my $call (@calls)
	{
		my $read;

		# What checks the foreign key is planned with the caller's settings.
		next if $call->{writes} && $option{set} && $option{set} =~ /_cost/;
		if (!$client || $option{cold})
		{
			$client->quit if $client;
			$client = $option{directly} ? RagTest::Session->new($node, $db) : by_statements($db);
			$client->query($option{set}) if $option{set};
		}
		$read = read_by($client, $call, $last, $option{secured});
		$beyond .= excess($call, $read, $option{secured});
		$most = max($most, $read->{blocks}) if !$call->{sessions};
	}
	is($beyond, '', "$db: $name");
	note("at most $most pages, lists of sessions apart");
	return;
}

# ---------------------------------------------------------------------------
# What EXPLAIN tells
# ---------------------------------------------------------------------------

# nodes(PLAN, SUB): calls SUB with each node of the plan, and those that it is below of.
sub nodes
{
	my ($plan, $sub, @above) = @_;

	$sub->($plan, @above);
	nodes($_, $sub, $plan, @above) for @{ $plan->{Plans} // [] };
	return;
}

# explained(CLIENT, CALL, LAST): all buffers of a call, catalogs and TOAST included.
sub explained
{
	my ($client, $call, $last) = @_;
	my $json = $client->query('BEGIN; EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) '
		  . call_sql($call, $last) . '; ROLLBACK');
	my $plan = decode_json($json)->[0]{Plan};

	return $plan->{'Shared Hit Blocks'} + $plan->{'Shared Read Blocks'};
}

# inner_plans(CLIENT, CALL, LAST): the plans of the statements that a call runs.
sub inner_plans
{
	my ($client, $call, $last) = @_;

	$client->send('BEGIN; ' . call_sql($call, $last) . '; ROLLBACK');
	my (undef, undef, $log) = $client->result;
	my @plans = map { decode_json($_) } $log =~ /plan:\n(\{.*?\n\})/gs;

	# The last one is the call itself.
	pop @plans;
	return map { $_->{Plan} } @plans;
}

# Our tables are read by these indexes alone, and sorted is only what is returned, or
# a user's list.
my %index = (
	messages => qr/\A(?:ix_messages_session_id|messages_pkey|uq_messages_idempotency_key)\z/,
	sessions => qr/\A(?:sessions_pkey|ix_sessions_user_id|ix_sessions_user_created)\z/);

sub check_plans
{
	my ($db, $last, $name, $client) = @_;
	my $wrong = '';
	my $n = 0;

	for my $call (@calls)
	{
		for my $plan (inner_plans($client, $call, $last))
		{
			$n++;
			nodes($plan, sub {
				my ($node, @above) = @_;
				my $type = $node->{'Node Type'};
				my $of = $node->{'Relation Name'} // '';

				$wrong .= "$call->{name}: $type on $of using " . ($node->{'Index Name'} // 'no index') . "\n"
				  if $index{$of}
				  && $type ne 'ModifyTable'
				  && !($type =~ /\AIndex (?:Only )?Scan\z/ && $node->{'Index Name'} =~ $index{$of});
				$wrong .= "$call->{name}: $type\n"
				  if $type =~ /Bitmap|Hash|Merge|Materialize|Incremental/
				  || ($type eq 'Sort' && $call->{name} !~ /sessions|page/ && grep { $_->{'Node Type'} eq 'Limit' } @above);
			});
		}
	}
	is($wrong, '', "$db: $name: the plans");
	cmp_ok($n, '>', @calls, "... of $n statements");
	return;
}

# ---------------------------------------------------------------------------
# A thousand, and a million
# ---------------------------------------------------------------------------

my @settings = (
	'SET plan_cache_mode = force_custom_plan',
	'SET plan_cache_mode = force_generic_plan',
	'SET enable_indexscan = off; SET enable_indexonlyscan = off',
	'SET enable_nestloop = off',
	'SET random_page_cost = 1000; SET cpu_index_tuple_cost = 1000',
	q(SET work_mem = '64kB'),
	'SET enable_sort = off; SET enable_bitmapscan = off',
	'SET search_path = pg_catalog, public',
);

sub check_explain
{
	my ($db, $last, $statistics, $client) = @_;
	my $beyond = '';

	for my $call (@calls)
	{
		my $buffers = explained($client, $call, $last);
		my $read = read_by($client, $call, $last);

		# Triggers and the like look into catalogs, too.
		$beyond .= "$call->{name}: $buffers of $read->{blocks} + $read->{toast}\n"
		  if $buffers > $read->{blocks} + $read->{toast} + 20;
	}
	is($beyond, '', "$db: $statistics, EXPLAIN tells of no more");

	SKIP:
	{
		my $analyzer = by_statements($db);

		skip 'no auto_explain', 2 if $analyzer->sqlstate(q(LOAD 'auto_explain')) ne '';
		$analyzer->query('SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on; '
			  . 'SET auto_explain.log_format = json');
		$analyzer->send("\\set VERBOSITY default\nSET client_min_messages = log");
		$analyzer->result;
		check_plans($db, $last, $statistics, $analyzer);
	}
	return;
}

sub check_all
{
	my ($db, $last, $statistics) = @_;
	my $client;

	check($db, $last, "$statistics, directly", directly => 1);
	check($db, $last, "$statistics, first calls, directly", cold => 1, directly => 1) if $db eq 'million';
	check($db, $last, "$statistics, first calls", cold => 1) if $db eq 'million';
	$client = by_statements($db);
	call_often($client, $last);
	check($db, $last, "$statistics, after ten calls", client => $client);
	for my $set (@settings)
	{
		check($db, $last, "$statistics, $set", set => $set);
	}
	check_explain($db, $last, $statistics, $client);
	return $client;
}

# Each user sees the own sessions, and the messages of what is seen.
# (Of an EXISTS, 18 may make a hash table of all sessions that the policy shows.)
my $row_security = <<'EOT';
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON sessions USING (user_id = current_user);
CREATE POLICY own ON messages USING ((SELECT s.id FROM sessions AS s WHERE s.id = session_id) IS NOT NULL);
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions, messages TO PUBLIC;
GRANT USAGE ON messages_id_seq TO PUBLIC;
EOT

# To the planner, all ways to read tables that are known to be empty cost the same, and
# it takes the oldest index. The primary keys are the youngest then.
my $all_the_same = <<'EOT';
ALTER TABLE messages DROP CONSTRAINT messages_session_id_fkey, DROP CONSTRAINT messages_pkey;
ALTER TABLE rag_feedback DROP CONSTRAINT rag_feedback_session_id_fkey;
ALTER TABLE sessions DROP CONSTRAINT sessions_pkey;
ALTER TABLE sessions ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);
ALTER TABLE messages ADD CONSTRAINT messages_pkey PRIMARY KEY (id);
ALTER TABLE messages ADD CONSTRAINT messages_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions ON DELETE CASCADE;
ALTER TABLE rag_feedback ADD CONSTRAINT rag_feedback_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions ON DELETE CASCADE;
VACUUM ANALYZE sessions;
VACUUM ANALYZE messages;
EOT

sql($node, 'postgres', join('', map { "CREATE ROLE $_;" } qw(heavy few crowd many zoe)));

for my $db ('thousand', 'million')
{
	my $n = $db eq 'thousand' ? 1_000 : 1_000_000;
	my $last = 1000 + $n;
	my $client;

	# What is planned for empty tables, where the calls end with errors, is used when
	# they are full.
	sql($node, 'postgres', "CREATE DATABASE $db");
	sql($node, $db, "CREATE EXTENSION rag_events; $helper");
	sql($node, $db, $all_the_same) if $db eq 'million';
	$client = by_statements($db);
	call_often($client, $last);
	sql($node, $db, $sessions);
	call_often($client, $last);
	sql($node, $db, special(1, 'old', 100) . special(1_500_000, 'new', 100)
		  . special(200, 'sources', 60, 0, 1) . special(300, 'contents', 60, 1, 1)
		  . special(800, 'crowded', 2) . fill(1, $n)
		  . q(SELECT setval('messages_id_seq', 2000000)));
	check($db, $last, 'planned for empty tables', client => $client);
	check_all($db, $last, 'never analyzed');

	sql($node, $db, 'ANALYZE');
	check($db, $last, 'planned anew after ANALYZE', client => $client);
	$client = check_all($db, $last, 'analyzed');
	if ($db eq 'thousand')
	{
		sql($node, $db, fill(1001, 100_000));
		$last = 101_000;
		check($db, $last, 'planned for a hundredth of the messages', client => $client);

		# A session is a good part of the table: so the planner takes any for one that
		# is found soon by the primary key.
		sql($node, $db, "DELETE FROM messages AS m USING sessions AS s WHERE s.id = m.session_id AND s.user_id = 'crowd' "
			  . "AND s.id <> '$id{crowded}'");
		sql($node, $db, 'VACUUM ANALYZE');
		check($db, $last, 'few and large sessions', client => $client);
		check($db, $last, "few and large sessions, $_", set => $_) for @settings;
	}

	sql($node, $db, $row_security);
	check($db, $last, 'row security, first calls', cold => 1, secured => 1) if $db eq 'million';
	check($db, $last, 'row security', secured => 1);
}

$node->stop;
done_testing();
