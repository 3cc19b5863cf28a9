# Row security: what a policy hides from a role does not exist for it, whichever
# function it calls, and no error tells more. Every function that takes a session is
# tried, by the catalog.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use RagVersions;
use Test::More;

my $node = start_server('main');
my ($hidden, $own, $missing) = map { "00000000-0000-0000-0000-00000000000$_" } 1 .. 3;

sql($node, 'postgres', <<"EOT");
CREATE ROLE bob LOGIN;
CREATE EXTENSION rag_events;
SELECT rag_create_session('alice', '{"title": "hidden title"}', '$hidden');
SELECT rag_create_session('bob', '{"title": "own"}', '$own');
SELECT rag_add_message('$hidden', 'user', 'hidden content', idempotency_key => 'hidden key');
SELECT rag_add_message('$own', 'user', 'seen', idempotency_key => 'seen key');
SELECT rag_add_message('$own', 'assistant', 'hidden answer', '["hidden source"]', query_type => 'secret', idempotency_key => 'hidden key');
SELECT rag_add_message('$own', 'user', 'seen too');
GRANT ALL ON sessions, messages, messages_id_seq TO bob;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE messages ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON sessions USING (user_id = current_user);
CREATE POLICY not_secret ON messages USING (query_type IS DISTINCT FROM 'secret' AND session_id IN (SELECT id FROM sessions));
EOT
my $secret = sql($node, 'postgres', q(SELECT id FROM messages WHERE content = 'hidden answer'));
my $before = rows_of($node, 'postgres', 'public');

# Function => a call with a session, ? in its place.
my %calls = (
	rag_create_session => q(rag_create_session('bob', NULL, ?, true)),
	rag_add_message => q(rag_add_message(?, 'user', 'x')),
	rag_add_messages => q(rag_add_messages(?, '[{"role": "user", "content": "x"}]')),
	rag_add_conversations => q(rag_add_conversations(jsonb_build_array(jsonb_build_object('session_id', ?, 'messages', '[]'::jsonb)))),
	rag_add_shard_conversations => q(rag_add_shard_conversations(?, jsonb_build_array(jsonb_build_object('session_id', ?, 'messages', '[]'::jsonb)))),
	rag_get_messages => 'rag_get_messages(?)',
	rag_get_messages_after => 'rag_get_messages_after(?, 0)',
	rag_get_context => 'rag_get_context(?, 1000)',
	rag_update_session => q(rag_update_session(?, '{"a": 1}')),
	rag_delete_session => 'rag_delete_session(?)',
	rag_update_message => q(rag_update_message(?, 1, 'x')),
	rag_delete_messages => 'rag_delete_messages(?, 1)',
	rag_copy_session => 'rag_copy_session(?)',
	rag_export_session => 'rag_export_session(?)',
	rag_get_session => 'rag_get_session(?)',
	rag_get_prompt => 'rag_get_prompt(?, 1000)',
	rag_set_feedback => 'rag_set_feedback(?, 1, 1)',
	rag_get_feedback => 'rag_get_feedback(?)',
	rag_put_message => q(rag_put_message(?, 'key', 'user', 'x')),
	rag_reassign_sessions => q(rag_reassign_sessions('alice', 'bob', ?)));

sub tried
{
	my ($call) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "BEGIN; SELECT * FROM $call; ROLLBACK",
		on_error_stop => 0, extra_params => [ '-U', 'bob', '-v', 'VERBOSITY=verbose' ]);

	# In the context is the session as the caller named it.
	return "$out\n" . join("\n", grep { !/LOCATION|messages of session/ } split /\n/, $err);
}

my @with_session = split /\n/, sql($node, 'postgres', <<'EOT');
SELECT p.proname FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND extname = 'rag_events'
WHERE p.proargnames[1:p.pronargs] && '{session_id,conversations}' ORDER BY 1
EOT
is_deeply(\@with_session, [ sort keys %calls ], 'each function that takes a session is tried');

for my $function (sort keys %calls)
{
	my $of_hidden = tried($calls{$function} =~ s/\?/'$hidden'/gr);
	my $of_missing = tried($calls{$function} =~ s/\?/'$missing'/gr);

	unlike($of_hidden, qr/hidden |alice/, "$function() of a hidden session tells nothing of it");
	if ($function eq 'rag_create_session')
	{
		# As with any unique key, that the id is taken is seen; not by whom.
		like($of_hidden, qr/ERROR:  23505/, '... but that the id is taken');
		unlike($of_hidden, qr/Key|\Q$hidden\E/, '... without the key');
		next;
	}
	is($of_hidden, $of_missing, '... and is as one of a session that does not exist');
	unlike($of_hidden, qr/\Q$hidden\E/, '... without the key') if $of_hidden =~ /ERROR/;
}
is(rows_of($node, 'postgres', 'public'), $before, 'nothing was changed');

