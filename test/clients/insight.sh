#!/usr/bin/env bash
#
# docs/insight.md and examples/grafana/: the SQL of the page prints what it shows, all
# numbers included; each query of the dashboard stands on the page, has the columns that
# its panel names, and gives Grafana's role the same rows; and the picture is that of
# these numbers.

# shellcheck source=test/clients/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=test/clients/document.sh
. "$RAG_ROOT/test/clients/document.sh"

rag_require deb:python3
page=$RAG_ROOT/docs/insight.md
grafana=$RAG_ROOT/examples/grafana

cd "$RAG_TMP" || exit 1

# Nothing on this page differs from run to run.
normalized() { sed -E -e 's/ +$//' -e '/^$/d; /^\([0-9]+ rows?\)$/d'; }

sql_of "$page"

same "disliked.jsonl has an answer on each line" 34 "$(grep -c '^{.*"sources": .*}$' disliked.jsonl)"

# The job of pg_cron, in the schema that the extension has here, by a role with the rights
# that the page names.
job=$(sed -n "s/^SELECT cron.schedule(.*'\(SELECT .*\)');\$/\1/p" "$page")
same "the nightly job closes all days" 14 "$(
  PGUSER=$caller sql <<SQL
BEGIN;
CREATE ROLE closer_$$;
GRANT SELECT ON sessions, messages, rag_usage_daily TO closer_$$;
GRANT INSERT ON rag_usage_daily TO closer_$$;
SET LOCAL ROLE closer_$$;
${job//chat./public.};
ROLLBACK;
SQL
)"

# ---------------------------------------------------------------------------
# The dashboard
# ---------------------------------------------------------------------------

begin=$(sed -n "s/^\\\\set from '\(.*\)'\$/\1/p" "$page")
end=$(sed -n "s/^\\\\set to '\(.*\)'\$/\1/p" "$page")

# queries: every query in the dashboard becomes a file query.N, and the columns that its
# panel needs a file columns.N; prints each N and the panel's title.
queries() {
  python3 - "$grafana/rag_events.json" <<'END'
import json
import sys

def queries(node, panel=None):
    if isinstance(node, dict):
        if "gridPos" in node:
            panel = node
        if "rawSql" in node:
            yield panel, node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    for child in children:
        yield from queries(child, panel)

with open(sys.argv[1], encoding="utf-8") as file:
    dashboard = json.load(file)
for n, (panel, target) in enumerate(queries(dashboard), 1):
    columns = [override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]]
    if target["format"] == "time_series":
        columns.append("time")
    with open(f"query.{n}", "w", encoding="utf-8") as file:
        file.write(target["rawSql"] + ";\n")
    with open(f"columns.{n}", "w", encoding="utf-8") as file:
        file.writelines(column + "\n" for column in columns)
    print(n, panel["title"])
END
}

# with_times N BEGIN END: the query with these in the place of Grafana's macros.
# shellcheck disable=SC2016 # macros of Grafana
with_times() {
  local query

  query=$(<"query.$1")
  query=${query//'$__timeFrom()'/$2}
  printf '%s\n' "${query//'$__timeTo()'/$3}"
}

on_the_page() {
  local block

  for block in [0-9]*.sql; do
    ! diff -q "$block" <(with_times "$1" ":'from'" ":'to'") >/dev/null || return 0
  done
  echo "no block of the page is:"
  with_times "$1" ":'from'" ":'to'"
  return 1
}

# As on the page, by the owner of the tables.
rows_of_page() { with_times "$1" ":'from'" ":'to'" | sql --csv -v from="$begin" -v to="$end"; }

# As Grafana sends it, by a role with the rights that its README gives.
# shellcheck disable=SC2016 # backquotes of Markdown
rows_of_grafana() {
  {
    echo "BEGIN;"
    sed -n '/^```sql$/,/^```$/{ /^```/d; p; }' "$grafana/README.md"
    echo "SET LOCAL ROLE grafana;"
    with_times "$1" "'${begin}T00:00:00Z'" "'${end/ /T}.999Z'"
    echo "ROLLBACK;"
  } | sed "s/\bgrafana\b/grafana_$$/" | PGUSER=$caller sql --csv
}

same_rows() {
  rows_of_page "$1" >page.csv && rows_of_grafana "$1" >grafana.csv && diff page.csv grafana.csv && [ -s page.csv ]
}

# In --csv -t there are no names of columns.
has_columns() {
  local names column status=0

  names=$(with_times "$1" ":'from'" ":'to'" | psql -X -q --csv -v ON_ERROR_STOP=1 -v from="$begin" -v to="$end" | head -n 1)
  while read -r column; do
    [[ ,$names, == *,"$column",* ]] || {
      echo "there is no column \"$column\": $names"
      status=1
    }
  done <"columns.$1"
  return "$status"
}

queries >panels
ok "there are queries in the dashboard" test -s panels
same "every query of the page is in the dashboard, but the one for JSON Lines" "$(wc -l <panels)" \
  "$(grep -l ":'from'" [0-9]*.sql | xargs grep -L '[\]g' | wc -l)"
while read -r n title; do
  ok "the page has the query of \"$title\"" on_the_page "$n"
  ok "\"$title\" gives Grafana's role the rows of the page" same_rows "$n" </dev/null
  ok "\"$title\" has the columns that its panel names" has_columns "$n" </dev/null
done <panels

ok "the picture is that of these numbers" diff "$grafana/rag_events.svg" <(python3 "$grafana/picture.py" "$begin" "$end")
finished
