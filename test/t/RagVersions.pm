# What the tests of versions share: which versions there are and how one gets from
# one to another, what the catalogs say of a database, and a private copy of the
# PostgreSQL installation whose extension scripts a test may change.
#
# The versions are those of the installed scripts: a new one needs no line here.

package RagVersions;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename;
use File::Copy;
use File::Find;
use File::Path qw(make_path);
use FindBin;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use Test::More;

# Calls of functions that only a test has: name => SQL.
our %own_calls;

our @EXPORT = qw(chain_of_versions update_paths adoption_version snapshot
  differences columns_of functions_of seed_tables sample_call call_functions
  check_schema fresh_snapshot_file print_snapshot private_tree synthetic_tree keeper_files write_file
  write_step start_private_server);

# chain_of_versions(NODE): from the base to the head. Installs the extension in a
# database of its own and takes it away again.
sub chain_of_versions
{
	my ($node) = @_;

	sql($node, 'postgres', 'CREATE DATABASE rag_versions');
	my $versions = sql($node, 'rag_versions',
		'CREATE EXTENSION rag_events; SELECT version FROM rag_migrations()');
	sql($node, 'postgres', 'DROP DATABASE rag_versions');
	return split /\n/, $versions;
}

# update_paths(NODE): source => target => the versions on the way, ends included.
sub update_paths
{
	my ($node) = @_;
	my %paths;

	for (split /\n/,
		sql($node, 'postgres',
			"SELECT source, target, path FROM pg_extension_update_paths('rag_events') WHERE path IS NOT NULL"
		))
	{
		my ($source, $target, $path) = split /\|/;
		$paths{$source}{$target} = [ split /--/, $path ];
	}
	return %paths;
}

# The version that takes over the tables of another migration tool: no step leads
# to it.
sub adoption_version { return '001_initial_schema'; }

# seed_tables(SCHEMA): the tables as such a tool makes them.
sub seed_tables
{
	my ($schema) = @_;

	return <<"EOT";
CREATE TABLE $schema.sessions (
  id uuid NOT NULL, user_id varchar, created_at timestamp DEFAULT CURRENT_TIMESTAMP NOT NULL,
  updated_at timestamp DEFAULT CURRENT_TIMESTAMP NOT NULL, metadata jsonb, PRIMARY KEY (id));
CREATE INDEX ix_sessions_user_id ON $schema.sessions (user_id);
CREATE INDEX ix_sessions_user_created ON $schema.sessions (user_id, created_at);
CREATE INDEX ix_sessions_created_at ON $schema.sessions (created_at);
CREATE TABLE $schema.messages (
  id serial NOT NULL, session_id uuid NOT NULL, role varchar NOT NULL, content text NOT NULL,
  created_at timestamp DEFAULT CURRENT_TIMESTAMP NOT NULL, sources jsonb, latency_ms double precision,
  top_k integer, query_type varchar, PRIMARY KEY (id),
  FOREIGN KEY (session_id) REFERENCES $schema.sessions (id) ON DELETE CASCADE,
  CONSTRAINT ck_messages_role CHECK (role IN ('user', 'assistant')));
CREATE INDEX ix_messages_session_id ON $schema.messages (session_id);
CREATE INDEX ix_messages_session_created ON $schema.messages (session_id, created_at);
EOT
}

# ---------------------------------------------------------------------------
# What the catalogs say
# ---------------------------------------------------------------------------

# One row for each thing that the database has beyond a new one's. What PostgreSQL
# numbers is left out: columns go by their order among those that are there.
my $snapshot = <<'EOT';
SET search_path = pg_catalog;
CREATE FUNCTION pg_temp.sorted(aclitem[]) RETURNS text LANGUAGE sql
AS 'SELECT string_agg(a::text, '' '' ORDER BY a::text) FROM unnest($1) a';
WITH rel AS (
  SELECT c.*, n.nspname || '.' || c.relname AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid >= 16384 AND n.nspname NOT LIKE 'pg\_%'
)
SELECT regexp_replace(what || ': ' || jsonb_strip_nulls(facts)::text,
                      '_\d{5,}', '_N', 'g') AS line
