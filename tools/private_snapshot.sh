#!/usr/bin/env bash
#
# Notes what versions make of a database, for rag_check_schema() to compare with:
#
#   make snapshot [VERSION=1.3]      the head by default
#
# Builds the sources, installs VERSION on a private server and writes
# schema/rag_events--VERSION.json. Does the same by an update from the version
# before, down, and up again, and refuses to write where the results differ.

set -u
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../test/lib.sh"
cd "$RAG_ROOT" || exit 1

# shellcheck disable=SC2031 # os-release is read in a subshell
version=${VERSION:-$(sed -n "s/^default_version = '\(.*\)'/\1/p" rag_events.control)}
file=schema/rag_events--$version.json
compgen -G "sql/rag_events--*--$version.sql" >/dev/null || [ -f "sql/rag_events--$version.sql" ] ||
  rag_die "there is no version $version"

rag_require server build
rag_workdir
rag_build with_llvm=no >"$RAG_TMP/log" 2>&1 && rag_start_server >>"$RAG_TMP/log" 2>&1 || {
  cat "$RAG_TMP/log" >&2
  exit 1
}
(cd "$RAG_TMP/build" && rag_as_user tools/snapshot.sh "$version") >"$RAG_TMP/new" || exit 1

# round_trip: the rows of rag_check_schema() after each step to and from VERSION.
round_trip() {
  local previous

  previous=$(compgen -G "sql/rag_events--*--$version.sql" |
    sed 's/^sql.rag_events--\(.*\)--.*/\1/' | sort -V | head -n 1)
  rag_as_user cp "$RAG_TMP/new" "$("$PG_CONFIG" --sharedir)/extension/${file#*/}" || return
  [ "$version" != 1.0 ] || return 0
  rag_as_user psql -X -q -A -t -v ON_ERROR_STOP=1 -v version="$version" -v previous="$previous" <<'SQL'
CREATE EXTENSION rag_events VERSION :'previous';
ALTER EXTENSION rag_events UPDATE TO :'version';
SELECT 'after the update: ', d FROM rag_check_schema() AS d;
ALTER EXTENSION rag_events UPDATE TO :'previous';
SELECT 'after the step down: ', d FROM rag_check_schema() AS d;
ALTER EXTENSION rag_events UPDATE TO :'version';
SELECT 'after the step down and up: ', d FROM rag_check_schema() AS d;
SQL
}
problems=$(round_trip)
status=$?
[ -z "$problems" ] || rag_die "version $version is not the same on every way:
$problems"
[ "$status" -eq 0 ] || exit 1

if cmp -s "$RAG_TMP/new" "$file"; then
  echo "$file is right."
else
  cat "$RAG_TMP/new" >"$file"
  echo "Wrote $file."
fi
