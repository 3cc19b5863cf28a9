# What was added to the tables comes back by a plain dump: make keep-local, or the same by
# SQL alone; a database with one of each kind, each format and way of restoring, who
# restores, what is seen meanwhile, and what hostile names and bodies do.
#
# Where the environment has oldinstall (test/matrix.sh --upgrade), what is dumped comes
# from a server of an older major.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use File::Copy;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use RagVersions;
use Test::More;

my $schema = '"Chat Room"';
my $dumps = PostgreSQL::Test::Utils::tempdir();

# Two servers, each with a directory of extensions of its own.
my $old_tree = private_tree($ENV{oldinstall});
my $new_tree = private_tree();
my $old = RagTest::start(PostgreSQL::Test::Cluster->new('old', install_path => $old_tree->{installation}), 'wal_level = logical');
my $new = RagTest::start(PostgreSQL::Test::Cluster->new('new', install_path => $new_tree->{installation}), 'wal_level = logical');
my $same_major = $old->pg_version eq $new->pg_version;
my $superuser = sql($new, 'postgres', 'SELECT current_user');

note('from PostgreSQL ' . $old->pg_version . ' to ' . $new->pg_version);
for my $node ($old, $new)
{
	sql($node, 'postgres', 'CREATE ROLE rag_owner LOGIN; CREATE ROLE rag_app LOGIN; CREATE ROLE rag_other LOGIN');
}

# keep_local(DATABASE, ARGUMENT...): runs make's script on the old server. Returns its exit
# status and all that it prints.
sub keep_local
{
	my ($db, @arguments) = @_;
	my $output;

	local $ENV{PGHOST} = $old->host;
	local $ENV{PGPORT} = $old->port;
	local $ENV{PGDATABASE} = $db;
	local $ENV{PG_CONFIG} = "$old_tree->{installation}/bin/pg_config";
	IPC::Run::run([ "$FindBin::RealBin/../../tools/migrate.sh", 'keep-local', @arguments ], '>&', \$output);
	return ($? >> 8, $output);
}

sub is_kept_now
{
	my ($db, $name, @arguments) = @_;
	my ($status, $output) = keep_local($db, @arguments);

	is($status, 0, $name) or diag($output);
	return $output;
}

# Copies the files to the new server.
sub take_files
{
	my ($extension) = @_;

	for my $file (glob("$old_tree->{scripts}/$extension*"))
	{
		copy($file, $new_tree->{scripts}) or die "cannot copy $file: $!";
	}
	return;
}

sub create_database
{
	my ($node, $db) = @_;

	sql($node, 'postgres', "CREATE DATABASE $db OWNER rag_owner");
	return;
}

