# A load of writers, and a model of what the database must have of it.
#
# Each writer is a psql that runs a script of calls, each acknowledged by a line of
# its output. Whatever happens to the server meanwhile: what was acknowledged must be
# there, once, under the ids that were given; of the one call that was on its way, all
# or nothing; and nothing else. check() compares each row with that.
#
# The scripts are random: the seed decides all of it but when the server ends.

package RagLoad;

use strict;
use warnings;

use IPC::Run ();
use List::Util qw(max sum0);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RagTest;
use Storable qw(dclone);
use Test::More;

# The session that all writers share.
my $shared = '00000000-0000-0000-0000-000000000000';

# How many calls a script has, where new() is not told.
my $calls = 300;

# How often each kind of call comes. Those that only add come first.
my @adding = (
	[ single => 10 ], [ put => 4 ], [ turn => 6 ], [ bulk => 2 ], [ create => 1 ],
	[ create_turn => 1 ], [ create_many => 1 ], [ transaction => 3 ], [ rollback => 1 ]);
my @changing = (
	[ update_message => 4 ], [ update_session => 2 ], [ delete_messages => 2 ],
	[ delete_session => 1 ], [ import => 1 ], [ erase => 0.3 ], [ vote => 3 ]);

# RagLoad->new(NODE, DATABASE, seed => N, writers => N, calls => N, adding => BOOL): with
# adding, the writers only add; calls is how many a script has. The extension is in the
# schema public.
sub new
{
	my ($class, $node, $db, %options) = @_;
	my $self = bless { db => $db, adding => $options{adding}, calls => $options{calls} // $calls, writers => [] }, $class;

	srand($options{seed});
	note("seed $options{seed}");
	sql($node, $db, <<"EOT");
CREATE FUNCTION load_text(tag text, k int) RETURNS text LANGUAGE sql STABLE
AS \$\$ SELECT tag || ' ' || coalesce((SELECT string_agg(md5(tag || i), '' ORDER BY i) FROM generate_series(1, k) i), '') \$\$;
SELECT rag_create_session(session_id => '$shared');
EOT
	for my $number (1 .. $options{writers})
	{
		push @{ $self->{writers} },
		  {
			name => "w$number",
			number => $number,
			next => 0,
			model => { messages => { $shared => [] }, metadata => {} }
		  };
	}
	return $self;
}

# ---------------------------------------------------------------------------
# The model of a writer: its sessions, and in each its messages, oldest first
# ---------------------------------------------------------------------------

sub message_at
{
	my ($model, $session, $tag) = @_;
	my $messages = $model->{messages}{$session};

	for my $i (0 .. $#$messages)
	{
		return $i if $messages->[$i]{tag} eq $tag;
	}
	die "the model has no message $tag";
}

my %effects = (
	create => sub {
		my ($model, $session) = @_;
		$model->{messages}{$session} //= [];
		$model->{metadata}{$session} = '';
	},
	add => sub {
		my ($model, $session, $tag, $k) = @_;
		push @{ $model->{messages}{$session} }, { tag => $tag, k => $k, v => '', vote => '' };
	},
	set => sub {
		my ($model, $session, $tag, $v) = @_;
		$model->{messages}{$session}[ message_at(@_) ]{v} = $v;
	},
	vote => sub {
		my ($model, $session, $tag, $score) = @_;
		$model->{messages}{$session}[ message_at(@_) ]{vote} = $score;
	},
	cut => sub {
		my ($model, $session, $tag) = @_;
		splice(@{ $model->{messages}{$session} }, message_at(@_));
	},
	name => sub {
		my ($model, $session, $v) = @_;
		$model->{metadata}{$session} = $v;
	},
	drop => sub {
		my ($model, $session) = @_;
		delete $model->{$_}{$session} for qw(messages metadata);
	});

sub apply
{
	my ($model, $call) = @_;

	for my $effect (@{ $call->{effects} })
	{
		my ($kind, @arguments) = @$effect;
		$effects{$kind}->($model, @arguments);
	}
	return;
}

# One line for each session and message.
sub lines_of
{
	my ($model) = @_;
	my @lines;

	for my $session (sort keys %{ $model->{messages} })
	{
		push @lines, "session $session " . ($model->{metadata}{$session} // '');
		push @lines, map { "message $session $_->{tag}, k $_->{k}, v $_->{v}, vote $_->{vote}" } @{ $model->{messages}{$session} };
	}
	return @lines;
}

# ---------------------------------------------------------------------------
# Making calls
# ---------------------------------------------------------------------------

sub pick { my @list = @_; return $list[ int rand @list ]; }

sub pick_kind
{
	my (@kinds) = @_;
	my $at = rand sum0(map { $_->[1] } @kinds);

	for (@kinds)
	{
		$at -= $_->[1];
		return $_->[0] if $at < 0;
	}
	return $kinds[-1][0];
}

sub session_id { return sprintf('00000000-0000-4000-8000-%04d%08d', @_); }

# Those that are the writer's own.
sub own_sessions
{
	my ($model) = @_;
	return grep { $_ ne $shared } sort keys %{ $model->{messages} };
}

# SQL of the object of a message. With keyed, it can be repeated.
sub object
{
	my ($tag, $k, $keyed) = @_;

	return "jsonb_build_object('role', 'user', 'content', load_text($tag, $k), 'top_k', $k"
	  . ($keyed ? ", 'idempotency_key', $tag)" : ')');
}

sub add_sql
{
	my ($session, $tag, $k, $keyed) = @_;

	return "rag_add_message('$session', 'user', load_text('$tag', $k), top_k => $k"
	  . ($keyed ? ", idempotency_key => '$tag')" : ')');
}

# The calls: each returns (SQL of a query, effects, tags of the messages whose ids it
# returns). $n is a number that no other call of the writer has.
my %make = (
	single => sub {
		my ($tag, $model, $keyed) = @_;
		my $session = pick($shared, own_sessions($model));
		my $k = pick(0, 0, 1, 30, 200);

		return (add_sql($session, "$tag 0", $k, $keyed), [ [ add => $session, "$tag 0", $k ] ], "$tag 0");
	},
	put => sub {
		my ($tag, $model) = @_;
		my $session = pick($shared, own_sessions($model));
		my $k = pick(0, 1, 200);

		# It grows at once, and is one message.
		return ("CASE WHEN rag_put_message('$session', '$tag 0', 'user', 'begun', top_k => 9) > 0 "
			  . "THEN rag_put_message('$session', '$tag 0', 'user', load_text('$tag 0', $k), top_k => $k) END",
			[ [ add => $session, "$tag 0", $k ] ], "$tag 0");
	},
	turn => sub {
		my ($tag, $model, $keyed, $create) = @_;
		my $session = $create // pick($shared, own_sessions($model));
		my $k = pick(1, 100);
		my @effects = ([ add => $session, "$tag 0", 0 ], [ add => $session, "$tag 1", $k ]);

		unshift @effects, [ create => $session ] if $create;
		return ("rag_add_messages('$session', jsonb_build_array("
			  . object("'$tag 0'", 0, $keyed) . ', ' . object("'$tag 1'", $k, $keyed) . ')'
			  . ($create ? ", '" . (split ' ', $tag)[0] . "', true)" : ')'),
			\@effects, "$tag 0", "$tag 1");
	},
	bulk => sub {
		my ($tag, $model, $keyed) = @_;
		my $session = pick($shared, own_sessions($model));
		my $count = 20 + int rand 100;

		return ("rag_add_messages('$session', (SELECT jsonb_agg("
			  . object("'$tag ' || i", 'CASE i % 40 WHEN 0 THEN 90 ELSE 0 END', $keyed)
			  . " ORDER BY i) FROM generate_series(1, $count) i))",
			[ map { [ add => $session, "$tag $_", $_ % 40 ? 0 : 90 ] } 1 .. $count ],
			map { "$tag $_" } 1 .. $count);
	},
	create_many => sub {
		my ($tag, $model, $keyed, $session) = @_;
		my ($writer) = split ' ', $tag;
		my $k = pick(1, 100);

		return ("rag_add_conversations(jsonb_build_array("
			  . "jsonb_build_object('session_id', '$session', 'user_id', '$writer', 'create_session', true, 'messages', jsonb_build_array("
			  . object("'$tag 0'", 0, $keyed) . ', ' . object("'$tag 1'", $k, $keyed) . ')), '
			  . "jsonb_build_object('session_id', '$shared', 'messages', jsonb_build_array(" . object("'$tag 2'", $k, $keyed) . '))))',
			[ [ create => $session ], [ add => $session, "$tag 0", 0 ], [ add => $session, "$tag 1", $k ], [ add => $shared, "$tag 2", $k ] ]);
	},
	create => sub {
		my ($tag, $model, $keyed, $session) = @_;
		my ($writer) = split ' ', $tag;

		return ("rag_create_session('$writer', NULL, '$session', " . ($keyed ? 'true)' : 'false)'),
			[ [ create => $session ] ]);
	},
	import => sub {
		my ($tag, $model, $keyed, $session) = @_;
		my ($writer) = split ' ', $tag;

		return ("rag_import_session(jsonb_build_object('session_id', '$session', 'user_id', '$writer', 'messages', jsonb_build_array("
			  . object("'$tag 0'", 0, $keyed) . ', ' . object("'$tag 1'", 80, $keyed) . ')), keep_id => true)',
			[ [ create => $session ], [ add => $session, "$tag 0", 0 ], [ add => $session, "$tag 1", 80 ] ]);
	},
	update_message => sub {
		my ($tag, $model) = @_;
		my $session = pick(grep { @{ $model->{messages}{$_} } } own_sessions($model)) // return;
		my $of = pick(@{ $model->{messages}{$session} })->{tag};
		my (undef, $n) = split ' ', $tag;

		return ("rag_update_message('$session', (SELECT id FROM messages WHERE session_id = '$session' AND content LIKE '$of %'), "
			  . "latency_ms => $n, metadata => '{\"v\": $n}')",
			[ [ set => $session, $of, $n ] ]);
	},
	vote => sub {
		my ($tag, $model) = @_;
		my $session = pick(grep { @{ $model->{messages}{$_} } } own_sessions($model)) // return;
		my $of = pick(@{ $model->{messages}{$session} })->{tag};
		my (undef, $n) = split ' ', $tag;
		my $score = rand() < 0.2 ? 'NULL' : $n;

		return ("rag_set_feedback('$session', (SELECT id FROM messages WHERE session_id = '$session' AND content LIKE '$of %'), $score)",
			[ [ vote => $session, $of, $score eq 'NULL' ? '' : $n ] ]);
	},
	update_session => sub {
		my ($tag, $model) = @_;
		my $session = pick(own_sessions($model)) // return;
		my (undef, $n) = split ' ', $tag;

		return ("rag_update_session('$session', '{\"v\": $n}')", [ [ name => $session, $n ] ]);
	},
	delete_messages => sub {
		my ($tag, $model) = @_;
		my $session = pick(grep { @{ $model->{messages}{$_} } } own_sessions($model)) // return;
		my $of = pick(@{ $model->{messages}{$session} })->{tag};

		return ("rag_delete_messages('$session', (SELECT id FROM messages WHERE session_id = '$session' AND content LIKE '$of %'))",
			[ [ cut => $session, $of ] ]);
	},
	delete_session => sub {
		my ($tag, $model) = @_;
		my $session = pick(own_sessions($model)) // return;

		return ("rag_delete_session('$session')", [ [ drop => $session ] ]);
	},
	erase => sub {
		my ($tag, $model) = @_;
		my ($writer) = split ' ', $tag;

		return ("sessions FROM rag_erase_user('$writer')", [ map { [ drop => $_ ] } own_sessions($model) ]);
	});

# make_call(WRITER, MODEL, KIND): one statement or transaction, as {n, sql, effects,
# tags, repeatable}; undef where the model has nothing for it.
sub make_call
{
	my ($writer, $model, $kind) = @_;
	my $n = ++$writer->{next};
	my $tag = "$writer->{name} $n";
	my $keyed = rand() < 0.7;
	my $new = session_id($writer->{number}, $n);
	my ($query, $effects, @tags);

	if ($kind eq 'transaction' || $kind eq 'rollback')
	{
		my ($first, $first_effects) = $make{single}->("$tag a", $model);
		my ($second, $second_effects) = $make{turn}->("$tag b", $model, 0, $new);

		return {
			n => $n,
			sql => "BEGIN; DO \$\$ BEGIN PERFORM $first; PERFORM $second; END \$\$;"
			  . ($kind eq 'rollback' ? 'ROLLBACK' : 'COMMIT')
			  . "; SELECT $n;",
			effects => $kind eq 'rollback' ? [] : [ @$first_effects, @$second_effects ],
			tags => []
		};
	}
	($query, $effects, @tags) = $make{ $kind eq 'create_turn' ? 'turn' : $kind }
	  ->($tag, $model, $keyed, $kind =~ /^create|^import/ ? $new : ());
	return if !defined $query;
	return {
		n => $n,
		sql => "SELECT $n, $query;",
		effects => $effects,
		tags => \@tags,
		repeatable => scalar($keyed && $kind =~ /^(single|put|turn|bulk|create|create_turn|create_many)$/)
	};
}

# The calls of a script. The first is the one that was on its way when the last script
# ended, if it has to be repeated, or may be.
sub make_script
{
	my ($self, $writer) = @_;
	my $model = dclone($writer->{model});
	my @kinds = (@adding, $self->{adding} ? () : @changing);
	my @script = $writer->{on_its_way} ? ($writer->{on_its_way}) : ();

	apply($model, $_) for @script;
	while (@script < $self->{calls})
	{
		my $call = make_call($writer, $model, pick_kind(@kinds)) // next;

		apply($model, $call);
		push @script, $call;
	}
	return @script;
}

# ---------------------------------------------------------------------------
# Running
# ---------------------------------------------------------------------------

# start(NODE): all writers, each with a script of its own. An old snapshot keeps the
# versions of the sessions, so that their pages fill up and not every touch is HOT.
sub start
{
	my ($self, $node) = @_;

	$self->{snapshot} = RagTest::Session->new($node, $self->{db});
	$self->{snapshot}->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) < 0 FROM sessions');
	for my $writer (@{ $self->{writers} })
	{
		my $dir = PostgreSQL::Test::Utils::tempdir();

		$writer->{script} = [ make_script($self, $writer) ];
		append_to_file("$dir/script", join("\n", "SET jit = off; SELECT 'pid', pg_backend_pid();", map { $_->{sql} } @{ $writer->{script} }) . "\n");
		@$writer{qw(out out_file err_file lines)} = ('', "$dir/out", "$dir/err", 0);
		$writer->{psql} = IPC::Run::start(
			[
				'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=verbose',
				'-d', $node->connstr($self->{db}), '-f', "$dir/script"
			],
			'<' => \undef, '>' => "$dir/out", '2>' => "$dir/err");
	}
	return;
}

# Reads what a writer has written since the last time.
sub read_output
{
	my ($writer) = @_;

	return if !-s $writer->{out_file} || -s $writer->{out_file} == length $writer->{out};
	my $more = slurp_file($writer->{out_file}, length $writer->{out});
	$writer->{out} .= $more;
	$writer->{lines} += $more =~ tr/\n//;
	return;
}

# acknowledged(): how many calls were, since start().
sub acknowledged
{
	my ($self) = @_;

	read_output($_) for @{ $self->{writers} };
	return sum0(map { max($_->{lines} - 1, 0) } @{ $self->{writers} });    # the first line is the pid
}

# run_until(N): until N calls were acknowledged, and every writer is at work; or until
# the scripts have ended.
sub run_until
{
	my ($self, $n) = @_;

	for (1 .. 200 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return if $self->acknowledged >= $n && !grep { $_->{lines} == 0 } @{ $self->{writers} };
		return if !grep { $_->{lines} <= @{ $_->{script} } } @{ $self->{writers} };
		die 'writers have failed: ' . join("\n", map { slurp_file($_->{err_file}) } @{ $self->{writers} })
		  if grep { -s $_->{err_file} } @{ $self->{writers} };
		select(undef, undef, undef, 0.005);
	}
	die 'the writers do not write';
}

# pids(): of the writers' backends.
sub pids
{
	my ($self) = @_;
	return map { $_->{out} =~ /^pid\|(\d+)/m ? $1 : () } @{ $self->{writers} };
}

# stop(NODE): ends the writers, and waits until their backends have gone.
sub stop
{
	my ($self, $node) = @_;
	my $pids = join(',', $self->pids);

	$_->{psql}->signal('TERM') for @{ $self->{writers} };
	$self->finish;
	$node->poll_query_until($self->{db}, "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid IN ($pids))")
	  or die 'the writers do not end';
	return;
}

# finish(): waits until all writers have lost their server, and notes what was
# acknowledged. Returns how many calls that were.
sub finish
{
	my ($self) = @_;
	my $count = 0;

	$self->{snapshot} = undef;
	for my $writer (@{ $self->{writers} })
	{
		my @script = @{ $writer->{script} };

		eval { $writer->{psql}->finish; 1 } or $@ =~ /ended prematurely/ or die $@;
		read_output($writer);
		$writer->{err} = slurp_file($writer->{err_file});

		# What ends a connection; any other error is one of the load's.
		die "$writer->{name}: $writer->{err}"
		  if grep { /(ERROR|FATAL|PANIC):  (?!57P0[123])/ } split /\n/, $writer->{err};
		push @{ $writer->{errors} }, $writer->{err};
		for my $line (grep { /^\d/ } split /\n/, $writer->{out} =~ s/[^\n]*\z//r)
		{
			my ($n, $result) = split /\|/, $line, 2;
			my $call = shift @script;

			die "$writer->{name}: $n acknowledged in the place of $call->{n}" if $n != $call->{n};
			$self->acknowledge($writer, $call, $result);
			$count++;
		}
		$writer->{on_its_way} = $script[0];
	}
	return $count;
}

sub acknowledge
{
	my ($self, $writer, $call, $result) = @_;
	my @ids = ($result // '') =~ /(\d+)/g;
	my @tags = @{ $call->{tags} };

	apply($writer->{model}, $call);
	return if !@tags;
	die "$writer->{name}: " . @ids . ' ids for ' . @tags . ' messages' if @ids != @tags;
	for my $i (0 .. $#tags)
	{
		my $before = $writer->{ids}{ $tags[$i] } // $ids[$i];

		push @{ $self->{wrong} }, "$tags[$i] was repeated: id $ids[$i], not $before" if $before != $ids[$i];
		$writer->{ids}{ $tags[$i] } = $ids[$i];
	}
	return;
}

# ---------------------------------------------------------------------------
# Checking
# ---------------------------------------------------------------------------

# What the database has of each writer, as a model: name => model; and the ids of the
# messages. What is wrong in itself comes back as lines.
sub look
{
	my ($self, $node) = @_;
	my (%found, %ids, @wrong);

	for (split /\n/, sql($node, $self->{db}, <<"EOT"))
SELECT 's', user_id, id, metadata->>'v' FROM sessions WHERE user_id ~ '^w\\d+\$';
SELECT 'm', tag[1], session_id, id, array_to_string(tag[:cardinality(tag) - 1], ' '), top_k, coalesce(metadata->>'v', ''),
       content = load_text(array_to_string(tag[:cardinality(tag) - 1], ' '), top_k) AND latency_ms IS NOT DISTINCT FROM (metadata->>'v')::float8,
       coalesce((SELECT f.score::text FROM rag_feedback AS f WHERE f.message_id = m.id AND f.session_id = m.session_id), '')
FROM (SELECT *, string_to_array(content, ' ') AS tag FROM messages WHERE content ~ '^w\\d+ ') AS m ORDER BY id;
EOT
	{
		my ($kind, $writer, $session, @fields) = split /\|/;
		my $model = $found{$writer} //= { messages => { $shared => [] }, metadata => {} };

		if ($kind eq 's')
		{
			$model->{metadata}{$session} = $fields[0] // '';
			$model->{messages}{$session} //= [];
			next;
		}
		my ($id, $tag, $k, $v, $whole, $vote) = @fields;
		push @wrong, "$tag (id $id) is not what was written" if $whole ne 't';
		push @wrong, "$tag is there twice: ids $ids{$tag} and $id" if exists $ids{$tag};
		$ids{$tag} = $id;
		push @{ $model->{messages}{$session} }, { tag => $tag, k => $k, v => $v, vote => $vote // '' };
	}
	return (\%found, \%ids, @wrong);
}

sub differences
{
	my ($expected, $found) = @_;
	my @expected = lines_of($expected);
	my @found = lines_of($found);
	my (%expected, %found);

	@expected{@expected} = ();
	@found{@found} = ();
	my @lines = ((map { "missing: $_" } grep { !exists $found{$_} } @expected),
		(map { "unexpected: $_" } grep { !exists $expected{$_} } @found));

	push @lines, 'the order is another' if !@lines && "@expected" ne "@found";
	return @lines;
}

# check(NODE): what is wrong with the rows there, after finish(); nothing is wrong.
sub check
{
	my ($self, $node) = @_;
	my ($found, $ids, @wrong) = $self->look($node);
	my %expected_ids;

	push @wrong, splice @{ $self->{wrong} //= [] };
	for my $writer (@{ $self->{writers} })
	{
		my $there = $found->{ $writer->{name} } // { messages => { $shared => [] }, metadata => {} };
		my $call = $writer->{on_its_way};
		my @without = differences($writer->{model}, $there);

		if (@without && $call)
		{
			my $after = dclone($writer->{model});
			my @with;

			apply($after, $call);
			@with = differences($after, $there);
			push @wrong, map { "$writer->{name}, call $call->{n} on its way: $_" } (@with < @without ? @with : @without) if @with;
			$writer->{model} = $after;
			$writer->{on_its_way} = $call->{repeatable} ? { %$call, effects => [] } : undef;
			$writer->{ids}{$_} //= $ids->{$_} for @{ $call->{tags} };
		}
		else
		{
			push @wrong, map { "$writer->{name}: $_" } @without;
		}
		delete $found->{ $writer->{name} };
		push @wrong, map { "$_ has id $ids->{$_}, not $writer->{ids}{$_}" }
		  grep { exists $ids->{$_} && $ids->{$_} != $writer->{ids}{$_} } sort keys %{ $writer->{ids} };
	}
	push @wrong, map { "rows of $_, who is no writer" } sort keys %$found;
	return (@wrong, $self->check_rest($node));
}

# copy_of(LOAD): for a look that changes nothing in LOAD. Nobody is at work.
sub copy_of
{
	my ($self) = @_;
	my @writers = map { my %writer = %$_; delete $writer{psql}; dclone(\%writer) } @{ $self->{writers} };

	return bless { %$self, writers => \@writers }, 'RagLoad';
}

# What no writer's model tells.
sub check_rest
{
	my ($self, $node) = @_;

	return split /\n/, sql($node, $self->{db}, <<"EOT");
SELECT 'message ' || m.id || ' has lost its session' FROM messages m WHERE NOT EXISTS (SELECT FROM sessions WHERE id = session_id);
SELECT 'feedback on message ' || f.message_id || ' has lost it' FROM rag_feedback f WHERE NOT EXISTS (SELECT FROM messages m WHERE m.id = f.message_id);
SELECT 'the shared session was last touched by another message than its latest'
FROM sessions s WHERE id = '$shared'
AND updated_at <> (SELECT max(created_at) FROM messages WHERE session_id = s.id);
SELECT 'ids up to ' || max(id) || ', and the sequence at ' || (SELECT last_value FROM messages_id_seq)
FROM messages HAVING max(id) > (SELECT last_value FROM messages_id_seq);
SELECT 'schema: ' || object || ' ' || kind || ' ' || coalesce(actual, '') FROM rag_check_schema() WHERE kind <> 'not_dumped';
EOT
}

# position(): how many messages of each writer have been acknowledged. Only for writers
# that add, while they run.
sub position
{
	my ($self) = @_;
	my %position;

	for my $writer (@{ $self->{writers} })
	{
		my $model = dclone($writer->{model});
		my $acknowledged;

		read_output($writer);
		$acknowledged = max($writer->{lines} - 1, 0);
		apply($model, $_) for @{ $writer->{script} }[ 0 .. $acknowledged - 1 ];
		$position{ $writer->{name} } = sum0(map { scalar @$_ } values %{ $model->{messages} });
	}
	return \%position;
}

# check_moment(NODE, FROM, TO): what is wrong with the rows of a database that shows
# some moment of the load after position FROM and, if given, before position TO: the
# calls of each writer up to one, and none of those after it. Only for writers that add.
sub check_moment
{
	my ($self, $node, $from, $to) = @_;
	my ($found, undef, @wrong) = $self->look($node);

	for my $writer (@{ $self->{writers} })
	{
		my $name = $writer->{name};
		my @there = lines_of($found->{$name} // { messages => { $shared => [] }, metadata => {} });
		my $model = { messages => { $shared => [] }, metadata => {} };
		my $count = grep { /^message/ } @there;
		my $is_moment = 0;

		for my $call (undef, @{ $writer->{history} }, @{ $writer->{script} })
		{
			apply($model, $call) if $call;
			my @lines = lines_of($model);
			$is_moment ||= "@lines" eq "@there";
			last if $is_moment || @lines > @there + 1;
		}
		push @wrong, "$name: what is there is no moment of the load" if !$is_moment;
		push @wrong, "$name: $count messages, but $from->{$name} had been acknowledged" if $count < $from->{$name};
		push @wrong, "$name: $count messages, but no more than $to->{$name} were written" if $to && $count > $to->{$name};
	}
	return (@wrong, $self->check_rest($node));
}

# ---------------------------------------------------------------------------
# The tables and indexes themselves
# ---------------------------------------------------------------------------

# corruption(NODE, DATABASE): what amcheck finds in the extension's tables, their TOAST
# tables and their indexes. The database has amcheck.
sub corruption
{
	my ($node, $db) = @_;
	my @found = split /\n/, sql($node, $db, <<'EOT');
SELECT format('%s: block %s, line %s: %s', c.oid::regclass, h.blkno, h.offnum, h.msg)
FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'rag_events',
LATERAL (SELECT * FROM verify_heapam(c.oid, check_toast => true)) AS h
WHERE c.relkind = 'r'
EOT

	# The first index that is wrong ends it with an error.
	my ($rc, undef, $err) = $node->psql($db, <<'EOT');
SELECT i.indexrelid::regclass, bt_index_parent_check(i.indexrelid, true, true)
FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
LEFT JOIN pg_class parent ON parent.reltoastrelid = t.oid
JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = coalesce(parent.oid, t.oid) AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'rag_events'
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_am am ON am.oid = x.relam AND am.amname = 'btree'
WHERE t.relkind IN ('r', 't')
EOT
	push @found, $err if $rc != 0;
	return @found;
}

1;
