# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# The last 20 messages of a session from Node, 1 million messages in the table:
# rag_get_messages(), and two libraries that store chats in PostgreSQL.

part_history() {
  local db=rag_bench_way_history

  install_peers history || return 0
  read_database small 1000000
  sql -c "DROP DATABASE IF EXISTS $db" 2>/dev/null
  sql -c "CREATE DATABASE $db TEMPLATE rag_bench_way_read_small_1000000" || exit 1
  progress history
  peers_read "$db" history small 200
  sql -c "DROP DATABASE $db"
  echo "history: 20 of 50 messages, 1000000 messages in the table." >>"$RAG_TMP/notes"
}
