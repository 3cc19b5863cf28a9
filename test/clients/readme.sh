#!/usr/bin/env bash
#
# The README and the reference say what is so:
#
# - Their SQL, and that of the pages on drivers, retention and copying from other tables, prints what they show; see document.sh.
# - The README's Python and JavaScript stand to the letter in files of examples/.
# - The reference has every function with its parameters and result columns, and
#   every SQLSTATE that the sources raise.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=test/clients/document.sh
. "$RAG_ROOT/test/clients/document.sh"

readme=$RAG_ROOT/README.md
reference=$RAG_ROOT/docs/reference.md

sql_of "$readme"
sql -c "DROP EXTENSION rag_events" || exit 1
sql_of "$reference"
sql -c "DROP EXTENSION rag_events" || exit 1
sql_of "$RAG_ROOT/docs/drivers.md"
sql -c "DROP EXTENSION rag_events" || exit 1
sql_of "$RAG_ROOT/docs/adoption.md"
sql -c "DROP EXTENSION IF EXISTS rag_events CASCADE" -c "CREATE EXTENSION rag_events" || exit 1
sql_of "$RAG_ROOT/docs/retention.md"

# ---------------------------------------------------------------------------
# Programs
# ---------------------------------------------------------------------------

# fenced LANGUAGE: the block of that language.
fenced() { sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/{ /^\`\`\`/d; p; }" "$readme"; }

# contains FILE TEXT
contains() { [ -n "$2" ] && [[ $(<"$1") == *"$2"* ]]; }

ok "the Python is that of the example" contains examples/python/loop.py "$(fenced python)"
ok "the JavaScript is that of the example" contains examples/node/loop.mjs "$(fenced js)"

# ---------------------------------------------------------------------------
# Reference
# ---------------------------------------------------------------------------

# section HEADING: of the reference, on one line.
section() {
  awk -v heading="## $1" '
    /^##/ { inside = $0 == heading; next }
    inside' "$reference" | tr -s '\n ' ' '
}

# documented NAME TEXT…: the section of that name has each text.
documented() {
  local text name=$1
  shift

  text=$(section "$name")
  for part in "$@"; do
    [[ $text == *"$part"* ]] || {
      echo "\"$part\" is missing below \"## $name\""
      return 1
    }
  done
}

sql -c "DROP EXTENSION IF EXISTS rag_events" -c "CREATE EXTENSION rag_events" 2>/dev/null || exit 1
functions=$(
  sql -F $'\t' <<'SQL'
SELECT proname, format('%s(%s) →', proname, pg_get_function_identity_arguments(p.oid)),
       regexp_replace(pg_get_function_result(p.oid), '^TABLE', '')
  FROM pg_proc p
  JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
 WHERE extname = 'rag_events' ORDER BY proname
SQL
)
ok "there are functions" grep -q rag_add_message <<<"$functions"
while IFS=$'\t' read -r name call result; do
  ok "$name is in the reference" documented "$name" "$call" " → $result" "Since "
done <<<"$functions"

# Each parameter has its row of the table below the function, or the text names it.
parameters=$(
  sql -F $'\t' <<'SQL'
SELECT DISTINCT proname, parameter
  FROM pg_proc p
  JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid,
       unnest(proargnames[1:pronargs]) AS parameter
 WHERE extname = 'rag_events' ORDER BY 1, 2
SQL
)
while IFS=$'\t' read -r name parameter; do
  ok "$parameter of $name is described" documented "$name" "\`$parameter\`"
done <<<"$parameters"

# sqlstates: those that the sources name.
sqlstates() {
  local name codes

  codes=$("${PG_CONFIG:-pg_config}" --includedir-server)/utils/errcodes.h
  grep -ohE 'ERRCODE_[A-Z0-9_]+' "$RAG_ROOT"/src/*.c "$RAG_ROOT"/src/*/*.c | sort -u | while read -r name; do
    sed -nE "s/^#define $name MAKE_SQLSTATE\((.*)\)\$/\1/p" "$codes" | tr -d "',"
  done
}

states=$(sqlstates)
ok "there are SQLSTATEs" grep -qx 23514 <<<"$states"
for state in $states; do
  ok "$state is in the table of errors" documented Errors "$state"
done
finished
