# make revision and make snapshot, in a copy of the sources: what they write is
# complete, and what they refuse leaves no trace.

use strict;
use warnings;

use Cwd ();
use File::Path ();
use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use Test::More;

my $sources = PostgreSQL::Test::Utils::tempdir();
my $tree = PostgreSQL::Test::Utils::tempdir_short();
my $here = Cwd::getcwd();

# ---------------------------------------------------------------------------
# A copy of the sources, and of PostgreSQL to install into
# ---------------------------------------------------------------------------

# shell(COMMAND): runs it in the copy. Returns its exit status and all it prints.
sub shell
{
	my ($command) = @_;
	my $output = `cd '$sources' && { $command; } 2>&1`;

	return ($? >> 8, $output);
}

sub must
{
	my ($status, $output) = shell($_[0]);

	die "$_[0]: $output" if $status != 0;
	return $output;
}

my $config = do
{
	my $copy = 'tar -cf - --exclude=./tmp_check --exclude=./results '
	  . '--exclude=./output_iso --exclude=./.git --exclude=node_modules .';

	system("cd '$here' && $copy | tar -C '$sources' -xf -") == 0
	  or die 'no copy of the sources';
	must("PG_CONFIG=\$(command -v pg_config) bash -c '. tools/lib/common.sh && rag_private_tree \"$tree\" >&2 && echo \"\$PG_CONFIG\"' 2>/dev/null | tail -n 1");
};
chomp $config;
my $bindir = `$config --bindir`;
chomp $bindir;

sub build { return must("make -s PG_CONFIG='$config' with_llvm=no all install"); }

# state(): all files of the copy that are no products, with their content.
sub state
{
	return must('find . -type f ! -name "*.o" ! -name "*.bc" ! -name "*.so" '
		  . '! -name "*.sql.h" -exec cksum {} + | sort -k 3');
}

# head(): the version that is the default.
sub head
{
	return must(q{sed -n "s/^default_version = '\(.*\)'/\1/p" rag_events.control}) =~ s/\n//r;
}

build();
my $node = PostgreSQL::Test::Cluster->new('main',
	install_path => Cwd::realpath("$bindir/.."));
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->start;
my $first = head();
my ($major, $minor) = split /\./, $first;
my @next = map { $major . '.' . ($minor + $_) } 0 .. 3;
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;

# what_differs(DATABASE): all that differs from the installed version.
sub what_differs
{
	return sql($node, $_[0], 'SELECT object, kind, expected, actual FROM rag_check_schema()');
}

# regress(TESTS): what pg_regress says of them.
sub regress
{
	return must("make installcheck PG_CONFIG='$config' REGRESS='$_[0]' ISOLATION= "
		  . '|| { cat regression.diffs; false; }');
}

# ---------------------------------------------------------------------------
# Refused
# ---------------------------------------------------------------------------

my $before = state();
sql($node, 'postgres', 'CREATE DATABASE without_rag_events');
for my $bad (
	[ 'no version', '', qr/VERSION is missing/ ],
	[ 'no message', "VERSION=$next[1]", qr/MESSAGE is missing/ ],
	[ 'a version that exists', "VERSION=1.0 MESSAGE=x1", qr/version 1\.0 exists/ ],
	[ 'a version before the head', 'VERSION=0.9 MESSAGE=x1', qr/not later than/ ],
	[ 'the adoption version', 'VERSION=001_initial_schema MESSAGE=x1', qr/is not a version/ ],
	[ 'a path', 'VERSION=../../1.9 MESSAGE=x1', qr/is not a version/ ],
	[ 'two versions', "VERSION=$next[1]--$next[2] MESSAGE=x1", qr/is not a version/ ],
	[ 'a leading zero', 'VERSION=09.1 MESSAGE=x1', qr/is not a version/ ],
	[ 'three numbers', 'VERSION=9.1.1 MESSAGE=x1', qr/is not a version/ ],
	[ 'the end of a comment', "VERSION=$next[1] MESSAGE='a */ b'", qr/is not a message/ ],
	[ 'two lines', "VERSION=$next[1] MESSAGE=\"a\$(printf '\\nb')\"", qr/is not a message/ ],
	[ 'no letter', "VERSION=$next[1] MESSAGE=' - '", qr/is not a message/ ],
	[ 'more than ASCII', "VERSION=$next[1] MESSAGE=naïve", qr/is not a message/ ],
	[ 'a long message', "VERSION=$next[1] MESSAGE=" . 'x' x 73, qr/has 73 characters/ ],
	[ 'no such database', "VERSION=$next[1] MESSAGE=x1 DBNAME=none", qr/"none" does not exist/ ],
	[ 'a database without rag_events', "VERSION=$next[1] MESSAGE=x1 DBNAME=without_rag_events", qr/has no version/ ])
{
	my ($name, $arguments, $expected) = @$bad;
	my ($status, $output) = shell("make revision $arguments");

	ok($status != 0 && $output =~ $expected, "refused: $name")
	  or diag("status $status: $output");
}
is(state(), $before, 'what is refused leaves no trace');

# ---------------------------------------------------------------------------
# An empty step
# ---------------------------------------------------------------------------

