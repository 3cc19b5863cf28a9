# What goes together with writing to a table (GRANT, ANALYZE, settings of columns and of
# the table, publications, an index that is built CONCURRENTLY, a constraint that is
# validated) makes every backend look at the table anew, at any moment of a call. Writers
# of all kinds go on meanwhile, and nothing is lost.
#
# DROP STATISTICS is not among it: any statement that is planned at that moment, ours or
# not, may end with PostgreSQL's own "cache lookup failed for statistics object".

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagLoad;
use RagTest;
use Test::More;

my $rounds = $ENV{RAG_TEST_ROUNDS} // 60;
my $seed = $ENV{RAG_TEST_SEED} // int(rand(2**31));
my $node = start_server('main', 'max_connections = 40', 'log_statement = none');

sql($node, 'postgres', 'CREATE EXTENSION rag_events; CREATE EXTENSION amcheck');
sql($node, 'postgres', 'CREATE PUBLICATION p');
my $load = RagLoad->new($node, 'postgres', seed => $seed, writers => 4, calls => 600);
my $changes = <<'EOT';
GRANT SELECT ON messages, sessions TO PUBLIC;
REVOKE SELECT ON messages, sessions FROM PUBLIC;
ANALYZE messages;
ALTER TABLE messages ALTER content SET STATISTICS 50;
ALTER TABLE messages ALTER content SET STATISTICS -1;
ALTER TABLE messages SET (autovacuum_enabled = off);
ALTER TABLE messages RESET (autovacuum_enabled);
ALTER PUBLICATION p ADD TABLE messages, sessions;
ALTER PUBLICATION p DROP TABLE messages, sessions;
ALTER TABLE messages VALIDATE CONSTRAINT messages_session_id_fkey;
COMMENT ON TABLE messages IS NULL;
EOT

# An index that is built CONCURRENTLY waits for the old snapshot of the load: it comes
# after that has gone.
$load->start($node);
$load->{snapshot}->quit;
my ($out, $err) = ('', '');
my $psql = IPC::Run::start(
	[ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', '-' ],
	'<' => \($changes x $rounds . 'CREATE INDEX CONCURRENTLY own ON messages (query_type); DROP INDEX CONCURRENTLY own;'), '>' => \$out, '2>' => \$err);
$psql->finish;
is($err, '', "$rounds rounds of changes while writers are at work");
cmp_ok($load->acknowledged, '>', 0, $load->acknowledged . ' calls meanwhile');
$load->stop($node);
is_deeply([ $load->check($node) ], [], 'what was acknowledged is there once, and nothing else');
is_deeply([ RagLoad::corruption($node, 'postgres') ], [], '... tables and indexes are sound');

# The same as fast as can be: short calls, and the shortest of the changes.
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
