# Every way from a version to another, up and down, with rows in the tables, grants
# and dependent views, as a database owner who is no superuser: wherever one comes
# from, a version is the same, and nothing of the user's is lost on the way. And,
# with two versions made for it, that this test sees a step that is wrong.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use RagVersions;
use Test::More;

my $schema = '"Chat Room"';
my $allow = 'SET rag_events.allow_data_loss = on;';
my $databases = 0;

# One for each type of a column that a version may add.
my %samples = (
	'text' => "'v'",
	'character varying' => "'v'",
	'integer' => '1',
	'bigint' => '1',
	'smallint' => '1',
	'real' => '1',
	'double precision' => '1',
	'numeric' => '1',
	'boolean' => 'true',
	'uuid' => "'00000000-0000-0000-0000-00000000000f'",
	'jsonb' => q('{"k": "v"}'),
	'bytea' => q('\x00'),
	'timestamp without time zone' => "'2001-01-01'",
	'timestamp with time zone' => "'2001-01-01 UTC'",
	'date' => "'2001-01-01'",
	'interval' => "'1 day'",
	'text[]' => "'{v}'",
	'bigint[]' => "'{1}'",
	'integer[]' => "'{1}'");

# ---------------------------------------------------------------------------
# The walk. What is wrong comes back as a list of lines: nothing is wrong.
# ---------------------------------------------------------------------------

# What the walk needs to know of a server: its versions, the ways between them, and
# what the versions have.
sub survey
{
	my ($node) = @_;
	my %world = (node => $node);

	sql($node, 'postgres',
		'CREATE ROLE rag_owner LOGIN; CREATE ROLE rag_reader; CREATE ROLE rag_writer'
	);
	$world{chain} = [ chain_of_versions($node) ];
	$world{paths} = { update_paths($node) };
	for my $version (@{ $world{chain} },
		grep { $_ eq adoption_version() } keys %{ $world{paths} })
	{
		my $db = create_at(\%world, $version);

		$world{columns}{$version} = columns_of($node, $db, $schema);
		$world{functions}{$version} = functions_of($node, $db);
		sql($node, 'postgres', "DROP DATABASE $db");
	}
	return \%world;
}

sub new_database
{
	my ($node) = @_;
	my $db = 'walk_' . ++$databases;

	sql($node, 'postgres', "CREATE DATABASE $db OWNER rag_owner");
	return $db;
}

# A database at the version, without rows.
sub create_at
{
	my ($world, $version) = @_;
	my $db = new_database($world->{node});

	sql( $world->{node}, $db,
		"CREATE SCHEMA $schema;"
		  . ($version eq adoption_version() ? seed_tables($schema) : '')
		  . "CREATE EXTENSION rag_events SCHEMA $schema VERSION '$version'",
		'rag_owner');
	return $db;
}

# The columns, or functions, that both of two versions have.
sub common
{
	my ($here, $there) = @_;

	return [ grep { my $name = $_; grep { $_ eq $name } @$there } @$here ];
}

sub common_columns
{
	my ($world, $one, $other) = @_;
	my ($here, $there) = @{ $world->{columns} }{ $one, $other };

	return {
		map { $_ => common($here->{$_}, $there->{$_}) }
		grep { exists $there->{$_} } keys %$here };
}

