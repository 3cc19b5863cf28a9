# The memory of a backend stays flat however often a function is called, when it
# succeeds and when it fails. What PostgreSQL's memory contexts hold is looked at, and
# where the system shows it what the process has besides shared memory.
#
# RAG_TEST_CALLS is how many calls of each kind are made: 5000, or a million by
#   make prove_installcheck PROVE_TESTS=test/t/036_memory.pl RAG_TEST_CALLS=1000000
# (The functions over the catalogs are so slow that they are called less often.)
# RAG_TEST_KINDS is a regular expression: only the kinds that match it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use Test::More;

my $calls = $ENV{RAG_TEST_CALLS} // 5_000;
my $kinds = $ENV{RAG_TEST_KINDS} // '.';
my $session = "'00000000-0000-0000-0000-000000000001'";
my $nowhere = "'00000000-0000-0000-0000-00000000000f'";

# A table of PostgreSQL's or a cache may still double. No allocation is smaller than 16
# bytes: one for each of 5000 calls is more than this.
my $slack = 72 * 1024;
my $resident_slack = 4 * 1024 * 1024;

my $node = start_server('memory');
sql($node, 'postgres', 'CREATE EXTENSION rag_events');

# What a leak looks like: the test of the test.
sql($node, 'postgres', <<'EOT');
CREATE FUNCTION leak(n int) RETURNS void LANGUAGE plpgsql AS
$$BEGIN EXECUTE format('DECLARE leak_%s CURSOR WITH HOLD FOR SELECT 1', md5(random()::text)); END$$
EOT

# repeated(CALL, N): N calls in one backend, with a transaction for every hundred.
# Errors are caught.
sub repeated
{
	my ($call, $n) = @_;

	return <<"EOT";
DO \$\$
BEGIN
  FOR i IN 1 .. $n LOOP
    BEGIN
      PERFORM $call;
    EXCEPTION WHEN integrity_constraint_violation OR data_exception THEN
    END;
    IF i % 100 = 0 THEN
      COMMIT;
    END IF;
  END LOOP;
END \$\$
EOT
}

sub resident
{
	my ($pid) = @_;

	return undef if !-r "/proc/$pid/status";
	return slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m ? 1024 * $1 : undef;
}

# growth(CALL, N): by how many bytes the contexts, and the process, grow in N calls.
sub growth
{
	my ($call, $n) = @_;
	my $memory = 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts';
	my (@contexts, @resident);
	my $client;

	sql($node, 'postgres', <<"EOT");
TRUNCATE sessions, messages, rag_feedback;
SELECT setval('messages_id_seq', 1, false);
SELECT rag_create_session('erin', '{"title": "x"}', $session);
SELECT rag_add_message($session, 'user', 'x', '[1]', 1, 1, 'q', 'erin', 1, '{"a": 1}', 'k' || n) FROM generate_series(1, 30) AS n;
EOT
	$client = RagTest::Session->new($node, 'postgres');
	$client->query($memory);
	$client->query(repeated($call, $n < 500 ? $n : 500));
	for my $count (0, $n)
	{
		local $PostgreSQL::Test::Utils::timeout_default = $PostgreSQL::Test::Utils::timeout_default + $count / 100;

		$client->query(repeated($call, $count)) if $count > 0;
		push @contexts, $client->query($memory);
		push @resident, resident($client->pid);
	}
	$client->quit;
	return ($contexts[1] - $contexts[0],
		defined $resident[0] ? $resident[1] - $resident[0] : 0);
}

cmp_ok((growth('leak(i)', 2000))[0], '>', $slack, 'a leak is seen');
sql($node, 'postgres', 'DROP FUNCTION leak');

my $turn = '\'[{"role": "user", "content": "Question", "token_count": 1}, {"role": "assistant", "content": "Answer", "sources": [1, 2, 3], "metadata": {"model": "m"}}]\'';

