#!/usr/bin/env bash
#
# make current, history, upgrade, downgrade, check, migration-sql and keep-local: on a database
# without the extension, at every version, several at once, and without a server.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"

# run GOAL [NAME=VALUE…]: the output of make, as it prints it.
run() { make -s --no-print-directory "$@" 2>&1; }

# says NAME PATTERN GOAL…: make succeeds, and a line of what it prints matches.
says() {
  local name=$1 pattern=$2
  shift 2
  ok "$name" expect 0 "$pattern" "$@"
}

# refuses NAME PATTERN GOAL…: the same, but that make fails.
refuses() {
  local name=$1 pattern=$2
  shift 2
  ok "$name" expect 2 "$pattern" "$@"
}

expect() {
  local status=$1 pattern=$2 output
  shift 2
  output=$(run "$@")
  [ $? -eq "$status" ] && grep -qE -- "$pattern" <<<"$output" || {
    printf '%s\n' "make $*, where status $status and \"$pattern\" are expected, prints:" "$output"
    return 1
  }
}

mapfile -t versions < <(sql <<'SQL'
SELECT version FROM (
  SELECT '1.0' AS version, 0 AS n
  UNION ALL
  SELECT target, cardinality(string_to_array(path, '--')) FROM pg_extension_update_paths('rag_events')
  WHERE source = '1.0' AND path IS NOT NULL) AS v ORDER BY n
SQL
)
head=${versions[-1]}
known="Versions on the server: ${versions[*]}\."

# ---------------------------------------------------------------------------
# Without the extension
# ---------------------------------------------------------------------------

says "current says that nothing is installed" "^rag_events is not installed in database \"$PGDATABASE\"\.$" current
says "and what could be" "^$known .*upgrade.* installs $head" current
says "so does history" "is not installed" history
for goal in check downgrade migration-sql keep-local; do
  refuses "$goal needs the extension" "^error: rag_events is not installed" "$goal"
done
refuses "upgrade to a version that is not there" '^error: there is no version "99.0"' upgrade TO=99.0
refuses "upgrade past the head" "leads past the head" upgrade STEPS=99
refuses "no steps" "not a number" upgrade STEPS=0
refuses "steps that are no number" "not a number" upgrade STEPS=one
refuses "steps and a version" "exclude each other" upgrade STEPS=1 TO=1.0

sql -c "CREATE TABLE messages ()"
refuses "tables in the way: how to take them over" "make upgrade TO=001_initial_schema" upgrade
sql -c "DROP TABLE messages"

# ---------------------------------------------------------------------------
# Up and down
# ---------------------------------------------------------------------------

says "the first step creates the first version" "^Created rag_events 1\.0 " upgrade STEPS=1
previous=1.0
for version in "${versions[@]:1}"; do
  says "one step up to $version" "^Updated rag_events from $previous to $version\.$" upgrade STEPS=1
  previous=$version
done
same "current tells the head" "$head (head)" "$(run current)"
same "history has all versions" "${versions[*]}" \
  "$(run history | awk 'NR > 2 && NF { print $1 }' | tr '\n' ' ' | sed 's/ $//')"
says "history marks the current one" "^ $head .*current, head" history
says "upgrade at the head has nothing to do" "^rag_events is at $head already" upgrade
says "and knows the head by that name" "^rag_events is at $head already" upgrade TO=head

if [ "$head" != 1.0 ]; then
  refuses "upgrade does not go down" "make downgrade TO=1\.0" upgrade TO=1.0
  says "downgrade goes one step" "^Went back from rag_events $head to ${versions[-2]}\.$" downgrade
  says "current tells where the head is" "^${versions[-2]} \(the head is $head\)$" current
  refuses "downgrade does not go up" "make upgrade TO=$head" downgrade TO="$head"
  says "upgrade goes to the head" "^Updated rag_events from .* to $head\.$" upgrade
  says "migration-sql has the scripts" "^-- rag_events--1\.0--${versions[1]}\.sql$" migration-sql FROM=1.0 TO="$head"
  says "downgrade to the first version" "^Went back from rag_events $head to 1\.0\.$" downgrade TO=1.0
