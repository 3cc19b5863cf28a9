# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# What of a long session fits into 4000 tokens, from Node: rag_get_context(), and all
# messages fetched and trimmed in the client.

part_context() {
  install_peers context || return 0
  progress context
  make_template way_context '' 1
  sql -d rag_bench_way_context -v size=50000 -v length=5000 -v together=10 -f "$bench/read/fill.sql" <"$real" || exit 1
  peers_read rag_bench_way_context context real 200
  sql -d rag_bench_way_context -c "
    SELECT format('context: 4000 tokens of sessions of 5000 messages, %s bytes of text each on average.',
      round(avg(octet_length(content)))) FROM messages" >>"$RAG_TMP/notes"
}