FROM (
  SELECT 'relation ' || name AS what, jsonb_build_object(
    'kind', relkind, 'persistence', relpersistence, 'owner', relowner::regrole, 'options', reloptions,
    'grants', pg_temp.sorted(relacl), 'row security', relrowsecurity, 'forced', relforcerowsecurity,
    'replica identity', relreplident, 'partition', relispartition,
    'access method', (SELECT amname FROM pg_am WHERE pg_am.oid = relam), 'tablespace', reltablespace,
    'view', CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(oid) END) AS facts
  FROM rel
  UNION ALL
  SELECT format('column %s of %s', a.attname, name), jsonb_build_object(
    'place', row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum),
    'type', format_type(a.atttypid, a.atttypmod), 'not null', a.attnotnull, 'default', pg_get_expr(d.adbin, d.adrelid),
    'identity', a.attidentity, 'generated', a.attgenerated, 'collation', a.attcollation::regcollation,
    'storage', a.attstorage, 'compression', a.attcompression, 'statistics', a.attstattarget,
    'options', (SELECT array_agg(o) FROM unnest(a.attoptions) o WHERE NOT starts_with(o, 'pg_')),
    'grants', pg_temp.sorted(a.attacl))
  FROM rel JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  UNION ALL
  SELECT format('constraint %s of %s', c.conname, name), jsonb_build_object(
    'definition', pg_get_constraintdef(c.oid), 'validated', c.convalidated, 'local', c.conislocal,
    'index', CASE WHEN c.conindid <> 0 THEN c.conindid::regclass END)
  FROM rel JOIN pg_constraint c ON c.conrelid = rel.oid
  UNION ALL
  SELECT 'index ' || i.indexrelid::regclass, jsonb_build_object(
    'definition', pg_get_indexdef(i.indexrelid), 'valid', i.indisvalid, 'ready', i.indisready,
    'replica identity', i.indisreplident, 'clustered', i.indisclustered)
  FROM rel JOIN pg_index i ON i.indrelid = rel.oid
  UNION ALL
  SELECT format('trigger %s of %s', t.tgname, name), jsonb_build_object(
    'enabled', t.tgenabled, 'function', t.tgfoid::regproc, 'type', t.tgtype,
    'definition', CASE WHEN NOT t.tgisinternal THEN pg_get_triggerdef(t.oid) END)
  FROM rel JOIN pg_trigger t ON t.tgrelid = rel.oid
  UNION ALL
  SELECT format('policy %s of %s', p.polname, name), jsonb_build_object(
    'permissive', p.polpermissive, 'command', p.polcmd, 'roles', p.polroles::regrole[],
    'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid))
  FROM rel JOIN pg_policy p ON p.polrelid = rel.oid
  UNION ALL
  SELECT format('rule %s of %s', r.rulename, name), jsonb_build_object(
    'enabled', r.ev_enabled, 'definition', pg_get_ruledef(r.oid))
  FROM rel JOIN pg_rewrite r ON r.ev_class = rel.oid
  UNION ALL
  SELECT 'sequence ' || name, to_jsonb(s) - 'seqrelid'
  FROM rel JOIN pg_sequence s ON s.seqrelid = rel.oid
  UNION ALL
  SELECT format('publication %s of %s', p.pubname, name), jsonb_build_object(
    'columns', (SELECT jsonb_agg(attname ORDER BY attname) FROM pg_attribute
                WHERE attrelid = rel.oid AND attnum = ANY (r.prattrs)),
    'where', pg_get_expr(r.prqual, r.prrelid))
  FROM rel JOIN pg_publication_rel r ON r.prrelid = rel.oid JOIN pg_publication p ON p.oid = r.prpubid
  UNION ALL
  SELECT 'function ' || p.oid::regprocedure, jsonb_build_object(
    'definition', CASE WHEN p.prokind IN ('f', 'p') THEN pg_get_functiondef(p.oid) END,
    'owner', p.proowner::regrole, 'grants', pg_temp.sorted(p.proacl))
  FROM pg_proc p WHERE p.oid >= 16384 AND p.pronamespace <> pg_my_temp_schema()
  UNION ALL
  SELECT 'type ' || t.oid::regtype, jsonb_build_object('kind', t.typtype, 'owner', t.typowner::regrole, 'grants', pg_temp.sorted(t.typacl))
  FROM pg_type t WHERE t.oid >= 16384
  UNION ALL
  SELECT 'comment', jsonb_build_object('on', pg_describe_object(classoid, objoid, objsubid), 'text', description)
  FROM pg_description WHERE objoid >= 16384
  UNION ALL
  SELECT 'grants at the creation', jsonb_build_object(
    'of', pg_describe_object(classoid, objoid, objsubid), 'kind', privtype, 'grants', pg_temp.sorted(initprivs))
  FROM pg_init_privs WHERE objoid >= 16384
  UNION ALL
  SELECT 'dependency', jsonb_build_object(
    'of', pg_describe_object(classid, objid, objsubid), 'on', pg_describe_object(refclassid, refobjid, refobjsubid),
    'kind', deptype)
  FROM pg_depend
  WHERE objid >= 16384 AND objid NOT IN (SELECT oid FROM pg_proc WHERE pronamespace = pg_my_temp_schema() UNION SELECT pg_my_temp_schema())
  UNION ALL
  SELECT 'role', jsonb_build_object(
    'of', pg_describe_object(classid, objid, objsubid), 'role', pg_describe_object(refclassid, refobjid, 0), 'kind', deptype)
  FROM pg_shdepend
  WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND objid NOT IN (SELECT oid FROM pg_proc WHERE pronamespace = pg_my_temp_schema() UNION SELECT pg_my_temp_schema())
  UNION ALL
  SELECT 'extension ' || extname, jsonb_build_object(
    'version', extversion, 'owner', extowner::regrole, 'schema', extnamespace::regnamespace, 'relocatable', extrelocatable)
  FROM pg_extension WHERE oid >= 16384
  UNION ALL
  SELECT 'dump mark', jsonb_build_object('of', coalesce(c.oid::regclass::text, 'what is gone'), 'condition', m.condition)
  FROM pg_extension CROSS JOIN unnest(extconfig, extcondition) AS m (relid, condition)
  LEFT JOIN pg_class c ON c.oid = m.relid WHERE extname = 'rag_events'
) AS snapshot
ORDER BY line;
-- The next snapshot may be taken before this connection has cleaned up.
DROP FUNCTION pg_temp.sorted(aclitem[])
EOT

