# What the TAP tests share: a server, sessions that stay open, and conversations
# with everything in them that a text format could spoil.
#
# PostgreSQL::Test::Cluster differs between majors where sessions in the
# background are concerned, so RagTest::Session below is the tests' own.

package RagTest;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(start_server start_old_server sql sqlstate answer conversations judgments rows_of
  rights_of is_same_text wait_until_blocked wait_until_recovered);

# start_server(NAME, SETTING...): a new server. UTF-8 whatever the environment
# says, and able to go on after the crash of a backend, as servers are.
sub start_server
{
	my ($name, @settings) = @_;
	return start(PostgreSQL::Test::Cluster->new($name), @settings);
}

# start_old_server(NAME, SETTING...): the same, of an older major where the environment
# has its installation in oldinstall (as test/upgrade.sh sets it).
sub start_old_server
{
	my ($name, @settings) = @_;
	my $old = $ENV{oldinstall};

	return start(PostgreSQL::Test::Cluster->new($name, $old ? (install_path => $old) : ()), @settings);
}

sub start
{
	my ($node, @settings) = @_;

	# The newer majors would have checksums, and then cannot take over the files of
	# a server without.
	$node->init(
		extra => [ '--encoding=UTF8', '--no-locale', $node->pg_version >= 18 ? '--no-data-checksums' : () ],
		allows_streaming => 1);
	# The newer test modules set what older servers do not know.
	$node->adjust_conf('postgresql.conf', 'autovacuum_worker_slots', undef)
	  if $node->pg_version < 18;
	$node->append_conf('postgresql.conf',
		join("\n", 'restart_after_crash = on', @settings));
	$node->start;
	return $node;
}

# sql(NODE, DATABASE, SQL[, ROLE]): runs it, as ROLE, and returns the output; the
# test ends if it fails.
sub sql
{
	my ($node, $db, $sql, $role) = @_;

	return $node->safe_psql($db, $sql,
		extra_params => [ defined $role ? ('-U', $role) : () ]);
}

# answer(NODE, DATABASE, SQL[, ROLE]): the output, or "SQLSTATE code" if it fails.
sub answer
{
	my ($node, $db, $sql, $role) = @_;
	my ($rc, $stdout, $stderr) = $node->psql($db, $sql,
		extra_params =>
		  [ '-v', 'VERBOSITY=sqlstate', defined $role ? ('-U', $role) : () ]);
	my $state = RagTest::Session::state_of($stderr);

	return $state eq '' ? $stdout : "SQLSTATE $state";
}

# sqlstate(NODE, DATABASE, SQL[, ROLE]): the SQLSTATE of the error that it gives,
# '' if it gives none.
sub sqlstate
{
	return answer(@_) =~ /\ASQLSTATE (.*)/ ? $1 : '';
}

# conversations(SCHEMA): SQL that stores three sessions through the functions.
# The ids of the sessions are 1, 2 and 3 in the last place. One message is taken
# away again, so that the highest id in the table is not the last one given.
sub conversations
{
	my ($schema) = @_;
	my $id = "00000000-0000-0000-0000-00000000000";
	my $add = "SELECT $schema.rag_add_message";

	return <<"EOT"
SELECT $schema.rag_create_session('O''Brien "Ann" \\ 😀', '{"title": "a \\\\ \\"b\\" \\\\u0000 é", "n": 1.50, "none": null}', '${id}1');
SELECT $schema.rag_create_session(NULL, NULL, '${id}2');
SELECT $schema.rag_create_session('', '{}', '${id}3');
EOT
	  . "$add('${id}1', 'user', \$q\$It's a \"quote\", a back\\slash, \\n, \\\\ and \$1 %s {}\$q\$);\n"
	  . "$add('${id}1', 'assistant', E'tab\\t cr\\r\\n\\n\\\\.\\n\\\\N\\n  spaces  ', '[]', 0.1::float8 + 0.2::float8, 0, '');\n"
	  . "$add('${id}1', 'user', '\\N');\n"
	  . "$add('${id}1', 'user', E'\\\\.');\n"
	  . "$add('${id}1', 'user', 'naïve 日本語 👩‍👩‍👧 \\u0000 e\xcc\x81 عربى');\n"
	  . "$add('${id}1', 'assistant', repeat('long ', 20000), "
	  . "(SELECT jsonb_agg(jsonb_build_object('rank', n, 'score', 1.0 / n, 'text', repeat(md5(n::text), 8) || '\"\\ ''😀'))"
	  . " FROM generate_series(1, 300) n), 1e300, 2147483647, 'hybrid');\n"
	  . "$add('${id}2', 'user', '');\n"
	  . "$add('${id}2', 'assistant', ' ', 'null', 5e-324, 5, E'a\\nb');\n"
	  . "$add('${id}2', 'user', 'taken away');\n"
	  . "DELETE FROM $schema.messages WHERE content = 'taken away';\n"
	  . "UPDATE $schema.sessions SET created_at = '-infinity', updated_at = '1999-12-31 23:59:59.999999' WHERE id = '${id}3';\n";
}

