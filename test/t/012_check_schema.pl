# rag_check_schema() sees whatever differs from what the version made, and the DDL
# that it proposes mends it. rag_local_ddl() brings back what users attached to the
# tables and a dump leaves out.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use RagVersions;
use Test::More;

my $node = start_server('main', 'wal_level = logical');
my $superuser = sql($node, 'postgres', 'SELECT current_user');
my @chain = chain_of_versions($node);
my $head = $chain[-1];
my $databases = 0;

sql($node, 'postgres', <<'EOT');
CREATE ROLE rag_owner LOGIN;
CREATE ROLE rag_other LOGIN;
CREATE ROLE rag_nobody LOGIN;
EOT

# A healthy database for each of two schemas, to copy.
my %schemas = (plain => 'chat', quoted => '"Chat.Room %s"');

for my $case (sort keys %schemas)
{
	sql($node, 'postgres', "CREATE DATABASE healthy_$case OWNER rag_owner");
	sql($node, "healthy_$case",
		"CREATE SCHEMA $schemas{$case}; CREATE EXTENSION rag_events SCHEMA $schemas{$case}; GRANT USAGE ON SCHEMA $schemas{$case} TO PUBLIC",
		'rag_owner');
}

sub new_database
{
	my ($case) = @_;
	my $db = 'check_' . ++$databases;

	sql($node, 'postgres', "CREATE DATABASE $db TEMPLATE healthy_$case OWNER rag_owner");
	return $db;
}

