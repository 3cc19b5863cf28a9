#!/usr/bin/env bash
#
# The README says what is so:
#
# - Its ```sql blocks run in order, in one session. A block that a ``` block follows
#   at once prints that in the end; the others have no errors. UUIDs, cursors, times, widths,
#   numbers of versions and "(N rows)" do not count, so that a new version changes
#   nothing here. A block after a line "<!-- not run -->" is not run.
# - Its Python and JavaScript stand to the letter in files of examples/.
# - Its reference has every function with its parameters and result columns, and
#   every SQLSTATE that the sources raise.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"

readme=$RAG_ROOT/README.md

# ---------------------------------------------------------------------------
# SQL
# ---------------------------------------------------------------------------

# blocks: writes $RAG_TMP/N.sql and, where it is shown, N.expected; prints each N
# and the line of the README that it begins on.
blocks() {
  awk -v dir="$RAG_TMP" '
    /^```/ && inside { inside = 0; after = NR; next }
    /^```/ {
      inside = 1; file = ""
      if ($0 == "```sql" && previous != "<!-- not run -->") {
        n++; file = dir "/" n ".sql"; sql = 1
        print n, NR
      } else {
        if ($0 == "```" && sql && after == NR - 1) file = dir "/" n ".expected"
        sql = 0
      }
      next
    }
    inside && file { print >file }
    !inside && !NF { after++ } # empty lines do not part them
    { previous = $0 }' "$readme"
}

# script N…: all blocks, each behind a line with its number.
script() {
  local n

  for n in "$@"; do
    printf '\\echo %s\n' "=== $n ==="
    cat "$RAG_TMP/$n.sql"
  done
}

# normalized: without what differs from run to run, and from width to width.
normalized() {
  sed -E -e 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/UUID/g' \
    -e 's/\b[0-9a-f]{48}\b/CURSOR/g' \
    -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([+-][0-9:]+)?/TIME/g' \
    -e 's/-{2,}/-/g; s/ +/ /g; s/ $//; s/(^| )[0-9]+\.[0-9]+( |$)/\1VERSION\2/g' -e '/^$/d; /^\([0-9]+ rows?\)$/d'
}

# block N: what it printed is what the README shows, and nothing else went wrong.
block() {
  local actual expected='' rest

  actual=$(sed -n "/^=== $1 ===\$/,/^=== $(($1 + 1)) ===\$/{ /^=== /d; p; }" "$RAG_TMP/output" | normalized)
  [ ! -e "$RAG_TMP/$1.expected" ] || expected=$(normalized <"$RAG_TMP/$1.expected")
  rest=${actual%"$expected"}
  [ "$rest$expected" = "$actual" ] && ! grep '^ERROR' <<<"$rest" && return
  diff <(printf '%s\n' "$expected") <(printf '%s\n' "$actual")
  return 1
}

numbers=()
lines=()
while read -r n line; do
  numbers+=("$n") lines+=("$line")
done < <(blocks)
ok "there are blocks of SQL with their output" test -s "$RAG_TMP/2.expected"
# From 18 on an error in a script has a context, which is not shown.
script "${numbers[@]}" | psql -X -q -v SHOW_CONTEXT=never >"$RAG_TMP/output" 2>&1
for i in "${!numbers[@]}"; do
  ok "SQL in line ${lines[i]}" block "${numbers[i]}"
done

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

# section HEADING: of the README, on one line.
section() {
  awk -v heading="### $1" '
    /^##/ { inside = $0 == heading; next }
    inside' "$readme" | tr -s '\n ' ' '
}

# documented NAME TEXT…: the section of that name has each text.
documented() {
  local text name=$1
  shift

  text=$(section "$name")
  for part in "$@"; do
    [[ $text == *"$part"* ]] || {
      echo "\"$part\" is missing below \"### $name\""
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

# sqlstates: those that the sources name.
sqlstates() {
  local name codes

  codes=$("${PG_CONFIG:-pg_config}" --includedir-server)/utils/errcodes.h
  grep -ohE 'ERRCODE_[A-Z0-9_]+' "$RAG_ROOT"/src/*.c | sort -u | while read -r name; do
    sed -nE "s/^#define $name MAKE_SQLSTATE\((.*)\)\$/\1/p" "$codes" | tr -d "',"
  done
}

states=$(sqlstates)
ok "there are SQLSTATEs" grep -qx 23514 <<<"$states"
for state in $states; do
  ok "$state is in the table of errors" documented Errors "$state"
done
finished
