# Paging through a long session while others write to it: each message once, in both
# directions.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use Test::More;

my $node = start_server('main', 'fsync = off');
my $session = "'00000000-0000-0000-0000-000000000001'";

# How many there are, and how many each of the writers adds meanwhile.
my ($old, $writers, $turns) = (10_000, 4, 200);
my $new = $writers * $turns * 3;

sql($node, 'postgres', 'CREATE EXTENSION rag_events');
sql($node, 'postgres', <<"EOT");
SELECT rag_create_session('maya', session_id => $session);
SELECT cardinality(rag_add_messages($session, (SELECT jsonb_agg(jsonb_build_object(
  'role', CASE n % 2 WHEN 1 THEN 'user' ELSE 'assistant' END, 'content', 'old ' || n) ORDER BY n)
  FROM generate_series(1, $old) AS n)));
EOT

# start_writers(): one message alone, and two together, again and again.
sub start_writers
{
	my $script = $node->basedir . '/write.sql';

	append_to_file($script, <<"EOT");
SELECT rag_add_message($session, 'user', 'new');
SELECT rag_add_messages($session, '[{"role": "user", "content": "new"}, {"role": "assistant", "content": "new"}]');
EOT
	return IPC::Run::start(
		[
			'pgbench', '-n', '-c', $writers, '-t', $turns, '-f', $script, '-h',
			$node->host, '-p', $node->port, 'postgres'
		],
		'>', \my $out, '2>', \my $err);
}

# pages(READER, CALL, NEXT, UNTIL): the ids of page after page. CALL is a function of
# the place that NEXT finds in a page, and UNTIL one of the ids so far.
sub pages
{
	my ($reader, $call, $next, $until) = @_;
	my @ids;
	my $place = 'NULL';

	for (1 .. 100_000)
	{
		my @page = split /\n/, $reader->query('SELECT id FROM ' . $call->($place));

		push @ids, @page;
		$place = $next->(@page) if @page;
		last if $until->(\@ids, \@page);
	}
	return @ids;
}

my $reader = RagTest::Session->new($node, 'postgres');
my $load = start_writers();

# Until the writers are at it.
$node->poll_query_until('postgres', "SELECT count(*) > 0 FROM messages WHERE content = 'new'")
  or die 'the writers do not write';

my @back = pages(
	$reader,
	sub { "rag_get_messages($session, 97, $_[0])" },
	sub { $_[0] },
	sub { !@{ $_[1] } });
my %back;
$back{$_}++ for @back;
is(scalar(grep { $_ != 1 } values %back), 0, 'backwards: no message comes twice');
is(sql($node, 'postgres',
		"SELECT count(*) FROM messages WHERE content LIKE 'old%' AND NOT id = ANY ('{"
		  . join(',', @back) . "}')"),
	'0', '... and none that was there is missing');

my @forth = pages(
	$reader,
	sub { "rag_get_messages_after($session, $_[0], 89)" },
	sub { $_[-1] },
	sub { @{ $_[0] } >= $old + $new });
$load->finish;
is($load->full_result(0), 0, 'the writers wrote all they had');
is_same_text(
	join("\n", @forth),
	sql($node, 'postgres', 'SELECT id FROM messages ORDER BY id'),
	'forwards, following the writers: each message once, in order');
is(sql($node, 'postgres', 'SELECT count(*) FROM messages'), $old + $new, 'all are there');

done_testing();
