#!/usr/bin/env bash
#
# Starts the next version of rag_events:
#
#   make revision VERSION=1.3 MESSAGE="add user preferences" [DBNAME=mydb]
#
# writes the script up and the script down, a regression test and an entry in
# CHANGELOG.md, and makes VERSION the default. Both scripts are complete: an empty
# step is a step, and all tests pass with it.
#
# With DBNAME, a database that has the present head and whose tables somebody
# changed by hand, the script up does the same changes, and the script down takes
# them back. Review them: see "What a step must do" in docs/migrations.md.
#
# Nothing is written when something is wrong.

set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=tools/lib/dotenv.sh
. "$root/tools/lib/dotenv.sh"

usage='usage: make revision VERSION=1.3 MESSAGE="add user preferences" [DBNAME=mydb]'

die() {
  printf '%s\n' "error: $1" >&2
  shift
  if [ $# -gt 0 ]; then printf '%s\n' "$@" >&2; fi
  exit 1
}

# ---------------------------------------------------------------------------
# What is asked for
# ---------------------------------------------------------------------------

# is_later VERSION THAN: by their numbers, 1.10 after 1.9.
is_later() {
  [ "$1" != "$2" ] && [ "$(printf '%s\n' "$1" "$2" | sort -V | tail -n 1)" = "$1" ]
}

check_version() {
  local known

  [ -n "$version" ] || die "VERSION is missing" "$usage"
  [[ $version =~ ^(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})$ ]] ||
    die "\"$version\" is not a version: two numbers and a dot, as 1.3"
  known=$(find sql schema -name "rag_events--$version.*" -o -name "rag_events--*--$version.*" \
    -o -name "rag_events--$version--*")
  [ -z "$known" ] || die "version $version exists:" "$known"
  is_later "$version" "$head" || die "$version is not later than $head, the head"
}

