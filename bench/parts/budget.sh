# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# The 4000 newest tokens of a session of 200 messages: rag_get_context(), and a SELECT with a
# window sum over the last 200.

measure_budget() {
  result budget real "$1" "$2" "$(read_round "budget_$2" rag_bench_way_budget "$size" "$messages" 200)"
}

part_budget() {
  local size=20000

  progress "budget"
  make_template way_budget '' 1
  sql -d rag_bench_way_budget -v size="$size" -v length=200 -v together=100 -f "$bench/read/fill.sql" <"$real" || exit 1
  rotate measure_budget context select
  echo "budget: of $((size / 200)) sessions of 200 messages." >>"$RAG_TMP/notes"
}