# What rag_check_schema() finds, without the expected and the DDL: "KIND OBJECT: ACTUAL".
sub found
{
	my ($node, $db, $where) = @_;
	my $rows = sql($node, $db,
		"SELECT concat(kind, ' ', object, ': ', actual) || E'\\x1e' FROM $schema.rag_check_schema() WHERE " . ($where // 'true'));

	return [ sort map { s/^\n//r } grep { /\S/ } split /\x1e/, $rows ];
}

# What it finds in short: "KIND OBJECT, …".
sub kinds
{
	my ($node, $db, $where) = @_;

	return sql($node, $db, "SELECT string_agg(kind || ' ' || object, ', ' ORDER BY kind, object COLLATE \"C\") FROM $schema.rag_check_schema() WHERE " . ($where // 'true'));
}

sub dump_database
{
	my ($db, $file, @options) = @_;
	my ($stdout, $stderr) = run_command([ 'pg_dump', '-d', $old->connstr($db), '-f', $file, @options ]);

	is("$stderr(exit status " . ($? >> 8) . ')', '(exit status 0)', "pg_dump @options of $db");
	return;
}

# restore(DB, FILE, OPTION...): by psql where the file is a script.
sub restore
{
	my ($db, $file, @options) = @_;
	my @command = $file =~ /\.sql$/ ? ('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $file) : ('pg_restore', '--exit-on-error', $file);
	my ($stdout, $stderr) = run_command([ @command, '-d', $new->connstr($db), @options ]);

	is("$stderr(exit status " . ($? >> 8) . ')', '(exit status 0)', "$command[0] @options into $db");
	return;
}

# ---------------------------------------------------------------------------
# A database with one of each kind
# ---------------------------------------------------------------------------

# Own types, functions and tables, and what needs them.
my $own = <<"EOT";
CREATE SCHEMA $schema;
CREATE EXTENSION rag_events SCHEMA $schema;
GRANT USAGE ON SCHEMA $schema TO rag_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON $schema.sessions, $schema.messages TO rag_app;
GRANT USAGE ON SEQUENCE $schema.messages_id_seq TO rag_app;
CREATE EXTENSION seg SCHEMA public; -- its name comes after that of the extension that keeps it
CREATE TYPE $schema.mood AS ENUM ('good', 'bad');
CREATE DOMAIN $schema.short AS text CHECK (length(VALUE) < 10);
CREATE TABLE $schema.tenants (id int PRIMARY KEY, name text);
INSERT INTO $schema.tenants VALUES (1, 'one'), (2, 'two');
CREATE FUNCTION $schema.tenant() RETURNS int LANGUAGE sql STABLE AS \$\$ SELECT nullif(current_setting('app.tenant', true), '')::int \$\$;
CREATE FUNCTION $schema.loud(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper(\$1)';
CREATE FUNCTION $schema.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.top_k := 99; RETURN new; END';
CREATE SEQUENCE $schema.tickets;
CREATE PUBLICATION "Own Publication" WITH (publish = 'insert');

ALTER SEQUENCE $schema.messages_id_seq AS bigint;
ALTER TABLE $schema.messages ALTER COLUMN id TYPE bigint;
ALTER TABLE $schema.sessions ADD tenant int NOT NULL DEFAULT $schema.tenant();
ALTER TABLE $schema.sessions ADD number int GENERATED ALWAYS AS IDENTITY (START WITH 100 INCREMENT BY 10);
ALTER TABLE $schema.messages ADD tenant int DEFAULT nullif(current_setting('app.tenant', true), '')::int;
ALTER TABLE $schema.messages ADD "Own Mood" $schema.mood NOT NULL DEFAULT 'good';
ALTER TABLE $schema.messages ADD moods $schema.mood[], ADD short $schema.short DEFAULT 'a ''b''';
ALTER TABLE $schema.messages ADD serial serial, ADD ticket int DEFAULT nextval('$schema.tickets');
ALTER TABLE $schema.messages ADD name varchar(20) COLLATE "C", ADD session_number int, ADD row_of $schema.tenants, ADD span public.seg;
ALTER TABLE $schema.messages ADD length int GENERATED ALWAYS AS (length(content)) STORED;
ALTER TABLE $schema.messages ADD loud text GENERATED ALWAYS AS ($schema.loud(role)) STORED;

ALTER TABLE $schema.sessions ALTER metadata SET STORAGE EXTERNAL, ALTER user_id SET STATISTICS 500, ALTER user_id SET (n_distinct = 100);
ALTER TABLE $schema.messages ALTER "Own Mood" SET STATISTICS 7, SET (autovacuum_vacuum_scale_factor = 0.01);
ALTER TABLE $schema.messages ADD CONSTRAINT own_check CHECK (top_k < 1000);
ALTER TABLE $schema.messages ADD CONSTRAINT own_loud_check CHECK ($schema.loud(role) <> 'X');
ALTER TABLE $schema.messages ADD CONSTRAINT own_unique UNIQUE (id, session_id) DEFERRABLE;
ALTER TABLE $schema.sessions ADD CONSTRAINT own_key FOREIGN KEY (tenant) REFERENCES $schema.tenants;
CREATE UNIQUE INDEX own_number ON $schema.sessions (number);
ALTER TABLE $schema.messages ADD CONSTRAINT own_inner_key FOREIGN KEY (session_number) REFERENCES $schema.sessions (number) NOT VALID;
CREATE INDEX own_index ON $schema.messages (name, lower(role)) WHERE content IS NOT NULL;
CREATE INDEX own_loud_index ON $schema.messages ($schema.loud(content)) WHERE length(content) < 100;
CREATE INDEX own_mood_index ON $schema.messages ("Own Mood") WHERE "Own Mood" = 'bad';
CREATE STATISTICS $schema.own_statistics (ndistinct) ON role, query_type FROM $schema.messages;
ALTER TABLE $schema.messages REPLICA IDENTITY FULL;
CREATE TRIGGER "Own Trigger" BEFORE INSERT ON $schema.messages FOR EACH ROW WHEN (new.name IS DISTINCT FROM 'no trigger') EXECUTE FUNCTION $schema.stamp();
CREATE RULE own_rule AS ON DELETE TO $schema.sessions WHERE old.user_id = 'kept' DO INSTEAD NOTHING;
CREATE POLICY all_of_it ON $schema.sessions TO rag_app USING (true);
CREATE POLICY by_function ON $schema.sessions AS RESTRICTIVE TO rag_app USING (tenant = $schema.tenant());
CREATE POLICY by_setting ON $schema.messages TO rag_app USING (tenant = current_setting('app.tenant', true)::int);
CREATE POLICY restrict ON $schema.messages AS RESTRICTIVE FOR INSERT TO rag_app WITH CHECK (role <> 'assistant' OR tenant > 0);
ALTER TABLE $schema.sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE $schema.messages ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER PUBLICATION "Own Publication" ADD TABLE $schema.messages (id, session_id, content) WHERE (content IS NOT NULL), $schema.sessions;

GRANT USAGE ON SEQUENCE $schema.messages_serial_seq, $schema.tickets TO rag_app;
CREATE FUNCTION $schema.count() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(tenant) FROM $schema.messages; END;
CREATE FUNCTION $schema.of_row(m $schema.messages) RETURNS text LANGUAGE sql AS 'SELECT m.content';
CREATE VIEW $schema.questions AS SELECT content, tenant, length FROM $schema.messages WHERE role = 'user';
EOT

# Rows of two tenants. (The last row of a COPY may be whatever: one with all own values.)
my $rows = join('', map { <<"EOT" } 1, 2);
SET app.tenant = $_;
SELECT $schema.rag_create_session('u$_', NULL, '00000000-0000-4000-8000-00000000000$_');
SELECT $schema.rag_add_message('00000000-0000-4000-8000-00000000000$_', 'user', 'of tenant $_: ' || n) FROM generate_series(1, 50) n;
EOT
$rows .= <<"EOT";
SELECT setval('$schema.messages_id_seq', 3000000000);
SELECT $schema.rag_add_message('00000000-0000-4000-8000-000000000002', 'assistant', 'beyond 32 bits');
UPDATE $schema.messages SET "Own Mood" = 'bad', moods = '{good,bad}', short = 'x', name = 'no trigger', row_of = ROW(1, 'o"n,e'), span = '1 .. 2', top_k = 7 WHERE id % 2 = 0;
EOT

create_database($old, 'app');
sql($old, 'postgres', 'GRANT CREATE ON DATABASE app TO rag_owner');
sql($old, 'app', $own, 'rag_owner');
sql($old, 'app', $rows);
my @local = split /, /, kinds($old, 'app');
is(scalar(grep { !/^not_dumped / } @local), 0, 'what was added to the tables is not dumped');
cmp_ok(scalar(@local), '>=', 40, '... all of it');
like(is_kept_now('app', 'make keep-local'), qr/keep what was added to the tables \(@{[ scalar @local ]}\), by extension rag_local_app/, '... tells what is kept, and by what');
is(kinds($old, 'app', "kind <> 'kept'"), '', '... and nothing is not_dumped from then on');
is(kinds($old, 'app'), join(', ', map { s/^not_dumped/kept/r } @local), '... but all of it kept');
is(sql($old, 'app', q(SELECT extversion FROM pg_extension WHERE extname = 'rag_local_app')), 'complete', '... the database is complete');
my $was = { found => found($old, 'app'), rows => rows_of($old, 'app', $schema), rights => rights_of($old, 'app', $schema), snapshot => snapshot($old, 'app') };

# ---------------------------------------------------------------------------
# Without the files
# ---------------------------------------------------------------------------

dump_database('app', "$dumps/custom", '--format=custom');
create_database($new, 'without_files');
$new->command_fails_like(
	[ 'pg_restore', '--exit-on-error', '--role=rag_owner', '-d', $new->connstr('without_files'), "$dumps/custom" ],
	qr/rag_local_app/, 'without the files, the restore names them');
is(sqlstate($new, 'without_files', "SELECT count(*) FROM $schema.messages"), '42P01', '... and not a row is there')
  if sql($new, 'without_files', "SELECT to_regclass('$schema.messages') IS NULL") eq 't';
take_files('rag_local_app');

# ---------------------------------------------------------------------------
# Each format, and who restores
# ---------------------------------------------------------------------------

# What was restored, by whom who then owns it.
sub is_complete
{
	my ($db, $by, %differs) = @_;
	my @as = $by eq 'superuser' ? () : ('rag_owner');

	like(kinds($new, $db, "kind <> 'kept'"), qr/changed extension rag_local_app, missing constraint messages_session_id_fkey of table messages/, "$db: something is left to be done");
	is(sql($new, $db, "SELECT ddl FROM $schema.rag_check_schema() WHERE object = 'extension rag_local_app'"),
		q(ALTER EXTENSION rag_local_app UPDATE TO 'complete'), '... and what');
	is(sqlstate($new, $db, q(ALTER EXTENSION rag_local_app UPDATE TO 'complete'), @as), '', '... it is done');
	is_deeply(found($new, $db), $was->{found}, '... nothing else is, and all is kept') if $same_major;
	is(kinds($new, $db, "kind NOT IN ('kept', 'not_dumped', 'warning')"), '', '... nothing else is');
	is_deeply([ map { s/^\w+ //r } @{ found($new, $db, "kind IN ('kept', 'not_dumped')") } ],
		[ map { s/^\w+ //r } @{ $was->{found} } ], '... what was added is as it was');
	is_same_text(rows_of($new, $db, $schema), $was->{rows}, '... the rows are');
	is(rights_of($new, $db, $schema), $was->{rights}, '... owners and privileges are') if @as;
	# The keys to sessions are made anew, without their comments, and extensions are of
	# whoever restores.
	is_deeply([ grep { !/^missing comment: .*_session_id_fkey|^\S+ extension rag_|^\S+ role: \{"of": "extension rag_/ } differences($was->{snapshot}, snapshot($new, $db)) ],
		[], '... and whatever else the catalogs have')
	  if @as && $same_major && !$differs{snapshot};
	is(sql($new, $db, q(SELECT count(*) FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = refobjid WHERE extname = 'rag_local_app' AND refclassid = e.tableoid AND deptype = 'e')),
		'0', '... nothing is a member of the extension');
	return;
}

# Ids and numbers go on, triggers and policies work.
sub lives_on
{
	my ($db) = @_;

	is( sql($new, $db, <<"EOT", 'rag_app'), "3000000002\n99|1|good|102|17\n51", "$db: it is used as before");
SET app.tenant = 1;
SELECT $schema.rag_add_message('00000000-0000-4000-8000-000000000001', 'user', 'after the restore');
SELECT top_k, tenant, "Own Mood", serial, length FROM $schema.messages WHERE id = 3000000002;
SELECT count(*) FROM $schema.messages;
EOT
	is( sql($new, $db, "INSERT INTO $schema.sessions (id, tenant) VALUES ('00000000-0000-4000-8000-000000000003', 2) RETURNING number"),
		'120', '... also what numbers itself');
	return;
}

my %ways = (
	custom => [ ['--format=custom'], ['--role=rag_owner'] ],
	custom_jobs => [ ['--format=custom'], [ '--role=rag_owner', '--jobs=2' ] ],
	by_owner => [ ['--format=custom'], [ '-U', 'rag_owner' ] ],
	by_superuser => [ [ '--format=custom', '--no-owner' ], ['--jobs=2'] ],
	directory_jobs => [ [ '--format=directory', '--jobs=2' ], [ '--role=rag_owner', '--jobs=2' ] ],
	tar => [ ['--format=tar'], ['--role=rag_owner'] ],
	inserts => [ [ '--format=custom', '--inserts' ], [ '--role=rag_owner' ] ],
	plain => [ [], [ '-U', 'rag_owner' ] ],
	plain_columns => [ ['--column-inserts'], [ '-U', 'rag_owner' ] ]);

for my $db (sort keys %ways)
{
	my ($dump, $restore) = @{ $ways{$db} };
	my $file = "$dumps/$db" . (grep({ /^--format/ } @$dump) ? '' : '.sql');

	note($db);
	dump_database('app', $file, @$dump);
	create_database($new, $db);
	sql($new, 'postgres', "GRANT CREATE ON DATABASE $db TO rag_owner");
	restore($db, $file, @$restore);
	is_complete($db, $db =~ /superuser/ ? 'superuser' : 'owner');
	lives_on($db);
}

# ---------------------------------------------------------------------------
note('what is seen while the rows are loaded');
# ---------------------------------------------------------------------------

# Row by row, each committed, while others of the tables' readers look all the time: the
# rights are there before the rows.
{
	my $db = 'watched';
	my ($out, $err, $seen, $looks) = ('', '', 0, 0);
	my $look = "SET app.tenant = 1; SELECT count(*) FILTER (WHERE tenant = 1), count(*) FILTER (WHERE tenant <> 1), (SELECT count(*) FROM $schema.sessions) FROM $schema.messages";

	create_database($new, $db);
	sql($new, 'postgres', "GRANT CREATE ON DATABASE $db TO rag_owner");
	sql($new, $db, "ALTER DEFAULT PRIVILEGES FOR ROLE $_ GRANT ALL ON TABLES TO rag_app; ALTER DEFAULT PRIVILEGES FOR ROLE $_ GRANT USAGE ON SCHEMAS TO rag_app")
	  for $superuser, 'rag_owner';
	dump_database('app', "$dumps/watched", '--format=custom', '--inserts');
	restore($db, "$dumps/watched", '--role=rag_owner', '--section=pre-data');
	is(answer($new, $db, $look, 'rag_app'), '0|0|0', 'before the rows, a reader reads');

	my $reader = RagTest::Session->new($new, $db, 'rag_app');
	my $restore = IPC::Run::start([ 'pg_restore', '--exit-on-error', '--role=rag_owner', '--section=data', '--section=post-data', '-d', $new->connstr($db), "$dumps/watched" ],
		'>', \$out, '2>', \$err);
	my @wrong;
	while ($restore->pumpable)
	{
		$restore->pump_nb;
		my ($own, $others, $sessions) = split /\|/, $reader->query($look);
		push @wrong, "$own of its own, $others of others, $sessions sessions" if $others > 0 || $sessions > 0;
		$seen++ if $own > 0 && $own < 50;
		$looks++;
	}
	$restore->finish;
	is($err, '', 'the rows are loaded');
	is_deeply(\@wrong, [], '... no row of others is seen, and none at all where a policy needs a function');
	cmp_ok($seen, '>', 0, "... in $looks looks, $seen of them at some rows of its own");
	is(sqlstate($new, $db, q(ALTER EXTENSION rag_local_app UPDATE TO 'complete'), 'rag_owner'), '', '... it is completed');
	is($reader->query($look), '50|0|1', '... and then sessions are seen, too');
	$reader->quit;
}


# ---------------------------------------------------------------------------
note('after a change, and when nothing is left');
# ---------------------------------------------------------------------------

{
	my $name = 'rag_local_changing';
	my $files = sub { return scalar(my @found = glob("$old_tree->{scripts}/$name*")) };

	create_database($old, 'changing');
	sql($old, 'changing', "CREATE SCHEMA $schema; CREATE EXTENSION rag_events SCHEMA $schema VERSION '1.2'", 'rag_owner');
	like(is_kept_now('changing', 'nothing was added'), qr/there is nothing to keep/, '... which is said');
	is($files->(), 0, '... and nothing is written');

	sql($old, 'changing', "CREATE INDEX first ON $schema.messages (role); ALTER TABLE $schema.messages ADD note text", 'rag_owner');
	is_kept_now('changing', 'kept');
	is($files->(), 4, '... by four files');
	sql($old, 'changing', "CREATE INDEX second ON $schema.messages (top_k)", 'rag_owner');
	is(kinds($old, 'changing'), 'kept column messages.note, kept index first, not_dumped index second', 'what came later is not kept');
	is_kept_now('changing', 'run again');
	is(kinds($old, 'changing'), 'kept column messages.note, kept index first, kept index second', '... it is');
	sql($old, 'changing', "ALTER TABLE $schema.messages ALTER note SET DEFAULT 'x'", 'rag_owner');
	is(kinds($old, 'changing', "kind <> 'kept'"), 'not_dumped column messages.note', 'what changed is not kept');
	is_kept_now('changing', 'run again');
	is(kinds($old, 'changing', "kind <> 'kept'"), '', '... it is');
	sql($old, 'changing', "DROP INDEX $schema.second", 'rag_owner');
	is(kinds($old, 'changing', "kind <> 'kept'"), "warning extension $name", 'what is gone would come back: a warning');
	is_kept_now('changing', 'run again');
	is(kinds($old, 'changing', "kind <> 'kept'"), '', '... it would not');

	# Another extension becomes necessary, and is no longer.
	my $requires = "SELECT string_agg(r.extname, ',' ORDER BY r.extname) FROM pg_extension AS e JOIN pg_depend AS d ON d.classid = e.tableoid AND d.objid = e.oid JOIN pg_extension AS r ON d.refclassid = r.tableoid AND d.refobjid = r.oid WHERE e.extname = '$name'";
	sql($old, 'changing', "CREATE EXTENSION citext SCHEMA public; ALTER TABLE $schema.messages ADD insensitive public.citext");
	is_kept_now('changing', 'a type of another extension');
	is(sql($old, 'changing', $requires), 'citext,rag_events', '... which is required');
	is(kinds($old, 'changing', "kind <> 'kept'"), '', '... all is kept');
	sql($old, 'changing', "ALTER TABLE $schema.messages DROP insensitive");
	is_kept_now('changing', '... not any more');
	is(sql($old, 'changing', $requires), 'rag_events', '... it is not');

	# Steps of rag_events beside it.
	for my $step ('1.0', '1.1', '1.3', '1.2')
	{
		is(sqlstate($old, 'changing', "ALTER EXTENSION rag_events UPDATE TO '$step'", 'rag_owner'), '', "rag_events goes to $step");
		is(kinds($old, 'changing', "kind NOT IN ('kept', 'warning')"), '', '... and all stays kept');
	}
	sql($old, 'changing', "SELECT $schema.rag_add_messages('00000000-0000-4000-8000-000000000001', '[{\"role\": \"user\", \"content\": \"kept\"}]', NULL, true)", 'rag_owner');
	take_files($name);
	dump_database('changing', "$dumps/changing", '--format=custom');
	create_database($new, 'changed');
	restore('changed', "$dumps/changing", '-U', 'rag_owner');
	is(sqlstate($new, 'changed', "ALTER EXTENSION $name UPDATE TO 'complete'", 'rag_owner'), '', 'a dump of an older version is restored where a newer one is the default');
	is(kinds($new, 'changed', "kind <> 'kept'"), '', '... with all that was added');
	is(sql($new, 'changed', "SELECT content, note FROM $schema.messages"), 'kept|x', '... and the rows');

	# A restore that is not complete is not taken for all there is.
	create_database($old, 'halfway');
	run_command([ 'pg_restore', '-U', 'rag_owner', '-d', $old->connstr('halfway'), "$dumps/changing" ]);
	my ($status, $output) = keep_local('halfway');
	is($status, 1, 'a restore that is not complete is not kept');
	like($output, qr/ALTER EXTENSION $name UPDATE TO 'complete'/, '... and what completes it is told');
	sql($old, 'halfway', "ALTER EXTENSION $name UPDATE TO 'complete'", 'rag_owner');

	# Two databases, and the files of one of them.
	($status, $output) = keep_local('halfway');
	is($status, 1, 'the files of another database are not written over');
	like($output, qr/were written for database "changing"/, '... it is said whose they are');
	like(is_kept_now('halfway', 'with a name of its own', 'KEEP_AS=rag_local_halfway'), qr/by extension rag_local_halfway/, '... it has its own');
	is(sql($old, 'halfway', q(SELECT string_agg(extname, ' ') FROM pg_extension WHERE extname LIKE 'rag_local%')), 'rag_local_halfway', '... and only them');
	is($files->(), 4, '... those of the other stay');
	is(kinds($old, 'halfway', "kind <> 'kept'"), '', '... all is kept');
	is_kept_now('halfway', 'the name is remembered');
	($status, $output) = keep_local('halfway', 'KEEP_AS=../x');
	is($status, 1, 'a name leads nowhere else');

	# The files go.
	sql($old, 'changing', "DROP INDEX $schema.first; ALTER TABLE $schema.messages DROP note", 'rag_owner');
	is(kinds($old, 'changing'), "warning extension $name", 'nothing is left of what was added');
	is_kept_now('changing', 'run again');
	is($files->(), 0, '... the files are gone');
	is(sql($old, 'changing', q(SELECT count(*) FROM pg_extension WHERE extname LIKE 'rag_local%')), '0', '... and the extension');
	unlink glob("$old_tree->{scripts}/rag_local_halfway*");
	is(kinds($old, 'halfway', "kind <> 'not_dumped'"), '', 'without its files, an extension keeps nothing');
}

# ---------------------------------------------------------------------------
note('in another directory');
# ---------------------------------------------------------------------------

{
	my $place = PostgreSQL::Test::Utils::tempdir();

	create_database($old, 'elsewhere');
	sql($old, 'elsewhere', "CREATE SCHEMA $schema; CREATE EXTENSION rag_events SCHEMA $schema; CREATE INDEX own ON $schema.messages (role)", 'rag_owner');
	mkdir "$place/extension" or die "cannot make a directory: $!";
	my ($status, $output) = keep_local('elsewhere', "KEEP_IN=$place/extension");
	is($status, 1, 'where the server does not look, the files are written');
	like($output, qr/Copy .*rag_local_elsewhere.*CREATE EXTENSION rag_local_elsewhere/s, '... and what is to be done is told');
	is(kinds($old, 'elsewhere'), 'not_dumped index own', '... nothing is kept yet');

  SKIP:
	{
		skip 'extensions have one directory before PostgreSQL 18', 2 if $old->pg_version < 18;
		sql($old, 'postgres', "ALTER SYSTEM SET extension_control_path = '\$system:$place'");
		$old->restart;
		is_kept_now('elsewhere', 'where it looks, it is kept', "KEEP_IN=$place/extension");
		is(kinds($old, 'elsewhere'), 'kept index own', '... which is seen');
	}
}

# ---------------------------------------------------------------------------
note('by SQL alone');
# ---------------------------------------------------------------------------

{
	my %file;

	create_database($old, 'by_sql');
	sql($old, 'by_sql', "CREATE SCHEMA $schema; CREATE EXTENSION rag_events SCHEMA $schema; ALTER TABLE $schema.messages ADD note text; CREATE FUNCTION $schema.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'; CREATE TRIGGER own BEFORE UPDATE ON $schema.messages EXECUTE FUNCTION $schema.f()", 'rag_owner');
	%file = keeper_files($old, 'by_sql', $schema, 'own', 'rag_owner');
	is(join(' ', sort keys %file), 'own--complete.sql own--loading--complete.sql own--loading.sql own.control', 'the query has the files');
	for my $name (keys %file)
	{
		write_file($_, $name, $file{$name}) for $old_tree, $new_tree;
	}
	is(sqlstate($old, 'by_sql', "CREATE EXTENSION own SCHEMA $schema VERSION 'complete'", 'rag_owner'), '', '... which an ordinary owner creates the extension of');
	is(kinds($old, 'by_sql'), 'kept column messages.note, kept trigger own of table messages', '... all is kept');
	dump_database('by_sql', "$dumps/by_sql", '--format=custom');
	create_database($new, 'by_sql');
	restore('by_sql', "$dumps/by_sql", '-U', 'rag_owner');
	is(sqlstate($new, 'by_sql', q(ALTER EXTENSION own UPDATE TO 'complete'), 'rag_owner'), '', '... restored');
	is(kinds($new, 'by_sql'), 'kept column messages.note, kept trigger own of table messages', '... and complete');
}

# ---------------------------------------------------------------------------
note('hostile names and bodies');
# ---------------------------------------------------------------------------

# What would end a literal, a name or a comment, what psql and the scripts of extensions
# replace, and lines that they take away: each would make the owner a superuser.
my $evil = 'ALTER ROLE rag_owner SUPERUSER; --';
my @evil = (
	"p\$do\$; $evil", "p'; $evil", "p\\'; $evil", "p\"; $evil", "p*/; $evil", "p\n; $evil", "p%s%I%L; $evil", "END\$\$; $evil", "\$script\$; $evil",
	"a\n\\echo \"; $evil\n'; $evil", "\\echo '; $evil\n", '@extowner@', '@extschema@', '@extschema:rag_events@', 'MODULE_PATHNAME', ":'name'; $evil", "\n-- That is all.\n$evil\n");
my $number = 0;

for my $name (@evil)
{
	my $db = 'evil_' . ++$number;
	my $quoted = '"' . ($name =~ s/"/""/gr) . '"';
	my $literal = "E'" . ($name =~ s/(['\\])/$1$1/gr) . "'";
	my $room = '"Room %s"';
	my $title = $name =~ s/\n/\\n/gr;

	create_database($old, $db);
	sql($old, 'postgres', "GRANT CREATE ON DATABASE $db TO rag_owner");
	sql($old, $db, <<"EOT", 'rag_owner');
CREATE SCHEMA $room;
CREATE EXTENSION rag_events SCHEMA $room;
CREATE FUNCTION $room.$quoted() RETURNS text LANGUAGE sql IMMUTABLE AS \$body\$SELECT $literal\$body\$;
CREATE FUNCTION $room.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TYPE $room.$quoted AS ENUM ('x');
CREATE PUBLICATION $quoted FOR TABLE $room.messages WHERE (content <> $literal);
ALTER TABLE $room.messages ADD COLUMN $quoted text DEFAULT $literal, ADD CONSTRAINT $quoted CHECK (content <> $literal);
ALTER TABLE $room.sessions ADD COLUMN $quoted int GENERATED ALWAYS AS IDENTITY, ADD COLUMN own $room.$quoted;
ALTER TABLE $room.sessions ADD COLUMN serial serial, ADD COLUMN called text DEFAULT $room.$quoted();
CREATE INDEX $quoted ON $room.messages (($quoted || $literal));
CREATE POLICY $quoted ON $room.messages USING (content <> $literal);
ALTER TABLE $room.messages ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE STATISTICS $room.$quoted ON role, content FROM $room.messages;
CREATE TRIGGER $quoted BEFORE INSERT ON $room.messages FOR EACH ROW WHEN (new.content <> $literal) EXECUTE FUNCTION $room.stamp($literal);
EOT
	my $state = sub {
		return sql($_[0], $db, "SELECT concat(object, ': ', actual) FROM $room.rag_check_schema() WHERE kind = 'kept' ORDER BY object COLLATE \"C\"");
	};
	is_kept_now($db, "$title: kept");
	is(sql($old, $db, "SELECT count(*) FROM $room.rag_check_schema() WHERE kind = 'kept'"), '13', '... all of it');
	take_files("rag_local_$db");
	dump_database($db, "$dumps/$db", '--format=custom');
	create_database($new, $db);
	restore($db, "$dumps/$db");
	is(sqlstate($new, $db, "ALTER EXTENSION rag_local_$db UPDATE TO 'complete'"), '', '... restored by a superuser');
	is_same_text($state->($new), $state->($old), '... as it was') if $same_major;
	is(sql($new, $db, "SELECT count(*) FROM $room.rag_check_schema() WHERE kind NOT IN ('kept', 'not_dumped', 'warning')"), '0', '... and nothing is missing');
	is(join(' ', map { sql($_, 'postgres', q(SELECT rolsuper FROM pg_roles WHERE rolname = 'rag_owner')) } $old, $new), 'f f', '... and nobody is a superuser by that');
}

# Operators of the owner, in the schema of the extension, where the scripts of extensions
# search, and in the path of the database. For an own type, they fit better than those of
# PostgreSQL, which were meant.
{
	my $db = 'operators';

	create_database($old, $db);
	sql($old, $db, <<'EOT', 'rag_owner');
CREATE SCHEMA chat;
CREATE EXTENSION rag_events SCHEMA chat;
CREATE FUNCTION chat.f(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE TYPE chat.mood AS ENUM ('good', 'bad');
ALTER TABLE chat.messages ADD mood chat.mood DEFAULT 'good';
ALTER TABLE chat.messages ADD CONSTRAINT own CHECK (content <> 'x'), ADD CONSTRAINT late CHECK (chat.f(content) <> 'x'), ADD CONSTRAINT typed CHECK (mood <> 'bad');
SELECT chat.rag_add_message(chat.rag_create_session(), 'user', 'restored');
CREATE TABLE chat.ran (who name);
GRANT INSERT ON chat.ran TO PUBLIC;
CREATE FUNCTION chat.ne(text, text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN INSERT INTO chat.ran VALUES (current_user); RETURN true; END';
CREATE FUNCTION chat.ne(chat.mood, chat.mood) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN INSERT INTO chat.ran VALUES (current_user); RETURN true; END';
CREATE OPERATOR chat.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = chat.ne);
CREATE OPERATOR chat.<> (LEFTARG = chat.mood, RIGHTARG = chat.mood, FUNCTION = chat.ne);
EOT
	sql($old, 'postgres', "ALTER DATABASE $db SET search_path = chat, pg_catalog");
	is_kept_now($db, 'operators of the owner');
	take_files("rag_local_$db");
	dump_database($db, "$dumps/$db", '--format=custom');
	create_database($new, $db);
	sql($new, 'postgres', "ALTER DATABASE $db SET search_path = chat, pg_catalog");
	restore($db, "$dumps/$db");
	is(sqlstate($new, $db, "ALTER EXTENSION rag_local_$db UPDATE TO 'complete'"), '', '... restored by a superuser');
	is(sql($new, $db, 'SELECT pg_catalog.count(*) FROM chat.ran'), '0', '... are not called');
	is(sql($new, $db, q(SELECT pg_catalog.count(*) FROM pg_constraint WHERE conname OPERATOR(pg_catalog.=) ANY ('{own,late,typed}'))), '3', '... by what was made');
}

# ---------------------------------------------------------------------------
note('other encodings');
# ---------------------------------------------------------------------------

for my $encoding ('LATIN1', 'SQL_ASCII')
{
	my $db = 'in_' . lc $encoding;
	my $name = $encoding eq 'LATIN1' ? 'U&"\00E9t\00E9"' : "\"\xc3\xa9t\xc3\xa9\"";
	my $create = "CREATE DATABASE $db OWNER rag_owner TEMPLATE template0 ENCODING '$encoding' LOCALE 'C'";

	sql($_, 'postgres', $create) for $old, $new;
	sql($old, $db, "CREATE SCHEMA $schema; CREATE EXTENSION rag_events SCHEMA $schema; ALTER TABLE $schema.messages ADD $name text", 'rag_owner');
	is_kept_now($db, "$encoding: kept");
	is(sql($old, $db, "SELECT count(*) FROM $schema.rag_check_schema() WHERE kind = 'kept'"), '1', '... which is seen');
	take_files("rag_local_$db");
	dump_database($db, "$dumps/$db", '--format=custom');
	restore($db, "$dumps/$db", '-U', 'rag_owner');
	is(sql($new, $db, "SELECT count(*) FROM $schema.rag_check_schema() WHERE kind = 'kept'"), '1', '... restored');
	is(sql($new, $db, "SELECT attname FROM pg_attribute WHERE attrelid = '$schema.messages'::regclass ORDER BY attnum DESC LIMIT 1"),
		sql($old, $db, "SELECT attname FROM pg_attribute WHERE attrelid = '$schema.messages'::regclass ORDER BY attnum DESC LIMIT 1"), '... under the same name');
}

# ---------------------------------------------------------------------------
note('a subscriber of logical replication');
# ---------------------------------------------------------------------------

{
	my $count = "SELECT count(*), count(note) FROM $schema.messages";

	create_database($old, 'publisher');
	sql($old, 'publisher', "CREATE SCHEMA $schema; CREATE EXTENSION rag_events SCHEMA $schema; ALTER TABLE $schema.messages ADD note text DEFAULT 'own'; CREATE INDEX own ON $schema.messages (note)", 'rag_owner');
	sql($old, 'publisher', "CREATE PUBLICATION conversations FOR TABLE $schema.sessions, $schema.messages; SELECT $schema.rag_add_messages('00000000-0000-4000-8000-000000000001', '[{\"role\": \"user\", \"content\": \"first\"}]', NULL, true)");
	is_kept_now('publisher', 'a publisher is kept');
	take_files('rag_local_publisher');
	dump_database('publisher', "$dumps/publisher", '--format=custom', '--schema-only');
	create_database($new, 'subscriber');
	restore('subscriber', "$dumps/publisher");
	is(sqlstate($new, 'subscriber', q(ALTER EXTENSION rag_local_publisher UPDATE TO 'complete')), '', '... its schema is restored');
	is(kinds($new, 'subscriber', "kind <> 'kept'"), '', '... all of it');
	sql($new, 'subscriber', "CREATE SUBSCRIPTION conversations CONNECTION \$c\$" . $old->connstr('publisher') . "\$c\$ PUBLICATION conversations");
	ok($new->poll_query_until('subscriber', $count, '1|1'), '... the rows come') or diag(sql($new, 'subscriber', $count));
	sql($old, 'publisher', "SELECT $schema.rag_add_message('00000000-0000-4000-8000-000000000001', 'user', 'second')");
	ok($new->poll_query_until('subscriber', $count, '2|2'), '... and go on coming, own columns too');
	sql($new, 'subscriber', 'DROP SUBSCRIPTION conversations');
}

$_->stop for $old, $new;
done_testing();
