#!/usr/bin/env bash
#
# A chat in the browser, from a bare machine:
#
#   examples/chat/run.sh                    on a private server, which is removed at the end
#   PGDATABASE=… examples/chat/run.sh       on a database of yours that has the extension
#
# PORT is where it listens, on this machine alone: 3000, or any free port with 0. Installs what is
# missing on Debian, builds the page in a temporary folder, and ends with Ctrl-C.

set -u
# shellcheck source=tools/lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../tools/lib/common.sh"

# As an application has it: its own role, not a superuser, owns the database. The sample
# conversations become those of a user "maya".
private_database() {
  rag_build_and_start
  psql -X -q -c "CREATE ROLE app LOGIN" -c "CREATE DATABASE chat OWNER app" || exit 1
  export PGUSER=app PGDATABASE=chat
  psql -X -q -v ON_ERROR_STOP=1 -v samples="$(<"$RAG_ROOT/test/data/conversations.jsonl")" >/dev/null <<'SQL' || exit 1
CREATE EXTENSION rag_events;
SELECT rag_import_session(sample::jsonb, user_id => 'maya') FROM regexp_split_to_table(:'samples', '\n') AS sample;
SQL
}

if [ -n "${PGDATABASE-}${PGSERVICE-}" ]; then
  rag_require npm
  rag_workdir
  rag_note "On the database ${PGDATABASE-of service $PGSERVICE}"
  serve=()
else
  rag_require npm server build
  rag_workdir
  private_database
  serve=(rag_as_user)
fi

rag_note "Building the page"
chat=$RAG_TMP/chat
mkdir "$chat" &&
  tar -C "$RAG_ROOT/examples/chat" --exclude=./node_modules --exclude=./dist -cf - . | tar -C "$chat" -xf - --no-same-owner &&
  (cd "$chat" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel error && npm run -s build -- --logLevel error) \
    >"$RAG_TMP/page.log" 2>&1 &&
  chmod -R a+rX "$chat" || {
  cat "$RAG_TMP/page.log" >&2
  rag_die "the page could not be built"
}
rag_run "${serve[@]}" node "$chat/server.mjs"
