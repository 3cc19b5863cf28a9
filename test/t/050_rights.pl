# Who may do what with the roles of examples/roles.sql: each function, and each right on
# each column, table and sequence, for each role; after the installation, after steps
# down and up, and after a dump and restore. What the extension has and these lists do
# not name is a failure: whoever adds something says who may use it.

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
my $script = "$FindBin::RealBin/../../examples/roles.sql";
my $dumps = PostgreSQL::Test::Utils::tempdir();
my $node = start_server('main');
my @roles = qw(nobody reader writer editor keeper owner);
my @chain = chain_of_versions($node);

# Function => the roles for which it works; for the others it is 42501.
my $all = 'nobody reader writer editor keeper owner';
my %functions = (
	rag_version => $all,
	rag_migrations => $all,
	rag_next_version => $all,
	rag_migration_sql => $all,
	rag_check_schema => $all,
	rag_local_ddl => $all,
	rag_uuidv7 => $all,
	rag_create_session => 'writer editor owner',
	rag_add_message => 'writer editor owner',
	rag_add_messages => 'writer editor owner',
	rag_add_conversations => 'writer editor owner',
	rag_add_shard_conversations => 'writer editor owner',
	rag_import_session => 'writer editor owner',
	rag_get_messages => 'reader editor owner',
	rag_get_messages_after => 'reader editor owner',
	rag_get_context => 'reader editor owner',
	rag_list_sessions => 'reader editor owner',
	rag_export_session => 'reader editor owner',
	rag_update_session => 'editor owner',
	rag_delete_session => 'editor owner',
	rag_get_session => 'reader editor owner',
	rag_find_sessions => 'reader editor owner',
	rag_get_prompt => 'reader editor owner',
	rag_put_message => 'editor owner',
	rag_reassign_sessions => 'keeper owner',
	rag_expire_sessions => 'editor keeper owner',
	rag_erase_user => 'editor keeper owner',
	rag_update_message => 'editor owner',
	rag_delete_messages => 'editor owner',
	rag_copy_session => 'editor owner',
	rag_set_feedback => 'editor owner',
	rag_get_feedback => 'reader editor owner',
	rag_message_sources => 'reader editor owner',
	rag_close_days => 'editor owner',
	rag_usage => 'reader editor owner',
	rag_open_usage => 'reader editor owner',
	rag_latency_add => $all,
	rag_latency_sum => $all,
	rag_latency_percentile => $all,
	rag_distribute => 'owner',
	rag_undistribute => 'owner',
	rag_prepare_node => 'owner',
	rag_wait_for_writers => $all,
	rag_no_session => $all,
	rag_delegation_support => $all);

# Table or column => role => what it may. The owner may all, and nobody nothing.
my %rights = (
	sessions => { editor => 'DELETE', keeper => 'DELETE' },
	'sessions.id' => { reader => 'SELECT', keeper => 'SELECT', writer => 'SELECT INSERT', editor => 'SELECT INSERT' },
	'sessions.user_id' => { reader => 'SELECT', keeper => 'SELECT UPDATE', writer => 'SELECT INSERT', editor => 'SELECT INSERT' },
	'sessions.created_at' => { reader => 'SELECT', keeper => 'SELECT', editor => 'SELECT INSERT' },
	'sessions.updated_at' => { reader => 'SELECT', keeper => 'SELECT', writer => 'SELECT UPDATE', editor => 'SELECT INSERT UPDATE' },
	'sessions.metadata' => { reader => 'SELECT', keeper => 'SELECT', writer => 'INSERT', editor => 'SELECT INSERT UPDATE' },
	messages => { editor => 'DELETE', keeper => 'DELETE' },
	(map { ("messages.$_" => { reader => 'SELECT', writer => 'SELECT INSERT', editor => 'SELECT INSERT' }) } qw(id role idempotency_key)),
	'messages.session_id' => { reader => 'SELECT', keeper => 'SELECT', writer => 'SELECT INSERT', editor => 'SELECT INSERT' },
	(map { ("messages.$_" => { reader => 'SELECT', writer => 'INSERT', editor => 'SELECT INSERT' }) } qw(created_at)),
	(map { ("messages.$_" => { reader => 'SELECT', writer => 'INSERT', editor => 'SELECT INSERT UPDATE' }) } qw(sources latency_ms top_k query_type token_count metadata)),
	'messages.content' => { reader => 'SELECT', writer => 'SELECT INSERT', editor => 'SELECT INSERT UPDATE' },
	rag_feedback => { editor => 'DELETE', keeper => 'DELETE' },
	(map { ("rag_feedback.$_" => { reader => 'SELECT', keeper => 'SELECT', editor => 'SELECT INSERT UPDATE' }) } qw(session_id rater)),
	(map { ("rag_feedback.$_" => { reader => 'SELECT', editor => 'SELECT INSERT UPDATE' }) }
		  qw(message_id source_no name score label comment metadata created_at updated_at)),
	rag_usage_daily => {},
	'rag_usage_daily.user_id' => { reader => 'SELECT', keeper => 'SELECT UPDATE', editor => 'SELECT INSERT UPDATE' },
	(map { ("rag_usage_daily.$_" => { reader => 'SELECT', keeper => 'SELECT', editor => 'SELECT INSERT' }) }
		  qw(day model query_type sessions questions answers answers_without_sources input_tokens output_tokens latency)),
	rag_message_sources => {},
	(map { ("rag_message_sources.$_" => { reader => 'SELECT', editor => 'SELECT' }) }
		  qw(session_id message_id created_at source_no document_id score source)),
	messages_id_seq => { writer => 'USAGE', editor => 'USAGE' },
	rag_migration_log => {},
	(map { ("rag_migration_log.$_" => { map { ($_ => 'SELECT') } @roles }) } qw(id version previous_version applied_at applied_by)));

