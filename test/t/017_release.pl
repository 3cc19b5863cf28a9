# What a release says of itself: META.json is as PGXN's specification 1.0.0 wants it, and
# agrees with the other files.

use strict;
use warnings;

use FindBin;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = "$FindBin::RealBin/../..";

# What is wrong with it, as PGXN's specification says.
sub problems
{
	my ($meta) = @_;
	my @problems;
	my $version = qr/^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[A-Za-z][-0-9A-Za-z]*)?$/;
	my $url = qr{^[a-z]+://[^\s/]+(/\S*)?$};
	my $resources = $meta->{resources} // {};

	for my $key (qw(name version abstract maintainer license provides meta-spec))
	{
		push @problems, "no $key" if !$meta->{$key};
	}
	push @problems, 'no semantic version' if ($meta->{version} // '') !~ $version;
	push @problems, 'a name with a space or a slash' if ($meta->{name} // '') !~ m{^[^\s/\\\x00-\x1f]{2,}$};
	push @problems, 'another specification' if ($meta->{'meta-spec'}{version} // '') !~ /^1\.0\.\d+$/;
	push @problems, 'an unknown license' if !grep { ($meta->{license} // '') eq $_ } qw(apache_2_0 artistic_2 bsd gpl_2 gpl_3 lgpl_2_1 lgpl_3_0 mit mozilla_2_0 postgresql);
	for my $name (keys %{ $meta->{provides} // {} })
	{
		my $extension = $meta->{provides}{$name};

		push @problems, "$name has no version" if ($extension->{version} // '') !~ $version;
		push @problems, "$name: no file " . ($extension->{$_} // $_) for grep { !-f "$root/" . ($extension->{$_} // '') } qw(file docfile);
	}
	push @problems, "$_ is no URL" for grep { ($resources->{$_} // '') !~ $url } 'homepage';
	push @problems, "no web of $_" for grep { ($resources->{$_}{web} // '') !~ $url } qw(bugtracker repository);
	push @problems, 'no url or type of the repository' if !$resources->{repository}{url} || ($resources->{repository}{type} // '') !~ /^[a-z]+$/;
	push @problems, "the tag \"$_\"" for grep { length > 255 || m{[/\\\x00-\x1f]} } @{ $meta->{tags} // [] };
	return join(', ', @problems);
}

my $text = slurp_file("$root/META.json");
my $meta = decode_json($text);

is(problems($meta), '', 'META.json is valid');
for my $key (qw(name version abstract maintainer license provides meta-spec resources))
{
	my $bad = decode_json($text);

	delete $bad->{$key};
	isnt(problems($bad), '', "... and would not be without $key");
}

my ($default) = slurp_file("$root/rag_events.control") =~ /^default_version = '(.*)'/m;
like($meta->{version}, qr/^\Q$default\E\.\d+$/, 'its version begins with the default version');
is($meta->{provides}{rag_events}{version}, $meta->{version}, '... and is that of the extension');
like(slurp_file("$root/CHANGELOG.md"), qr/^## \[?\Q$default\E\b/m, 'the change log has a section for it');
like(slurp_file("$root/debian/changelog"), qr/^rag-events \(\Q$meta->{version}\E-\d+\) /, '... and that of Debian, too');

done_testing();