# Messages that are hidden, in a session that is seen.
for my $call ("rag_get_messages('$own')", "rag_get_messages_after('$own', 0)", "rag_get_context('$own', 1000)", "rag_list_sessions('bob')", "rag_list_sessions('alice')",
	'rag_list_sessions(NULL)', "rag_export_session('$own')", "rag_get_prompt('$own', 1000)", "rag_find_sessions('bob', 'e')", "rag_find_sessions('alice')", "rag_find_sessions('alice', 'hidden')")
{
	unlike(tried($call), qr/hidden|secret/, "$call shows no hidden message");
}
is(answer($node, 'postgres', "SELECT string_agg(content, ', ' ORDER BY id) FROM rag_get_messages('$own')", 'bob'), 'seen, seen too', 'the others are read');

my $of_hidden = tried("rag_update_message('$own', $secret, 'changed')");
like($of_hidden, qr/ERROR:  23503: message does not exist/, 'a hidden message is not updated');
unlike($of_hidden, qr/with id $secret/, '... and its key is not named');
is($of_hidden, tried("rag_update_message('$own', 999, 'changed')"), '... as one that does not exist');
is( answer($node, 'postgres', "BEGIN; CREATE TEMPORARY TABLE copied AS SELECT rag_copy_session('$own') AS id; SELECT string_agg(content, ', ' ORDER BY m.id) FROM messages m JOIN copied ON session_id = copied.id; ROLLBACK", 'bob'),
	'seen, seen too', 'a copy has none of the hidden messages');
is(answer($node, 'postgres', "BEGIN; SELECT rag_delete_messages('$own', 1); ROLLBACK", 'bob'), '2', 'deleting leaves hidden messages alone');

is( answer($node, 'postgres', "SELECT count(*) FROM rag_find_sessions('bob', 'hidden')", 'bob'), '0', 'what is hidden is not found');
for my $call ("rag_erase_user('alice')", q(rag_expire_sessions('1 microsecond')))
{
	my ($sessions, $left) = split /\n/, answer($node, 'postgres', "BEGIN; SELECT sessions FROM $call; RESET ROLE; ROLLBACK; SELECT 0", 'bob');

	cmp_ok($sessions, '<=', 1, "$call leaves hidden sessions alone");
}
is(answer($node, 'postgres', q(SELECT format('%s %s %s', sessions, kept, more) FROM rag_erase_user('alice', '{"title": "hidden title"}', dry_run => true)), 'bob'), '0 0 f', '... and does not count them as kept');
is(answer($node, 'postgres', q(BEGIN; SELECT rag_reassign_sessions('alice', 'bob'); ROLLBACK), 'bob'), '0', '... nor does anybody get them');

# A key that a hidden message has: the index knows it.
my $of_key = tried("rag_add_message('$own', 'user', 'x', idempotency_key => 'hidden key')");
like($of_key, qr/ERROR:  23505/, 'a key that a hidden message has is taken');
unlike($of_key, qr/hidden answer|secret|Key \(/, '... and no more is told');
like(tried("rag_put_message('$own', 'hidden key', 'assistant', 'x')"), qr/ERROR:  23505/, '... for a message that is put as well');

# Rows that the policy would hide are not written.
for my $call ('rag_create_session(\'alice\')', "rag_add_message('$own', 'user', 'x', query_type => 'secret')",
	"rag_add_messages('$own', '[{\"role\": \"user\", \"content\": \"x\", \"query_type\": \"secret\"}]')",
	qq(rag_add_conversations('[{"session_id": "$own", "messages": [{"role": "user", "content": "x", "query_type": "secret"}]}]')),
	q(rag_import_session('{"user_id": "alice", "messages": []}')), q(rag_import_session('{"messages": [{"role": "user", "content": "x", "query_type": "secret"}]}', 'bob')))
{
	like(tried($call), qr/ERROR:  42501: new row violates row-level security policy/, "$call is refused");
}
is(rows_of($node, 'postgres', 'public'), $before, 'nothing was changed by that');

# A function in a query over the result sees only what the result has: were rows of
# other sessions behind it, it would be told of them.
is( answer($node, 'postgres', <<"EOT", 'bob'), '', 'a function that tells what it sees is shown nothing that is hidden');
CREATE FUNCTION pg_temp.tell(content text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS 'BEGIN IF content LIKE ''%hidden%'' THEN RAISE ''saw it'' USING ERRCODE = ''99999''; END IF; RETURN false; END';
SELECT * FROM rag_get_messages('$own') WHERE pg_temp.tell(content);
SELECT * FROM rag_list_sessions('bob') WHERE pg_temp.tell(preview) OR pg_temp.tell(title);
SELECT * FROM rag_get_context('$own', 1000) WHERE pg_temp.tell(content);
SELECT * FROM rag_find_sessions('bob', 'e') WHERE pg_temp.tell(snippet) OR pg_temp.tell(preview);
EOT

# The test sees it.
sql($node, 'postgres', 'ALTER TABLE sessions DISABLE ROW LEVEL SECURITY; ALTER TABLE messages DISABLE ROW LEVEL SECURITY');
like(tried("rag_get_messages('$hidden')"), qr/hidden content/, 'without policies it is all seen');
like(tried("rag_get_messages('$missing')"), qr/\Q$missing\E/, '... and errors name the key');

$node->stop;
done_testing();