# What rag_check_schema() finds: a list of {object, kind, expected, actual, ddl}.
sub check
{
	my ($db, $schema, $role) = @_;
	my @columns = qw(object kind expected actual ddl);
	my $separator = "\x1e";
	my $rows = sql($node, $db, sprintf(
			"SELECT concat_ws(E'\\x1f', object, kind, coalesce(expected, ''), coalesce(actual, ''), coalesce(ddl, '')) || E'\\x1e' FROM %s.rag_check_schema()",
			$schema), $role);

	return map {
		my %row;
		@row{@columns} = map { s/^\n//r } split(/\x1f/, $_, 5);
		\%row
	} grep { /\S/ } split /$separator/, $rows;
}

# Those of its rows that are to be mended.
sub faults { return grep { $_->{kind} !~ /^(not_dumped|warning)$/ } check(@_); }

sub in_short { return join(', ', map { "$_->{object} $_->{kind}" } @_); }

# Runs the DDL of the rows in their order, as a superuser. Returns the error.
sub mend
{
	my ($db, @rows) = @_;

	for my $ddl (map { $_->{ddl} } @rows)
	{
		my ($rc, $out, $err) = $node->psql($db, $ddl);
		return "$err\nby: $ddl" if $rc != 0;
	}
	return '';
}

# One thing goes wrong: this is found, and can be mended.
sub is_found_and_mended
{
	my ($name, $db, $schema, $break, @expected) = @_;

	sql($node, $db, $break);
	my @found = faults($db, $schema);
	is(in_short(@found), join(', ', @expected), "$name: is found");
	is(mend($db, @found), '', '... the DDL runs');
	return is(in_short(faults($db, $schema)), '', '... and mends it');
}

# ---------------------------------------------------------------------------
# Every object of the head version is missed
# ---------------------------------------------------------------------------

note('what is missing');

sub objects_of_the_head
{
	my ($db, $schema) = @_;
	my $file = "$FindBin::RealBin/../../schema/rag_events--$head.json";
	my $json = slurp_file($file);

	$json =~ s/'/''/g;
	return map { [ split /\|/ ] } split /\n/,
	  sql($node, $db,
		"SELECT kind, object, tbl, name FROM jsonb_to_recordset('$json') AS o (ord int, kind text, object text, tbl text, name text) ORDER BY ord, object COLLATE \"C\""
	  );
}

for my $case (sort keys %schemas)
{
	my $schema = $schemas{$case};
	my $db = new_database($case);
	my %kinds;

	is(in_short(check($db, $schema)), '', "$schema: a new installation is as it should be");
	sql($node, $db, "TRUNCATE $schema.rag_migration_log");
	for (objects_of_the_head($db, $schema))
	{
		my ($kind, $object, $table, $name) = @$_;
		my ($member) = $object =~ /^membership of (.*)/;

		$name =~ s/\@extschema\@/$schema/;
		$member =~ s/^(table|sequence|function|view) /$1 $schema./ if $member;
		$member =~ s/^function (\S*rag_latency_sum)/aggregate $1/ if $member;
		my %break = (
			table => undef,
			sequence =>
			  "ALTER EXTENSION rag_events DROP SEQUENCE $schema.$name; DROP SEQUENCE $schema.$name CASCADE",
			column => "ALTER TABLE $schema.$table DROP COLUMN $name CASCADE",
			'column option' => "ALTER TABLE $schema.$table ALTER COLUMN $name SET COMPRESSION default",
			'table option' => "ALTER TABLE $schema.$table RESET ($name)",
			constraint => "ALTER TABLE $schema.$table DROP CONSTRAINT $name CASCADE",
			index => "DROP INDEX $schema.$name",
			view => "ALTER EXTENSION rag_events DROP VIEW $schema.$name; DROP VIEW $schema.$name",
			aggregate => "ALTER EXTENSION rag_events DROP AGGREGATE $name; DROP AGGREGATE $name",
			'replica identity' => "ALTER TABLE $schema.$name REPLICA IDENTITY DEFAULT",
			function => "ALTER EXTENSION rag_events DROP FUNCTION $name; DROP FUNCTION $name CASCADE",
			member => $member && "ALTER EXTENSION rag_events DROP $member",
			'dump mark' =>
			  "UPDATE pg_extension SET extconfig = array_remove(extconfig, '$schema.$name'::regclass::oid), extcondition = extcondition[2:] WHERE extname = 'rag_events'"
		);

		ok(exists $break{$kind}, "this test knows how to remove a $kind") if !$kinds{$kind}++;
		next if !$break{$kind};
		# The functions that look cannot miss themselves; the log's id is an identity.
		# Nor can what PostgreSQL calls for all the others.
		next if $object =~ /function rag_check_schema/ || $object =~ /^function rag_delegation_support/ || ($table eq 'rag_migration_log' && $name eq 'id');

		# A sequence goes with its column, but not while the extension has it.
		$break{$kind} = "ALTER EXTENSION rag_events DROP SEQUENCE $schema.messages_id_seq; $break{$kind}"
		  if $object eq 'column messages.id';
		# Nor do what calls a function.
		$break{$kind} = "ALTER EXTENSION rag_events DROP AGGREGATE $schema.rag_latency_sum(int[]); $break{$kind}"
		  if $object =~ /^function rag_latency_add/;
		$break{$kind} = "ALTER EXTENSION rag_events DROP VIEW $schema.rag_message_sources; $break{$kind}"
		  if $object =~ /^function rag_message_sources/;
		sql($node, $db, $break{$kind});
		my @found = faults($db, $schema);
		ok((grep { $_->{object} eq $object && $_->{kind} eq 'missing' } @found),
			"$schema: $object is missed")
		  or diag(in_short(@found));
		is(mend($db, @found), '', '... the DDL runs');
		is(in_short(faults($db, $schema)), '', '... and mends it')
		  or last;
	}
	sql($node, 'postgres', "DROP DATABASE $db");
}

# ---------------------------------------------------------------------------
# Whatever is changed
# ---------------------------------------------------------------------------

note('what is changed');

my $role_check = 'constraint ck_messages_role of table messages';
my $key = 'constraint messages_session_id_fkey of table messages';
my $mark = "WHERE extname = 'rag_events'";

# SCHEMA stands for the schema.
my @changes = (
	[ 'type', 'ALTER TABLE SCHEMA.messages ALTER top_k TYPE bigint', 'column messages.top_k changed' ],
	[
		'length', 'ALTER TABLE SCHEMA.messages ALTER query_type TYPE varchar(10)',
		'column messages.query_type changed'
	],
	[
		'type with time zone', 'ALTER TABLE SCHEMA.sessions ALTER updated_at TYPE timestamptz',
		'column sessions.updated_at changed'
	],
	[
		'collation', 'ALTER TABLE SCHEMA.messages ALTER query_type TYPE varchar COLLATE "C"',
		'column messages.query_type changed'
	],
	[
		'default dropped', 'ALTER TABLE SCHEMA.messages ALTER created_at DROP DEFAULT',
		'column messages.created_at changed'
	],
	[
		'default added', "ALTER TABLE SCHEMA.messages ALTER query_type SET DEFAULT 'x'",
		'column messages.query_type changed'
	],
	[
		'another sequence',
		"CREATE SEQUENCE SCHEMA.s; ALTER TABLE SCHEMA.messages ALTER id SET DEFAULT nextval('SCHEMA.s')",
		'column messages.id changed'
	],
	[
		'identity',
		'ALTER TABLE SCHEMA.messages ALTER id DROP DEFAULT, ALTER id ADD GENERATED BY DEFAULT AS IDENTITY',
		'column messages.id changed', 'column messages.id changed'
	],
	[
		'generated',
		'ALTER TABLE SCHEMA.messages DROP query_type, ADD query_type varchar GENERATED ALWAYS AS (role) STORED',
		'column messages.query_type changed', 'column messages.query_type changed'
	],
	[
		'nullable', 'ALTER TABLE SCHEMA.messages ALTER content DROP NOT NULL',
		'column messages.content changed'
	],
	[
		'not nullable', 'ALTER TABLE SCHEMA.messages ALTER top_k SET NOT NULL',
		'column messages.top_k changed'
	],
	[
		'constraint in other words',
		"ALTER TABLE SCHEMA.messages DROP CONSTRAINT ck_messages_role, ADD CONSTRAINT ck_messages_role CHECK (role IN ('user', 'assistant', 'system'))",
		"$role_check changed"
	],
	[
		'key without cascade',
		'ALTER TABLE SCHEMA.messages DROP CONSTRAINT messages_session_id_fkey, ADD CONSTRAINT messages_session_id_fkey FOREIGN KEY (session_id) REFERENCES SCHEMA.sessions',
		"$key changed"
	],
	[
		'deferrable key',
		'ALTER TABLE SCHEMA.messages ALTER CONSTRAINT messages_session_id_fkey DEFERRABLE',
		"$key changed"
	],
	[
		'key not validated',
		'ALTER TABLE SCHEMA.messages DROP CONSTRAINT messages_session_id_fkey, ADD CONSTRAINT messages_session_id_fkey FOREIGN KEY (session_id) REFERENCES SCHEMA.sessions ON DELETE CASCADE NOT VALID',
		"$key changed"
	],
	[
		'key not enforced here', 'ALTER TABLE SCHEMA.messages DISABLE TRIGGER ALL',
		"$key changed"
	],
	[
		'keys not enforced there', 'ALTER TABLE SCHEMA.sessions DISABLE TRIGGER ALL',
		"$key changed, constraint rag_feedback_session_id_fkey of table rag_feedback changed"
	],
	[
		'index on another column',
		'DROP INDEX SCHEMA.ix_messages_session_id; CREATE INDEX ix_messages_session_id ON SCHEMA.messages (id)',
		'index ix_messages_session_id changed'
	],
	[
		'partial index',
		'DROP INDEX SCHEMA.ix_sessions_created_at; CREATE INDEX ix_sessions_created_at ON SCHEMA.sessions (created_at) WHERE user_id IS NOT NULL',
		'index ix_sessions_created_at changed'
	],
	[
		'unique index',
		'DROP INDEX SCHEMA.ix_sessions_user_id; CREATE UNIQUE INDEX ix_sessions_user_id ON SCHEMA.sessions (user_id)',
		'index ix_sessions_user_id changed'
	],
	[
		'index that is not valid',
		"UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'SCHEMA.ix_sessions_user_id'::regclass",
		'index ix_sessions_user_id changed'
	],
	[
		'owner of messages', 'ALTER TABLE SCHEMA.messages OWNER TO rag_other',
		'table messages changed'
	],
	[
		'owner of the log', 'ALTER TABLE SCHEMA.rag_migration_log OWNER TO rag_owner',
		'table rag_migration_log changed'
	],
	[
		'owner of the sequence',
		'ALTER SEQUENCE SCHEMA.messages_id_seq OWNED BY NONE; ALTER SEQUENCE SCHEMA.messages_id_seq OWNER TO rag_other',
		'sequence messages_id_seq changed'
	],
	[
		'owner of a function', 'ALTER FUNCTION SCHEMA.rag_version() OWNER TO rag_other',
		'function rag_version() changed'
	],
	[
		'sequence of nobody', 'ALTER SEQUENCE SCHEMA.messages_id_seq OWNED BY NONE',
		'sequence messages_id_seq changed'
	],
	[
		'sequence that starts again', 'ALTER SEQUENCE SCHEMA.messages_id_seq CYCLE',
		'sequence messages_id_seq changed'
	],
	[
		'sequence of another type', 'ALTER SEQUENCE SCHEMA.messages_id_seq AS bigint INCREMENT BY 2',
		'sequence messages_id_seq changed'
	],
	[ 'unlogged', 'ALTER TABLE SCHEMA.messages SET UNLOGGED', 'table messages changed' ],
	[
		'all unlogged',
		join('; ', map { "ALTER TABLE SCHEMA.$_ SET UNLOGGED" } qw(messages rag_feedback sessions)),
		map { "table $_ changed" } qw(sessions messages rag_feedback)
	],
	[
		'another name of a primary key', 'ALTER TABLE SCHEMA.sessions RENAME CONSTRAINT sessions_pkey TO "Own Name"',
		'constraint sessions_pkey of table sessions missing'
	],
	[
		'another name of a foreign key', 'ALTER TABLE SCHEMA.messages RENAME CONSTRAINT messages_session_id_fkey TO own_name',
		"$key missing"
	],
	[
		'another name of an index', 'ALTER INDEX SCHEMA.uq_rag_feedback RENAME TO "Own Name"',
		'index uq_rag_feedback missing'
	],
	[
		'JSON in a text of limited length', 'ALTER TABLE SCHEMA.sessions ALTER metadata TYPE varchar(100)',
		'column sessions.metadata changed'
	],
	[
		'an array in the place of JSON', 'ALTER TABLE SCHEMA.messages ALTER sources TYPE text[] USING NULL',
		'column messages.sources changed', 'compression of column messages.sources missing'
	],
	[
		'a child', 'CREATE TABLE SCHEMA.child () INHERITS (SCHEMA.messages)',
		'table messages changed'
	],
	[
		'condition of the dump', "UPDATE pg_extension SET extcondition[1] = 'WHERE false' $mark",
		'dump mark of sessions changed'
	],
	[
		'cost of a function', 'ALTER FUNCTION SCHEMA.rag_version() COST 5',
		'function rag_version() changed'
	],
	[
		'rights of a function', 'ALTER FUNCTION SCHEMA.rag_add_message SECURITY DEFINER',
		'function rag_add_message(uuid, text, text, jsonb, double precision, integer, text, text, integer, jsonb, text) changed'
	],
	[
		'settings of a function', 'ALTER FUNCTION SCHEMA.rag_version() SET work_mem = 64',
		'function rag_version() changed'
	],
	[
		'body of a function',
		"CREATE OR REPLACE FUNCTION SCHEMA.rag_version() RETURNS text LANGUAGE sql AS 'SELECT ''9.9'''",
		'function rag_version() changed'
	],
	[
		'a function of the user in the extension',
		"CREATE FUNCTION SCHEMA.own(int, \"char\") RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER EXTENSION rag_events ADD FUNCTION SCHEMA.own",
		'membership of function own(integer, "char") extra'
	],
	[
		'a table of the user in the extension',
		'CREATE TABLE SCHEMA."Own Table" (i int); ALTER EXTENSION rag_events ADD TABLE SCHEMA."Own Table"',
		'membership of table "Own Table" extra'
	],
	[
		'a table of another schema in the extension',
		'CREATE SCHEMA own; CREATE TABLE own.t (i int); ALTER EXTENSION rag_events ADD TABLE own.t',
		'membership of table own.t extra'
	]);

for my $case (sort keys %schemas)
{
	my $schema = $schemas{$case};
	my $db = new_database($case);

	sql($node, $db, conversations($schema), 'rag_owner');
	for my $test (@changes)
	{
		my ($name, $break, @expected) = @$test;

		$break =~ s/SCHEMA(?=\.)/$schema/g;
		$break = "UPDATE $schema.messages SET top_k = 1; $break" if $break =~ /SET NOT NULL/;
		next if is_found_and_mended("$schema: $name", $db, $schema, $break, @expected);
		# Go on from what is healthy.
		sql($node, 'postgres', "DROP DATABASE $db");
		$db = new_database($case);
		sql($node, $db, conversations($schema), 'rag_owner');
	}
	is(sql($node, $db, "SELECT $schema.rag_add_message('00000000-0000-0000-0000-000000000001', 'user', 'x') IS NOT NULL", 'rag_owner'),
		't', "$schema: after all that, the functions work");
	sql($node, 'postgres', "DROP DATABASE $db");
}

note('an index whose building failed');
{
	my $db = new_database('plain');

	sql($node, $db, conversations('chat') . 'DROP INDEX chat.ix_messages_session_created');
	is( sqlstate($node, $db, 'CREATE UNIQUE INDEX CONCURRENTLY ix_messages_session_created ON chat.messages (session_id, created_at) WHERE 1 / (length(content) - 1) = 0'),
		'22012', 'CREATE INDEX CONCURRENTLY fails');
	my @found = faults($db, 'chat');
	is( in_short(@found),
		'index ix_messages_session_created changed, index ix_messages_session_created changed',
		'its definition and its state are found');
	is(mend($db, @found), '', '... the DDL runs');
	is(in_short(faults($db, 'chat')), '', '... and mends it');
}

note('ids that come to their end');
{
	my $db = new_database('quoted');
	my $schema = $schemas{quoted};
	my $set = sub {
		my ($value) = @_;
		sql($node, $db, "SELECT setval('$schema.messages_id_seq', $value)");
	};

	$set->(1073741823);
	is(in_short(check($db, $schema)), '', 'no warning at half of the ids');
	$set->(1073741824);
	my @found = check($db, $schema);
	is(in_short(@found), 'sequence messages_id_seq warning', '... and one from there on');
	is("$found[0]{expected}; $found[0]{actual}; $found[0]{ddl}",
		'at most half of 2147483647 ids used; 1073741824 used; ', '... with the figures');
	is(in_short(check($db, $schema, 'rag_nobody')), '', '... not for who may not see them');
}

# ---------------------------------------------------------------------------
# What users attached to the tables
# ---------------------------------------------------------------------------

note('what a dump leaves out');

my $row_filter = 'WHERE (content IS NOT NULL)';

# What, in the order in which it is to come back, and the object that tells of it.
my @additions = (
	[ 'ALTER TABLE SCHEMA.messages ADD "Own Column" text DEFAULT \'a \'\'b\'\'\'', 'column messages.Own Column' ],
	[ 'ALTER TABLE SCHEMA.messages ADD a_length int GENERATED ALWAYS AS (length("Own Column")) STORED', 'column messages.a_length' ],
	[ 'ALTER TABLE SCHEMA.sessions ADD own_number int GENERATED BY DEFAULT AS IDENTITY', 'column sessions.own_number' ],
	[ 'ALTER TABLE SCHEMA.sessions ADD own_name varchar(20) COLLATE "C" NOT NULL DEFAULT \'x\'', 'column sessions.own_name' ],
	[ 'ALTER TABLE SCHEMA.sessions ALTER metadata SET STORAGE EXTERNAL', 'storage of column sessions.metadata' ],
	[ 'ALTER TABLE SCHEMA.sessions ALTER user_id SET STATISTICS 500', 'statistics of column sessions.user_id' ],
	[ 'ALTER TABLE SCHEMA.sessions ALTER user_id SET (n_distinct = 100)', 'option n_distinct of column sessions.user_id' ],
	[ 'ALTER TABLE SCHEMA.messages SET (autovacuum_vacuum_scale_factor = 0.01)', 'option autovacuum_vacuum_scale_factor of table messages' ],
	[ 'ALTER TABLE SCHEMA.messages ADD CONSTRAINT own_check CHECK (content <> \'\' OR top_k IS NULL) NOT VALID', 'constraint own_check of table messages' ],
	[ 'ALTER TABLE SCHEMA.messages ADD CONSTRAINT own_unique UNIQUE (id, session_id) DEFERRABLE', 'constraint own_unique of table messages' ],
	[ 'ALTER TABLE SCHEMA.sessions ADD CONSTRAINT own_key FOREIGN KEY (own_name) REFERENCES SCHEMA.users', 'constraint own_key of table sessions' ],
	[ 'CREATE UNIQUE INDEX own_target ON SCHEMA.sessions (own_number)', 'index own_target' ],
	[ 'ALTER TABLE SCHEMA.messages ADD CONSTRAINT a_key FOREIGN KEY (top_k) REFERENCES SCHEMA.sessions (own_number) NOT VALID', 'constraint a_key of table messages' ],
	[ 'CREATE INDEX "Own Index" ON SCHEMA.messages ("Own Column", lower(role)) WHERE content IS NOT NULL', 'index Own Index' ],
	[ 'CREATE UNIQUE INDEX own_identity ON SCHEMA.sessions (id)', 'index own_identity' ],
	[ 'CREATE STATISTICS SCHEMA.own_statistics (ndistinct) ON role, query_type FROM SCHEMA.messages', 'statistics own_statistics of table messages' ],
	[ 'ALTER TABLE SCHEMA.messages REPLICA IDENTITY FULL', 'replica identity of table messages' ],
	[ 'ALTER TABLE SCHEMA.sessions REPLICA IDENTITY USING INDEX own_identity', 'replica identity of table sessions' ],
	[ 'CREATE TRIGGER "Own Trigger" BEFORE INSERT OR UPDATE OF content ON SCHEMA.messages FOR EACH ROW WHEN (new.content <> \'\') EXECUTE FUNCTION SCHEMA.own_trigger(\'a\')', 'trigger Own Trigger of table messages' ],
	[ 'CREATE TRIGGER off AFTER DELETE ON SCHEMA.messages FOR EACH STATEMENT EXECUTE FUNCTION SCHEMA.own_trigger(); ALTER TABLE SCHEMA.messages DISABLE TRIGGER off', 'trigger off of table messages' ],
	[ 'CREATE TRIGGER replica AFTER INSERT ON SCHEMA.sessions FOR EACH ROW EXECUTE FUNCTION SCHEMA.own_trigger(); ALTER TABLE SCHEMA.sessions ENABLE REPLICA TRIGGER replica', 'trigger replica of table sessions' ],
	[ 'CREATE TRIGGER always AFTER INSERT ON SCHEMA.sessions FOR EACH ROW EXECUTE FUNCTION SCHEMA.own_trigger(); ALTER TABLE SCHEMA.sessions ENABLE ALWAYS TRIGGER always', 'trigger always of table sessions' ],
	[ 'CREATE RULE "Own Rule" AS ON DELETE TO SCHEMA.sessions WHERE old.user_id = \'kept\' DO INSTEAD NOTHING', 'rule Own Rule of table sessions' ],
	[ 'CREATE RULE off AS ON DELETE TO SCHEMA.messages DO INSTEAD NOTHING; ALTER TABLE SCHEMA.messages DISABLE RULE off', 'rule off of table messages' ],
	[ 'CREATE POLICY "Own Policy" ON SCHEMA.sessions AS RESTRICTIVE FOR UPDATE TO rag_other, PUBLIC USING (user_id = CURRENT_USER) WITH CHECK (true)', 'policy Own Policy of table sessions' ],
	[ 'CREATE POLICY insert ON SCHEMA.messages FOR INSERT TO rag_other WITH CHECK (role = \'user\')', 'policy insert of table messages' ],
	[ 'ALTER TABLE SCHEMA.sessions ENABLE ROW LEVEL SECURITY', 'row security of table sessions' ],
	[ 'ALTER TABLE SCHEMA.sessions FORCE ROW LEVEL SECURITY', 'forced row security of table sessions' ],
	[ "ALTER PUBLICATION \"Own Publication\" ADD TABLE SCHEMA.messages (id, session_id, content) $row_filter", 'publication Own Publication of table messages' ],
	[ 'ALTER PUBLICATION "Own Publication" ADD TABLE SCHEMA.sessions', 'publication Own Publication of table sessions' ]);

# What a dump keeps, and the additions need.
my $kept = <<'EOT';
CREATE TABLE SCHEMA.users (id varchar PRIMARY KEY);
INSERT INTO SCHEMA.users VALUES ('x'), ('y');
CREATE FUNCTION SCHEMA.own_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE PUBLICATION "Own Publication" WITH (publish = 'insert');
EOT

for my $case (sort keys %schemas)
{
	my $schema = $schemas{$case};
	my $db = new_database($case);

	sql($node, $db, ($kept =~ s/SCHEMA(?=\.)/$schema/gr) . conversations($schema), 'rag_owner');
	for my $addition (@additions)
	{
		my ($ddl, $object) = @$addition;

		$ddl =~ s/SCHEMA(?=\.)/$schema/g;
		sql($node, $db, $ddl, 'rag_owner');
		my ($row) = grep { $_->{object} eq $object } check($db, $schema);
		is($row && $row->{kind}, 'not_dumped', "$schema: $object is found");
	}
	my @found = check($db, $schema);
	is(join("\n", sort map { "$_->{object} $_->{kind}" } @found),
		join("\n", sort map { "$_->[1] not_dumped" } @additions),
		"$schema: ... and nothing else");
	is(join("\n", map { "$_->{object} $_->{ddl}" } check($db, $schema, 'rag_nobody')),
		join("\n", map { "$_->{object} $_->{ddl}" } @found),
		"$schema: who has no rights finds the same");

	# Where the tables are, the DDL makes each of them anew.
	my $fresh = new_database($case);
	sql($node, $fresh, $kept =~ s/SCHEMA(?=\.)/$schema/gr, 'rag_owner');
	is(mend($fresh, @found), '', "$schema: the DDL of all of it runs");
	is(join("\n", map { "$_->{object} $_->{actual}" } check($fresh, $schema)),
		join("\n", map { "$_->{object} $_->{actual}" } @found),
		"$schema: ... and makes the same");

	note('a dump, and its restore in parts with the DDL in between');
	sql($node, $db, "UPDATE $schema.messages SET \"Own Column\" = 'own ' || id; UPDATE $schema.sessions SET own_name = 'y'");
	my $restored = 'restored_' . $case;
	my $archive = PostgreSQL::Test::Utils::tempdir() . '/archive';
	my %local;
	for my $section ('pre-data', 'post-data')
	{
		$local{$section} = sql($node, $db,
			"SELECT ddl || ';' FROM $schema.rag_local_ddl() WHERE section = '$section'", 'rag_nobody');
	}
	sql($node, 'postgres', "CREATE DATABASE $restored OWNER rag_owner");
	$node->command_ok([ 'pg_dump', '-Fc', '-f', $archive, '-d', $node->connstr($db) ], "$schema: dump");
	for my $section ('pre-data', 'data', 'post-data')
	{
		$node->command_ok(
			[
				'pg_restore', '-U', 'rag_owner', '--exit-on-error', "--section=$section",
				'-d', $node->connstr($restored), $archive
			],
			"$schema: restore of $section");
		sql($node, $restored, $local{$section}, 'rag_owner') if $local{$section};
	}
	is_deeply([ differences(snapshot($node, $db), snapshot($node, $restored)) ],
		[], "$schema: all is as it was");
	is_same_text(rows_of($node, $restored, $schema),
		rows_of($node, $db, $schema), "$schema: ... with all rows");
}

# ---------------------------------------------------------------------------
note('what the statements that are handed out do, and nothing else');
# ---------------------------------------------------------------------------

# Names and conditions that look like the end of a literal or of a comment. Each would
# make the owner a superuser.
my $evil = '; ALTER ROLE rag_owner SUPERUSER; --';

for my $name ("p\$do\$$evil", "p'$evil", "p\\'$evil", "p\"$evil", "p*/$evil", "p\n$evil", "p%s%I$evil", "END\$\$$evil")
{
	my $db = new_database('plain');
	my $quoted = '"' . ($name =~ s/"/""/gr) . '"';
	my $literal = '$q$' . $name . '$q$';

	sql($node, $db, "CREATE PUBLICATION $quoted FOR TABLE chat.messages WHERE (content <> $literal); ALTER TABLE chat.messages ADD COLUMN $quoted text DEFAULT $literal, ADD CONSTRAINT $quoted CHECK (content <> $literal); CREATE INDEX $quoted ON chat.messages (($quoted || $literal)); CREATE POLICY $quoted ON chat.messages USING (content <> $literal); CREATE STATISTICS $quoted ON role, content FROM chat.messages", 'rag_owner')
	  if sql($node, $db, 'GRANT CREATE ON DATABASE ' . $db . ' TO rag_owner; GRANT CREATE ON SCHEMA public TO rag_owner; SELECT true');
	my @found = check($db, 'chat');
	my $fresh = new_database('plain');

	sql($node, $fresh, "GRANT CREATE ON SCHEMA public TO rag_owner; CREATE PUBLICATION $quoted", 'rag_owner')
	  if sql($node, $fresh, 'GRANT CREATE ON SCHEMA public TO rag_owner; GRANT CREATE ON DATABASE ' . $fresh . ' TO rag_owner; SELECT true');
	is(scalar(@found), 6, "$name: all of it is found");
	is(mend($fresh, @found), '', '... and made anew');
	is_deeply([ map { $_->{actual} } check($fresh, 'chat') ], [ map { $_->{actual} } @found ], '... as it was');
	is(sql($node, 'postgres', q(SELECT rolsuper FROM pg_roles WHERE rolname = 'rag_owner')), 'f', '... and nobody is a superuser by that');
}

# Operators of the owner, who has set the search_path of the database.
{
	my $db = new_database('plain');
	my $ddl;

	sql($node, $db, 'ALTER TABLE chat.messages ADD CONSTRAINT own CHECK (content <> $$x$$)', 'rag_owner');
	$ddl = sql($node, $db, q(SELECT string_agg(ddl, '; ') FROM chat.rag_local_ddl()));
	sql($node, $db, "ALTER TABLE chat.messages DROP CONSTRAINT own; SELECT chat.rag_add_message(chat.rag_create_session(), 'user', 'restored')", 'rag_owner');
	sql($node, $db, <<'EOT', 'rag_owner');
CREATE TABLE chat.ran (who name);
CREATE FUNCTION chat.ne(text, text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN INSERT INTO chat.ran VALUES (current_user); RETURN true; END';
CREATE OPERATOR chat.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = chat.ne);
EOT
	sql($node, 'postgres', "ALTER DATABASE $db SET search_path = chat, pg_catalog");
	sql($node, $db, $ddl);
	is(sql($node, $db, 'SELECT pg_catalog.count(*) FROM chat.ran'), '0', 'operators of the owner are not called');
}

# What has another name is nothing that the user added.
{
	my $db = new_database('plain');

	sql($node, $db, 'ALTER TABLE chat.messages RENAME CONSTRAINT messages_pkey TO own_key; ALTER INDEX chat.ix_messages_session_id RENAME TO own_index; CREATE INDEX another ON chat.messages (session_id, id)', 'rag_owner');
	is(sql($node, $db, 'SELECT string_agg(object, chr(10)) FROM chat.rag_local_ddl()'), "search_path\nindex own_index", 'renamed: only one of two equal indexes is the user\'s');
	is(mend($db, faults($db, 'chat')), '', '... the DDL gives the names back');
	is(in_short(check($db, 'chat')), 'index own_index not_dumped', '... for good');
}

# The index of a replica identity was dropped.
{
	my $db = new_database('plain');

	sql($node, $db, 'CREATE UNIQUE INDEX own ON chat.messages (id, role); ALTER TABLE chat.messages REPLICA IDENTITY USING INDEX own; DROP INDEX chat.own', 'rag_owner');
	is(join(' ', map { $_->{ddl} } check($db, 'chat')), 'ALTER TABLE chat.messages REPLICA IDENTITY NOTHING', 'a replica identity without its index is none');
}

# Statistics of one name in two schemas.
{
	my $db = new_database('plain');

	sql($node, $db, 'CREATE SCHEMA own');
	sql($node, $db, "CREATE STATISTICS $_.own_statistics ON role, content FROM chat.messages") for qw(chat own);
	is(sql($node, $db, 'SELECT string_agg(ddl, chr(10)) FROM chat.rag_local_ddl() WHERE ddl LIKE $$CREATE %$$'),
		join("\n", map { "CREATE STATISTICS $_.own_statistics ON role, content FROM chat.messages" } qw(own chat)),
		'statistics of one name in two schemas are made once each');
}

# A table is somewhere else.
{
	my $db = new_database('plain');
	my @found;

	sql($node, $db, 'CREATE SCHEMA own; ALTER TABLE chat.sessions SET SCHEMA own');
	@found = faults($db, 'chat');
	is(in_short(grep { $_->{object} =~ /^table / } @found), 'table sessions missing', 'sessions in another schema');
	is(mend($db, @found), '', '... the DDL runs');
	is(in_short(faults($db, 'chat')), '', '... and makes a table of the same owner');
}

# What a failed CREATE INDEX CONCURRENTLY left behind.
{
	my $db = new_database('plain');

	sql($node, $db, q(SELECT chat.rag_add_messages('00000000-0000-4000-8000-000000000001', '[{"role": "user", "content": "x"}, {"role": "user", "content": "x"}]', NULL, true)), 'rag_owner');
	is(sqlstate($node, $db, 'CREATE UNIQUE INDEX CONCURRENTLY leftover ON chat.messages (content)'), '23505', 'an index is not built');
	is(sql($node, $db, 'SELECT count(*) FROM chat.rag_local_ddl()'), '0', '... and is not made again');
	is(join(' ', map { "$_->{object} $_->{kind}" } check($db, 'chat')), 'index leftover warning', '... but told of');
	is(mend($db, check($db, 'chat')), '', '... and removed');
	is(scalar(check($db, 'chat')), 0, '... for good');
}

# ---------------------------------------------------------------------------
note('the sequence, wider ids, and the order of columns');
# ---------------------------------------------------------------------------

{
	my $db = new_database('plain');

	sql($node, $db, 'ALTER SEQUENCE chat.messages_id_seq CACHE 20', 'rag_owner');
	is(join(' ', map { "$_->{object} $_->{kind} $_->{actual}" } check($db, 'chat')), 'sequence messages_id_seq warning CACHE 20', 'ids that are kept by each connection');
	is(mend($db, check($db, 'chat')), '', '... the DDL mends that');
	is(scalar(check($db, 'chat')), 0, '... and all is well');
}

# Ids of 64 bits, and a dump of them.
{
	my $db = new_database('plain');
	my $archive = PostgreSQL::Test::Utils::tempdir() . '/wide';
	my ($pre);

	sql($node, $db, q(SELECT setval('chat.messages_id_seq', 2147483646); SELECT chat.rag_add_message(chat.rag_create_session(session_id => '00000000-0000-4000-8000-000000000001'), 'user', 'last')), 'rag_owner');
	is(sqlstate($node, $db, q(SELECT chat.rag_add_message('00000000-0000-4000-8000-000000000001', 'user', 'one more'))), '2200H', 'ids of 32 bits end');
	sql($node, $db, 'ALTER SEQUENCE chat.messages_id_seq AS bigint; ALTER TABLE chat.messages ALTER COLUMN id TYPE bigint', 'rag_owner');
	is(sql($node, $db, q(SELECT chat.rag_add_message('00000000-0000-4000-8000-000000000001', 'user', 'one more'))), '2147483648', '... and go on when they are widened');
	is(in_short(check($db, 'chat')), 'sequence messages_id_seq not_dumped, column messages.id not_dumped', 'which is right');
	sql($node, 'postgres', 'CREATE DATABASE wide OWNER rag_owner');
	$pre = sql($node, $db, q(SELECT string_agg(ddl, ';') FROM chat.rag_local_ddl() WHERE section = 'pre-data'));
	$node->command_ok([ 'pg_dump', '-Fc', '-f', $archive, '-d', $node->connstr($db) ], 'a dump');
	for my $section ('pre-data', 'data', 'post-data')
	{
		$node->command_ok([ 'pg_restore', '-U', 'rag_owner', '--exit-on-error', "--section=$section", '-d', $node->connstr('wide'), $archive ], "... restore of $section");
		sql($node, 'wide', $pre, 'rag_owner') if $section eq 'pre-data';
	}
	is_same_text(rows_of($node, 'wide', 'chat'), rows_of($node, $db, 'chat'), '... with all rows');
	is(in_short(check('wide', 'chat')), in_short(check($db, 'chat')), '... as it was');
}

# A column that is older than ours, and INSERTs without names of columns.
{
	sql($node, 'postgres', 'CREATE DATABASE older OWNER rag_owner');
	sql($node, 'older', "CREATE SCHEMA chat; CREATE EXTENSION rag_events SCHEMA chat VERSION '1.0'; ALTER TABLE chat.messages ADD COLUMN rating integer; ALTER EXTENSION rag_events UPDATE", 'rag_owner');
	my ($row) = grep { $_->{kind} eq 'warning' } check('older', 'chat');
	is($row && $row->{object}, 'order of columns of table messages', 'a column before ours');
	like($row->{actual}, qr/query_type, rating, token_count.*--column-inserts/, '... and what a dump needs then');
}

# From PostgreSQL 18 on a NOT NULL may be a constraint that is not valid.
SKIP:
{
	skip 'NOT NULL is always valid before PostgreSQL 18', 3 if $node->pg_version < 18;
	my $db = new_database('plain');

	sql($node, $db, 'ALTER TABLE chat.messages ALTER content DROP NOT NULL; ALTER TABLE chat.messages ADD CONSTRAINT own NOT NULL content NOT VALID', 'rag_owner');
	is(join(' ', map { "$_->{object} $_->{kind} $_->{actual}" } faults($db, 'chat')), 'column messages.content changed not null: not validated', 'a NOT NULL that is not valid is a fault');
	is(mend($db, faults($db, 'chat')), '', '... which the DDL mends');
	is(in_short(faults($db, 'chat')), '', '... for good');
}

# ---------------------------------------------------------------------------
note('event triggers of others');
# ---------------------------------------------------------------------------

# One that names its table without a schema, as scripts of extensions can, and one that
# switches row security on for each new table.
{
	sql($node, 'postgres', 'CREATE DATABASE watched');
	sql($node, 'watched', <<'EOT');
CREATE TABLE audit (tag text, identity text);
CREATE FUNCTION audit_ddl() RETURNS event_trigger LANGUAGE plpgsql AS
'BEGIN INSERT INTO audit SELECT tg_tag, object_identity FROM pg_event_trigger_ddl_commands(); END';
CREATE FUNCTION secure() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
  t text;
BEGIN
  FOR t IN SELECT object_identity FROM pg_event_trigger_ddl_commands() WHERE object_type = 'table' LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
  END LOOP;
END $$;
CREATE EVENT TRIGGER audit ON ddl_command_end EXECUTE FUNCTION audit_ddl();
CREATE EVENT TRIGGER secure ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION secure();
GRANT CREATE ON SCHEMA public TO rag_owner;
GRANT CREATE ON DATABASE watched TO rag_owner;
GRANT INSERT ON audit TO rag_owner;
EOT
	sql($node, 'watched', 'CREATE EXTENSION rag_events', 'rag_owner');
	is(sql($node, 'watched', q(SELECT count(*) > 40 FROM audit)), 't', 'an event trigger sees the scripts');
	for my $version (@chain[ reverse 0 .. $#chain - 1 ], @chain[ 1 .. $#chain ])
	{
		sql($node, 'watched', "ALTER EXTENSION rag_events UPDATE TO '$version'", 'rag_owner');
	}
	is(sql($node, 'watched', q(SELECT count(*) FROM rag_migrations() WHERE applied_at IS NULL), 'rag_nobody'), '0', 'everybody sees the log');
	is(in_short(check('watched', 'public')), join(', ', map { "row security of table $_ not_dumped" } qw(messages rag_feedback rag_usage_daily sessions)), 'the owner\'s tables are the owner\'s matter');
	is(sql($node, 'watched', q(SELECT rag_add_message(rag_create_session(), 'user', 'x') > 0), 'rag_owner'), 't', '... who goes on');

	# Later, by hand: then it is a fault.
	sql($node, 'watched', 'ALTER TABLE rag_migration_log ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY');
	is(in_short(faults('watched', 'public')), 'forced row security of table rag_migration_log extra, row security of table rag_migration_log extra', 'a log that is hidden is a fault');
	is(mend('watched', faults('watched', 'public')), '', '... which the DDL mends');
	is(in_short(faults('watched', 'public')), '', '... for good');
}

# ---------------------------------------------------------------------------
note('what a step down would lose in tables that inherit');
# ---------------------------------------------------------------------------

{
	my $db = new_database('plain');

	sql($node, $db, <<'EOT', 'rag_owner');
SELECT chat.rag_create_session(session_id => '00000000-0000-4000-8000-000000000001');
CREATE TABLE chat.archive () INHERITS (chat.messages);
CREATE TABLE chat.older () INHERITS (chat.archive);
CREATE TABLE chat.own (token_count integer, metadata jsonb, idempotency_key text) INHERITS (chat.messages);
INSERT INTO chat.own (session_id, role, content, token_count) VALUES ('00000000-0000-4000-8000-000000000001', 'user', 'its own', 1);
EOT
	sql($node, $db, "ALTER EXTENSION rag_events UPDATE TO '1.1'; BEGIN; ALTER EXTENSION rag_events UPDATE TO '1.0'; ROLLBACK", 'rag_owner');
	for my $table ('archive', 'older')
	{
		sql($node, $db, "INSERT INTO chat.$table (session_id, role, content, token_count) VALUES ('00000000-0000-4000-8000-000000000001', 'user', 'old', 1)", 'rag_owner');
		is(sqlstate($node, $db, "ALTER EXTENSION rag_events UPDATE TO '1.0'"), '55000', "values in $table are not lost");
		sql($node, $db, "DELETE FROM ONLY chat.$table", 'rag_owner');
	}
	is(sqlstate($node, $db, "ALTER EXTENSION rag_events UPDATE TO '1.0'"), '', '... and columns of a table\'s own stay there');
	is(sql($node, $db, 'SELECT token_count FROM chat.own'), '1', '... with their values');
}

$node->stop;
done_testing();
