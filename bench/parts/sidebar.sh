# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# The list of a user's sessions, 20 of 1000 with 50 messages each: rag_list_sessions(),
# and sessions joined with their messages and grouped.

measure_sidebar() {
  result sidebar small "$1" "$2" \
    "$(read_round "sidebar_$2" rag_bench_way_read_small_1000000 1000000 20)"
}

part_sidebar() {
  read_database small 1000000
  progress "sidebar"
  rotate measure_sidebar function join
  echo "sidebar: 20 of a user's 1000 sessions, 1000000 messages in the table." >>"$RAG_TMP/notes"
}