# Grants and dependent views on all that both versions have.
sub customize
{
	my ($world, $db, $one, $other) = @_;
	my $columns = common_columns($world, $one, $other);
	my @functions = @{
		common(map { [ sort keys %{ $world->{functions}{$_} } ] } $one, $other) };
	my $superuser = <<"EOT";
REVOKE SELECT ON $schema.rag_migration_log FROM PUBLIC;
GRANT SELECT ON $schema.rag_migration_log TO rag_owner;
EOT
	my $owner = <<"EOT";
GRANT USAGE ON SCHEMA $schema TO rag_writer;
GRANT SELECT ON $schema.sessions TO rag_reader WITH GRANT OPTION;
GRANT SELECT, UPDATE ON $schema.sessions TO rag_writer;
GRANT INSERT ON $schema.messages TO rag_writer;
GRANT USAGE ON SEQUENCE $schema.messages_id_seq TO rag_writer;
REVOKE TRUNCATE ON $schema.messages FROM rag_owner;
EOT
	my $views = 0;

	for my $table (sort keys %$columns)
	{
		my $names = join(', ', @{ $columns->{$table} });

		$owner .= "GRANT SELECT ($names) ON $schema.$table TO rag_reader;\n"
		  . "CREATE VIEW $schema.all_$table AS SELECT $names FROM $schema.$table;\n";
	}
	for my $function (@functions)
	{
		my ($name, $types) = $function =~ /^(.*?)\((.*)\)$/;

		next if $types =~ /\binternal\b/; # no call has such an argument
		my $nulls = join(', ', map { "NULL::$_" } split(/, /, $types));

		$superuser .=
		    "REVOKE EXECUTE ON FUNCTION $schema.$function FROM PUBLIC;\n"
		  . "GRANT EXECUTE ON FUNCTION $schema.$function TO rag_writer, rag_owner;\n";
		$owner .= sprintf("CREATE VIEW $schema.calls_%d AS SELECT $schema.%s(%s) IS NULL AS called;\n",
			++$views, $name, $nulls);
	}
	sql($world->{node}, $db, $superuser);
	sql($world->{node}, $db, $owner, 'rag_owner');
	return;
}

# Rows as an application writes them, and a value in each column of the version.
sub fill
{
	my ($world, $db, $version) = @_;
	my $node = $world->{node};

	sql($node, $db, <<"EOT", 'rag_owner');
INSERT INTO $schema.sessions (id, user_id, metadata)
SELECT ('00000000-0000-0000-0000-00000000000' || i)::uuid, 'user ' || i % 3, jsonb_build_object('i', i)
FROM generate_series(1, 9) i ON CONFLICT DO NOTHING;
INSERT INTO $schema.messages (session_id, role, content, sources, latency_ms, top_k, query_type)
SELECT id, CASE i % 2 WHEN 1 THEN 'user' ELSE 'assistant' END, repeat('content ' || i, i * i), '[1, 2]', i * 0.1, i, 'q'
FROM $schema.sessions, generate_series(1, 20) i;
DELETE FROM $schema.messages WHERE id = (SELECT max(id) FROM $schema.messages);
EOT
	sql($node, $db, <<"EOT", 'rag_owner') if $world->{columns}{$version}{rag_feedback};
INSERT INTO $schema.rag_feedback
SELECT id, 1, 1, 'user', 'rater', 1, 'good', 'comment', '{"k": 1}' FROM $schema.sessions ORDER BY id LIMIT 1
ON CONFLICT DO NOTHING;
INSERT INTO $schema.rag_usage_daily
SELECT DATE '2026-01-01', 'user 1', 'm-1', 'q', 1, 2, 3, 4, 5, 6, '{1, 2}'
WHERE NOT EXISTS (SELECT FROM $schema.rag_usage_daily);
EOT
	for my $column (nullable($world, $db))
	{
		my ($table, $name, $type) = @$column;

		die "no sample value of type $type for $table.$name"
		  if !exists $samples{$type};
		sql( $node, $db,
			"UPDATE $schema.$table SET $name = $samples{$type} WHERE id = (SELECT id FROM $schema.$table ORDER BY id DESC LIMIT 1) AND NOT EXISTS (SELECT FROM $schema.$table WHERE $name IS NOT NULL)",
			'rag_owner');
	}
	return;
}

# Table, name and type of each column of the two tables that may be null.
sub nullable
{
	my ($world, $db) = @_;

	return map { [ split /\|/ ] } split /\n/,
	  sql($world->{node}, $db, <<"EOT");
SELECT c.relname, quote_ident(a.attname), format_type(a.atttypid, NULL)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = '$schema'::regnamespace AND c.relname IN ('sessions', 'messages')
  AND a.attnum > 0 AND NOT a.attisdropped AND NOT a.attnotnull AND a.attgenerated = ''
EOT
}

