# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # shared with run.sh
# What is deleted: the last message of a session, to be answered again; a session of 50
# messages; a thousand old sessions of 28.

# delete_round SCRIPT DATABASE CALLS FIRST ROUND: calls for so many sessions after FIRST.
delete_round() {
  read_round "$1" "$2" 50 "$3" 50 -D "n=$4" -D "round=$5"
}

measure_regenerate() {
  result regenerate small "$1" "$2" "$(delete_round "regenerate_$2" "rag_bench_way_regenerate_$2" "$messages" 0 "$1")"
}

measure_delete() {
  result delete small "$1" "$2" "$(delete_round "session_$2" "rag_bench_way_delete_$2" 100 $((100 * $1)) "$1")"
}

measure_expire() {
  result expire small "$1" "$2" "$(delete_round "expire_$2" "rag_bench_way_expire_$2" 1 0 "$1")"
}

# fill_way NAME SESSIONS LENGTH
fill_way() {
  make_template "way_$1" '' 1
  sql -d "rag_bench_way_$1" -v size=$(($2 * $3)) -v length="$3" -v together=100 -f "$bench/read/fill.sql" <"$bench/small.jsonl" || exit 1
}

part_delete() {
  local way

  progress "delete"
  for way in function with; do fill_way "regenerate_$way" "$messages" 50; done
  rotate measure_regenerate function with
  for way in function delete; do fill_way "delete_$way" $((100 * rounds)) 50; done
  rotate measure_delete function delete
  for way in function delete; do
    fill_way "expire_$way" $((1000 * rounds)) 28
    sql -d "rag_bench_way_expire_$way" -c "UPDATE sessions SET created_at = LOCALTIMESTAMP - interval '1 year' + n * interval '1 second', updated_at = LOCALTIMESTAMP - interval '1 year' + n * interval '1 second'
      FROM (SELECT id AS session, row_number() OVER (ORDER BY id) AS n FROM sessions) AS s WHERE session = id" -c 'VACUUM (FREEZE, ANALYZE) sessions, messages' || exit 1
  done
  rotate measure_expire function delete
}