# ASCII, because a script must fit every encoding that a database may have.
check_message() {
  [ -n "$message" ] || die "MESSAGE is missing" "$usage"
  [ ${#message} -le 72 ] || die "the message has ${#message} characters, more than the 72 that fit into a list"
  [[ $message =~ ^[A-Za-z0-9][\ -~]*[!-~]$ ]] && [[ $message != *'*/'* ]] ||
    die "\"$message\" is not a message: one line of ASCII that begins with a letter or a number"
  slug=$(printf '%s' "$message" | tr '[:upper:]' '[:lower:]' |
    sed -e 's/[^a-z0-9][^a-z0-9]*/_/g' -e 's/_$//')
}

# The number after the highest of all revisions.
next_number() {
  sed -n 's/^-- revision: 0*\([0-9][0-9]*\)_.*/\1/p' sql/rag_events--*.sql | sort -n | tail -n 1 |
    awk '{ printf "%03d\n", $1 + 1 }'
}

check_free() {
  local file

  for file in "$@"; do [ ! -e "$file" ] || die "$file exists"; done
}

# ---------------------------------------------------------------------------
# What is written
# ---------------------------------------------------------------------------

# opening FROM TO: what every step begins with, after the comments at its head.
opening() {
  cat <<END
-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\\echo Use "ALTER EXTENSION rag_events UPDATE TO '$2'" to load this file. \\quit

--
-- Both tables at once, so that no writer is caught between the two.
--
CREATE FUNCTION @extschema@.rag_lock_tables() RETURNS void
LANGUAGE c AS 'MODULE_PATHNAME', 'rag_lock_tables';

SELECT @extschema@.rag_lock_tables();

DROP FUNCTION @extschema@.rag_lock_tables();

INSERT INTO @extschema@.rag_migration_log (version, previous_version) VALUES ('$2', '$1');
END
}

script_up() {
  cat <<END
/* $up: $message */

-- revision: $revision
-- description: $message

$(opening "$head" "$version")
END
  if [ -s "$tmp/up" ]; then printf '\n'; cat "$tmp/up"; fi
}

script_down() {
  cat <<END
/* $down: takes back "$message" */

$(opening "$version" "$head")
END
  if [ -s "$tmp/down" ]; then printf '\n'; cat "$tmp/down"; fi
}

# The test, and what it prints. Every major must print the same.
test_sql() {
  cat <<END
-- $version: $message
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS rag_events CASCADE;
RESET client_min_messages;
CREATE EXTENSION rag_events VERSION '$version';
-- It is what it should be: no row is a difference.
SELECT object, kind, expected, actual FROM rag_check_schema();
-- Down and up again.
ALTER EXTENSION rag_events UPDATE TO '$head';
SELECT object, kind, expected, actual FROM rag_check_schema();
ALTER EXTENSION rag_events UPDATE TO '$version';
SELECT object, kind, expected, actual FROM rag_check_schema();
DROP EXTENSION rag_events;
END
}

test_output() {
  test_sql | awk '
    { print }
    /^SELECT object/ {
      print " object | kind | expected | actual "
      print "--------+------+----------+--------"
      print "(0 rows)\n"
    }'
}

# The new entry comes before the first.
changelog() {
  if [ -f CHANGELOG.md ]; then cat CHANGELOG.md; else printf '# Changelog\n'; fi |
    version=$version message=$message awk '
      function entry() {
        message = ENVIRON["message"]
        print "## " ENVIRON["version"] " (unreleased)\n"
        print "* " toupper(substr(message, 1, 1)) substr(message, 2) "\n"
        done = 1
      }
      /^## / && !done { entry() }
      { print; blank = ($0 == "") }
      END { if (!done) { if (!blank) print ""; entry() } }' | sed -e '${/^$/d;}'
}

# ---------------------------------------------------------------------------
# From a database
# ---------------------------------------------------------------------------

query() {
  psql -X -q -A -t -w -v ON_ERROR_STOP=1 -d "$DBNAME" "$@"
}

prefill() {
  local found installed schema way

  if [ -r .env ]; then rag_read_dotenv .env; fi
  found=$(query -c "SELECT extversion || ' ' || nspname FROM pg_catalog.pg_extension e
    JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'rag_events'") || exit 1
  installed=${found%% *} schema=${found#* }
  [ "$installed" = "$head" ] ||
    die "database \"$DBNAME\" has ${installed:-no version} of rag_events, and changes count from $head, the head"
  for way in up down; do
    query -v schema="$schema" -v way="$way" -v dbname="$DBNAME" -f tools/revision.sql >"$tmp/$way" || exit 1
  done
  [ -s "$tmp/up" ] || die "database \"$DBNAME\" has no change of the tables of $head"
}

# ---------------------------------------------------------------------------

export LC_ALL=C
version=${VERSION-}
message=${MESSAGE-}
cd "$root" || exit 1
head=$(sed -n "s/^default_version = '\(.*\)'/\1/p" rag_events.control)
check_version
check_message
revision=$(next_number)_$slug
up=sql/rag_events--$head--$version.sql
down=sql/rag_events--$version--$head.sql
name=v${version//./_}
check_free "$up" "$down" "test/sql/$name.sql" "expected/$name.out"

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
if [ -n "${DBNAME-}" ]; then prefill; fi

script_up >"$up"
script_down >"$down"
test_sql >"test/sql/$name.sql"
test_output >"expected/$name.out"
cp "schema/rag_events--$head.json" "schema/rag_events--$version.json"
changelog >"$tmp/changelog" && cat "$tmp/changelog" >CHANGELOG.md
sed "s/^default_version = .*/default_version = '$version'/" rag_events.control >"$tmp/control" &&
  cat "$tmp/control" >rag_events.control
if [ -f META.json ]; then
  sed "s/\"version\": *\"${head//./\\.}\(\.0\)\{0,1\}\"/\"version\": \"$version\1\"/" META.json >"$tmp/meta" &&
    cat "$tmp/meta" >META.json
fi
if [ -f debian/changelog ]; then
  {
    printf '%s\n\n' "rag-events ($version.0-1) UNRELEASED; urgency=medium" "  * New version $version."
    printf '%s  %s\n\n' "$(sed -n '/^ -- /{s/>.*/>/p;q}' debian/changelog)" "$(date -R)"
    cat debian/changelog
  } >"$tmp/debian" && cat "$tmp/debian" >debian/changelog
fi

echo "Revision $revision, version $version:"
printf '  %s\n' "$up" "$down" "schema/rag_events--$version.json" "test/sql/$name.sql" \
  "expected/$name.out" CHANGELOG.md debian/changelog rag_events.control
if [ -n "${DBNAME-}" ]; then
  echo "Review both scripts. Then \"make snapshot\" runs them on a private server and notes the result."
else
  echo "When the script up does something, \"make snapshot\" runs it on a private server and notes the result."
fi
