#!/usr/bin/env bash
#
# Makes the source archive of a release from what is committed, as PGXN wants it:
#
#   make dist               rag_events-1.2.0.zip in the current folder
#   tools/dist.sh --tar     the same files as a tar archive, on standard output
#
# The version is that of META.json, of which default_version in rag_events.control must
# be the beginning.

set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() {
  printf '%s\n' "error: $*" >&2
  exit 1
}

committed() { git show "HEAD:$1"; }

version=$(committed META.json | sed -n '1,/"provides"/s/^ *"version": "\(.*\)",$/\1/p')
default=$(committed rag_events.control | sed -n "s/^default_version = '\(.*\)'/\1/p")
[ -n "$default" ] && [ "${version%.*}" = "$default" ] ||
  die "META.json says version \"$version\", and rag_events.control \"$default\""
name=rag_events-$version

if [ "${1-}" = --tar ]; then
  git archive --prefix="$name/" HEAD
else
  [ -z "$(git status --porcelain)" ] || echo "Not in the archive: what is not committed." >&2
  git archive --format=zip --prefix="$name/" -o "$OLDPWD/$name.zip" HEAD
  echo "Wrote $name.zip."
fi
