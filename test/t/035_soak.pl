# Mixed load for a short time: no call fails, and neither memory nor tables, indexes or
# the part of HOT updates drift. The hour is bench/soak.sh's own.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use Test::More;

my $seconds = $ENV{RAG_TEST_SECONDS} // 40;

# The tables are small and change quickly, so they are to be looked after as often.
my $node = start_server('soak', 'autovacuum_naptime = 1s', 'autovacuum_vacuum_cost_delay = 0');
my ($out, $err);

$ENV{PG_CONFIG} //= 'pg_config';
{
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port);

	IPC::Run::run(
		[ 'bash', "$FindBin::RealBin/../../bench/soak.sh", '--here', '--seconds', $seconds, '--sessions', 200, '--rate', 1000 ],
		'>' => \$out, '2>' => \$err, IPC::Run::timeout($seconds + 5 * $PostgreSQL::Test::Utils::timeout_default));
}
note($out);
is($err, '', 'the load runs');
for my $line (split /\n/, $out)
{
	ok($1 ne 'not ', $2) if $line =~ /^(not |)ok - (.*)/;
	diag($line) if $line =~ /^not ok/;
}
is(scalar(() = $out =~ /^(?:not )?ok - /mg), -e '/proc/self/status' ? 8 : 7, 'all of it was compared');

$node->stop;
done_testing();
