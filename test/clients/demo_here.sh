#!/usr/bin/env bash
#
# examples/demo.sh --here, on a database without the extension and on one that has it,
# found through an .env file: nothing that is there changes, and what is added can
# be removed as the demo says.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"

demo=$RAG_ROOT/examples/demo.sh
mkdir "$RAG_TMP/app" && cd "$RAG_TMP/app" || exit 1

# What the file says is found, but for the port, which the environment gives; the
# lines that a shell would trip over are not run.
cr=$'\r'
cat >.env <<END
# POSTGRES_DB=not_this
UNRELATED=\$(touch "$RAG_TMP/ran")
export POSTGRES_HOST="$PGHOST"
POSTGRES_DB = '$PGDATABASE' # the database$cr
POSTGRES_USER=$PGUSER   # who$cr
POSTGRES_PORT=1
POSTGRES_PASSWORD=a\$b#c "d\` e
END

# by_dotenv COMMAND…: with PGPORT alone in the environment.
by_dotenv() { env -u PGHOST -u PGDATABASE -u PGUSER -u PGPASSWORD "$@"; }

password() (
  unset PGPASSWORD
  # shellcheck source=tools/lib/dotenv.sh
  . "$RAG_ROOT/tools/lib/dotenv.sh"
  rag_read_dotenv .env && printf '%s\n' "$PGPASSWORD"
)

# shellcheck disable=SC2016 # no expansion: that is what is tested
same "a password is taken as it is written" 'a$b#c "d` e' "$(password)"

run_demo() {
  by_dotenv "$demo" --here </dev/null >"$RAG_TMP/demo.out" 2>&1 || {
    cat "$RAG_TMP/demo.out"
    return 1
  }
}

# remove: what the demo says under "To remove what the demo added".
remove() {
  sed -n '/^== To remove/,$ { s/^   //p; }' "$RAG_TMP/demo.out" | sql
}

state() {
  sql <<'SQL'
SELECT relnamespace::regnamespace, relname, relkind, relacl, xmin FROM pg_class
 WHERE relnamespace::regnamespace::text !~ '^pg_(catalog|toast|temp)|information_schema' ORDER BY 1, 2;
SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_(temp|toast_temp)' ORDER BY 1;
SELECT extname, extversion, extnamespace::regnamespace FROM pg_extension ORDER BY 1;
SQL
}

# Tables of the same names, which are somebody else's.
sql -c "CREATE TABLE sessions (mine text); CREATE TABLE messages (mine text); INSERT INTO sessions VALUES ('mine')"
before=$(state)
ok "without the extension: the demo runs" run_demo
ok "without the extension: it installs into its own schema" grep "CREATE EXTENSION rag_events SCHEMA rag_events_demo" "$RAG_TMP/demo.out"
same "without the extension: the samples are stored" 8 \
  "$(sql -c "SELECT count(*) FROM rag_events_demo.sessions WHERE user_id = 'demo'")"
ok "without the extension: a second run works" run_demo
ok "without the extension: what was added is removed as it says" remove
same "without the extension: nothing else has changed" "$before|mine" "$(state)|$(sql -c 'SELECT mine FROM sessions')"

sql -c "CREATE SCHEMA \"my chat\"" -c "CREATE EXTENSION rag_events SCHEMA \"my chat\"" \
  -c "SELECT \"my chat\".rag_create_session(user_id => 'demo', metadata => '{\"title\": \"not the demo''s\"}')" >/dev/null
sessions() { sql -c 'SELECT id, user_id, metadata, updated_at FROM "my chat".sessions ORDER BY id'; }
before=$(state) sessions_before=$(sessions)
ok "with the extension: the demo runs" run_demo
same "with the extension: the samples are added" 9 "$(sessions | wc -l)"
ok "with the extension: what was added is removed as it says" remove
same "with the extension: nothing else has changed" "$before|$sessions_before" "$(state)|$(sessions)"

ok "no line of .env was run" test ! -e "$RAG_TMP/ran"

# fails_with TEXT COMMAND…: the command fails, and says so.
fails_with() {
  local text=$1 output
  shift

  output=$("$@" 2>&1 </dev/null) && return 1
  grep -F "$text" <<<"$output"
}

ok "without a server it says what it looked for" fails_with "PGHOST" env PGHOST="$RAG_TMP" "$demo" --here
finished
