#!/usr/bin/env bash
#
# What it costs to write conversations and to read them: the functions of rag_events beside the ways
# that applications use today, side by side on one server.
#
#   bench/run.sh [OPTION…] [PART…]
#
# Parts, all of them by default:
#   message   one message: rag_add_message(), plain SQL, PL/pgSQL
#   turn      a question and its answer from Node: rag_add_messages(), and the chat
#             histories of LangChain and Mastra (needs node 20, npm and its registry)
#   bulk      whole conversations: rag_add_messages(), COPY, jsonb_to_recordset()
#   growth    one message, with 10 thousand and 1 million messages in the table
#   clients   8 connections at once, each commit waiting for the disk
#   last      the last 20 messages of a session: rag_get_messages(), plain SQL; and with
#             10 thousand and 1 million messages in the table
#   history   the same from Node, and by LangChain's and Mastra's histories
#   context   what fits into 4000 tokens, from Node: rag_get_context(), and all messages
#             trimmed there
#   window    20 messages for a prompt: rag_get_context(), a SELECT with a window sum,
#             rag_get_messages()
#   prompt    the same 20 messages: rag_get_prompt(), rag_get_context()
#   budget    4000 tokens of a session of 200: rag_get_context(), a SELECT
#   edit      an update of a message: rag_update_message(), rag_put_message(), one WITH
#             statement
#   put       a new message with a key: rag_put_message(), rag_add_message(); and one that
#             grows: rag_put_message(), rag_update_message()
#   session   8 connections that write into one session
#   find      a search over 20,000 messages: rag_find_sessions(), a SELECT with ILIKE
#   delete    an answer, a session, a thousand old sessions: our functions, plain SQL
#   cold      the last 20 messages when nothing is in a cache, before and after CLUSTER
#   sidebar   a user's sessions: rag_list_sessions(), and a join with GROUP BY
#   import    whole conversations from Node: rag_import_session(), rag_add_message()
#   feedback  a vote: rag_set_feedback(), an upsert
#   brin      one message, with the index on created_at, with a plain minmax index, without
#   close     a day of 100 thousand messages: rag_close_days(), an INSERT by hand
#   usage     a closed year: rag_usage(), and percentile_cont() over the messages
#   percentile  not a time: percentiles of histograms against percentile_cont()
#
#   --data FILE     take real messages from FILE, instead of bench/rag.jsonl: JSON
#                   Lines, {"messages": [{"role", "content", "sources", …}, …], …}
#   --full          growth, last, usage: 10 million messages, too (4 GB of disk)
#   --rounds N      measurements of each way (15)
#   --messages N    messages that one measurement of message and growth writes, and
#                   calls that one of last makes (1000)
#   --sessions N    sessions that they go to, at random (1000)
#   --size N        messages in the table of find (1000000)
#   --users N       users of the tables of close, percentile and usage (100)
#   --socket        over a Unix socket; otherwise over TCP, on the loopback interface
#   --split         client and server on CPUs of their own
#   --together      client and server on one CPU: no call waits for another to be woken
#   --async         synchronous_commit = off
#   --sync          fsync = on in every part, not only in clients
#   --svg FILE      write the picture there (bench/results.svg)
#   --here          on the server of PGHOST, PGUSER …, which has rag_events
#                   installed, in databases of its own; without it, builds and
#                   starts a private server
#
# The report, in Markdown, goes to standard output; the progress to standard error.

# shellcheck disable=SC2034 # what the files read below use
set -u
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib/common.sh"

bench=$RAG_ROOT/bench
real=$bench/rag.jsonl
rounds=15 messages=1000 sessions=1000 size=1000000 users=100
here='' cpus='' socket='' full='' commit=on fsync=off svg=$bench/results.svg
all_parts=(message turn bulk growth clients last history context window prompt budget edit put session find delete cold
  sidebar import feedback brin close usage percentile)
parts=()

while [ $# -gt 0 ]; do
  case $1 in
  --here | --socket | --full) printf -v "${1#--}" 1 ;;
  --split | --together) cpus=${1#--} ;;
  --async) commit=off ;;
  --sync) fsync=on ;;
  --data | --svg | --rounds | --messages | --sessions | --size | --users)
    [ $# -gt 1 ] || rag_die "$1 needs a value"
    case $1 in
    --data)
      [ -r "$2" ] || rag_die "cannot read $2"
      real=$(realpath "$2")
      ;;
    --svg) svg=$(realpath -m "$2") ;;
    *)
      [[ $2 =~ ^[1-9][0-9]*$ ]] || rag_die "$1 needs a positive number"
      printf -v "${1#--}" %s "$2"
      ;;
    esac
    shift
    ;;
  message | turn | bulk | growth | clients) parts+=("$1") ;;
  last | history | context | window | prompt | budget | edit | put | session | find | delete | cold) parts+=("$1") ;;
  sidebar | import | feedback | brin | close | usage | percentile) parts+=("$1") ;;
  *) rag_die "unknown argument \"$1\"; see the head of bench/run.sh" ;;
  esac
  shift
done
[ ${#parts[@]} -gt 0 ] || parts=("${all_parts[@]}")
[ -z "$here" ] || [ -z "$cpus$socket" ] || rag_die "--split, --together and --socket need the private server"

. "$bench/server.sh"
. "$bench/measure.sh"
for part in "${all_parts[@]}"; do
  # shellcheck source=/dev/null
  . "$bench/parts/$part.sh"
done

start
progress "$("$PG_CONFIG" --version)"
for part in "${parts[@]}"; do
  "part_$part"
done
report
