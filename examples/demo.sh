#!/usr/bin/env bash
#
# From a bare machine to a running conversation:
#
#   examples/demo.sh          on a private server, which is removed at the end
#   examples/demo.sh --here   on the server of PGHOST, PGPORT, PGDATABASE, PGUSER …,
#                         or of the POSTGRES_HOST, POSTGRES_PORT, POSTGRES_DB,
#                         POSTGRES_USER and POSTGRES_PASSWORD of an .env file in
#                         the current folder (PGHOST … win)
#   … FILE                loads this instead of the sample conversations:
#                         one JSON object a line, as in test/data
#
# Installs what is missing on Debian. --here changes nothing that is there: it
# adds sessions of a user "demo", and the extension in a schema of its own where
# the database has none, and says how to remove both.

set -u
# shellcheck source=tools/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tools/lib/common.sh"
# shellcheck source=tools/lib/dotenv.sh
. "$RAG_ROOT/tools/lib/dotenv.sh"

here=
file=$RAG_ROOT/test/data/conversations.jsonl
for arg in "$@"; do
  case $arg in
  --here) here=1 ;;
  -*) rag_die "unknown argument \"$arg\"; usage: examples/demo.sh [--here] [FILE]" ;;
  *) file=$arg ;;
  esac
done
[ -r "$file" ] || rag_die "cannot read \"$file\""

schema=public
quoted_schema=public # as SQL writes it
owner= # whose sessions, where not those named in the file
mark='{"made_by": "rag_events demo"}'

# sql [PSQL-ARGUMENT…]: runs the statements of standard input. In them,
# :"schema" is the extension's.
sql() {
  psql -X -w -q -A -t -v ON_ERROR_STOP=1 -v schema="$schema" -v owner="$owner" -v mark="$mark" "$@"
}

# ---------------------------------------------------------------------------
# A database with the extension
# ---------------------------------------------------------------------------

# As an application has it: its own role, not a superuser, owns the database.
private_database() {
  rag_require server build
  rag_workdir
  rag_build_and_start
  sql <<'SQL' || exit 1
CREATE ROLE app LOGIN;
CREATE DATABASE chat OWNER app;
SQL
  export PGUSER=app PGDATABASE=chat PSQL_HISTORY=$RAG_TMP/history
  create_extension "CREATE EXTENSION rag_events;"
}

create_extension() {
  echo
  echo "   $PGDATABASE=> $1"
  sql -c "SET client_min_messages = warning" -c "$1" || exit 1
}

this_database() {
  local found user available installed

  command -v psql >/dev/null || rag_require deb:postgresql-client
  command -v psql >/dev/null || rag_die "please install psql, PostgreSQL's client, and run this again"
  if [ -r .env ]; then rag_read_dotenv .env; fi
  found=$(
    sql -F ' ' <<'SQL'
SELECT pg_catalog.current_database();
SELECT CURRENT_USER;
SELECT COALESCE(pg_catalog.max(default_version), '-'), COALESCE(pg_catalog.max(installed_version), '-')
  FROM pg_catalog.pg_available_extensions WHERE name = 'rag_events';
SELECT nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = extnamespace
  WHERE extname = 'rag_events';
SQL
  ) || rag_die "this is the server of PGHOST, PGPORT, PGDATABASE, PGUSER, with PGPASSWORD, or of POSTGRES_HOST … in .env"
  { read -r PGDATABASE && read -r user && read -r available installed && { read -r schema || true; }; } <<<"$found"
  export PGDATABASE
  rag_note "Database $PGDATABASE, as user $user"

  if [ "$installed" != - ]; then
    echo "   It has rag_events $installed in schema $schema. The demo adds sessions of a user \"demo\" there."
  elif [ "$available" != - ]; then
    schema=rag_events_demo
    echo "   It does not have rag_events yet. The demo creates a schema $schema, installs"
    echo "   rag_events $available into it, and adds sessions of a user \"demo\"."
    agreed
    create_extension "CREATE SCHEMA $schema; CREATE EXTENSION rag_events SCHEMA $schema;"
  else
    rag_die "the server does not have rag_events: run \"make && make install\" on its machine"
  fi
  quoted_schema=$(sql <<<"SELECT pg_catalog.quote_ident(:'schema')") || exit 1
  owner=demo
}

agreed() {
  local answer

  [ -t 0 ] || return 0
  read -r -p "   Go on? [y/N] " answer
  [[ $answer = [yY]* ]] || exit 1
}

# ---------------------------------------------------------------------------
# The show
# ---------------------------------------------------------------------------

# load_conversation: stores the conversation of standard input in one transaction;
# prints how many messages it has.
load_conversation() {
  sql -1 -f <(
    cat <<'SQL'
\set conversation `cat`

SELECT :"schema".rag_create_session(
         user_id  => COALESCE(NULLIF(:'owner', ''), c->>'user_id'),
         metadata => (c->'metadata') || :'mark'::jsonb) AS session_id
  FROM (SELECT :'conversation'::jsonb AS c) AS conversation \gset

SELECT count(:"schema".rag_add_message(
         session_id => :'session_id',
         role       => m->>'role',
         content    => m->>'content',
         sources    => NULLIF(m->'sources', 'null'),
         latency_ms => (m->>'latency_ms')::double precision,
         top_k      => (m->>'top_k')::integer,
         query_type => m->>'query_type'))
  FROM (SELECT m FROM jsonb_array_elements(:'conversation'::jsonb->'messages')
               WITH ORDINALITY AS e (m, i) ORDER BY i) AS message;
SQL
  )
}