my $message = q{add the user's "preferences" \n & 100% more};

must("make revision VERSION=$next[1] MESSAGE='" . $message =~ s/'/'\\''/gr . "'");
is(head(), $next[1], 'the new version is the default');
like(must('cat CHANGELOG.md'),
	qr/^## \Q$next[1]\E \(unreleased\)\n\n\* \Q@{[ucfirst $message]}\E\n(?:\n## |\z)/m,
	'the change log has an entry');
build();
sql($node, 'postgres', 'CREATE EXTENSION rag_events');
like(
	sql($node, 'postgres', 'SELECT version, down_version, revision, description, is_current FROM rag_migrations() WHERE is_head'),
	qr/^\Q$next[1]|$first|\E\d{3}_add_the_user_s_preferences_n_100_more\Q|$message|t\E$/,
	'the new version is known by its number, revision and message');
is(what_differs('postgres'), '', 'an empty step makes what is expected');
sql($node, 'postgres', "ALTER EXTENSION rag_events UPDATE TO '$first'");
is(what_differs('postgres'), '', 'so does the step down');
like(regress("migrations v" . $next[1] =~ tr/./_/r), qr/All 2 tests passed/,
	'the tests pass');
unlike((shell("make revision VERSION=$next[1] MESSAGE=again"))[1], qr/^Revision/m,
	'a second time is refused');

# ---------------------------------------------------------------------------
# A step that was done by hand
# ---------------------------------------------------------------------------

$before = state();
like((shell("make revision VERSION=$next[2] MESSAGE=x1 DBNAME=postgres"))[1],
	qr/has \Q$first\E of rag_events/, 'changes count from the head');
sql($node, 'postgres', 'ALTER EXTENSION rag_events UPDATE');
like((shell("make revision VERSION=$next[2] MESSAGE=x1 DBNAME=postgres"))[1],
	qr/has no change/, 'without changes there is nothing to do');
is(state(), $before, 'both leave no trace');

sql($node, 'postgres', <<'EOT');
ALTER TABLE sessions ADD COLUMN r_score double precision, ADD COLUMN "r Note" text;
ALTER TABLE messages ADD COLUMN r_short varchar(20), ALTER COLUMN query_type SET STORAGE external;
ALTER TABLE messages ADD CONSTRAINT r_check CHECK (top_k < 1000);
CREATE INDEX r_index ON messages (session_id, role) WHERE top_k > 1;
ALTER TABLE sessions ALTER COLUMN created_at SET DEFAULT now();
DROP INDEX ix_sessions_created_at;
ALTER INDEX ix_sessions_user_id RENAME TO r_renamed;
ALTER TABLE messages RENAME CONSTRAINT ck_messages_role TO r_role;
ALTER TABLE messages ALTER COLUMN content DROP NOT NULL;
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
EOT
must("make revision VERSION=$next[2] MESSAGE='by hand' DBNAME=postgres");
like(must("cat sql/rag_events--$next[1]--$next[2].sql"),
	qr/^-- left to do: column messages.content .*NOT NULL|^-- left to do: column messages.content .*not null: no$/m,
	'what has no place in a step is left to somebody');
like(must("make snapshot PG_CONFIG='$config'"), qr/^Wrote schema/m, 'the scripts run');
build();
sql($node, 'postgres', 'CREATE DATABASE by_script');
sql($node, 'by_script', 'CREATE EXTENSION rag_events');
is(what_differs('by_script'), '', 'the step by hand makes what is expected');
is(sql($node, 'by_script', q{SELECT count(*) FROM pg_attribute
	WHERE attname IN ('r_score', 'r Note', 'r_short') AND NOT attisdropped}),
	'3', 'the columns are there');
is(sql($node, 'by_script', q{SELECT to_regclass('r_index') IS NOT NULL, to_regclass('ix_sessions_created_at') IS NULL}),
	't|t', 'an index came, another went');
is(sql($node, 'by_script', q{SELECT to_regclass('r_renamed') IS NOT NULL, to_regclass('ix_sessions_user_id') IS NULL}),
	't|t', '... and one got another name');
sql($node, 'by_script', q{INSERT INTO sessions (id, "r Note") VALUES (gen_random_uuid(), 'x')});
is(sqlstate($node, 'by_script', "ALTER EXTENSION rag_events UPDATE TO '$next[1]'"),
	'55000', 'the step down does not lose data');
sql($node, 'by_script', "SET rag_events.allow_data_loss = on; ALTER EXTENSION rag_events UPDATE TO '$next[1]'");
is(what_differs('by_script'), '', 'the step down, when told to, takes all back');
like(regress("migrations v" . $next[1] =~ tr/./_/r . " v" . $next[2] =~ tr/./_/r),
	qr/All 3 tests passed/, 'the tests pass');

# ---------------------------------------------------------------------------
# What make snapshot guards
# ---------------------------------------------------------------------------

like(must("make snapshot PG_CONFIG='$config'"), qr/ is right\.$/m, 'a snapshot that is right stays');
$before = must("cat schema/rag_events--$next[2].json");
must("echo 'ALTER TABLE \@extschema\@.sessions ADD COLUMN forgotten pg_catalog.text;' >> sql/rag_events--$next[1]--$next[2].sql");
like((shell("make snapshot PG_CONFIG='$config'"))[1],
	qr/not the same on every way:.*step down: .*column sessions\.forgotten/s,
	'a step down that forgets something is refused');
is(must("cat schema/rag_events--$next[2].json"), $before, 'and the snapshot is left as it was');

$node->stop;
done_testing();