# judgments(SCHEMA): SQL for feedback and usage, where the version has them.
sub judgments
{
	my ($schema) = @_;

	return <<"EOT";
SELECT to_regclass('$schema.rag_feedback') IS NOT NULL AS is_judged \\gset
\\if :is_judged
INSERT INTO $schema.rag_feedback (session_id, message_id, source_no, name, rater, score, label, comment, metadata)
SELECT session_id, id, NULLIF(n, 1), 'user', NULLIF(n, 2)::text, n / 3.0::float8, E'a\\tb', E'\\\\.', '{"n": null}'
FROM (SELECT * FROM $schema.messages ORDER BY id LIMIT 1) AS m, generate_series(1, 3) AS n;
INSERT INTO $schema.rag_usage_daily
SELECT DATE '2026-01-01' + n, NULLIF(n, 2)::text, 'm-1', NULL, 1, 2, 3, 4, 5, 6, ARRAY[n, 1] FROM generate_series(1, 3) AS n;
\\endif
EOT
}

# rows_of(NODE, DATABASE, SCHEMA): all rows of the tables but the log, as text.
sub rows_of
{
	my ($node, $db, $schema) = @_;

	return sql($node, $db, <<"EOT");
COPY (SELECT * FROM $schema.sessions ORDER BY id) TO STDOUT;
COPY (SELECT * FROM $schema.messages ORDER BY id) TO STDOUT;
SELECT to_regclass('$schema.rag_feedback') IS NOT NULL AS is_judged \\gset
\\if :is_judged
COPY (SELECT * FROM $schema.rag_feedback AS f ORDER BY f) TO STDOUT;
COPY (SELECT * FROM $schema.rag_usage_daily AS u ORDER BY u) TO STDOUT;
\\endif
EOT
}

# rights_of(NODE, DATABASE, SCHEMA): owners and privileges of all that is in the
# schema, a line for each. MAINTAIN, which PostgreSQL 17 brought, is left out.
sub rights_of
{
	my ($node, $db, $schema) = @_;

	return sql($node, $db, <<"EOT");
SELECT relname, relowner::regrole, attname, grantor::regrole,
       CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END, privilege_type, is_grantable
FROM (SELECT relname, relnamespace, relowner, NULL AS attname,
             coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner)) AS acl
      FROM pg_class WHERE relkind IN ('r', 'S')
      UNION ALL
      SELECT relname, relnamespace, relowner, attname, attacl
      FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid WHERE attacl IS NOT NULL
      UNION ALL
      SELECT proname || '(' || oidvectortypes(proargtypes) || ')', pronamespace, proowner, NULL, coalesce(proacl, acldefault('f', proowner))
      FROM pg_proc) AS object, aclexplode(acl)
WHERE relnamespace = '$schema'::regnamespace AND privilege_type <> 'MAINTAIN'
ORDER BY 1, 3 NULLS FIRST, 4, 5, 6
EOT
}

# is_same_text(GOT, EXPECTED, NAME): is() for long texts: tells where they part.
sub is_same_text
{
	my ($got, $expected, $name) = @_;
	my $at = 0;

	return if ok($got eq $expected, $name);
	$at++ while substr($got, $at, 1) eq substr($expected, $at, 1);
	diag(sprintf("%d characters, expected %d; they part at %d:\n%s\nexpected:\n%s",
			length($got), length($expected), $at,
			substr($got, $at, 200), substr($expected, $at, 200)));
	return;
}

# wait_until_blocked(NODE, SESSION): until SESSION waits for a lock of another.
sub wait_until_blocked
{
	my ($node, $session) = @_;

	$node->poll_query_until('postgres',
		'SELECT cardinality(pg_blocking_pids(' . $session->pid . ')) > 0')
	  or die "backend does not wait for a lock";
	return;
}