# roles.sql, as its first lines say.
sub make_roles
{
	my ($db) = @_;
	my ($out, $err) = run_command([ 'psql', '-Xq', '-d', $node->connstr($db), '-v', 'schema=Chat Room', '-f', $script ]);

	is("$out$err", '', "examples/roles.sql in $db");
	return;
}

# What is wrong with the functions, for these roles.
sub wrong_functions
{
	my ($db) = @_;
	my @wrong;

	for my $function (sort values %{ functions_of($node, $db) })
	{
		push @wrong, "$function() is not in the matrix" if !exists $functions{$function};
		for my $role (@roles)
		{
			my $may = ($functions{$function} // '') =~ /\b$role\b/;
			my $answer = answer($node, $db, 'BEGIN; ' . sample_call($function, $schema) . '; ROLLBACK', "app_$role");

			push @wrong, "$function() for $role: $answer"
			  if $answer ne ($may ? 't' : 'SQLSTATE 42501');
		}
	}
	return @wrong;
}

# What is wrong with the rights on tables, columns and sequences.
sub wrong_rights
{
	my ($db) = @_;
	my (@wrong, %seen);

	for (split /\n/, sql($node, $db, <<"EOT"))
WITH relation AS (
  SELECT c.oid, c.relname, c.relkind FROM pg_class c
  JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('e', 'a')
  WHERE c.relkind IN ('r', 'S', 'v') AND c.relnamespace = '$schema'::regnamespace AND c.relname <> 'rag_migration_log_id_seq'
), role AS (SELECT unnest('{@{[join(',', @roles)]}}'::text[]) AS role)
SELECT DISTINCT relname, role, ARRAY(SELECT p FROM unnest('{USAGE,SELECT,UPDATE}'::text[]) WITH ORDINALITY AS u (p, n)
       WHERE has_sequence_privilege('app_' || role, oid, p) ORDER BY n)
FROM relation, role WHERE relkind = 'S'
UNION ALL
SELECT DISTINCT relname, role, ARRAY(SELECT p FROM unnest('{DELETE,TRUNCATE,TRIGGER}'::text[]) WITH ORDINALITY AS u (p, n)
       WHERE has_table_privilege('app_' || role, oid, p) ORDER BY n)
FROM relation, role WHERE relkind <> 'S'
UNION ALL
SELECT DISTINCT relname || '.' || attname, role, ARRAY(SELECT p FROM unnest('{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) WITH ORDINALITY AS u (p, n)
       WHERE has_column_privilege('app_' || role, oid, attnum, p) ORDER BY n)
FROM relation JOIN pg_attribute ON attrelid = oid AND attnum > 0 AND NOT attisdropped, role WHERE relkind <> 'S'
EOT
	{
		my ($object, $role, $has) = split /\|/;
		my $is_log = $object =~ /^rag_migration_log/;
		my %all = (
			messages_id_seq => 'USAGE SELECT UPDATE',
			table => 'DELETE TRUNCATE TRIGGER',
			column => 'SELECT INSERT UPDATE REFERENCES');
		my $expected = exists $rights{$object} ? $rights{$object}{$role} // '' : '';

		$seen{$object} = 1;
		push @wrong, "$object is not in the matrix" if !exists $rights{$object} && $role eq 'owner';
		$expected = $all{$object} // $all{ $object =~ /\./ ? 'column' : 'table' } if $role eq 'owner' && !$is_log;
		$has = $has =~ tr/{}//dr =~ tr/,/ /r;
		push @wrong, "$object for $role: '$has', not '$expected'" if $has ne $expected;
	}
	return (@wrong, [ sort keys %seen ]);
}

sub is_matrix
{
	my ($db, $name, %not_there) = @_;
	my @wrong = wrong_rights($db);
	my %seen = map { $_ => 1 } @{ pop @wrong };

	is_deeply([ wrong_functions($db) ], [], "$name: each function works for whom it should, and for nobody else");
	is_deeply(\@wrong, [], "$name: each right is with whom it should be, and with nobody else");
	is_deeply([ grep { !$seen{$_} && !$not_there{$_} } sort keys %rights ], [], "$name: all that the matrix names is there");
	return;
}

sub prepare
{
	my ($db) = @_;

	sql($node, $db, conversations($schema));
	return;
}

# ---------------------------------------------------------------------------

sql($node, 'postgres', 'CREATE DATABASE app');
make_roles('app');
sql($node, 'postgres', "CREATE ROLE app_nobody LOGIN;" . join('', map { "CREATE ROLE app_$_ LOGIN IN ROLE rag_$_;" } grep { $_ ne 'nobody' } @roles));
sql($node, 'app', "GRANT USAGE ON SCHEMA $schema TO app_nobody", 'app_owner');
prepare('app');

is_matrix('app', 'installed');
is( sql($node, 'app', "SELECT DISTINCT relowner::regrole FROM pg_class WHERE relnamespace = '$schema'::regnamespace AND relname IN ('sessions', 'messages', 'messages_id_seq')"),
	'rag_owner', 'the tables are the owner\'s');
for my $role (@roles)
{
	is( sqlstate($node, 'app', "BEGIN; ALTER EXTENSION rag_events UPDATE TO '$chain[-2]'; ROLLBACK", "app_$role"),
		$role eq 'owner' ? '' : '42501', "$role: taking the extension to another version");
	is( sqlstate($node, 'app', "BEGIN; DROP EXTENSION rag_events CASCADE; ROLLBACK", "app_$role"),
		$role eq 'owner' ? '' : '42501', "$role: dropping the extension");
	is( sqlstate($node, 'app', "CREATE TABLE $schema.own ()", "app_$role"),
		$role eq 'owner' ? '' : '42501', "$role: making a table in the schema");
	is( sqlstate($node, 'app', "CREATE TRIGGER own BEFORE INSERT ON $schema.messages EXECUTE FUNCTION suppress_redundant_updates_trigger()", "app_$role"),
		$role eq 'owner' ? '' : '42501', "$role: adding a trigger");
	is( sqlstate($node, 'app', "INSERT INTO $schema.rag_migration_log (version) VALUES ('9')", "app_$role"),
		'42501', "$role: writing to the log");
}
sql($node, 'app', "DROP TRIGGER own ON $schema.messages; DROP TABLE $schema.own", 'app_owner');

# A writer sees that a session is there, which he must to add to it, and no more of it.
{
	my $call = "SELECT $schema.rag_get_messages('00000000-0000-0000-0000-000000000001')";
	my (undef, undef, $err) = $node->psql('app', $call, extra_params => [ '-U', 'app_writer' ]);

	like($err, qr/permission denied for table messages/, 'a writer reads no messages');
	unlike($err, qr/quote|Ann/, '... and is told none');
}

# Who keeps sessions deletes them, and reads no message.
for my $role (qw(editor keeper owner))
{
	is( answer($node, 'app', "BEGIN; SELECT sessions > 0 AND messages > 0 FROM $schema.rag_erase_user((SELECT s.user_id FROM $schema.sessions AS s JOIN $schema.messages AS m ON m.session_id = s.id LIMIT 1)); ROLLBACK", "app_$role"),
		't', "$role: erasing a user");
	is( answer($node, 'app', "BEGIN; SELECT $schema.rag_reassign_sessions((SELECT user_id FROM $schema.sessions WHERE user_id IS NOT NULL LIMIT 1), 'other') > 0; ROLLBACK", "app_$role"),
		$role eq 'editor' ? 'SQLSTATE 42501' : 't', "$role: giving a user's sessions to another");
}
is(sqlstate($node, 'app', "SELECT content FROM $schema.messages", 'app_keeper'), '42501', 'a keeper reads no messages');

# ---------------------------------------------------------------------------
# Steps down and up
# ---------------------------------------------------------------------------

my $since_1_4 = qr/^rag_(?:feedback|usage_daily|message_sources)\b/;
my %later = (
	$chain[0] => { map { $_ => 1 } qw(messages.token_count messages.metadata messages.idempotency_key) });

for my $version (reverse @chain[ 0 .. $#chain - 1 ])
{
	sql($node, 'app', "SET rag_events.allow_data_loss = on; ALTER EXTENSION rag_events UPDATE TO '$version'", 'app_owner');
	is_matrix('app', "down to $version", %{ $later{$version} // {} },
		map { $_ => 1 } grep { $version < 1.4 && /$since_1_4/ } keys %rights);
}

# The step to 1.0 has dropped columns, and what was granted on them alone.
sql($node, 'app', 'ALTER EXTENSION rag_events UPDATE', 'app_owner');
my @wrong = wrong_rights('app');
pop @wrong;
is_deeply(
	[ sort grep { !/$since_1_4/ } @wrong ],
	[
		"messages.idempotency_key for writer: 'INSERT', not 'SELECT INSERT'",
		"messages.metadata for editor: 'SELECT INSERT', not 'SELECT INSERT UPDATE'",
		"messages.token_count for editor: 'SELECT INSERT', not 'SELECT INSERT UPDATE'"
	],
	'up again from 1.0: what was granted on columns that had gone is missing, and no more');
is_deeply([ grep { /$since_1_4/ && !/: '', not / } @wrong ], [], 'up again from 1.0: on what is new nothing is granted');
make_roles('app');
is_matrix('app', 'roles.sql once more');

# ---------------------------------------------------------------------------
# A dump
# ---------------------------------------------------------------------------

my ($out, $err) = run_command([ 'pg_dump', '--format=custom', '-U', 'app_owner', '-d', $node->connstr('app'), '-f', "$dumps/app" ]);
is($err, '', 'pg_dump by the owner');
sql($node, 'postgres', 'CREATE DATABASE restored OWNER rag_owner');
($out, $err) = run_command([ 'pg_restore', '--exit-on-error', '-U', 'app_owner', '--role=rag_owner', '-d', $node->connstr('restored'), "$dumps/app" ]);
is($err, '', 'pg_restore by the owner');
is_matrix('restored', 'restored');

# ---------------------------------------------------------------------------
# The matrix sees it
# ---------------------------------------------------------------------------

for my $case (
	[ 'a function that is not named', "CREATE FUNCTION $schema.rag_uuidv8() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()'; ALTER EXTENSION rag_events ADD FUNCTION $schema.rag_uuidv8()", qr/rag_uuidv8\(\) is not in the matrix/ ],
	[ 'a function that runs with its owner\'s rights', "ALTER FUNCTION $schema.rag_get_messages SECURITY DEFINER", qr/rag_get_messages\(\) for (nobody|writer): t/ ],
	[ 'a function that is not everybody\'s', "REVOKE EXECUTE ON FUNCTION $schema.rag_version FROM PUBLIC", qr/rag_version\(\) for nobody: SQLSTATE 42501/ ],
	[ 'a column that is not named', "ALTER TABLE $schema.messages ADD COLUMN secret text", qr/messages\.secret is not in the matrix/ ],
	[ 'a right too many', "GRANT UPDATE (role) ON $schema.messages TO rag_editor", qr/messages\.role for editor: 'SELECT INSERT UPDATE'/ ],
	[ 'a right too few', "REVOKE USAGE ON SEQUENCE $schema.messages_id_seq FROM rag_writer", qr/messages_id_seq for writer: ''/ ])
{
	my ($name, $damage, $expected) = @$case;

	$RagVersions::own_calls{rag_uuidv8} = 'SELECT @extschema@.rag_uuidv8() IS NOT NULL';
	sql($node, 'postgres', 'CREATE DATABASE damaged TEMPLATE app');
	sql($node, 'damaged', $damage);
	my @rights = wrong_rights('damaged');
	pop @rights;
	like(join("\n", wrong_functions('damaged'), @rights), $expected, "the matrix sees $name");
	sql($node, 'postgres', 'DROP DATABASE damaged');
}

$node->stop;
done_testing();
