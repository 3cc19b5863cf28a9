# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# Not a time: how far the percentiles of rag_latency_percentile() are from those of
# percentile_cont(), in a month of 300 thousand messages.

part_percentile() {
  progress percentile
  make_template way_percentile '' 1
  sql -d rag_bench_way_percentile -v size=300000 -v days=30 -v length=10 -v together=100 -v users="$users" -f "$bench/usage/fill.sql" >/dev/null || exit 1
  sql -d rag_bench_way_percentile -c 'SELECT rag_close_days()' >/dev/null || exit 1
  sql -d rag_bench_way_percentile -f "$bench/usage/errors.sql" >>"$RAG_TMP/notes"
}