# wait_until_recovered(NODE, PID): until the server is up again after the crash of
# the backend PID. poll_query_until() writes to psql's input, and may find that
# closed when there is no server to connect to.
sub wait_until_recovered
{
	my ($node, $pid) = @_;
	my $gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)";

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		my ($stdout) = run_command(
			[ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $gone ]);

		return if $stdout eq 't';
		select(undef, undef, undef, 0.1);
	}
	die 'server does not recover';
}


# A psql that stays open, and is spoken to statement by statement.
package RagTest::Session;

use strict;
use warnings;

use Carp;
use IPC::Run ();

# The first SQLSTATE in what psql writes under VERBOSITY=sqlstate, or ''.
sub state_of
{
	my ($stderr) = @_;
	return $stderr =~ /(?:ERROR|FATAL|PANIC):\s+([0-9A-Z]{5})\b/ ? $1 : '';
}

# RagTest::Session->new(NODE, DATABASE[, ROLE])
sub new
{
	my ($class, $node, $db, $role) = @_;
	my $self = bless { in => '', out => '', err => '', count => 0 }, $class;

	$self->{timeout} =
	  IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default);
	$self->{psql} = IPC::Run::start(
		[
			'psql', '-XAtq', '-v', 'VERBOSITY=sqlstate', '-d',
			$node->connstr($db), defined $role ? ('-U', $role) : (),
			'-f', '-'
		],
		'<' => \$self->{in}, '>' => \$self->{out}, '2>' => \$self->{err},
		$self->{timeout});
	$self->{pid} = $self->query('SELECT pg_backend_pid()');
	return $self;
}

# The process id of its backend.
sub pid { my ($self) = @_; return $self->{pid}; }

# send(SQL): starts it, and does not wait for its end.
sub send
{
	my ($self, $sql) = @_;
	my $end = 'end of statement ' . ++$self->{count};

	$sql .= ';' if $sql !~ /;\s*\z/;
	$self->{in} .= "$sql\n\\echo $end\n\\warn $end\n";
	$self->{psql}->pump_nb;
	$self->{pending} = 1;
	return;
}

# result(): waits for the end of what was sent. Returns the SQLSTATE of its error
# ('' if none) and its output. A lost connection ends the session.
sub result
{
	my ($self) = @_;
	my $end = "end of statement $self->{count}\n";
	my ($out, $err);

	return ('', '', '') if !$self->{pending};
	$self->{pending} = 0;
	$self->{timeout}->start($PostgreSQL::Test::Utils::timeout_default);
	while ($self->{out} !~ /\Q$end\E/ || $self->{err} !~ /\Q$end\E/)
	{
		last if !$self->{psql}->pumpable;
		eval { $self->{psql}->pump; 1 }
		  or $@ =~ /ended prematurely/
		  or croak "psql does not answer: $@ $self->{out} $self->{err}";
	}
	($out, $err) = @$self{qw(out err)};
	@$self{qw(out err)} = ('', '');
	$out =~ s/\n?\Q$end\E//;
	$err =~ s/\Q$end\E//;
	return (state_of($err), $out, $err);
}

# query(SQL): its output; the test ends if it fails.
sub query
{
	my ($self, $sql) = @_;

	$self->send($sql);
	my ($state, $out, $err) = $self->result;
	croak "\"$sql\" failed: $err" if $err =~ /\S/;
	return $out;
}

# answer(SQL): its output, or "SQLSTATE code" if it fails.
sub answer
{
	my ($self, $sql) = @_;

	$self->send($sql);
	my ($state, $out) = $self->result;
	return $state eq '' ? $out : "SQLSTATE $state";
}

# sqlstate(SQL): the SQLSTATE of its error, '' if there is none.
sub sqlstate
{
	my ($self, $sql) = @_;

	$self->send($sql);
	return ($self->result)[0];
}

sub quit
{
	my ($self) = @_;

	$self->{in} .= "\\q\n";
	eval { $self->{psql}->finish };
	return;
}

# The psql of a killed backend may be waiting for more input: end it.
sub DESTROY
{
	my ($self) = @_;

	local ($?, $@);
	eval { $self->{psql}->kill_kill } if $self->{psql};
	return;
}

1;
