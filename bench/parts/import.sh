# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# Whole conversations from Node, into empty tables: rag_import_session(), and each message
# by rag_add_message(), with and without a transaction for each conversation.

part_import() {
  install_peers import || return 0
  progress import
  make_template way_import '' 1
  rag_as_user cp "$real" "$RAG_TMP/import.jsonl" || exit 1
  peers_read rag_bench_way_import import real "$RAG_TMP/import.jsonl"
}
