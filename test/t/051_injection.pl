# SQL injection: every parameter of text and JSON of every function, by the catalog,
# is given what would end a literal, an identifier, a comment or a format of SQL built
# from it. What is stored is what was given, to the letter; what is not stored is an
# error of the function's own; nothing else in the database changes; and no error is one
# of syntax. The schema has a name that would end a statement.

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
my $schema = q("a; DROP TABLE canary; %s %n");    # PostgreSQL itself refuses quotes and comments
my $session = '00000000-0000-0000-0000-000000000001';

sql($node, 'postgres', <<"EOT");
CREATE ROLE client LOGIN;
CREATE SCHEMA $schema;
CREATE EXTENSION rag_events SCHEMA $schema;
CREATE TABLE canary (i int);
GRANT ALL ON SCHEMA public, $schema TO client;
GRANT ALL ON ALL TABLES IN SCHEMA public, $schema TO client;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public, $schema TO client;
SELECT $schema.rag_create_session('owner', '{"k": 1}', '$session');
SELECT $schema.rag_add_message('$session', 'user', 'first');
EOT

my @payloads = (
	q~' OR 1=1 --~, q~'; DROP TABLE canary; --~, q~" OR ""="~, q~"; DROP TABLE canary; --~, q~\'; DROP TABLE canary; --~,
	q~$$; DROP TABLE canary; $$~, q~$1~, q~$2~, q~%s %I %L %1$s %n~, q~{0}~, q~*/ DROP TABLE canary; /*~, q~); DELETE FROM canary; --~,
	q~owner' --~, q~owner"~, q~') || pg_sleep(3) || ('~, q~' UNION SELECT passwd FROM pg_shadow --~, q~user'~, q~user"--~, q~assistant); SELECT~,
	q~__proto__~, q~$.**~, q~{"$ne": null}~, q~1.0'; DROP TABLE canary; --~, q~1.0--1.1~, q~../../../../etc/passwd~, q~1.2.sql~, "\t\n\r '", "\x01\x7f'",
	"\xef\xbc\x87 OR 1=1", "\xc0\xa7"    # a quote of another width, and one that is no UTF-8
);

# Function => its parameters, as "name type".
my %functions;
for (split /\n/, sql($node, 'postgres', <<'EOT'))
SELECT p.proname, string_agg(a.name || ' ' || format_type(a.type, NULL), ',' ORDER BY n)
FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND extname = 'rag_events',
LATERAL unnest(p.proargtypes::oid[], p.proargnames[1:p.pronargs]) WITH ORDINALITY AS a (type, name, n)
GROUP BY p.proname
EOT
{
	my ($function, $parameters) = split /\|/;
	$functions{$function} = [ split /,/, $parameters ];
}

# What a parameter has when another is tried. A text that is left out has its default.
my %ordinary = (
	'session_id uuid' => "'$session'",
	'role text' => "'user'",
	'content text' => "'ordinary'",
	'message_id bigint' => "(SELECT min(id) FROM $schema.messages)",
	'from_id bigint' => '2147483647',
	'after_id bigint' => '0',
	'max_tokens integer' => '1000',
	'messages jsonb' => q('[{"role": "user", "content": "ordinary"}]'),
	'conversation jsonb' => q('{"messages": [{"role": "user", "content": "ordinary"}]}'),
	'from_version text' => "'1.0'",
	'to_version text' => "'1.1'",
	'user_id text' => 'NULL',
	'new_user_id text' => "'other'",
	'idempotency_key text' => "'key'",
	'older_than interval' => "'1000 years'",
	'metadata jsonb' => q('{"a": 1}'),
	'name text' => "'user'",
	'from_day date' => 'NULL',
	'to_day date' => 'NULL',
	'histogram integer[]' => q('{1,1}'),
	'sum integer[]' => q('{1,1}'),
	'fraction double precision' => '0.5');
my %optional = map { $_ => 1 } qw(rag_create_session.session_id rag_create_session.metadata rag_create_session.user_id
	rag_add_message.idempotency_key);

sub quoted
{
	my ($text) = @_;
	return "convert_from(decode('" . unpack('H*', $text) . "', 'hex'), 'UTF8')";
}

# The JSON values to try, with the payload in every place.
sub documents
{
	my ($text) = @_;

	return map { $_ =~ s/\?/$text/gr } (
		'to_jsonb(?)', 'jsonb_build_object(?, ?)', 'jsonb_build_array(?)',
		"jsonb_build_array(jsonb_build_object('role', 'user', 'content', ?, 'query_type', ?, 'idempotency_key', ?, 'sources', ?, 'metadata', jsonb_build_object(?, ?)))",
		"jsonb_build_array(jsonb_build_object('role', ?, 'content', ?))",
		"jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'x', ?, ?))",
		"jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'x', 'created_at', ?))",
		"jsonb_build_object('session_id', ?, 'messages', jsonb_build_array())",
		"jsonb_build_array(jsonb_build_object('session_id', gen_random_uuid(), 'create_session', true, 'user_id', ?, 'messages', jsonb_build_array(jsonb_build_object('role', 'user', 'content', ?, 'query_type', ?, 'idempotency_key', ?))))",
		"jsonb_build_array(jsonb_build_object('session_id', ?, 'messages', jsonb_build_array()))",
		"jsonb_build_array(jsonb_build_object('session_id', '$session', 'messages', jsonb_build_array(), ?, ?))",
		"jsonb_build_object('user_id', ?, 'metadata', jsonb_build_object(?, ?), 'messages', jsonb_build_array(jsonb_build_object('role', 'user', 'content', ?, 'query_type', ?)))");
}

# All that must stay as it is: the catalogs and the canary. Of the extension's own
# tables, what is there before.
sub state_now
{
	return join("\n", @{ snapshot($node, 'postgres') },
		sql($node, 'postgres', <<"EOT"));
SELECT count(*) FROM canary;
SELECT rolname, rolsuper FROM pg_roles ORDER BY 1;
SELECT * FROM $schema.rag_migration_log;
SELECT * FROM $schema.messages WHERE content = 'first';
SELECT id, user_id, metadata FROM $schema.sessions WHERE id = '$session';
EOT
}

sql($node, 'postgres', 'INSERT INTO canary VALUES (1)');
my $before = state_now();

# Errors that the functions give of their own, and those of the types: of text that is
# no UTF-8, of JSON and times.
my $own = qr/^(22004|22003|22023|22001|23503|23505|23514|22021|22007|22008|22P05|0A000)$/;
my $client = RagTest::Session->new($node, 'postgres', 'client');
my $calls = 0;

for my $function (sort keys %functions)
{
	my @wrong;

	for my $parameter (grep { / (text|jsonb)$/ } @{ $functions{$function} })
	{
		my ($name, $type) = split / /, $parameter, 2;

		for my $payload (@payloads)
		{
			for my $value ($type eq 'text' ? quoted($payload) : documents(quoted($payload)))
			{
				my @arguments = map {
					my ($other) = split / /;
					$other eq $name ? "$name => $value" : exists $ordinary{$_} && !$optional{"$function.$other"} ? "$other => $ordinary{$_}" : ()
				} @{ $functions{$function} };
				my $call = "$schema.$function(" . join(', ', @arguments) . ')';

				# What a change returns or leaves behind is looked at within its transaction.
				my $answer = $client->answer("BEGIN; SELECT count(*) FROM $schema.$function(" . join(', ', @arguments) . '); ROLLBACK');
				$calls++;
				push @wrong, "$call: $answer" if $answer =~ /^SQLSTATE (.*)/ ? $1 !~ $own : $answer ne '1' && $answer !~ /^\d+$/;
			}
		}
	}
	is_deeply(\@wrong, [], "$function(): no payload ends a literal");
}
note("$calls calls");
is(state_now(), $before, 'nothing else in the database has changed');

# A user's name is compared to the letter: no payload is somebody else's.
for my $payload (grep { $_ ne "\xc0\xa7" } @payloads)
{
	my $text = quoted($payload);

	is( $client->answer("SELECT $schema.rag_get_messages('$session', user_id => $text)"),
		'SQLSTATE 23503', 'no user_id opens the session of another: ' . ($payload =~ s/[^ -~]/?/gr));
	is( $client->query("SELECT count(*) FROM $schema.rag_list_sessions($text)"), '0', '... nor lists it');
	is( $client->query(<<"EOT"), 't', '... and what is stored is what was given');
BEGIN;
CREATE TEMPORARY TABLE made ON COMMIT DROP AS SELECT $schema.rag_create_session($text, jsonb_build_object($text, $text)) AS id;
CREATE TEMPORARY TABLE added ON COMMIT DROP AS
SELECT $schema.rag_add_message(id, 'user', $text, jsonb_build_array($text), query_type => $text, user_id => $text, metadata => jsonb_build_object($text, $text), idempotency_key => $text) AS id FROM made;
SELECT s.user_id = $text AND s.metadata = jsonb_build_object($text, $text)
   AND m.content = $text AND m.sources = jsonb_build_array($text) AND m.query_type = $text AND m.metadata = jsonb_build_object($text, $text) AND m.idempotency_key = $text
   AND l.title IS NULL AND l.preview = $text
   AND $schema.rag_export_session(s.id, $text)->'messages'->0->>'content' = $text
FROM made JOIN $schema.sessions s USING (id) JOIN $schema.messages m ON m.session_id = s.id, $schema.rag_list_sessions($text) AS l;
ROLLBACK;
EOT
}
is(state_now(), $before, 'nothing else in the database has changed by that');
$client->quit;

# The test sees it: a function that builds SQL from its argument.
sql($node, 'postgres', <<"EOT");
CREATE FUNCTION unsafe(a text) RETURNS bigint LANGUAGE plpgsql
AS 'DECLARE n bigint; BEGIN EXECUTE ''SELECT count(*) FROM canary WHERE ''''x'''' = '''''' || a || '''''''' INTO n; RETURN n; END';
EOT
my %unsafe = map { sqlstate($node, 'postgres', 'SELECT unsafe(' . quoted($_) . ')', 'client') => 1 } @payloads[ 0 .. 4 ];
ok(scalar(grep { $_ ne '' && !/$own/ } keys %unsafe), 'a function that builds SQL of its argument would fail this test');

$node->stop;
done_testing();
