# What goes together with writing to a table, such as GRANT, makes every backend look at
# the table anew, at any moment of a call. Writers go on meanwhile, and nothing is lost.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagLoad;
use RagTest;
use Test::More;

my $node = start_server('main', 'max_connections = 40');

sql($node, 'postgres', 'CREATE EXTENSION rag_events; CREATE EXTENSION amcheck');

# As fast as can be: short calls, and the shortest of the changes.
my $dir = PostgreSQL::Test::Utils::tempdir();
my %scripts = (
	grant => 'GRANT SELECT ON messages TO PUBLIC; REVOKE SELECT ON messages FROM PUBLIC;',
	write => <<'EOT',
\set s random(1, 20)
SELECT rag_add_message(('00000000-0000-0000-1111-' || lpad(:s::text, 12, '0'))::uuid, 'user', 'fast');
EOT
);
my ($clients, $transactions) = (4, 8000);

append_to_file("$dir/$_", $scripts{$_}) for keys %scripts;
sql($node, 'postgres', "SELECT rag_create_session(session_id => ('00000000-0000-0000-1111-' || lpad(s::text, 12, '0'))::uuid) FROM generate_series(1, 20) s");
my @runs = map {
	my ($script, @options) = @$_;
	my ($output, $handle) = ('');

	$handle = IPC::Run::start([ 'pgbench', '-n', @options, '-f', "$dir/$script", '-d', $node->connstr('postgres') ], '>' => \$output, '2>&1');
	[ $script, $handle, \$output ]
} [ write => '-c', $clients, '-t', $transactions ], [ grant => '-t', 2 * $transactions ];
for my $run (@runs)
{
	my ($script, $handle, $output) = @$run;

	$handle->finish;
	is($handle->result(0), 0, "pgbench, $script") or diag($$output);
}
is( sql($node, 'postgres', "SELECT count(*) FROM messages WHERE content = 'fast'"),
	$clients * $transactions, 'all messages are there');
is_deeply([ RagLoad::corruption($node, 'postgres') ], [], '... tables and indexes are sound');
unlike(slurp_file($node->logfile), qr/terminated by signal/, '... no backend has crashed');

$node->stop;
done_testing();