for my $case (
	[ 'rag_create_session()', q(rag_create_session('erin', '{"a": 1}')) ],
	[ '… that is there already', "rag_create_session('erin', NULL, $session, true)" ],
	[ '… of somebody else', "rag_create_session('eve', NULL, $session, true)" ],
	[ '… with an id that is taken', "rag_create_session('erin', NULL, $session)" ],
	[ 'rag_add_message()', "rag_add_message($session, 'user', 'x', '[1]', 1, 1, 'q', 'erin', 1, '{}')" ],
	[ '… with a key', "rag_add_message($session, 'user', 'x', idempotency_key => 'new ' || i)" ],
	[ '… repeated', "rag_add_message($session, 'user', 'x', idempotency_key => 'k1')" ],
	[ '… of a role that there is not', "rag_add_message($session, 'bot', 'x')" ],
	[ 'rag_add_messages()', "rag_add_messages($session, $turn)" ],
	[ '… with a bad element', "rag_add_messages($session, '[{\"role\": \"user\", \"content\": \"x\"}, {\"role\": \"user\"}]')" ],
	[ 'rag_add_conversations()', "rag_add_conversations(jsonb_build_array(jsonb_build_object('session_id', $session, 'messages', ${turn}::jsonb), jsonb_build_object('session_id', $session, 'messages', ${turn}::jsonb, 'user_id', 'erin')))" ],
	[ '… of new sessions', "rag_add_conversations(jsonb_build_array(jsonb_build_object('session_id', gen_random_uuid(), 'messages', '[]'::jsonb, 'user_id', 'zoe', 'create_session', true)))" ],
	[ '… with a bad element', "rag_add_conversations(jsonb_build_array(jsonb_build_object('session_id', $session, 'messages', ${turn}::jsonb), 1))" ],
	[ '… with a bad message', "rag_add_conversations(jsonb_build_array(jsonb_build_object('session_id', $session, 'messages', '[{\"role\": \"user\"}]'::jsonb)))" ],
	[ '… of no session', "rag_add_conversations(jsonb_build_array(jsonb_build_object('session_id', $nowhere, 'messages', ${turn}::jsonb)))" ],
	[ 'rag_get_messages()', "count(*) FROM rag_get_messages($session, 20, 25, 'erin')" ],
	[ '… without sources', "count(*) FROM rag_get_messages($session, NULL, include_sources => false)" ],
	[ '… of no session', "rag_get_messages($nowhere)" ],
	[ 'rag_get_messages_after()', "count(*) FROM rag_get_messages_after($session, 5, 20, 'erin')" ],
	[ '… with a bad maximum', "rag_get_messages_after($session, 5, -1)" ],
	[ 'rag_get_context()', "count(*) FROM rag_get_context($session, 20, 25, 3, 'erin')" ],
	[ '… of somebody else', "rag_get_context($session, 20, user_id => 'eve')" ],
	[ '… that is left unread', "(SELECT rag_get_context($session, 20) LIMIT 1)" ],
	[ 'rag_list_sessions()', "count(*) FROM rag_list_sessions('erin')" ],
	[ '… from a cursor on', "count(*) FROM rag_list_sessions('erin', NULL, repeat('7f', 24))" ],
	[ '… from a bad cursor on', "rag_list_sessions('erin', 1, 'x')" ],
	[ 'rag_get_session()', "count(*) FROM rag_get_session($session, 'erin')" ],
	[ '… of no session', "rag_get_session($nowhere)" ],
	[ 'rag_find_sessions()', q(count(*) FROM rag_find_sessions('erin', 'x "y ü"', '{"a": null, "title": "x"}')) ],
	[ '… that have it', q(count(*) FROM rag_find_sessions('erin', 'x')) ],
	[ '… of no words', q(rag_find_sessions('erin', '""')) ],
	[ 'rag_get_prompt()', "rag_get_prompt($session, 20, 25, 'erin')" ],
	[ '… of no session', "rag_get_prompt($nowhere, 1)" ],
	[ 'rag_put_message()', "rag_put_message($session, 'k7', 'user', 'y' || i, '[2]', 2, 2, 'q', 'erin', 2, '{\"b\": 2, \"a\": null}')" ],
	[ '… that is new', "rag_delete_messages($session, rag_put_message($session, 'new', 'user', 'x'))" ],
	[ '… of another role', "rag_put_message($session, 'k7', 'assistant', 'y')" ],
	[ 'rag_reassign_sessions()', "rag_reassign_sessions('erin', 'erin')" ],
	[ '… of no session', "rag_reassign_sessions('erin', 'eve', $nowhere)" ],
	[ 'rag_expire_sessions()', "count(*) FROM rag_expire_sessions('1 day', keep => '[{\"a\": 1}, {\"b\": 2}]')" ],
	[ 'rag_erase_user()', "sessions FROM rag_create_session('ann') AS s, rag_erase_user('ann', '{\"a\": 1}')" ],
	[ '… with a bad argument', q(rag_erase_user('ann', '{}')) ],
	[ 'rag_set_feedback()', "rag_set_feedback($session, 7, i, 'label', 'comment', source_no => NULL, rater => 'r' || i % 9, metadata => '{\"a\": 1}', user_id => 'erin')" ],
	[ '… taken back', "rag_set_feedback($session, 7, rater => 'r' || i % 9)" ],
	[ '… of no source', "rag_set_feedback($session, 7, 1, source_no => 99)" ],
	[ 'rag_get_feedback()', "count(*) FROM rag_get_feedback($session, 'erin', 'r1')" ],
	[ 'rag_close_days()', 'rag_close_days()' ],
	[ '… of a day that is not over', "rag_close_days('infinity')" ],
	[ 'rag_usage()', 'count(*) FROM rag_usage(NULL, NULL)' ],
	[ 'rag_latency_sum()', 'rag_latency_percentile(rag_latency_sum(ARRAY[i % 50 + n, 1]), 0.5) FROM generate_series(1, 5) AS n' ],
	[ 'rag_update_session()', "rag_update_session($session, jsonb_build_object('a', i, 'b', NULL), 'erin')" ],
	[ '… that is no object', "rag_update_session($session, '[]')" ],
	[ 'rag_update_message()', "rag_update_message($session, 7, 'y' || i, '[2]', 2, 2, '{\"b\": 2, \"a\": null}', 'erin')" ],
	[ '… that is not there', "rag_update_message($session, 1000000000, 'y')" ],
	[ 'rag_delete_messages()', "rag_delete_messages($session, rag_add_message($session, 'user', 'x'))" ],
	[ '… of no message', "rag_delete_messages($session, 1000000000)" ],
	[ '… of no session', "rag_delete_messages($nowhere, 1)" ],
	[ 'rag_delete_session()', "rag_delete_session(rag_create_session('erin'), 'erin')" ],
	[ '… of no session', "rag_delete_session($nowhere)" ],
	[ 'rag_copy_session()', "rag_delete_session(rag_copy_session($session))" ],
	[ '… of no session', "rag_copy_session($nowhere)" ],
	[ 'rag_export_session()', "rag_export_session($session, 'erin')" ],
	[ '… of no session', "rag_export_session($nowhere)" ],
	[ 'rag_import_session()', "rag_delete_session(rag_import_session(rag_export_session($session)))" ],
	[ 'rag_import_session() of another form', qq(rag_delete_session(rag_import_session('[{"type": "ai", "data": {"content": "x", "tool_calls": [{"id": "a"}]}}, {"type": "tool", "content": "y", "tool_call_id": "a"}]'))) ],
	[ '… of no form', qq(rag_import_session('[{"role": "user", "content": "x"}, {"type": "ai", "datum": 1}]')) ],
	[ '… that is there already', "rag_import_session(rag_export_session($session), keep_id => true)" ],
	[ 'rag_uuidv7()', 'rag_uuidv7()' ],
	[ 'rag_version()', 'rag_version()' ],
	[ 'rag_next_version()', 'rag_next_version(-1)', 10 ],
	[ 'rag_migrations()', 'count(*) FROM rag_migrations()', 10 ],
	[ 'rag_migration_sql()', "rag_migration_sql('1.0', '1.1')", 10 ],
	[ 'rag_check_schema()', 'count(*) FROM rag_check_schema()', 100 ],
	[ 'rag_local_ddl()', 'count(*) FROM rag_local_ddl()', 100 ],
  )
{
	my ($name, $call, $rarely) = @$case;
	my $n = int($calls / ($rarely // 1));
	my ($contexts, $resident);

	$n = 20 if $n < 20;
	$name = "$1 $name" if $name =~ /^…/ && $call =~ /(rag_\w+\(\)?)/;
	$name =~ s/\( …/() …/;
	next if $name !~ /$kinds/;
	($contexts, $resident) = growth($call, $n);
	ok($contexts < $slack && $resident < $resident_slack, "$name: $n calls leave the memory of the backend flat")
	  or diag("it grew by $contexts bytes in contexts, $resident in all");
	note("$name: grew by $contexts bytes in contexts, $resident in all");
}

$node->stop;
done_testing();