# On a terminal the line is written over and over, else once.
progress() {
  [ -t 1 ] && printf '\r   %s' "$1"
}

load() {
  local line n done=0 messages=0 conversations

  conversations=$(grep -c . "$file")
  rag_note "Loading $conversations conversations with rag_create_session() and rag_add_message()"
  while IFS= read -r line; do
    [ -n "$line" ] || continue
    n=$(load_conversation <<<"$line") || rag_die "conversation $((done + 1)) of \"$file\" could not be stored"
    done=$((done + 1)) messages=$((messages + n))
    progress "$done of $conversations conversations, $messages messages"
  done <"$file"
  [ -t 1 ] || printf '   %s' "$done of $conversations conversations, $messages messages"
  echo
  [ "$messages" -gt 0 ] || rag_die "there are no conversations in \"$file\""
}

show_conversation() {
  rag_note "One of them"
  sql <<'SQL' || exit 1
SELECT id AS session_id FROM :"schema".sessions
 WHERE metadata @> :'mark' ORDER BY metadata->>'title' = 'Descaling a Brevano 3' DESC, id DESC LIMIT 1 \gset

SELECT E'\n   ' || concat_ws(' · ', metadata->>'title', 'user ' || user_id, 'collection ' || (metadata->>'collection')) || E'\n'
  FROM :"schema".sessions WHERE id = :'session_id';

-- Wrapped at 64 characters, and hung below the role.
SELECT format(E'   %s  %s%s', rpad(role, 9),
         replace(rtrim(regexp_replace(content, '(.{1,64})(?:[ \t]+|$\n?)', E'\\1\n', 'gn'), E'\n'), E'\n', E'\n              '),
         CASE WHEN role = 'assistant' THEN
           E'\n              — ' || concat_ws(' · ', query_type, round(latency_ms) || ' ms',
             (SELECT 'sources ' || string_agg(concat(s->>'document_id', ' (' || (s->>'score') || ')'), ', ')
                FROM jsonb_path_query(sources, '$[*] ? (@.type() == "object")') AS s)) || E'\n'
         END)
  FROM :"schema".messages WHERE session_id = :'session_id' ORDER BY id;
SQL
}

# The error is what is to be seen: its absence is a failure.
show_rejected_role() {
  local statement output

  rag_note "A role that does not exist is rejected, in whatever language the client is written"
  statement=$(
    sql <<'SQL'
SELECT format('SELECT rag_add_message(session_id => %L, role => %L, content => %L);', id, 'Assistant', 'Hello!')
  FROM :"schema".sessions WHERE metadata @> :'mark' ORDER BY id DESC LIMIT 1;
SQL
  ) || exit 1
  echo
  echo "   $PGDATABASE=> $statement"
  output=$(sql -v VERBOSITY=verbose -c "SET search_path = $quoted_schema" -c "$statement" 2>&1) &&
    rag_die "the role was not rejected"
  printf '%s\n' "$output" | sed 's/^/   /'
  case $output in *23514*ck_messages_role*) ;; *) exit 1 ;; esac
}

tell_next() {
  echo
  rag_note "What to type next"
  [ "$schema" = public ] || printf '\n   %s\n' "SET search_path = $quoted_schema, public;"
  cat <<'SQL'

   SELECT rag_create_session(user_id => 'you', metadata => '{"title": "My first"}') AS id \gset
   SELECT rag_add_message(:'id', 'user', 'What is a RAG application?');
   SELECT rag_add_message(:'id', 'assistant', 'One that looks things up before it answers.',
                          sources => '[{"document_id": "glossary-7", "score": 0.92}]',
                          latency_ms => 312.5, top_k => 5, query_type => 'definition');
   SELECT id, role, content, created_at FROM rag_get_messages(:'id');
   SELECT session_id, title, preview FROM rag_list_sessions('you');
   \df rag_*
SQL
  if [ -n "$here" ]; then
    echo
    rag_note "To remove what the demo added"
    echo
    echo "   DELETE FROM $quoted_schema.sessions WHERE user_id = 'demo' AND metadata @> '$mark';"
    if [ "$schema" = rag_events_demo ]; then
      echo "   DROP EXTENSION rag_events; DROP SCHEMA rag_events_demo; -- and everything in them"
    fi
  fi
}

# psql, for whoever sits at a terminal; Ctrl-C there ends a query, not the demo.
offer_psql() {
  [ -t 0 ] && [ -t 1 ] || return 0
  echo
  echo "   Here is psql, to try it. \\q leaves${private:+, and removes the private server}."
  trap : INT
  psql -X
}

if [ -n "$here" ]; then
  private=
  this_database
else
  private=1
  private_database
fi
load
show_conversation
show_rejected_role
tell_next
offer_psql
exit 0
