# shellcheck shell=bash
#
# The SQL of a document, and what it shows. To be sourced after common.sh.
#
# The ```sql blocks of a document run in order, in one session. A block that a ```
# block follows at once prints that in the end; the others have no errors. UUIDs,
# cursors, times, widths, numbers of versions and "(N rows)" do not count. A block after
# a line "<!-- not run -->" is not run.

# blocks FILE: writes $RAG_TMP/N.sql and, where it is shown, N.expected; prints each N
# and the line of the file that it begins on.
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
    { previous = $0 }' "$1"
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
    -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([+-][0-9:]+)?/TIME/g' \
    -e 's/-{2,}/-/g; s/ +/ /g; s/ $//; s/(^| )[0-9]+\.[0-9]+( |$)/\1VERSION\2/g' -e '/^$/d; /^\([0-9]+ rows?\)$/d'
}

# block N: what it printed is what the document shows, and nothing else went wrong.
block() {
  local actual expected='' rest

  actual=$(sed -n "/^=== $1 ===\$/,/^=== $(($1 + 1)) ===\$/{ /^=== /d; p; }" "$RAG_TMP/output" | normalized)
  [ ! -e "$RAG_TMP/$1.expected" ] || expected=$(normalized <"$RAG_TMP/$1.expected")
  rest=${actual%"$expected"}
  [ "$rest$expected" = "$actual" ] && ! grep '^ERROR' <<<"$rest" && return
  diff <(printf '%s\n' "$expected") <(printf '%s\n' "$actual")
  return 1
}

# sql_of FILE: one test for each of its blocks.
sql_of() {
  local n line i numbers=() lines=()

  rm -f "$RAG_TMP"/[0-9]*.sql "$RAG_TMP"/[0-9]*.expected # of another document
  while read -r n line; do
    numbers+=("$n") lines+=("$line")
  done < <(blocks "$1")
  ok "there are blocks of SQL with their output" compgen -G "$RAG_TMP/[0-9]*.expected"
  # From 18 on an error in a script has a context, which is not shown.
  script "${numbers[@]}" | psql -X -q -v SHOW_CONTEXT=never >"$RAG_TMP/output" 2>&1
  for i in "${!numbers[@]}"; do
    ok "SQL in line ${lines[i]}" block "${numbers[i]}"
  done
}
