# Ten thousand random calls of the functions, each compared with a model in plain SQL
# (test/random/model.sql): the same result or SQLSTATE, and the same rows in both tables.
# In databases of several encodings, on tables where rows are written directly and on
# ones where they are not. Calls go on until each error that random arguments come upon
# has come up.
#
# RAG_TEST_SEED (an integer; printed, else drawn) gives the same calls again, and
# RAG_TEST_RANDOM_CALLS is how many.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use Test::More;

my $seed = $ENV{RAG_TEST_SEED} // int(rand(1_000_000_000));
my $calls = $ENV{RAG_TEST_RANDOM_CALLS} // 10_000;
my $random = "$FindBin::RealBin/../random";
my $node = start_server('random', "timezone = 'Europe/Berlin'");

note("RAG_TEST_SEED=$seed RAG_TEST_RANDOM_CALLS=$calls");

# What keeps the functions from writing directly, and changes nothing.
my $triggers = <<'EOT';
CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER pass BEFORE INSERT OR UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION pass();
CREATE TRIGGER pass BEFORE INSERT OR UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION pass();
EOT

# Which of a function's errors random arguments come upon.
my %errors = (
	rag_create_session => '23505',
	rag_add_message => '22001 22003 22004 22023 23503 23505 23514',
	rag_add_messages => '22001 22003 22004 22023 23503 23505 23514',
	rag_add_conversations => '22001 22003 22004 22023 23503 23505 23514',
	rag_get_messages => '22004 22023 23503',
	rag_get_messages_after => '22004 22023 23503',
	rag_get_context => '22004 22023 23503',
	rag_list_sessions => '22023',
	rag_update_session => '22004 22023 23503',
	rag_delete_session => '22004',
	rag_update_message => '22003 22004 22023 23503',
	rag_delete_messages => '22004 23503',
	rag_next_version => '22004',
	rag_copy_session => '22004 23503',
	rag_export_session => '22004 23503',
	rag_import_session => '22004 22023 23505',
	rag_get_session => '22004 23503',
	rag_find_sessions => '22023',
	rag_get_prompt => '22004 22023 23503',
	rag_put_message => '22001 22003 22004 22023 23503 23505 23514',
	rag_reassign_sessions => '22004 23503',
	rag_expire_sessions => '22004 22023',
	rag_erase_user => '22004 22023',
	rag_set_feedback => '22001 22003 22004 22023 23503',
	rag_get_feedback => '22004 23503');
my %outcomes;
my $runs = 0;

# Makes so many calls in a database, over a connection of its own, and with it new plans.
sub run_calls
{
	my ($db, $n) = @_;

	sql($node, $db, 'CALL model.run(' . ($seed + 7919 * ++$runs) % 1_000_000 / 1_000_000 . ", $n)");
	return;
}

# No call did otherwise than the model.
sub no_differences
{
	my ($db, $name) = @_;

	is( sql($node, $db, "SET client_encoding = 'SQL_ASCII'; SELECT call, what, extension, model FROM model.differences"),
		'', "$name: every call does as the model does")
	  or diag("RAG_TEST_SEED=$seed RAG_TEST_RANDOM_CALLS=$calls");
	return;
}

# Adds what a database's calls came to.
sub add_outcomes
{
	my ($db) = @_;

	for my $line (split /\n/, sql($node, $db, 'SELECT function, outcome, calls FROM model.outcomes'))
	{
		my ($function, $outcome, $count) = split /\|/, $line;

		$outcomes{$function}{$outcome} += $count;
	}
	return;
}

sub missing
{
	my ($function) = @_;

	return grep { !$outcomes{$function}{$_} } ('ok', split / /, $errors{$function});
}

for my $case (
	[ 'UTF-8', "ENCODING 'UTF8'", '', 0.4 ],
	[ 'UTF-8, with triggers', "ENCODING 'UTF8'", $triggers, 0.2 ],
	[ 'LATIN1', "ENCODING 'LATIN1'", '', 0.2 ],
	[ 'SQL_ASCII', "ENCODING 'SQL_ASCII'", '', 0.2 ])
{
	my ($name, $encoding, $setup, $part) = @$case;
	my $db = lc($name) =~ s/[^a-z0-9]+/_/gr;
	my $n = int($part * $calls);
	my $made;

	sql($node, 'postgres', "CREATE DATABASE $db $encoding LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	sql($node, $db, "CREATE EXTENSION rag_events; $setup");
	for my $file ('model', 'generator')
	{
		sql($node, $db, "SET client_encoding = 'SQL_ASCII'; SET client_min_messages = error;" . slurp_file("$random/$file.sql"));
	}
	run_calls($db, int($n / 4)) for 1 .. 4;
	no_differences($db, $name);
	$made = sql($node, $db, 'SELECT sum(calls) FROM model.outcomes');
	cmp_ok($made, '>=', 4 * int($n / 4), "$name: all calls were made");
	note("$name: $made calls");
	add_outcomes($db);
	is(sql($node, $db, "SELECT count(*) FROM rag_check_schema() WHERE kind NOT IN ('not_dumped')"), '0', "$name: the schema is as it was");
}

# What did not come up, after ten times the calls, does not.
for (1 .. 90)
{
	last if $calls < 10_000 || !grep { missing($_) } keys %errors;
	sql($node, 'utf_8', 'TRUNCATE model.outcomes');
	run_calls('utf_8', int($calls / 10));
	add_outcomes('utf_8');
}
no_differences('utf_8', 'until each error came up');

for my $function (sort keys %errors)
{
	is(join(' ', missing($function)), '', "$function(): there were calls that succeeded, and each of its errors")
	  if $calls >= 10_000;
	note("$function(): " . join(', ', map { "$_ $outcomes{$function}{$_}" } sort keys %{ $outcomes{$function} }));
}
is(join(' ', sort keys %outcomes), join(' ', sort keys %errors), 'every function was called');

$node->stop;
done_testing();