# snapshot(NODE, DATABASE): lines of text.
sub snapshot
{
	my ($node, $db) = @_;
	return [ split /\n/, sql($node, $db, $snapshot) ];
}

# differences(EXPECTED, ACTUAL): the lines that only one of two lists has, with
# "missing" or "unexpected" in front.
sub differences
{
	my ($expected, $actual) = @_;
	my %count;

	$count{$_}++ for @$actual;
	$count{$_}-- for @$expected;
	return map { ($count{$_} < 0 ? 'missing' : 'unexpected') . " $_" }
	  grep { $count{$_} != 0 } sort keys %count;
}

# columns_of(NODE, DATABASE, SCHEMA): the tables whose rows belong to the user,
# table => its columns.
sub columns_of
{
	my ($node, $db, $schema) = @_;
	my %columns;

	for (split /\n/, sql($node, $db, <<"EOT"))
SELECT c.relname, string_agg(quote_ident(a.attname), ',' ORDER BY a.attnum)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'rag_events'
WHERE c.relkind = 'r' AND c.relnamespace = '$schema'::regnamespace AND c.relname <> 'rag_migration_log'
GROUP BY c.relname
EOT
	{
		my ($table, $names) = split /\|/;
		$columns{$table} = [ split /,/, $names ];
	}
	return \%columns;
}

# functions_of(NODE, DATABASE): those of the extension: signature (without the
# schema) => name.
sub functions_of
{
	my ($node, $db) = @_;

	return {
		map { split /\|/ } split /\n/, sql($node, $db, <<'EOT') };
SELECT format('%I(%s)', p.proname, oidvectortypes(p.proargtypes)), p.proname
FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'rag_events'
EOT
}

# ---------------------------------------------------------------------------
# Calling the functions
# ---------------------------------------------------------------------------

# sample_call(FUNCTION, SCHEMA): a call that returns true where the function works,
# from test/data/calls; undef where there is none.
sub sample_call
{
	my ($function, $schema) = @_;
	my $file = "$FindBin::RealBin/../data/calls/$function.sql";
	my $call = $own_calls{$function} // (-e $file ? slurp_file($file) : undef);

	return defined $call ? $call =~ s/\@extschema\@/$schema/gr : undef;
}

# call_functions(NODE, DATABASE, SCHEMA, ROLE): calls every function of the
# extension. Returns what is wrong with them.
sub call_functions
{
	my ($node, $db, $schema, $role) = @_;
	my $functions = functions_of($node, $db);
	my @wrong;

	for my $function (sort values %$functions)
	{
		my $call = sample_call($function, $schema);

		if (!defined $call)
		{
			push @wrong, "no sample call: write test/data/calls/$function.sql";
			next;
		}
		my ($rc, $out, $err) = $node->psql($db, $call,
			extra_params => [ '-U', $role, '-v', 'SHOW_CONTEXT=never' ]);
		push @wrong, "$function() does not work: $out $err"
		  if $rc != 0 || $out ne 't';
	}
	return @wrong;
}

