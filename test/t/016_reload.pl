# Backends that stay while the extension around them changes: dropped and created
# again, its schema renamed, its tables altered. And two databases of one server,
# which know nothing of each other.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use Test::More;

my $node = start_server('main');
my $session = "'00000000-0000-0000-0000-00000000000a'";

sub ddl { return sql($node, 'postgres', $_[0]); }

sub create
{
	my ($schema) = @_;
	return
	  "SELECT $schema.rag_create_session('u', NULL, $session);";
}

sub add
{
	my ($schema, $content) = @_;
	return "SELECT $schema.rag_add_message($session, 'user', '$content');";
}

sub contents
{
	my ($schema, $db) = @_;
	return sql($node, $db // 'postgres',
		"SELECT string_agg(content, ', ' ORDER BY id) FROM $schema.messages WHERE session_id = $session"
	);
}

# ---------------------------------------------------------------------------
# Two databases
# ---------------------------------------------------------------------------

note('two databases');
sql($node, 'postgres', 'CREATE DATABASE one');
sql($node, 'postgres', 'CREATE DATABASE two');
sql($node, 'one', 'CREATE EXTENSION rag_events');
is(sqlstate($node, 'two', add('public', 'x')),
	'42883', 'an extension in one database is not in the other');
sql($node, 'two', 'CREATE SCHEMA chat; CREATE EXTENSION rag_events SCHEMA chat');
{
	my $one = RagTest::Session->new($node, 'one');
	my $two = RagTest::Session->new($node, 'two');

	$one->query(create('public'));
	is($two->sqlstate(add('chat', 'x')),
		'23503', 'a session of one database is not in the other');
	$two->query(create('chat'));
	is( join(' ',
			map { $_->[0]->answer(add(@$_[1, 2])) } [ $one, 'public', 'a' ],
			[ $one, 'public', 'b' ],
			[ $two, 'chat', 'c' ],
			[ $one, 'public', 'd' ]),
		'1 2 1 3',
		'each counts for itself');
	sql($node, 'two', 'DROP EXTENSION rag_events');
	is($two->sqlstate(add('chat', 'x')), '42883', 'dropped in one');
	is($one->answer(add('public', 'e')), 4, '... it stays in the other');
	is(contents('public', 'one'), 'a, b, d, e', '... with its messages');
}

# ---------------------------------------------------------------------------
# One backend stays, with plans kept
# ---------------------------------------------------------------------------

my $old = RagTest::Session->new($node, 'postgres');

note('dropped and created again');
ddl('CREATE EXTENSION rag_events');
$old->query(create('public'));
is($old->answer(add('public', 'first life')), 1, 'a backend keeps plans');
$old->query(
	"PREPARE add(text) AS SELECT public.rag_add_message($session, 'user', \$1)");

ddl('DROP EXTENSION rag_events');
is($old->sqlstate(add('public', 'x')),
	'42883', 'dropped: the function does not exist');
is($old->sqlstate("EXECUTE add('x')"),
	'42883', '... in a statement prepared before, too');

ddl('CREATE EXTENSION rag_events');
is($old->sqlstate(add('public', 'x')),
	'23503', 'created again: the function finds the new, empty tables');
$old->query(create('public'));
is($old->answer(add('public', 'second life')), 1, '... and writes to them');
is($old->answer("EXECUTE add('prepared in the first')"),
	2, '... in a statement prepared before, too');
is(contents('public'), 'second life, prepared in the first',
	'all of it is there');

note('created again in another schema');
ddl('DROP EXTENSION rag_events; CREATE SCHEMA chat; CREATE EXTENSION rag_events SCHEMA chat'
);
is($old->sqlstate(add('public', 'x')),
	'42883', 'the schema of before has nothing');
$old->query(create('chat'));
is($old->answer(add('chat', 'third life')), 1, 'the new one works at once');

note('dropped in the middle of a transaction of another backend');
$old->query('BEGIN;' . add('chat', 'in a transaction'));
my $dropper = RagTest::Session->new($node, 'postgres');
$dropper->send('DROP EXTENSION rag_events;');
wait_until_blocked($node, $dropper);
is($old->answer(add('chat', 'still there')),
	3, 'the one who drops waits for the one who writes');
$old->query('COMMIT');
is(($dropper->result)[0], '', '... and then drops it');
is($old->sqlstate(add('chat', 'x')), '42883', 'which the writer sees');
ddl('CREATE EXTENSION rag_events SCHEMA chat');

note('the schema is renamed');
$old->query(create('chat'));
$old->query(add('chat', 'in chat'));
ddl('ALTER SCHEMA chat RENAME TO talk');
is($old->sqlstate(add('chat', 'x')), '3F000', 'the old name is gone');
is($old->answer(add('talk', 'in talk')), 2, 'the new name works at once');

# What now has the old name must not be taken for the extension's.
ddl('CREATE SCHEMA chat; CREATE TABLE chat.sessions (LIKE talk.sessions INCLUDING ALL); CREATE TABLE chat.messages (LIKE talk.messages INCLUDING ALL); INSERT INTO chat.sessions TABLE talk.sessions'
);
is($old->answer(add('talk', 'beside another chat')),
	3, 'tables of the same names in a schema of the old name');
is( sql($node, 'postgres',
		'SELECT count(*), (SELECT count(*) FROM chat.sessions s JOIN talk.sessions USING (id, updated_at)) FROM chat.messages'
	),
	'0|0',
	'... are left alone');
is(contents('talk'), 'in chat, in talk, beside another chat',
	'all of it is in the extension\'s tables');

$old->query('BEGIN;' . add('talk', 'before the rename'));
$old->query('ALTER SCHEMA chat RENAME TO was_chat; ALTER SCHEMA talk RENAME TO chat;');
is($old->answer(add('chat', 'after the rename')),
	5, 'renamed in the transaction that writes');
$old->query('ROLLBACK');
is($old->answer(add('talk', 'after the rollback')),
	6, '... and rolled back');

# ---------------------------------------------------------------------------
# The tables are altered
# ---------------------------------------------------------------------------

note('the tables are altered');
for my $test (
	[ 'a column more', 'ADD local int DEFAULT 1' ],
	[ 'wide ids', 'ALTER id TYPE bigint' ],
	[ 'a column in another place', 'DROP content CASCADE, ADD content text' ],
	[ 'another index', 'DROP CONSTRAINT messages_pkey, ADD PRIMARY KEY (id)' ],
	[ 'rewritten', 'SET UNLOGGED' ])
{
	my ($name, $change) = @$test;
	my $before = sql($node, 'postgres', 'SELECT max(id) FROM talk.messages');

	ddl("ALTER TABLE talk.messages $change");
	is($old->answer(add('talk', $name)), $before + 1, "$name: writing goes on");
	like(contents('talk'), qr/(^|, )\Q$name\E$/, "$name: to the right column");
}
ddl('ALTER SEQUENCE talk.messages_id_seq AS bigint; ALTER TABLE talk.messages ALTER id TYPE bigint'
);
ddl("SELECT setval('talk.messages_id_seq', 3000000000)");
is($old->answer(add('talk', 'a wide id')),
	3000000001, 'an id of more than 32 bits, in a backend from before');

ddl('ALTER TABLE talk.messages RENAME TO letters');
is($old->sqlstate(add('talk', 'x')), '42P01', 'a renamed table is missed');
ddl('ALTER TABLE talk.letters RENAME TO messages');
like($old->answer(add('talk', 'as before')),
	qr/^\d+$/, '... until it has its name again');
is($old->answer('SELECT pg_backend_pid()'),
	$old->pid, 'all of this in one backend');

$node->stop;
done_testing();