# The rows as text, of these columns alone.
sub rows
{
	my ($world, $db, $columns) = @_;

	return join "\n", map {
		"$_\n" . sql($world->{node}, $db,
			sprintf('COPY (SELECT %s FROM %s.%s ORDER BY 1) TO STDOUT',
				join(', ', @{ $columns->{$_} }), $schema, $_))
	} sort keys %$columns;
}

# Runs SQL as the owner. Returns the SQLSTATE of its error, and its text.
sub try
{
	my ($world, $db, $sql) = @_;
	my ($rc, $out, $err) = $world->{node}->psql($db, $sql,
		extra_params => [ '-U', 'rag_owner', '-v', 'VERBOSITY=verbose' ]);

	return ($err =~ /ERROR:\s+(\w{5}): (.*)/) ? ($1, $2) : ('', '');
}

sub update_to { return "ALTER EXTENSION rag_events UPDATE TO '$_[0]';"; }

# Goes from a version to another. $expected is the snapshot to arrive at.
sub go
{
	my ($world, $db, $from, $to, $expected) = @_;
	my $node = $world->{node};
	my $way = "$from to $to";
	my $columns = common_columns($world, $from, $to);
	my @lost =
	  map {
		my $table = $_;
		map { "$table.$_" }
		  grep { my $c = $_; !grep { $_ eq $c } @{ $columns->{$table} // [] } }
		  @{ $world->{columns}{$from}{$table} }
	  } keys %{ $world->{columns}{$from} };
	my @wrong;

	fill($world, $db, $from);
	my $before = snapshot($node, $db);
	my $rows = rows($world, $db, $columns);
	my $all = rows($world, $db, $world->{columns}{$from});
	my $logged = sql($node, $db, "SELECT count(*) FROM $schema.rag_migration_log");

	my $unchanged = sub {
		my ($what) = @_;

		push @wrong, map { "$way, $what: $_" } differences($before, snapshot($node, $db));
		push @wrong, "$way, $what: the rows changed"
		  if rows($world, $db, $world->{columns}{$from}) ne $all;
	};

	# Rolled back, with a row written in between.
	my ($state, $error) = try($world, $db,
		"$allow BEGIN;" . update_to($to)
		  . "INSERT INTO $schema.sessions (id) VALUES (gen_random_uuid()); ROLLBACK");
	push @wrong, "$way, rolled back: $state $error" if $state;
	$unchanged->('rolled back');

	if (@lost)
	{
		($state, $error) = try($world, $db, update_to($to));
		push @wrong, "$way: would lose the values of @lost, and does not refuse to"
		  if $state ne '55000';
		return @wrong if $state eq '';
		$unchanged->('refused');
	}
	($state, $error) = try($world, $db, (@lost ? $allow : '') . update_to($to));
	return (@wrong, "$way: $state $error") if $state;

	push @wrong, map { "$way: $_" } differences($expected, snapshot($node, $db));
	push @wrong, "$way: the rows changed"
	  if rows($world, $db, $columns) ne $rows;
	push @wrong, map { "$way: rag_check_schema(): $_" }
	  check_schema($node, $db, $schema, 'rag_owner');
	push @wrong, map { "$way: $_" }
	  call_functions($node, $db, $schema, 'rag_owner');

	my @path = @{ $world->{paths}{$from}{$to} };
	my $log = sql($node, $db,
		"SELECT string_agg(concat_ws('--', previous_version, version), ' ' ORDER BY id) FROM $schema.rag_migration_log WHERE id > (SELECT id FROM $schema.rag_migration_log ORDER BY id LIMIT 1 OFFSET $logged - 1)"
	);
	my $steps = join(' ', map { "$path[$_ - 1]--$path[$_]" } 1 .. $#path);
	push @wrong, "$way: the log has \"$log\" and not \"$steps\"" if $log ne $steps;
	return @wrong;
}

# Walks from a version to another, and back, and there again, as far as there is a
# way. Keeps the database for the version it ends at.
sub walk
{
	my ($world, $from, $to) = @_;
	my $node = $world->{node};
	my $db = create_at($world, $from);
	my $fresh = create_at($world, $to);
	my @wrong;

	customize($world, $_, $from, $to) for $db, $fresh;
	my $start = snapshot($node, $db);
	my $end = snapshot($node, $fresh);
	sql($node, 'postgres', "DROP DATABASE $fresh");

	@wrong = go($world, $db, $from, $to, $end);
	if (!@wrong && $world->{paths}{$to}{$from})
	{
		@wrong = go($world, $db, $to, $from, $start);
		@wrong = go($world, $db, $from, $to, $end) if !@wrong;
	}

	if (@wrong || exists $world->{kept}{$to})
	{
		sql($node, 'postgres', "DROP DATABASE $db");
	}
	else
	{
		$world->{kept}{$to} = $db;
	}
	return @wrong;
}

# Steps without their reverse. The base version is where the way down ends.
sub without_reverse
{
	my ($world) = @_;
	my @chain = @{ $world->{chain} };

	return map { "$chain[$_] has no way down" }
	  grep {
		my $path = $world->{paths}{ $chain[$_] }{ $chain[ $_ - 1 ] };
		!$path || @$path != 2
	  } 1 .. $#chain;
}

sub all_right
{
	my ($name, @wrong) = @_;

	ok(!@wrong, $name) or diag(join("\n", @wrong));
	return;
}

# ---------------------------------------------------------------------------
# The versions there are
# ---------------------------------------------------------------------------

my $node = start_server('main');
my $world = survey($node);
my @chain = @{ $world->{chain} };
my ($base, $head) = @chain[ 0, -1 ];

note("versions: @chain, and " . adoption_version());
all_right('each step up has its step down', without_reverse($world));
is_deeply([ grep { !$world->{paths}{$base}{$_} } @chain[ 1 .. $#chain ] ],
	[], 'from the base, there is a way to each version');
is_deeply([ grep { $world->{paths}{$_}{ adoption_version() } } keys %{ $world->{paths} } ],
	[], 'no step leads to the version that adopts tables');

for my $from (adoption_version(), @chain)
{
	for my $to (@chain)
	{
		next if !$world->{paths}{$from}{$to};
		all_right("from $from to $to, and back if there is a way",
			walk($world, $from, $to));
	}
}

# ---------------------------------------------------------------------------
# CREATE EXTENSION never takes the version that adopts tables
# ---------------------------------------------------------------------------

for my $version (undef, @chain)
{
	my $db = new_database($node);
	my $create = 'CREATE EXTENSION rag_events' . ($version ? " VERSION '$version'" : '');
	my $name = $version // 'no version';

	sql($node, $db, $create, 'rag_owner');
	is( sql($node, $db,
			'SELECT string_agg(version, \' \' ORDER BY id), (SELECT extversion FROM pg_extension WHERE extname = \'rag_events\') FROM rag_migration_log'
		),
		join(' ', map { $_ eq $base ? $base : @{ $world->{paths}{$base}{$_} } } $version // $head)
		  . '|' . ($version // $head),
		"CREATE EXTENSION with $name starts from $base");

	sql($node, $db, 'DROP EXTENSION rag_events;' . seed_tables('public'), 'rag_owner');
	my $before = snapshot($node, $db);
	is(sqlstate($node, $db, $create, 'rag_owner'),
		'42P07', '... and over tables of those names it is an error');
	all_right('... which changes nothing', differences($before, snapshot($node, $db)));
	sql($node, 'postgres', "DROP DATABASE $db");
}

# ---------------------------------------------------------------------------
# The expected objects that are shipped
# ---------------------------------------------------------------------------

for my $version (@chain)
{
	my $file = "$FindBin::RealBin/../../schema/rag_events--$version.json";

	is_same_text(-e $file ? slurp_file($file) : '',
		fresh_snapshot_file($node, $version),
		"schema/rag_events--$version.json is what a fresh $version gives");
}
is_same_text(slurp_file("$FindBin::RealBin/../../schema/schema.sql"),
	print_snapshot($node, 'schema', $chain[-1]),
	'schema/schema.sql shows the last version');

# ---------------------------------------------------------------------------
# A restart, and a dump, at each version
# ---------------------------------------------------------------------------

# A database at each version, reached by an update where there is one.
my %at = (adoption_version() => create_at($world, adoption_version()));
customize($world, $at{ adoption_version() }, adoption_version(), $base);
fill($world, $at{ adoption_version() }, adoption_version());
for my $version (@chain)
{
	$at{$version} = $world->{kept}{$version};
	next if $at{$version};
	$at{$version} = create_at($world, $version);
	customize($world, $at{$version}, $version, $version);
	fill($world, $at{$version}, $version);
}

my %before = map { $_ => snapshot($node, $at{$_}) } keys %at;
my %rows = map { $_ => rows($world, $at{$_}, $world->{columns}{$_}) } keys %at;
$node->restart;

my $dumps = PostgreSQL::Test::Utils::tempdir();
my $restored = 0;

# Dumps the database and restores it into another, without what is there already.
sub dump_and_restore
{
	my ($db, $target, $present, @options) = @_;
	my $archive = "$dumps/" . ++$restored;

	system_or_bail('pg_dump', '-U', 'rag_owner', '-Fc', '-f', $archive, '-d', $node->connstr($db));
	my ($list) = run_command([ 'pg_restore', '-l', $archive ]);
	append_to_file("$archive.list",
		join("\n", grep { !$present || !/ (SCHEMA|EXTENSION) - / } split(/\n/, $list)) . "\n");
	$node->command_ok(
		[
			'pg_restore', '-d', $node->connstr($target), '-L', "$archive.list", @options, $archive
		],
		"pg_restore of $db into $target");
	return;
}

for my $version (adoption_version(), @chain)
{
	my $db = $at{$version};

	all_right("$version: a restart changes nothing",
		differences($before{$version}, snapshot($node, $db)));
	all_right("$version: ... and its functions work",
		call_functions($node, $db, $schema, 'rag_owner'));
	$rows{$version} = rows($world, $db, $world->{columns}{$version});

	# Into a database that has the version already: it stays.
	if ($version ne adoption_version())
	{
		my $same = create_at($world, $version);

		dump_and_restore($db, $same, 1, '--exit-on-error');
		all_right("$version: dumped and restored at this version, grants and views with it",
			differences($before{$version}, snapshot($node, $same)));
		is_same_text(rows($world, $same, $world->{columns}{$version}),
			$rows{$version}, "$version: ... with all rows");
		all_right("$version: ... and its functions work",
			call_functions($node, $same, $schema, 'rag_owner'));
	}

	# Into an empty one, as the owner: the head version takes the rows.
	my $empty = new_database($node);

	dump_and_restore($db, $empty, 0, '-U', 'rag_owner');
	is(sql($node, $empty, "SELECT extversion FROM pg_extension WHERE extname = 'rag_events'"),
		$head, "$version: restored where nothing is, it comes to $head");
	my $columns = common_columns($world, $version, $head);
	is_same_text(rows($world, $empty, $columns),
		rows($world, $db, $columns), "$version: ... with all rows");
	all_right("$version: ... all as it should be",
		check_schema($node, $empty, $schema, 'rag_owner'),
		call_functions($node, $empty, $schema, 'rag_owner'));
}
$node->stop;

# ---------------------------------------------------------------------------
# Two later versions, right at first, and then each time wrong in one way
# ---------------------------------------------------------------------------

my $tree = synthetic_tree($head);
my %steps = %{ $tree->{steps} };

$node = start_private_server('synthetic', $tree);
$world = survey($node);
is_deeply($world->{chain}, [ @chain, '98.0', '99.0' ], 'two later versions are found');

all_right('each of them has its step down', without_reverse($world));
for my $pair ([ $head, '98.0' ], [ '98.0', '99.0' ], [ $head, '99.0' ],
	[ '99.0', $head ], [ adoption_version(), '99.0' ])
{
	all_right("from $pair->[0] to $pair->[1], and back if there is a way",
		walk($world, @$pair));
}

my $up = '98.0--99.0';
my $down = '99.0--98.0';

for my $test (
	[
		'a step that drops a function and creates it again',
		$up, qr/CREATE OR REPLACE (?=.*rag_synthetic)/,
		'DROP FUNCTION @extschema@.rag_synthetic CASCADE; CREATE ',
		qr/98.0 to 99.0: missing function .*rag_writer=X/,
		qr/98.0 to 99.0: missing relation .*calls_/
	],
	[
		'a step that takes a grant away',
		$up, qr/\z/, 'REVOKE SELECT ON @extschema@.sessions FROM rag_reader;',
		qr/98.0 to 99.0: missing relation Chat Room.sessions: .*rag_reader=r\*/
	],
	[
		'a step that grants, so that pg_dump would leave out what users granted',
		$up, qr/\z/, 'GRANT SELECT ON @extschema@.sessions TO PUBLIC;',
		qr/98.0 to 99.0: unexpected grants at the creation: .*table .*sessions.*rag_reader=r\*/
	],
	[
		'a step that changes rows',
		$up, qr/\z/, "UPDATE \@extschema\@.messages SET content = 'x';",
		qr/98.0 to 99.0: the rows changed/
	],
	[
		'a step that gives a function to another',
		$up, qr/\z/, 'ALTER FUNCTION @extschema@.rag_version() OWNER TO rag_owner;',
		qr/98.0 to 99.0: rag_check_schema\(\): function rag_version\(\)\|changed\|owner/
	],
	[
		'a step that takes a mark for the dump away',
		$up, qr/\z/,
		"UPDATE pg_extension SET extconfig = extconfig[1:2], extcondition = extcondition[1:2] WHERE extname = 'rag_events';",
		qr/98.0 to 99.0: rag_check_schema\(\): dump mark of \w+\|missing/
	],
	[
		'a step down that leaves a comment as it is',
		$down, qr/COMMENT ON COLUMN .*/, '',
		qr/99.0 to 98.0: unexpected comment: .*a note of 99.0/
	],
	[
		'a step down that leaves a column behind',
		$down, qr/ALTER TABLE .* DROP COLUMN .*/, '',
		qr/99.0 to 98.0: unexpected column synthetic_tag/
	],
	[
		'a step down that leaves an index as it is',
		$down, qr/\(synthetic_count\)/, '(synthetic_count, id)',
		qr/99.0 to 98.0: unexpected index .*\(synthetic_count, id\)/
	],
	[
		'a step down that leaves a function as it is',
		$down, qr/SELECT 1/, 'SELECT 2',
		qr/99.0 to 98.0: unexpected function .*SELECT 2/
	],
	[
		'a step down that loses values without a word',
		$down, qr/^SELECT .*refuse_data_loss.*/m, '',
		qr/99.0 to 98.0: would lose the values of sessions.synthetic_tag, and does not refuse to/
	],
	[
		'a step down that fails',
		$down, qr/\z/, 'SELECT 1 / 0;',
		qr/99.0 to 98.0: 22012 /
	])
{
	my ($name, $step, $pattern, $replacement, @expected) = @$test;

	write_step($tree, $step, $steps{$step} =~ s/$pattern/$replacement/r);
	my $wrong = join("\n", walk($world, '98.0', '99.0'));
	like($wrong, $_, $name) for @expected;
	write_step($tree, $step, $steps{$step});
}

write_file($tree, "rag_events--$up.sql", $steps{$up});
like(join("\n", walk($world, '98.0', '99.0')),
	qr/98.0 to 99.0: the log has "" and not "$up"/,
	'a step that does not log itself');
write_step($tree, $up, $steps{$up});

delete $RagVersions::own_calls{rag_synthetic};
like(join("\n", walk($world, $head, '98.0')),
	qr/no sample call: write .*rag_synthetic.sql/,
	'a function that this test has no call for');

unlink "$tree->{scripts}/rag_events--$down.sql";
$world->{paths} = { update_paths($node) };
like(join("\n", without_reverse($world)),
	qr/^99.0 has no way down$/, 'a step without its reverse');

$node->stop;
done_testing();