# check_schema(NODE, DATABASE, SCHEMA, ROLE): what rag_check_schema() finds, where
# the version has it.
sub check_schema
{
	my ($node, $db, $schema, $role) = @_;
	my $functions = functions_of($node, $db);

	return if !exists $functions->{'rag_check_schema()'};
	return split /\n/,
	  sql($node, $db,
		"SELECT object, kind, expected, actual FROM $schema.rag_check_schema()",
		$role);
}

# print_snapshot(NODE, KIND, VERSION): what tools/snapshot.sh prints.
sub print_snapshot
{
	my ($node, $kind, $version) = @_;
	my ($out, $err) = ('', '');

	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	IPC::Run::run([ "$FindBin::RealBin/../../tools/snapshot.sh", "--$kind", $version ],
		'>', \$out, '2>', \$err)
	  or die "tools/snapshot.sh --$kind $version: $err";
	return $out;
}

# fresh_snapshot_file(NODE, VERSION): the expected objects of the version.
sub fresh_snapshot_file { return print_snapshot($_[0], 'objects', $_[1]); }

# ---------------------------------------------------------------------------
# A private copy of the installation
# ---------------------------------------------------------------------------

# pg_config(WHAT[, INSTALLATION])
sub pg_config { return (run_command([ defined $_[1] ? "$_[1]/bin/pg_config" : 'pg_config', "--$_[0]" ]))[0]; }

# Links to all files of a directory, at the same place below another.
sub link_files
{
	my ($from, $to) = @_;

	find(
		{
			no_chdir => 1,
			wanted => sub {
				my $target = $to . substr($File::Find::name, length $from);

				return make_path($target) if -d $File::Find::name;
				symlink($File::Find::name, $target)
				  or die "cannot link $target: $!";
			}
		},
		$from);
	return;
}

# private_tree([INSTALLATION]): a copy of the PostgreSQL installation, of links to its files.
# PostgreSQL's programs find their files relative to themselves, so they are real
# copies. In it a test may add and replace files: what is installed stays as it
# is. Returns {installation: the directory that the programs' one is in, scripts:
# the extensions' one}.
sub private_tree
{
	my ($from) = @_;
	my $tree = PostgreSQL::Test::Utils::tempdir();
	my $bindir = pg_config('bindir', $from);

	link_files($_, $tree . $_)
	  for map { pg_config($_, $from) } qw(sharedir pkglibdir bindir);
	for my $program ("$bindir/postgres", "$bindir/initdb", glob("$bindir/pg_*"))
	{
		my $target = $tree . $program;

		unlink $target;
		copy($program, $target) && chmod(0755, $target)
		  or die "cannot copy $program: $!";
	}
	return {
		installation => dirname($tree . $bindir),
		scripts => $tree . pg_config('sharedir', $from) . '/extension'
	};
}

