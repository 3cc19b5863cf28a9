# Backups: a dump of each version of the extension restored where a newer one is the
# default, each format and way of restoring, and backups that are taken while writers
# are at work: each is some moment of the load, whole, and life goes on from there.
#
# Where the environment has oldinstall (test/matrix.sh --upgrade), what is dumped comes
# from a server of an older major.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagLoad;
use RagTest;
use RagVersions;
use Test::More;

my $schema = '"Chat Room"';
my $session = "'00000000-0000-0000-0000-000000000002'";
my $seed = $ENV{RAG_TEST_SEED} // int(rand(2**31));
my $dumps = PostgreSQL::Test::Utils::tempdir();

# Where no older major is given, the source is restored into databases beside it.
my $old = start_old_server('old');
my $new = $ENV{oldinstall} ? start_server('new') : $old;
my @chain = chain_of_versions($old);
my $head = (chain_of_versions($new))[-1];
my $roles = 'CREATE ROLE rag_owner LOGIN; CREATE ROLE rag_writer LOGIN; CREATE ROLE rag_reader LOGIN';

note('from PostgreSQL ' . $old->pg_version . ' to ' . $new->pg_version);
sql($old, 'postgres', $roles);
sql($new, 'postgres', $roles) if $new != $old;

sub dump_database
{
	my ($db, $file, @options) = @_;
	my ($stdout, $stderr) = run_command([ 'pg_dump', '-U', 'rag_owner', '-d', $old->connstr($db), '-f', $file, @options ]);

	is("$stderr(exit status " . ($? >> 8) . ')', '(exit status 0)', "pg_dump @options of $db");
	return;
}

