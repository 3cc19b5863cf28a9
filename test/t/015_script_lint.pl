# The rules for the scripts in sql/. A superuser runs them over tables whose owner
# may be hostile, so only statements that are known to run none of his code are let
# through, and names must not be open to capture by what he put into the schema.
# Each rule is shown to fail on a bad sample.

use strict;
use warnings;

use File::Basename;
use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

my $base = '1.0';
my $adoption = '001_initial_schema';

# ---------------------------------------------------------------------------
# Reading a script
# ---------------------------------------------------------------------------

my %read;    # script => its statements

# Its statements, without comments and psql's own commands. What is quoted comes
# as '...', with white space as one space.
sub statements
{
	my ($script) = @_;
	my @statements = ('');
	my $text = $script;

	return @{ $read{$text} } if $read{$text};
	$script =~ s/^\\.*//mg;
	while ($script =~ m{\G(--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\$(\w*)\$.*?\$\2\$|;|\s+|.)}gs)
	{
		my $token = $1;

		if ($token =~ m{^(--|/\*|\s)}) { $statements[-1] .= ' '; }
		elsif ($token eq ';') { push @statements, ''; }
		elsif ($token =~ /^\$/) { $statements[-1] .= $token =~ s/--[^\n]*//gr; }
		else { $statements[-1] .= $token; }
	}
	$read{$text} = [ grep { $_ ne '' } map { s/\s+/ /gr =~ s/^ | $//gr } @statements ];
	return @{ $read{$text} };
}

sub without_literals { return $_[0] =~ s/'(?:[^']|'')*'/''/gr; }

# What is between the first parenthesis and its match.
sub in_parentheses
{
	my ($text) = @_;
	my ($depth, $inside) = (0, '');

	for my $char (split //, substr($text, index($text, '(')))
	{
		$depth-- if $char eq ')';
		return $inside if $depth == 0 && $char eq ')';
		$inside .= $char if $depth > 0;
		$depth++ if $char eq '(';
	}
	return $inside;
}

# The parts of a list, at its commas that are not in parentheses or brackets.
sub parts
{
	my ($list) = @_;
	my ($depth, @parts) = (0, '');

	for my $char (split //, $list)
	{
		$depth++ if $char =~ /[(\[]/;
		$depth-- if $char =~ /[)\]]/;
		if ($char eq ',' && $depth == 0) { push @parts, ''; }
		else { $parts[-1] .= $char; }
	}
	return grep { $_ ne '' } map { s/^\s+|\s+$//gr } @parts;
}

# The functions that a script creates for good, and those that it drops for good:
# what it creates and drops again is a helper.
sub functions_created
{
	my ($script) = @_;
	my @statements = statements($script);
	my %dropped = map { /^DROP FUNCTION \@extschema\@\.(\w+)/ ? ($1 => 1) : () } @statements;

	return grep { !$dropped{$_} }
	  map { /^CREATE FUNCTION \@extschema\@\.(\w+)/ ? $1 : () } @statements;
}

# The tables, views and aggregates that it creates.
sub others_created
{
	my ($script) = @_;

	return map { /^CREATE (?:TABLE|VIEW|AGGREGATE) \@extschema\@\.(\w+)/ ? $1 : () } statements($script);
}

# ---------------------------------------------------------------------------
# The rules for a statement
# ---------------------------------------------------------------------------

my $name = qr/\@extschema\@\.\w+/;
my $type = qr/pg_catalog\.\w+(?:\[\])?/;

# What a statement may be; the tables are the user's.
my @known = (
	qr/^CREATE FUNCTION $name ?\(/,
	qr/^CREATE OR REPLACE FUNCTION $name ?\(/,
	qr/^DROP FUNCTION $name ?\([^()]*\)$/,
	qr/^CREATE AGGREGATE $name ?\([^()]*\) \( (?:SFUNC = $name, STYPE = $type, COMBINEFUNC = $name, PARALLEL = SAFE) \)$/,
	qr/^CREATE VIEW $name WITH \(security_invoker = true\) AS SELECT [\w., ]+ FROM $name\(\) AS \w+$/,
	qr/^DROP AGGREGATE $name ?\([^()]*\)$/,
	qr/^DROP (?:TABLE|VIEW) $name$/,
	qr/^ALTER EXTENSION rag_events DROP TABLE $name$/,
	qr/^LOCK TABLE $name(?:, $name)* IN ACCESS EXCLUSIVE MODE$/,
	qr/^ALTER FUNCTION $name ?\([^()]*\) SUPPORT $name$/,
	qr/^SELECT $name ?\(/,
	qr/^SELECT pg_catalog\.pg_extension_config_dump ?\('[^']*'::pg_catalog\.regclass, ''::pg_catalog\.text\)$/,
	qr/^CREATE TABLE $name ?\(/,
	qr/^CREATE SEQUENCE $name\b/,
	qr/^ALTER SEQUENCE $name OWNED BY $name\.\w+$/,
	qr/^CREATE (?:UNIQUE )?INDEX \w+ ON $name ?(?:USING \w+ ?)?\(/,
	qr/^DROP INDEX $name$/,
	qr/^ALTER INDEX $name RENAME TO \w+$/,
	qr/^ALTER TABLE $name ADD COLUMN \w+ $type(?: COLLATE pg_catalog\."?\w+"?)?$/,
	qr/^ALTER TABLE $name DROP COLUMN \w+$/,
	qr/^ALTER TABLE $name ADD CONSTRAINT \w+ CHECK ?\(/,
	qr/^ALTER TABLE $name DROP CONSTRAINT \w+$/,
	qr/^ALTER TABLE $name RENAME (?:COLUMN|CONSTRAINT) \w+ TO \w+$/,
	qr/^ALTER TABLE $name ALTER COLUMN \w+ (?:SET (?:COMPRESSION|STORAGE) \w+|SET STATISTICS -?\d+)$/,
	qr/^ALTER TABLE $name ALTER COLUMN \w+ (?:DROP DEFAULT|SET DEFAULT $name\(\))$/,
	qr/^ALTER TABLE $name (?:SET|RESET) \([\w =.,]*\)$/,
	qr/^ALTER TABLE $name OWNER TO \@extowner\@$/,
	qr/^ALTER TABLE $name REPLICA IDENTITY FULL$/,
	qr/^COMMENT ON (?:TABLE|VIEW|SEQUENCE|INDEX) $name IS '/,
	qr/^COMMENT ON COLUMN $name\.\w+ IS '/,
	qr/^COMMENT ON CONSTRAINT \w+ ON $name IS '/,
	qr/^COMMENT ON (?:FUNCTION|AGGREGATE) $name ?\([^()]*\) IS '/,
	qr/^INSERT INTO \@extschema\@\.rag_migration_log ?\(version, previous_version\) VALUES ?\('[^']*', (?:'[^']*'|NULL)\)$/,
	qr/^GRANT SELECT ON \@extschema\@\.rag_migration_log TO PUBLIC$/);

# What is refused, by the name under which it is known.
my @refused = (
	[ qr/\bIF (?:NOT )?EXISTS\b/, 'IF EXISTS or IF NOT EXISTS: what is there may be somebody else\'s' ],
	[ qr/\bCREATE OR REPLACE (?!FUNCTION)/, 'OR REPLACE: what is there may be somebody else\'s' ],
	[ qr/^(?:UPDATE|DELETE|TRUNCATE|MERGE|COPY)\b|^INSERT INTO (?!\@extschema\@\.rag_migration_log\b)/, 'DML: triggers and the planner run the owner\'s code' ],
	[ qr/^(?:WITH|VALUES|TABLE)\b|^SELECT\b.*\bFROM\b/, 'a query: planning it runs the owner\'s code' ],
	[ qr/^(?:GRANT|REVOKE)\b(?! SELECT ON \@extschema\@\.rag_migration_log TO PUBLIC$)/, 'GRANT or REVOKE: pg_dump would take the user\'s grants for the extension\'s' ],
	[ qr/\bCREATE POLICY\b/, 'CREATE POLICY: a dump does not keep it' ],
	[ qr/\bSET NOT NULL\b/, 'SET NOT NULL: proves it by the owner\'s constraints' ],
	[ qr/^ALTER TABLE .*\b(?:FOREIGN KEY|REFERENCES)\b/, 'FOREIGN KEY on a table with rows: checked by a query' ],
	[ qr/^ALTER TABLE .*\bADD COLUMN .*\bDEFAULT\b/, 'ADD COLUMN with a DEFAULT' ],
	[ qr/^ALTER TABLE .*\bALTER COLUMN \w+ (?:SET DATA )?TYPE\b/, 'ALTER COLUMN TYPE: rewrites the table' ],
	[ qr/^(?:DO|EXECUTE|CALL)\b/, 'DO: a language\'s code' ],
	[ qr/\bCASCADE\b(?<!ON DELETE CASCADE)/, 'CASCADE: drops what users made' ],
	[ qr/\b(?:SECURITY DEFINER|LANGUAGE (?!c\b|sql STABLE\b))/, 'a function that is not C, or has its owner\'s rights' ]);

# Constructs that look an operator up by name.
my @hidden = (
	[ qr/\b(?:NOT )?IN ?\(/, 'IN' ],
	[ qr/\bBETWEEN\b/, 'BETWEEN' ],
	[ qr/\bCASE (?!WHEN\b)/, 'CASE x WHEN' ],
	[ qr/\bNULLIF\b/, 'NULLIF' ],
	[ qr/\b(?:LIKE|ILIKE|SIMILAR)\b/, 'LIKE' ],
	[ qr/\bUSING\b(?! (?:btree|hash|gin|gist|brin) ?\()/, 'USING' ],
	[ qr/\bDISTINCT FROM\b/, 'IS DISTINCT FROM' ],
	[ qr/\bOVERLAPS\b/, 'OVERLAPS' ],
	[ qr/\bROW ?\(/, 'ROW' ]);

# Words that stand before a parenthesis and are no functions.
my $words = join '|', qw(CHECK VALUES KEY TABLE ANY ALL OPERATOR COALESCE WHERE SET RESET UNIQUE
  AND OR NOT INCLUDE AS WITH btree hash gin gist brin);

# What a helper makes of its arguments, as the statement that it executes.
my $argument = qr/('(?:[^']|'')*')(?:::pg_catalog\.text)?/;

sub executed
{
	my ($statement) = @_;
	my ($helper, @arguments);

	if ($statement =~ /^SELECT \@extschema\@\.(rag_alter_table|rag_ensure_index|rag_drop_index) ?\($argument(?:, $argument)?(?:, $argument)?\)$/)
	{
		($helper, @arguments) = ($1, map { substr($_, 1, -1) =~ s/''/'/gr } grep { defined } $2, $3, $4);
	}
	return $statement if !$helper;
	return "ALTER TABLE \@extschema\@.$arguments[0] $arguments[1]" if $helper eq 'rag_alter_table' && @arguments == 2;
	return "CREATE INDEX $arguments[0] ON \@extschema\@.$arguments[1] $arguments[2]" if $helper eq 'rag_ensure_index' && @arguments == 3;
	return "DROP INDEX \@extschema\@.$arguments[0]" if $helper eq 'rag_drop_index' && @arguments == 1;
	return $statement;
}

# What says a statement for itself that a helper has to say, from 1.6 on: where tables are
# distributed, Citus has it done on all nodes, and then runs the script there as well.
sub complaint_of_helper
{
	my ($statement, $context) = @_;

	return () if !$context->{distributed};
	return 'not by rag_alter_table(): Citus would do it twice' if $statement =~ /^ALTER TABLE /;
	return 'cannot be done to distributed tables' if executed($statement) =~ /^ALTER TABLE .* SET (?:STORAGE|COMPRESSION|STATISTICS)\b/;
	return 'not by rag_ensure_index(), rag_replace_index() or rag_drop_index(): Citus would do it twice'
	  if $statement =~ /^(?:CREATE (?:UNIQUE )?|DROP |ALTER )INDEX /;
	return ();
}

sub complaints_of_statement
{
	my ($written, $context) = @_;
	my $statement = executed($written);
	my $bare = without_literals($statement);
	my @wrong = complaint_of_helper($written, $context);

	for (@refused)
	{
		push @wrong, $_->[1] if $bare =~ $_->[0];
	}
	for (@hidden)
	{
		push @wrong, "$_->[1] hides an operator" if $bare =~ $_->[0];
	}
	push @wrong, 'not one of the statements that are known to be safe'
	  if !grep { $statement =~ $_ } @known;

	# Lists of types, and functions, are not expressions.
	my $expression = $bare;
	if ($bare =~ /^(?:CREATE|CREATE OR REPLACE|DROP|COMMENT ON) FUNCTION/)
	{
		my $list = in_parentheses($bare);

		for my $part (parts($list))
		{
			push @wrong, "argument \"$part\" is not of a type in pg_catalog"
			  if $part !~ ($bare =~ /^CREATE/
				? qr/^(?:VARIADIC )?\w+ $type(?: DEFAULT .*)?$/
				: qr/^$type$/);
		}
		if ($bare =~ /\) RETURNS (TABLE )?(.*)/)
		{
			my ($table, $result) = ($1, $2);
			push @wrong, "result \"$_\" is not of a type in pg_catalog"
			  for grep { !/^\w+ $type$/ } $table ? parts(in_parentheses($result)) : ();
			push @wrong, 'result is not of a type in pg_catalog'
			  if !$table && $result !~ /^(?:SETOF )?$type\b|^void\b/;
		}
		$expression = join ' ', map { /DEFAULT (.*)/ ? $1 : () } parts($list);

		# The query of a function is not run by the script, but by whoever calls it.
		if ($bare =~ /LANGUAGE sql\b.*? AS (.*)/)
		{
			my ($query) = $1 =~ /^\$\$ ?(.*?) ?\$\$$/;

			push @wrong, 'is not one SELECT in $$'
			  if !defined $query || $query !~ /^SELECT\b/ || $query =~ /;/;
			push @wrong, "relation $1 is not qualified"
			  while ($query // '') =~ /\b(?:FROM|JOIN) (?:LATERAL )?+(\w+)(?![\w.])/g;
			$expression .= ' ' . ($query // '');
		}
	}
	elsif ($bare =~ /^CREATE AGGREGATE/) { $expression = in_parentheses($bare); }
	elsif ($bare =~ /^CREATE VIEW/) { $expression =~ s/WITH \(security_invoker = true\)//; }
	elsif ($bare =~ /^CREATE TABLE/)
	{
		for my $part (parts(in_parentheses($bare)))
		{
			push @wrong, "column \"$part\" is not of a type in pg_catalog"
			  if $part !~ /^(?:CONSTRAINT\b|\w+ $type\b)/;
		}
	}

	push @wrong, "cast to type \"$1\" that is not qualified"
	  while $expression =~ /::\s?(?!pg_catalog\.)([\w"]+)/g;
	push @wrong, "function $1() is not qualified"
	  while $expression =~ /(?<![\w.@])((?!(?:$words)\b)\w+) ?\((?<!\w \()/gi;
	$expression =~ s/OPERATOR\(pg_catalog\.[^)]*\)|\b\de-\d+\b//g;
	$expression =~ s/\((?:\w+ = [\w.]+(?:, )?)+\)// if $expression =~ /^ALTER TABLE $name SET/;
	$expression =~ s/ WITH \((?:\w+='\w*'(?:, )?)+\)// if $expression =~ /^CREATE INDEX/;
	push @wrong, "operator $1 is not qualified"
	  while $expression =~ /((?<!:)(?<!\@extschema)[-+*\/<>=~!@#%^&|`?]+(?!extschema\@|extowner\@|\.)(?<!\@))/g;

	# Functions that come and go.
	my ($function) = $bare =~ /FUNCTION \@extschema\@\.(\w+)/;
	push @wrong, "OR REPLACE of $function(), which no earlier version has"
	  if $bare =~ /^CREATE OR REPLACE FUNCTION/ && !$context->{earlier}{$function};
	push @wrong, "DROP FUNCTION of $function(), which users may depend on"
	  if $bare =~ /^DROP FUNCTION/
	  && !$context->{helpers}{$function}
	  && !$context->{reverse}{$function};
	push @wrong, "DROP of $1, which is not what the step up made"
	  if $bare =~ /^(?:ALTER EXTENSION \w+ )?DROP (?:TABLE|VIEW|AGGREGATE) \@extschema\@\.(\w+)/
	  && !$context->{reverse}{$1};
	push @wrong, 'SELECT of what is no helper of the script'
	  if $written =~ /^SELECT \@extschema\@\.(\w+)/ && !$context->{helpers}{$1};
	push @wrong, 'gives tables away: later objects copy the owner of sessions'
	  if $bare =~ /OWNER TO/ && !$context->{full};
	if ($bare =~ /^ALTER TABLE .* ADD CONSTRAINT \w+ CHECK/)
	{
		my $check = in_parentheses($bare) =~ s/OPERATOR\([^)]*\)|(?:::)?pg_catalog\.[\w\[\]]+//gr;
		push @wrong, "CHECK of column $_, whose type the owner may have changed"
		  for grep { !$context->{columns}{$_} } $check =~ /(?<![\w.])([a-z]\w*)/g;
	}
	return map { "$_: $written" } @wrong;
}

# ---------------------------------------------------------------------------
# The rules for a script, and for all of them
# ---------------------------------------------------------------------------

sub complaints_of_script
{
	my ($file, $scripts) = @_;
	my $script = $scripts->{$file};
	my ($from, $to) = $file =~ /^rag_events--(?:(.*?)--)?(.*)\.sql$/;
	my @statements = statements($script);
	my %context = (full => !defined $from);
	my @wrong;

	push @wrong, 'has characters that are not ASCII' if $script =~ /[^\x00-\x7f]/;
	push @wrong, 'can be sourced in psql: no \echo ... \quit' if $script !~ /^\\echo Use "[^"]+" to load this file\. \\quit$/m;

	my %dropped = map { /^DROP FUNCTION \@extschema\@\.(\w+)/ ? ($1 => 1) : () } @statements;
	$context{helpers} = {
		map { /^CREATE FUNCTION \@extschema\@\.(\w+)/ && $dropped{$1} ? ($1 => 1) : () } @statements };
	$context{columns} = {
		map { /ADD COLUMN (\w+)/ ? ($1 => 1) : () } @statements };
	$context{distributed} = defined $from && $from ne $adoption
	  && rank($from, $scripts) >= rank('1.5', $scripts) && rank($to, $scripts) >= rank('1.5', $scripts);

	# The versions before: those whose scripts lead here. A step down has all that
	# its other end had.
	for my $other (keys %$scripts)
	{
		my ($start, $end) = $other =~ /^rag_events--(?:(.*?)--)?(.*)\.sql$/;
		next if $other eq $file;
		$context{earlier}{$_} = 1 for functions_created($scripts->{$other});
		next if !defined $from || !defined $start || $start ne $to || $end ne $from;
		# The step that this one takes back.
		next if rank($to, $scripts) > rank($from, $scripts);
		$context{reverse}{$_} = 1
		  for functions_created($scripts->{$other}), others_created($scripts->{$other});
	}

	push @wrong, complaints_of_statement($_, \%context) for @statements;

	my $insert = sprintf("INSERT INTO \@extschema\@.rag_migration_log (version, previous_version) VALUES ('%s', %s)",
		$to, defined $from ? "'$from'" : 'NULL');
	push @wrong, "does not log itself: $insert" if !grep { $_ eq $insert } @statements;
	if (defined $from && $from ne $adoption)
	{
		my @opening = (
			q{CREATE FUNCTION @extschema@.rag_lock_tables() RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'rag_lock_tables'},
			'SELECT @extschema@.rag_lock_tables()',
			'DROP FUNCTION @extschema@.rag_lock_tables()');

		push @wrong, 'does not begin with rag_lock_tables()'
		  if "@opening" ne join(' ', map { $_ // '' } @statements[ 0 .. 2 ]);
	}
	# What a version is for: in the script that first leads to it.
	if (defined $from ? rank($to, $scripts) > rank($from, $scripts) && $from ne $adoption : $to eq $base)
	{
		my ($opening) = split /^\\echo/m, $script;

		push @wrong, map { "does not say its $_" }
		  grep { $opening !~ /^-- $_: \S/m } 'revision', 'description';
	}
	return map { "$file: $_" } @wrong;
}

# The place of a version in the order, from the base on.
sub rank
{
	my ($version, $scripts) = @_;
	my @chain = chain($scripts);
	my ($rank) = grep { $chain[$_] eq $version } 0 .. $#chain;

	return $rank // -1;
}

sub chain
{
	my ($scripts) = @_;
	my @chain = ($base);
	my $next;

	do
	{
		my $last = $chain[-1];
		($next) = grep { my $v = $_; !grep { $_ eq $v } @chain }
		  map { /^rag_events--\Q$last\E--(.*)\.sql$/ ? $1 : () } sort keys %$scripts;
		push @chain, $next if defined $next;
	} while (defined $next);
	return @chain;
}

# lint(FILE => SCRIPT...): what is wrong with them.
sub lint
{
	my (%scripts) = @_;
	my @chain = chain(\%scripts);
	my @wrong;

	for my $file (sort keys %scripts)
	{
		my ($from, $to) = $file =~ /^rag_events--(?:((?:(?!--).)+)--)?((?:(?!--).)+)\.sql$/;

		if (!defined $to)
		{
			push @wrong, "$file: not the name of a script";
			next;
		}
		if (!defined $from)
		{
			push @wrong, "$file: a second full script"
			  if $to ne $base && $to ne $adoption;
		}
		elsif ($from eq $adoption)
		{
			push @wrong, "$file: a step that leads past $base" if $to ne $base;
		}
		else
		{
			push @wrong, "$file: a step that leads back to the adoption" if $to eq $adoption;
			push @wrong, "$file: has no step back"
			  if !exists $scripts{"rag_events--$to--$from.sql"};
			push @wrong, "$file: not between two neighbours of @chain"
			  if abs(rank($from, \%scripts) - rank($to, \%scripts)) != 1
			  || rank($from, \%scripts) < 0
			  || rank($to, \%scripts) < 0;
		}
		push @wrong, complaints_of_script($file, \%scripts);
	}
	return @wrong;
}

sub slurp
{
	my ($file) = @_;

	open(my $handle, '<', $file) or die "cannot read $file: $!";
	local $/;
	return scalar <$handle>;
}

# ---------------------------------------------------------------------------
# The scripts
# ---------------------------------------------------------------------------

my %scripts = map { basename($_) => slurp($_) } glob("$FindBin::RealBin/../../sql/*");
my @complaints = lint(%scripts);

cmp_ok(keys %scripts, '>', 2, 'there are scripts');
is_deeply(\@complaints, [], 'they keep the rules') or diag(join("\n", @complaints));
for my $file ("rag_events--$base.sql", "rag_events--$adoption.sql", "rag_events--$adoption--$base.sql")
{
	ok(exists $scripts{$file}, "$file is there");
}

# ---------------------------------------------------------------------------
# Samples: a step more, right at first
# ---------------------------------------------------------------------------

my $head = (chain(\%scripts))[-1];
my $up = "rag_events--$head--99.0.sql";
my $down = "rag_events--99.0--$head.sql";

sub sample_step
{
	my ($from, $to, $body) = @_;

	return <<"EOT";
-- revision: 990_sample
-- description: a sample
\\echo Use "ALTER EXTENSION rag_events UPDATE TO '$to'" to load this file. \\quit
CREATE FUNCTION \@extschema\@.rag_lock_tables() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_lock_tables';
SELECT \@extschema\@.rag_lock_tables();
DROP FUNCTION \@extschema\@.rag_lock_tables();
$body
INSERT INTO \@extschema\@.rag_migration_log (version, previous_version) VALUES ('$to', '$from');
EOT
}

my $helpers = <<'EOT';
CREATE FUNCTION @extschema@.rag_alter_table(tab pg_catalog.text, action pg_catalog.text) RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_alter_table';
CREATE FUNCTION @extschema@.rag_ensure_index(index pg_catalog.text, tab pg_catalog.text, definition pg_catalog.text) RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_ensure_index';
CREATE FUNCTION @extschema@.rag_drop_index(index pg_catalog.text) RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_drop_index';
EOT
my $no_helpers = <<'EOT';
DROP FUNCTION @extschema@.rag_alter_table(pg_catalog.text, pg_catalog.text);
DROP FUNCTION @extschema@.rag_ensure_index(pg_catalog.text, pg_catalog.text, pg_catalog.text);
DROP FUNCTION @extschema@.rag_drop_index(pg_catalog.text);
EOT

# by_helper(STATEMENT): the same as a call.
sub by_helper
{
	my ($statement) = @_;
	my $call = sub {
		my ($helper, @arguments) = @_;
		return "SELECT \@extschema\@.$helper(" . join(', ', map { "'" . s/'/''/gr . "'::pg_catalog.text" } @arguments) . ');';
	};

	return $call->('rag_alter_table', $1, $2) if $statement =~ /^ALTER TABLE \@extschema\@\.(\w+) (.*);$/;
	return $call->('rag_ensure_index', $1, $2, $3) if $statement =~ /^CREATE INDEX (\w+) ON \@extschema\@\.(\w+) (.*);$/;
	return $statement;
}

my $sample_up = $helpers . <<'EOT' . $no_helpers;
SELECT @extschema@.rag_alter_table('messages'::pg_catalog.text, 'ADD COLUMN rating pg_catalog.int4'::pg_catalog.text);
SELECT @extschema@.rag_alter_table('messages'::pg_catalog.text, 'ADD CONSTRAINT ck_rating CHECK (rating OPERATOR(pg_catalog.>=) 0 AND rating IS NOT NULL)'::pg_catalog.text);
SELECT @extschema@.rag_ensure_index('ix_rating'::pg_catalog.text, 'messages'::pg_catalog.text, 'USING btree (rating, id) WHERE rating IS NOT NULL'::pg_catalog.text);
CREATE FUNCTION @extschema@.rag_rate(id pg_catalog.int8, rating pg_catalog.int4 DEFAULT NULL) RETURNS pg_catalog.bool
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_rate';
CREATE OR REPLACE FUNCTION @extschema@.rag_version() RETURNS pg_catalog.text
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_version_2';
COMMENT ON FUNCTION @extschema@.rag_rate(pg_catalog.int8, pg_catalog.int4) IS 'IN (a, b) LIKE -- c = d; DELETE';
EOT
my $sample_down = $helpers . <<'EOT' . $no_helpers;
SELECT @extschema@.rag_drop_index('ix_rating'::pg_catalog.text);
DROP FUNCTION @extschema@.rag_rate(pg_catalog.int8, pg_catalog.int4);
CREATE OR REPLACE FUNCTION @extschema@.rag_version() RETURNS pg_catalog.text
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_version';
SELECT @extschema@.rag_alter_table('messages'::pg_catalog.text, 'DROP COLUMN rating'::pg_catalog.text);
EOT
my %samples = (
	%scripts,
	$up => sample_step($head, '99.0', $sample_up),
	$down => sample_step('99.0', $head, $sample_down));

is_deeply([ lint(%samples) ], [], 'a step that keeps the rules');

# In a step up; what is said of it.
for my $test (
	[ 'ALTER TABLE messages ADD COLUMN a pg_catalog.int4;', qr/not one of the statements/ ],
	[ 'ALTER TABLE public.messages ADD COLUMN a pg_catalog.int4;', qr/not one of the statements/ ],
	[ 'ALTER TABLE @extschema@.messages ADD COLUMN a int4;', qr/not one of the statements/ ],
	[ 'ALTER TABLE @extschema@.messages ADD COLUMN a @extschema@.kind;', qr/not one of the statements/ ],
	[ 'ALTER TABLE @extschema@.messages ADD COLUMN a pg_catalog.int4 DEFAULT 1;', qr/ADD COLUMN with a DEFAULT/ ],
	[ 'ALTER TABLE @extschema@.messages ADD COLUMN a pg_catalog.int4 NOT NULL;', qr/not one of the statements/ ],
	[ 'ALTER TABLE @extschema@.messages ADD COLUMN a pg_catalog.int4 REFERENCES @extschema@.messages;', qr/FOREIGN KEY on a table/ ],
	[ 'ALTER TABLE @extschema@.messages ADD CONSTRAINT a FOREIGN KEY (rating) REFERENCES @extschema@.messages (id);', qr/FOREIGN KEY on a table/ ],
	[ 'ALTER TABLE @extschema@.messages ALTER COLUMN rating SET NOT NULL;', qr/SET NOT NULL: proves/ ],
	[ 'ALTER TABLE @extschema@.messages ALTER COLUMN rating TYPE pg_catalog.int8;', qr/ALTER COLUMN TYPE/ ],
	[ 'ALTER TABLE @extschema@.messages OWNER TO @extowner@;', qr/gives tables away/ ],
	[ 'ALTER TABLE @extschema@.messages ENABLE ROW LEVEL SECURITY;', qr/not one of the statements/ ],
	[ 'ALTER TABLE @extschema@.messages ADD CONSTRAINT a CHECK (rating = 1);', qr/operator = is not qualified/ ],
	[ 'ALTER TABLE @extschema@.messages ADD CONSTRAINT a CHECK (rating + 1 OPERATOR(pg_catalog.=) 1);', qr/operator \+ is not qualified/ ],
	[ 'ALTER TABLE @extschema@.messages ADD CONSTRAINT a CHECK (rating OPERATOR(@extschema@.=) 1);', qr/operator .* is not qualified/ ],
	[ 'ALTER TABLE @extschema@.messages ADD CONSTRAINT a CHECK (abs(rating) OPERATOR(pg_catalog.=) 1);', qr/function abs\(\) is not qualified/ ],
	[ q{ALTER TABLE @extschema@.messages ADD CONSTRAINT a CHECK (rating OPERATOR(pg_catalog.=) '1'::int4);}, qr/cast to type "int4" that is not qualified/ ],
	[ 'ALTER TABLE @extschema@.messages ADD CONSTRAINT a CHECK (role OPERATOR(pg_catalog.=) 1);', qr/CHECK of column role/ ],
	map({
			[
				"ALTER TABLE \@extschema\@.messages ADD CONSTRAINT a CHECK ($_->[0]);",
				qr/\Q$_->[1]\E hides an operator/
			]
		} [ 'rating IN (1, 2)', 'IN' ],
		[ 'rating NOT IN (1, 2)', 'IN' ],
		[ 'rating BETWEEN 1 AND 2', 'BETWEEN' ],
		[ 'CASE rating WHEN 1 THEN true END', 'CASE x WHEN' ],
		[ 'NULLIF(rating, 1) IS NULL', 'NULLIF' ],
		[ "rating::pg_catalog.text LIKE 'a'", 'LIKE' ],
		[ "rating::pg_catalog.text SIMILAR TO 'a'", 'LIKE' ],
		[ 'rating IS DISTINCT FROM 1', 'IS DISTINCT FROM' ],
		[ 'rating IS NOT DISTINCT FROM 1', 'IS DISTINCT FROM' ],
		[ '(rating, 1) OVERLAPS (1, 2)', 'OVERLAPS' ],
		[ 'ROW(rating) IS NULL', 'ROW' ]),
	[ 'ALTER TABLE @extschema@.messages ALTER COLUMN rating TYPE pg_catalog.int8 USING 1;', qr/USING hides an operator/ ],
	[ 'CREATE INDEX a ON messages (rating);', qr/not one of the statements/ ],
	[ 'CREATE INDEX a ON @extschema@.messages (lower(role));', qr/function lower\(\) is not qualified/ ],
	[ 'CREATE INDEX a ON @extschema@.messages (id) WHERE rating > 1;', qr/operator > is not qualified/ ],
	[ 'CREATE INDEX IF NOT EXISTS a ON @extschema@.messages (rating);', qr/IF EXISTS or IF NOT EXISTS:/ ],
	[ 'CREATE TABLE IF NOT EXISTS @extschema@.ratings (id pg_catalog.int4);', qr/IF EXISTS or IF NOT EXISTS:/ ],
	[ 'CREATE TABLE @extschema@.ratings (id int4);', qr/column "id int4" is not of a type in pg_catalog/ ],
	[ 'CREATE OR REPLACE VIEW @extschema@.a AS VALUES (1);', qr/OR REPLACE: what/ ],
	[ 'CREATE VIEW @extschema@.a AS VALUES (1);', qr/not one of the statements/ ],
	[ q{CREATE OR REPLACE FUNCTION @extschema@.rag_new() RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'x';}, qr/OR REPLACE of rag_new\(\), which no earlier version has/ ],
	[ q{CREATE FUNCTION rag_new() RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'x';}, qr/not one of the statements/ ],
	[ q{CREATE FUNCTION @extschema@.rag_new(a text) RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'x';}, qr/argument "a text" is not of a type in pg_catalog/ ],
	[ q{CREATE FUNCTION @extschema@.rag_new(a pg_catalog.text DEFAULT now()) RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'x';}, qr/function now\(\) is not qualified/ ],
	[ q{CREATE FUNCTION @extschema@.rag_new() RETURNS text LANGUAGE c AS 'MODULE_PATHNAME', 'x';}, qr/result is not of a type in pg_catalog/ ],
	[ q{CREATE FUNCTION @extschema@.rag_new() RETURNS TABLE (a text) LANGUAGE c AS 'MODULE_PATHNAME', 'x';}, qr/result "a text" is not of a type in pg_catalog/ ],
	[ q{CREATE FUNCTION @extschema@.rag_new() RETURNS void LANGUAGE sql AS 'SELECT 1';}, qr/not C/ ],
	[ q{CREATE FUNCTION @extschema@.rag_new() RETURNS void LANGUAGE c SECURITY DEFINER AS 'MODULE_PATHNAME', 'x';}, qr/owner's rights/ ],
	[ 'DROP FUNCTION @extschema@.rag_version();', qr/DROP FUNCTION of rag_version\(\)/ ],
	[ 'DROP TABLE @extschema@.messages CASCADE;', qr/CASCADE: drops/ ],
	[ 'DROP TABLE @extschema@.messages;', qr/DROP of messages, which is not what the step up made/ ],
	[ 'DROP VIEW @extschema@.rag_message_sources;', qr/DROP of rag_message_sources, which is not/ ],
	[ 'DROP AGGREGATE @extschema@.rag_latency_sum(pg_catalog.int4[]);', qr/DROP of rag_latency_sum, which is not/ ],
	[ 'LOCK TABLE messages IN ACCESS EXCLUSIVE MODE;', qr/not one of the statements/ ],
	[ 'CREATE VIEW @extschema@.a AS SELECT a.x FROM @extschema@.rag_a() AS a;', qr/not one of the statements/ ],
	[ 'CREATE VIEW @extschema@.a WITH (security_invoker = true) AS SELECT m.id FROM @extschema@.messages AS m;', qr/not one of the statements/ ],
	[ 'CREATE AGGREGATE @extschema@.a(x pg_catalog.int4) (SFUNC = int4pl, STYPE = pg_catalog.int4);', qr/not one of the statements/ ],
	map({
			[
				"CREATE FUNCTION \@extschema\@.rag_new() RETURNS pg_catalog.int4 LANGUAGE sql $_->[0];",
				$_->[1]
			]
		} [ 'AS $$SELECT 1$$', qr/not C/ ],
		[ 'VOLATILE AS $$SELECT 1$$', qr/not C/ ],
		[ q{STABLE AS 'SELECT 1'}, qr/is not one SELECT/ ],
		[ 'STABLE AS $$DELETE FROM @extschema@.messages$$', qr/is not one SELECT/ ],
		[ 'STABLE AS $$SELECT 1; DELETE FROM @extschema@.messages$$', qr/is not one SELECT/ ],
		[ 'STABLE AS $$SELECT 1 + 1$$', qr/operator \+ is not qualified/ ],
		[ 'STABLE AS $$SELECT count(id) FROM @extschema@.messages$$', qr/function count\(\) is not qualified/ ],
		[ q{STABLE AS $$SELECT '1'::int4$$}, qr/cast to type "int4"/ ],
		[ 'STABLE AS $$SELECT m.id FROM messages AS m$$', qr/relation messages is not qualified/ ],
		[ 'STABLE AS $$SELECT 1 IN (1)$$', qr/IN hides an operator/ ]),
	[ 'UPDATE @extschema@.messages SET rating = 1;', qr/DML/ ],
	[ 'DELETE FROM @extschema@.messages;', qr/DML/ ],
	[ 'INSERT INTO @extschema@.sessions DEFAULT VALUES;', qr/DML/ ],
	[ 'SELECT pg_catalog.count(id) FROM @extschema@.messages;', qr/a query/ ],
	[ 'WITH a AS (SELECT 1) TABLE a;', qr/a query/ ],
	[ 'SELECT @extschema@.rag_version();', qr/no helper of the script/ ],
	[ 'GRANT SELECT ON @extschema@.messages TO PUBLIC;', qr/GRANT or REVOKE/ ],
	[ 'REVOKE ALL ON FUNCTION @extschema@.rag_rate(pg_catalog.int8, pg_catalog.int4) FROM PUBLIC;', qr/GRANT or REVOKE/ ],
	[ 'CREATE POLICY a ON @extschema@.messages;', qr/CREATE POLICY: a dump/ ],
	[ q{DO 'BEGIN END';}, qr/DO: a language/ ],
	[ 'SET search_path = public;', qr/not one of the statements/ ],
	[ "COMMENT ON TABLE \@extschema\@.messages IS 'na\x{ef}ve';", qr/not ASCII/ ],
	[ q{COMMENT ON FUNCTION @extschema@.rag_rate(int8, int4) IS 'x';}, qr/argument "int8" is not/ ])
{
	my ($statement, $expected) = @$test;
	my %bad = (%samples, $up => sample_step($head, '99.0', $helpers . by_helper($statement) . $sample_up =~ s/^\Q$helpers\E//r));

	like(join("\n", lint(%bad)), $expected, $statement =~ s/[^\x20-\x7e]/?/gr);
}

# Statements that a helper has to say.
for my $statement (
	'ALTER TABLE @extschema@.messages ADD COLUMN a pg_catalog.int4;', 'ALTER TABLE @extschema@.messages DROP COLUMN rating;',
	'CREATE INDEX a ON @extschema@.messages USING btree (rating);', 'CREATE UNIQUE INDEX a ON @extschema@.messages (rating);',
	'DROP INDEX @extschema@.ix_rating;', 'ALTER INDEX @extschema@.ix_rating RENAME TO a;')
{
	like(join("\n", lint(%samples, $up => sample_step($head, '99.0', $sample_up . $statement))), qr/not by rag_.*: Citus would do it twice/, $statement);
	like(join("\n", lint(%samples, $down => sample_step('99.0', $head, $sample_down . $statement))), qr/not by rag_/, "... in a step down");
}
like(join("\n", lint(%samples, $up => sample_step($head, '99.0', by_helper('ALTER TABLE @extschema@.messages ALTER COLUMN role SET STORAGE external;') . $sample_up))),
	qr/cannot be done to distributed tables/, 'what Citus does not take');

# All of the scripts, otherwise.
for my $test (
	[ 'a step up without its step down', qr/^\Q$up\E: has no step back/m, sub { delete $_[0]{$down} } ],
	[ 'a step down without its step up', qr/^\Q$down\E: has no step back/m, sub { delete $_[0]{$up} } ],
	[ 'a second full script', qr/99.0.sql: a second full script/, sub { $_[0]{'rag_events--99.0.sql'} = $_[0]{"rag_events--$base.sql"} } ],
	[
		'a step that skips a version',
		qr/not between two neighbours/,
		sub {
			$_[0]{"rag_events--99.0--99.1.sql"} = $_[0]{$up};
			$_[0]{"rag_events--99.1--99.0.sql"} = $_[0]{$down};
			$_[0]{"rag_events--$head--99.1.sql"} = $_[0]{$up};
			$_[0]{"rag_events--99.1--$head.sql"} = $_[0]{$down};
		}
	],
	[ 'a step from nowhere', qr/not between two neighbours/, sub { $_[0]{'rag_events--7--8.sql'} = $_[0]{$up}; $_[0]{'rag_events--8--7.sql'} = $_[0]{$down}; } ],
	[ 'a step back to the adoption', qr/leads back to the adoption/, sub { $_[0]{"rag_events--$base--$adoption.sql"} = $_[0]{$down} } ],
	[ 'a step from the adoption past the base', qr/leads past $base/, sub { $_[0]{"rag_events--$adoption--99.0.sql"} = $_[0]{$up} } ],
	[ 'a file of another name', qr/not the name of a script/, sub { $_[0]{'draft.sql'} = '' } ],
	[ 'no lock at the beginning', qr/does not begin with rag_lock_tables/, sub { $_[0]{$up} =~ s/^SELECT .*\n//m } ],
	[ 'something before the lock', qr/does not begin with rag_lock_tables/, sub { $_[0]{$down} =~ s/^(CREATE)/ALTER TABLE \@extschema\@.messages DROP COLUMN rating;\n$1/m } ],
	[ 'no line for the log', qr/does not log itself/, sub { $_[0]{$up} =~ s/^INSERT .*\n//m } ],
	[ 'a line for the log of another step', qr/does not log itself/, sub { $_[0]{$down} =~ s/VALUES \('$head'/VALUES ('99.0'/ } ],
	[ 'no revision', qr/does not say its revision/, sub { $_[0]{$up} =~ s/^-- revision.*\n//m } ],
	[ 'no description', qr/does not say its description/, sub { $_[0]{$up} =~ s/^-- description.*\n//m } ],
	[ 'a script that psql runs', qr/can be sourced in psql/, sub { $_[0]{$up} =~ s/^\\echo.*\n//m } ],
	[ 'a step down that drops what others made', qr/DROP FUNCTION of rag_version/, sub { $_[0]{$down} =~ s/^DROP FUNCTION \@extschema\@.rag_rate.*/DROP FUNCTION \@extschema\@.rag_version();/m } ])
{
	my ($what, $expected, $spoil) = @$test;
	my %bad = %samples;

	$spoil->(\%bad);
	like(join("\n", lint(%bad)), $expected, $what);
}

# ---------------------------------------------------------------------------
# Two ways to 1.0
# ---------------------------------------------------------------------------

# What a new installation has besides the tables, adopted tables get by a step.
sub functions_of
{
	my ($name) = @_;
	my $text = slurp_file("$FindBin::RealBin/../../sql/$name");

	return $text =~ /^(--\n-- Functions\. .*)\z/ms ? $1 : "no functions in $name";
}

my ($whole, $step) = map { functions_of($_) } "rag_events--$base.sql", "rag_events--$adoption--$base.sql";
$step =~ s/^INSERT .*\z//ms;    # what happens is logged by each in its place
cmp_ok(length $step, '>', 2000, 'the step for adopted tables makes functions');
is(index($whole, $step), 0, '... as a new installation does, to the letter');

done_testing();