fi
refuses "below it: how to remove" "DROP EXTENSION rag_events;" downgrade
refuses "below it: how to leave and keep" "docs/migrations\.md" downgrade TO=base
refuses "below it, by steps" "^error: below 1\.0" downgrade STEPS=3
refuses "downgrade to a version that is not there" '^error: there is no version "0.9"' downgrade TO=0.9
says "migration-sql from nothing" "^-- rag_events--1\.0\.sql$" migration-sql FROM= TO=1.0
says "migration-sql from nothing, as Alembic calls it" "^CREATE TABLE public\.sessions" migration-sql FROM=base
refuses "migration-sql to a version that is not there" 'no version "\.\./x"' migration-sql TO=../x
sql -c "DROP EXTENSION rag_events"

# at_once: five of them at once; how many of each answer.
at_once() {
  local i

  # Long enough for none to tell that it waits.
  for i in {1..5}; do run upgrade LOCK_TIMEOUT=600 >"$RAG_TMP/upgrade.$i" & done
  wait
  cat "$RAG_TMP"/upgrade.* | sort | uniq -c | sed 's/^ *//'
}
same "several at once: one creates, the others find it" \
  "1 Created rag_events $head in database \"$PGDATABASE\".
4 rag_events is at $head already." "$(at_once)"
sql -c "DROP EXTENSION rag_events" -c "CREATE SCHEMA \"Chat room\""
says "into another schema" "^Created" upgrade SCHEMA="Chat room"
says "whose functions are found there" "^ $head " history
sql -c "DROP EXTENSION rag_events"

# ---------------------------------------------------------------------------
# Checking
# ---------------------------------------------------------------------------

run upgrade >/dev/null
says "check finds nothing" "is as version $head of rag_events says" check
PGUSER=$caller sql -c "UPDATE pg_proc SET probin = '\$libdir/rag_events' WHERE probin = 'rag_events'"
says "nor where an older release made the functions" "is as version $head of rag_events says" check
sql -c "CREATE INDEX own_index ON messages (role)"
says "what users added is told, and no fault" "^not_dumped: index own_index$" check
says "keep-local has it kept" "keep what was added to the tables \(1\), by extension rag_local_$PGDATABASE\.$" keep-local
says "which check tells" "^kept: index own_index$" check
sql -c "DROP INDEX own_index"
says "and what would come back" "^warning: extension rag_local_$PGDATABASE$" check
says "until nothing is left to be kept" "nothing to keep" keep-local
refuses "a name of other characters" "other characters" keep-local KEEP_AS=a/b
sql -c "DROP INDEX ix_sessions_created_at"
refuses "a missing index is one" "^missing: index ix_sessions_created_at$" check
ddl=$(run check | sed -n '/^missing/,/mend by/s/^ *mend by *//p')
sql -c "$ddl"
says "the proposed DDL mends it" "is as version $head of rag_events says" check

# ---------------------------------------------------------------------------
# Connecting
# ---------------------------------------------------------------------------

migrate=$RAG_ROOT/tools/migrate.sh
mkdir "$RAG_TMP/app" && cd "$RAG_TMP/app" || exit 1
printf '%s\n' "POSTGRES_HOST=$PGHOST" "POSTGRES_DB=$PGDATABASE" "POSTGRES_USER=$PGUSER" 'POSTGRES_PORT=1' >.env
same "the database comes from an .env file, but for what the environment has" "$head (head)" \
  "$(env -u PGHOST -u PGDATABASE -u PGUSER "$migrate" current 2>&1)"

no_server() {
  local output

  output=$(PGHOST=$RAG_TMP/none "$migrate" "$1" 2>&1)
  [ $? -eq 2 ] && grep -q "^psql: error: .*$RAG_TMP/none" <<<"$output" &&
    grep -q 'PGHOST (now ' <<<"$output" && grep -q POSTGRES_HOST <<<"$output"
}
for goal in current history upgrade downgrade check migration-sql keep-local; do
  ok "$goal without a server: libpq's message, and what to set" no_server "$goal"
done
ok "no command: what there is" grep -q "^ *tools/migrate.sh current" <("$migrate" 2>&1)
finished