# restore(DB, FILE, OPTION...): by psql where the file is a script.
sub restore
{
	my ($db, $file, @options) = @_;
	my @command = $file =~ /\.sql$/ ? ('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $file) : ('pg_restore', '--exit-on-error', @options, $file);
	my $program = shift @command;
	my ($stdout, $stderr) = run_command([ $program, '-U', 'rag_owner', '-d', $new->connstr($db), @command ]);

	is("$stderr(exit status " . ($? >> 8) . ')', '(exit status 0)', "$program @options into $db");
	return;
}

sub create_database
{
	my ($node, $db) = @_;

	sql($node, 'postgres', "CREATE DATABASE $db OWNER rag_owner");
	return;
}

# The rows, of these columns alone.
sub rows_in
{
	my ($node, $db, $columns) = @_;

	return sql($node, $db,
		join('', map { "COPY (SELECT " . join(', ', @{ $columns->{$_} }) . " FROM $schema.$_ ORDER BY 1) TO STDOUT;\n" } sort keys %$columns));
}

# Owners and privileges of what $functions and the tables are.
sub lacks_rights
{
	my ($db, $source) = @_;
	my %there = map { $_ => 1 } split /\n/, rights_of($new, $db, $schema);

	return [ grep { !$there{$_} } split /\n/, rights_of($old, $source, $schema) ];
}

# What was restored is as what was dumped, and life goes on.
sub is_restored
{
	my ($db, $source, $columns, $version) = @_;
	my $last_id = sql($old, $source, "SELECT last_value FROM $schema.messages_id_seq");

	is_same_text(rows_in($new, $db, $columns), rows_in($old, $source, $columns), "$db: rows");
	is_deeply(lacks_rights($db, $source), [], "$db: owners and privileges");
	is(sql($new, $db, "SELECT extversion FROM pg_extension WHERE extname = 'rag_events'"), $version, "$db: version $version");
	is_deeply([ check_schema($new, $db, $schema, 'rag_owner') ], [], "$db: the schema is that of a new installation");
	is( answer($new, $db, "SELECT $schema.rag_add_message($session, 'user', 'after the restore')", 'rag_writer'),
		$last_id + 1, "$db: ids go on, for whom they did")
	  if $version ne adoption_version();
	return;
}

# ---------------------------------------------------------------------------
# A dump of each version
# ---------------------------------------------------------------------------

for my $version (@chain, adoption_version())
{
	my $name = $version =~ s/\W/_/gr;
	my $source = "source_$name";
	my $adopted = $version eq adoption_version();
	my $columns;

	note("version $version");
	create_database($old, $source);
	sql($old, $source, "CREATE SCHEMA $schema;" . ($adopted ? seed_tables($schema) : '') . "CREATE EXTENSION rag_events SCHEMA $schema VERSION '$version'", 'rag_owner');
	sql($old, $source, <<"EOT", 'rag_owner');
GRANT USAGE ON SCHEMA $schema TO rag_writer, rag_reader;
GRANT SELECT, UPDATE ON $schema.sessions TO rag_writer;
GRANT INSERT ON $schema.messages TO rag_writer;
GRANT USAGE ON SEQUENCE $schema.messages_id_seq TO rag_writer;
GRANT SELECT (id, user_id) ON $schema.sessions TO rag_reader WITH GRANT OPTION;
GRANT SELECT (id, session_id, content) ON $schema.messages TO rag_reader;
EOT
	# What a superuser says of the functions is dumped with them.
	sql($old, $source, "REVOKE EXECUTE ON FUNCTION $schema.$_ FROM PUBLIC; GRANT EXECUTE ON FUNCTION $schema.$_ TO rag_writer, rag_owner")
	  for keys %{ functions_of($old, $source) };
	sql($old, $source, $adopted ? <<"EOT" : conversations($schema) . judgments($schema), 'rag_owner');
INSERT INTO $schema.sessions (id, user_id) VALUES ($session, 'u');
INSERT INTO $schema.messages (session_id, role, content, sources) VALUES ($session, 'user', 'kept', '[1]');
EOT
	$columns = columns_of($old, $source, $schema);
	dump_database($source, "$dumps/$name", '--format=custom');

	# PostgreSQL dumps CREATE EXTENSION without a version.
	create_database($new, "restored_$name");
	restore_with_superuser_grants("restored_$name", "$dumps/$name");
	is_restored("restored_$name", $source, $columns, $head);

	# A database that has the extension keeps its version.
	create_database($new, "kept_$name");
	sql($new, "kept_$name", "CREATE SCHEMA $schema;" . ($adopted ? seed_tables($schema) : '') . "CREATE EXTENSION rag_events SCHEMA $schema VERSION '$version'", 'rag_owner');
	restore_with_superuser_grants("kept_$name", "$dumps/$name");
	is_restored("kept_$name", $source, $columns, $version);
	is(sqlstate($new, "kept_$name", 'ALTER EXTENSION rag_events UPDATE', 'rag_owner'), '', "kept_$name: it is updated");
	is_deeply(lacks_rights("kept_$name", $source), [], '... and privileges stay');
	is_deeply([ check_schema($new, "kept_$name", $schema, 'rag_owner') ], [], '... and the schema is that of the newest version');
	is( rows_in($new, "kept_$name", { sessions => [ 'id', 'user_id' ] }), rows_in($old, $source, { sessions => [ 'id', 'user_id' ] }),
		'... with the rows');
}

# Grants on functions are the superuser's to make: the owner restores all but them.
sub restore_with_superuser_grants
{
	my ($db, $file) = @_;
	my $list = "$dumps/list";
	my ($contents) = run_command([ 'pg_restore', '--list', $file ]);
	my @acl = grep { / ACL .* FUNCTION / } split /\n/, $contents;

	append_to_file("$list.owner", join('', map { /^;| ACL .* FUNCTION |EXTENSION|SCHEMA - / && $db =~ /^kept/ || / ACL .* FUNCTION / ? '' : "$_\n" } split /\n/, $contents));
	append_to_file("$list.superuser", join('', map { "$_\n" } @acl));
	restore($db, $file, '--use-list', "$list.owner");
	if (@acl)
	{
		my (undef, $err) = run_command([ 'pg_restore', '-d', $new->connstr($db), '--exit-on-error', '--use-list', "$list.superuser", $file ]);
		is($err, '', "pg_restore of grants on functions by a superuser into $db");
	}
	unlink "$list.owner", "$list.superuser";
	return;
}

# ---------------------------------------------------------------------------
# Formats and ways that 020_dump_restore.pl does not go
# ---------------------------------------------------------------------------

my $source = 'source_' . $chain[-1] =~ s/\W/_/gr;
my $columns = columns_of($old, $source, $schema);

sub is_way
{
	my ($db, $dump, $restore, $prepare) = @_;
	my $file = "$dumps/$db" . (grep({ /^--format/ } @$dump) ? '' : '.sql');

	note($db);
	create_database($new, $db);
	$prepare->($db) if $prepare;
	dump_database($source, $file, '--no-privileges', @$dump);
	restore($db, $file, @$_) for @$restore;
	is_same_text(rows_in($new, $db, $columns), rows_in($old, $source, $columns), "$db: rows");
	is( answer($new, $db, "SELECT $schema.rag_add_message($session, 'user', 'after the restore')", 'rag_owner'),
		sql($old, $source, "SELECT last_value FROM $schema.messages_id_seq") + 1, "$db: ids go on");
	return;
}

# Has it already, with other rows.
sub has_rows
{
	my ($db) = @_;

	sql($new, $db, "CREATE SCHEMA $schema; CREATE EXTENSION rag_events SCHEMA $schema", 'rag_owner');
	sql($new, $db, "SELECT $schema.rag_add_message($schema.rag_create_session(), 'user', 'to be gone')", 'rag_owner');
	return;
}

sub has_extension
{
	my ($db) = @_;

	sql($new, $db, "CREATE SCHEMA $schema; CREATE EXTENSION rag_events SCHEMA $schema", 'rag_owner');
	return;
}

my @sections = ([ '--section=pre-data', '--section=data' ], [ '--section=post-data', '--jobs=2' ]);

is_way('tar', ['--format=tar'], [ [] ]);
is_way('inserts', [ '--inserts', '--rows-per-insert=10' ], [ [] ]);
is_way('column_inserts', ['--column-inserts'], [ [] ]);
is_way('custom_jobs', ['--format=custom'], \@sections);
is_way('directory_uncompressed', [ '--format=directory', '--compress=0', '--jobs=2' ], \@sections);
is_way('plain_clean', [ '--clean', '--if-exists' ], [ [] ], \&has_rows);
is_way('tar_clean', ['--format=tar'], [ [ '--clean', '--if-exists' ] ], \&has_rows);
is_way('schema_alone', [ '--format=custom', "--schema=$schema", '--extension=rag_events' ], [ [] ]);
is_way('single_transaction', ['--format=custom'], [ ['--single-transaction'] ]);
is_way('data_only', [ '--format=custom', '--data-only' ], [ [] ], \&has_extension);
is_way('data_of_all', ['--format=directory'], [ ['--data-only'] ], \&has_extension);

note('pg_dumpall');
{
	my $target = start_server('whole');
	my $file = "$dumps/all.sql";
	my ($out, $err) = run_command([ 'pg_dumpall', '-d', $old->connstr('postgres'), '-f', $file ]);

	is($err, '', 'pg_dumpall');
	# Its first role is there already.
	$target->psql('postgres', "\\i $file", on_error_stop => 0);
	for my $version (@chain)
	{
		my $db = 'source_' . $version =~ s/\W/_/gr;

		is_same_text(
			rows_in($target, $db, columns_of($old, $db, $schema)),
			rows_in($old, $db, columns_of($old, $db, $schema)), "pg_dumpall, version $version: rows");
		# The superuser who restores it gets the tables, and gives them back.
		is( sql($target, $db, "SELECT DISTINCT relowner::regrole FROM pg_class WHERE relnamespace = '$schema'::regnamespace AND relkind IN ('r', 'S')"),
			sql($target, $db, 'SELECT current_user'), '... the tables are the superuser\'s');
		sql($target, $db, "ALTER TABLE $schema.$_ OWNER TO rag_owner") for qw(sessions messages rag_feedback rag_usage_daily);
		my %there = map { $_ => 1 } split /\n/, rights_of($target, $db, $schema);
		my @lacking = grep { !$there{$_} } split /\n/, rights_of($old, $db, $schema);
		is_deeply(\@lacking, [], '... and once they are given back, owners and privileges are as they were');
	}
	$target->stop;
}

# ---------------------------------------------------------------------------
# While writers are at work
# ---------------------------------------------------------------------------

my $busy = start_old_server('busy', 'fsync = on');
sql($busy, 'postgres', 'CREATE EXTENSION rag_events; CREATE EXTENSION amcheck');
my $load = RagLoad->new($busy, 'postgres', seed => $seed, writers => 3, calls => 1000, adding => 1);
my ($from, $to);

$load->start($busy);
$load->run_until(60);

$from = $load->position;
my ($out, $err) = run_command([ 'pg_dump', '--format=custom', '-d', $busy->connstr('postgres'), '-f', "$dumps/busy" ]);
is($err, '', 'pg_dump while writers are at work');
$load->run_until($load->acknowledged + 30);

my $from_backup = $load->position;
$busy->backup('backup');
$load->run_until($load->acknowledged + 10);
$busy->stop('immediate');
$load->finish;

for my $case ([ 'the dump', $from, $from_backup ], [ 'the base backup', $from_backup, undef ])
{
	my ($name, $after, $before) = @$case;
	my $node = $new;
	my $db = 'busy';

	if ($name eq 'the dump')
	{
		sql($node, 'postgres', 'CREATE DATABASE busy');
		($out, $err) = run_command([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('busy'), "$dumps/busy" ]);
		is($err, '', "$name is restored");
	}
	else
	{
		$node = PostgreSQL::Test::Cluster->new('restored', $ENV{oldinstall} ? (install_path => $ENV{oldinstall}) : ());
		$node->init_from_backup($busy, 'backup');
		$node->start;
		$db = 'postgres';
	}
	$load->{db} = $db;
	is_deeply([ $load->check_moment($node, $after, $before) ], [], "$name is a moment of the load: each writer's calls up to one");
	is_deeply([ RagLoad::corruption($node, $db) ], [], '... tables and indexes are sound');
	is(sqlstate($node, $db, "ALTER EXTENSION rag_events UPDATE TO '$chain[0]'; ALTER EXTENSION rag_events UPDATE"),
		'55000', '... a step down still refuses to lose keys');
	is(sqlstate($node, $db, "SET rag_events.allow_data_loss = on; ALTER EXTENSION rag_events UPDATE TO '$chain[0]'; ALTER EXTENSION rag_events UPDATE"),
		'', '... and the extension can be taken down and up');
	my $call = "SELECT rag_add_message((SELECT id FROM sessions LIMIT 1), 'user', 'after it') > (SELECT max(id) FROM messages)";
	is(answer($node, $db, $call), 't', '... and ids go on');
	$node->stop if $node != $new;
}

# The check of a moment sees what is none.
{
	$load->{db} = 'torn';
	sql($new, 'postgres', 'CREATE DATABASE torn TEMPLATE busy');
	sql($new, 'torn', q(DELETE FROM messages WHERE id = (SELECT id FROM messages WHERE content ~ '^w1 \d+ \d+ ' AND content !~ '^w1 \d+ 0 ' ORDER BY id LIMIT 1)));
	like(join("\n", $load->check_moment($new, $from)), qr/no moment of the load/, 'a turn of which one message is missing is seen');
}

$_->stop for $old, $new != $old ? $new : ();
done_testing();