# keeper_files(NODE, DATABASE, SCHEMA, NAME, USER): the files of the extension that keeps
# what was added to the tables, as tools/keep_local.sql has them: name => text.
sub keeper_files
{
	my ($node, $db, $schema, $name, $user) = @_;
	my $query = slurp_file("$FindBin::RealBin/../../tools/keep_local.sql") =~ s/;\s*\z//r;
	my $files = sql($node, $db,
		"SET search_path = $schema, public; SET rag_local.name = '$name'; SELECT concat(file, E'\\x1f', content, E'\\n\\x1e') FROM ($query) AS f",
		$user);

	return map { split /\x1f/, s/^\n//r } grep { /\S/ } split /\x1e/, $files;
}

# write_file(TREE, NAME, TEXT): adds or replaces a file beside the scripts.
sub write_file
{
	my ($tree, $name, $text) = @_;

	unlink "$tree->{scripts}/$name";
	append_to_file("$tree->{scripts}/$name", $text);
	return;
}

# write_step(TREE, STEP, TEXT): writes the script of a step such as 1.0--1.1 in the
# private tree, with the opening of every step and the line for the log.
sub write_step
{
	my ($tree, $step, $text) = @_;
	my ($from, $to) = split /--/, $step;

	write_file($tree, "rag_events--$step.sql", <<"EOT");
-- revision: synthetic_$to
-- description: a version for the tests
CREATE FUNCTION \@extschema\@.rag_lock_tables() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_lock_tables';
SELECT \@extschema\@.rag_lock_tables();
DROP FUNCTION \@extschema\@.rag_lock_tables();
$text
INSERT INTO \@extschema\@.rag_migration_log (version, previous_version) VALUES ('$to', '$from');
EOT
	return;
}

sub guard
{
	my ($table, $columns) = @_;

	return <<"EOT";
CREATE FUNCTION \@extschema\@.rag_refuse_data_loss(tab pg_catalog.regclass, VARIADIC columns pg_catalog.text[])
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'rag_refuse_data_loss';
SELECT \@extschema\@.rag_refuse_data_loss('\@extschema\@.$table'::pg_catalog.regclass, VARIADIC '{$columns}'::pg_catalog.text[]);
DROP FUNCTION \@extschema\@.rag_refuse_data_loss(pg_catalog.regclass, pg_catalog.text[]);
EOT
}

# synthetic_tree(HEAD): a private tree with two more versions, 98.0 and 99.0, and
# their steps, as {..., steps}.
sub synthetic_tree
{
	my ($head) = @_;
	my $tree = private_tree();

	$tree->{steps} = {
		"$head--98.0" => <<'EOT',
ALTER TABLE @extschema@.messages ADD COLUMN synthetic_note pg_catalog.text;
ALTER TABLE @extschema@.messages ADD COLUMN synthetic_count pg_catalog.int4;
COMMENT ON COLUMN @extschema@.messages.synthetic_note IS 'a note';
ALTER TABLE @extschema@.messages ADD CONSTRAINT ck_messages_synthetic CHECK (synthetic_count OPERATOR(pg_catalog.>=) 0);
CREATE INDEX ix_messages_synthetic ON @extschema@.messages (synthetic_count);
CREATE FUNCTION @extschema@.rag_synthetic(n pg_catalog.int4) RETURNS pg_catalog.int4
LANGUAGE sql AS 'SELECT 1';
EOT
		"98.0--$head" => guard('messages', 'synthetic_note,synthetic_count')
		  . <<'EOT',
DROP FUNCTION @extschema@.rag_synthetic(pg_catalog.int4);
ALTER TABLE @extschema@.messages DROP COLUMN synthetic_note;
ALTER TABLE @extschema@.messages DROP COLUMN synthetic_count;
EOT
		'98.0--99.0' => <<'EOT',
ALTER TABLE @extschema@.sessions ADD COLUMN synthetic_tag pg_catalog.varchar;
COMMENT ON COLUMN @extschema@.messages.synthetic_note IS 'a note of 99.0';
CREATE INDEX ix_messages_synthetic_new ON @extschema@.messages (synthetic_count, id);
DROP INDEX @extschema@.ix_messages_synthetic;
ALTER INDEX @extschema@.ix_messages_synthetic_new RENAME TO ix_messages_synthetic;
CREATE OR REPLACE FUNCTION @extschema@.rag_synthetic(n pg_catalog.int4) RETURNS pg_catalog.int4
LANGUAGE sql AS 'SELECT 2';
EOT
		'99.0--98.0' => guard('sessions', 'synthetic_tag') . <<'EOT' };
ALTER TABLE @extschema@.sessions DROP COLUMN synthetic_tag;
COMMENT ON COLUMN @extschema@.messages.synthetic_note IS 'a note';
CREATE INDEX ix_messages_synthetic_new ON @extschema@.messages (synthetic_count);
DROP INDEX @extschema@.ix_messages_synthetic;
ALTER INDEX @extschema@.ix_messages_synthetic_new RENAME TO ix_messages_synthetic;
CREATE OR REPLACE FUNCTION @extschema@.rag_synthetic(n pg_catalog.int4) RETURNS pg_catalog.int4
LANGUAGE sql AS 'SELECT 1';
EOT
	write_step($tree, $_, $tree->{steps}{$_}) for keys %{ $tree->{steps} };
	write_file($tree, 'rag_events.control',
		slurp_file(pg_config('sharedir') . '/extension/rag_events.control') =~
		  s/^default_version.*/default_version = '99.0'/mr);
	$own_calls{rag_synthetic} = 'SELECT @extschema@.rag_synthetic(1) > 0';
	return $tree;
}

# start_private_server(NAME, TREE): a server of a private tree. The expected objects
# of its own versions are made by it.
sub start_private_server
{
	my ($name, $tree) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name,
		install_path => $tree->{installation});

	$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
	$node->start;
	if ($tree->{steps})
	{
		write_file($tree, "rag_events--$_.json", fresh_snapshot_file($node, $_))
		  for '98.0', '99.0';
	}
	return $node;
}

1;
