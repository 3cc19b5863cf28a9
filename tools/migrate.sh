#!/usr/bin/env bash
#
# The versions of rag_events in a database, from a shell:
#
#   tools/migrate.sh current                         what is installed
#   tools/migrate.sh history                         all versions, and when each was applied
#   tools/migrate.sh upgrade [TO=VERSION|STEPS=N]    to the head, or so far
#   tools/migrate.sh downgrade [TO=VERSION|STEPS=N]  one version down, or so far
#   tools/migrate.sh check-schema                    what differs from the installed version
#   tools/migrate.sh migration-sql [FROM=VERSION] [TO=VERSION]   what an update would run
#   tools/migrate.sh keep-local [KEEP_AS=NAME] [KEEP_IN=DIRECTORY]   has dumps keep what was
#                                                    added to the tables
#
# "make current" and so on are the same. The database is that of PGHOST, PGPORT,
# PGDATABASE, PGUSER and PGPASSWORD, or of the POSTGRES_HOST, POSTGRES_PORT,
# POSTGRES_DB, POSTGRES_USER and POSTGRES_PASSWORD of an .env file in the current
# folder (PGHOST … win).
#
# upgrade creates the extension where the database has none, in SCHEMA=NAME if
# given, and is safe when several run it at once.
#
# upgrade and downgrade wait for a lock for LOCK_TIMEOUT=5 seconds (500ms, 2min; 0: for
# ever), say who is in the way, and try again, LOCK_ATTEMPTS=12 times in all, after
# pauses that grow from LOCK_PAUSE=1 second. Each step is a transaction of its own.
#
# keep-local writes the files of an extension of this database's own, rag_local_ and the
# name of the database unless KEEP_AS says otherwise, into the directory of extensions of
# the server of PG_CONFIG, or into KEEP_IN, and creates it. It brings the files up to date
# when it is run again, and removes all of it when nothing is left to be kept.
#
# Exit status: 0 done; 1 refused, failed or, of check-schema, differences; 2 no connection.

set -u
# shellcheck source=tools/lib/dotenv.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/dotenv.sh"
# shellcheck source=tools/lib/locks.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/locks.sh"

base=1.0
adoption=001_initial_schema

die() {
  printf '%s\n' "error: $1" >&2
  shift
  if [ $# -gt 0 ]; then printf '%s\n' "$@" >&2; fi
  exit 1
}

usage() {
  sed -n '3,/^$/{ s/^# \{0,1\}//p; }' "${BASH_SOURCE[0]}" | sed '/^#/d'
}

# ---------------------------------------------------------------------------
# The database
# ---------------------------------------------------------------------------

explain_connection() {
  cat >&2 <<END

The database is given by PGHOST (now ${PGHOST:-not set}), PGPORT (${PGPORT:-not set}), PGDATABASE
(${PGDATABASE:-not set}), PGUSER (${PGUSER:-not set}) and PGPASSWORD ($([ -n "${PGPASSWORD-}" ] && echo set || echo not set)), or by
POSTGRES_HOST, POSTGRES_PORT, POSTGRES_DB, POSTGRES_USER and POSTGRES_PASSWORD
in $PWD/.env ($([ -r .env ] && echo read || echo not there)).
END
}

# sql [PSQL-ARGUMENT…]: runs the statements of standard input, in one transaction. Every
# :'name' in them is a variable of psql. Returns 1 where that fails, and 2 without
# connection. The search_path is ours: whoever runs this may be a superuser, and is not to
# run what the owner of the database has put into the search_path.
sql() {
  local status

  {
    {
      echo 'BEGIN ISOLATION LEVEL READ COMMITTED;'
      echo "SELECT COALESCE(pg_catalog.current_schema(), '') AS current_schema \gset"
      echo 'SET LOCAL search_path = pg_catalog, pg_temp;'
      cat
      echo 'COMMIT;'
    } | psql -X -q -A -t -v ON_ERROR_STOP=1 -v base="$base" -v adoption="$adoption" \
      "${ask[@]}" "$@" -f - 2>&1 >&3 | sed 's/^psql:<stdin>:[0-9]*: //' >&2
    status=${PIPESTATUS[1]}
  } 3>&1
  if [ "$status" -eq 2 ]; then explain_connection; fi
  [ "$status" -ne 3 ] || status=1
  return "$status"
}

# The versions in their order, from PostgreSQL's own list of update paths: it is
# there before anything is installed. The adoption version comes before the base.
chain="(
  SELECT version, n FROM (
    SELECT target AS version, pg_catalog.cardinality(pg_catalog.string_to_array(path, '--')) - 1 AS n
    FROM pg_catalog.pg_extension_update_paths('rag_events')
    WHERE source = :'base' AND path IS NOT NULL
    UNION ALL
    SELECT version, CASE version WHEN :'base' THEN 0 ELSE -1 END
    FROM pg_catalog.pg_available_extension_versions
    WHERE name = 'rag_events' AND version IN (:'base', :'adoption')
  ) AS versions
)"

# connect: sets schema and current, empty where the extension is not installed,
# and head and known: the last version and the list of them.
connect() {
  local found

  command -v psql >/dev/null || die "psql, PostgreSQL's client, is not installed"
  if [ -r .env ]; then rag_read_dotenv .env; fi
  ask=()
  [ -t 2 ] || ask=(-w)
  found=$(
    sql <<SQL
SELECT pg_catalog.current_database();
SELECT COALESCE(pg_catalog.max(extversion), '') FROM pg_catalog.pg_extension WHERE extname = 'rag_events';
SELECT COALESCE(pg_catalog.max(nspname), '') FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'rag_events';
SELECT pg_catalog.count(*) FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_extension e ON e.extnamespace = p.pronamespace
  WHERE extname = 'rag_events' AND starts_with(proname, 'rag_')
    AND COALESCE(probin, '') NOT IN ('rag_events', '\$libdir/rag_events')
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid = proowner AND rolsuper);
SELECT count(*) > 0 AS available FROM pg_catalog.pg_available_extensions WHERE name = 'rag_events' \gset
\if :available
  SELECT COALESCE(pg_catalog.string_agg(version, ' ' ORDER BY n), '') FROM $chain AS c WHERE n >= 0;
\endif
SQL
  ) || exit
  { read -r database; read -r current; read -r schema; read -r foreign; read -r known; } <<<"$found"
  # Whoever runs this may be a superuser, and is to run no functions of somebody else.
  [ "$foreign" = 0 ] || die "schema \"$schema\" has functions named rag_… that are not those of rag_events" \
    "Look at them with \"\\df $schema.rag_*\", and drop them or move them to another schema."
  head=${known##* }
  [ -n "$known" ] || die "the server does not have rag_events" \
    "Run \"make && make install\" on the server's machine."
}

require_installed() {
  [ -n "$current" ] || die "rag_events is not installed in database \"$database\"" \
    "\"make upgrade\" installs it. Versions on the server: $known."
}

# ---------------------------------------------------------------------------
# Looking
# ---------------------------------------------------------------------------

current() {
  connect
  if [ -z "$current" ]; then
    echo "rag_events is not installed in database \"$database\"."
    echo "Versions on the server: $known. \"make upgrade\" installs $head."
  elif [ "$current" = "$head" ]; then
    echo "$current (head)"
  else
    echo "$current (the head is $head)"
  fi
}

history() {
  connect
  if [ -z "$current" ] || [ "$current" = "$adoption" ]; then
    current
    return
  fi
  sql -v schema="$schema" <<'SQL'
\pset tuples_only off
\pset format aligned
\pset footer off
SELECT version, down_version, revision, description,
       concat_ws(', ', CASE WHEN is_current THEN 'current' END, CASE WHEN is_head THEN 'head' END) AS state,
       applied_at::timestamp(0) AS applied_at, applied_by
FROM :"schema".rag_migrations();
SQL
}

migration_sql() {
  connect
  require_installed
  [ "${FROM-}" != base ] || FROM=
  sql -v schema="$schema" -v from="${FROM-$current}" -v to="${TO:-$head}" <<'SQL'
SELECT :"schema".rag_migration_sql(NULLIF(:'from', ''), :'to');
SQL
}

check_schema() {
  local found

  connect
  require_installed
  found=$(
    sql -v schema="$schema" <<'SQL'
SELECT concat_ws(E'\n', kind || ': ' || object, '  expected  ' || expected, '  actual    ' || actual,
                 CASE WHEN kind IN ('not_dumped', 'kept') THEN '  made by   ' ELSE '  mend by   ' END || ddl)
FROM :"schema".rag_check_schema();
SQL
  ) || exit
  if [ -n "$found" ]; then printf '%s\n' "$found"; fi
  if grep -qE '^(missing|extra|changed): ' <<<"$found"; then
    die "database \"$database\" differs from version $current of rag_events"
  fi
  echo "Database \"$database\" is as version $current of rag_events says."
}

# ---------------------------------------------------------------------------
# Going up and down
# ---------------------------------------------------------------------------

# What waiting for locks asks the database.
rag_ask() { sql -v schema="${SCHEMA-}"; }

# move WAY: one step, in one transaction, under a lock that whoever else does the same waits
# for. Where to is looked up after that: the other may have gone there. The result is for
# rag_politely().
move() {
  sql -v mark="$rag_mark" -v lock_timeout="$rag_lock_timeout" \
    -v way="$1" -v to="${TO-}" -v steps="${STEPS-}" -v schema="${SCHEMA-}" <<SQL
SET LOCAL lock_timeout = :'lock_timeout';
\set ON_ERROR_STOP off
DO \$\$ BEGIN PERFORM pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('rag_events')); END \$\$;
\if :ERROR
  \echo :mark failed :LAST_ERROR_SQLSTATE - - :LAST_ERROR_MESSAGE
  \q
\endif
\set ON_ERROR_STOP on
SELECT COALESCE(pg_catalog.max(extversion), '') AS current FROM pg_catalog.pg_extension
  WHERE extname = 'rag_events' \gset
SELECT COALESCE(pg_catalog.max(t.version), '') AS target,
       COALESCE(pg_catalog.bool_or((t.n > COALESCE(c.n, -2)) = (:'way' = 'up')), false) AS right_way
  FROM $chain AS t LEFT JOIN $chain AS c ON c.version = :'current'
  WHERE CASE
          WHEN :'to' <> '' THEN t.version = :'to'
          WHEN :'steps' <> '' THEN
            t.n >= 0 AND t.n = COALESCE(c.n, -1) + NULLIF(:'steps', '')::int * CASE :'way' WHEN 'up' THEN 1 ELSE -1 END
          ELSE t.n = (SELECT pg_catalog.max(n) FROM $chain AS h)
        END \gset
-- The first version on PostgreSQL's way to the target, or the target where there is no way.
SELECT COALESCE(pg_catalog.max(pg_catalog.split_part(path, '--', 2)), :'target') AS next
  FROM pg_catalog.pg_extension_update_paths('rag_events') WHERE source = :'current' AND target = :'target' \gset
SELECT :'target' = '' AS nowhere, :'target' = :'current' AS there, :'current' = '' AS absent, :'schema' <> '' AS has_schema \gset
\if :nowhere
  \echo :mark nowhere :current
\elif :there
  \echo :mark there :current
\elif :right_way
  -- CREATE EXTENSION takes the schema from it.
  SET LOCAL search_path = DEFAULT;
  \set ON_ERROR_STOP off
  \if :absent
    \if :has_schema
      CREATE EXTENSION rag_events SCHEMA :"schema" VERSION :'target';
    \else
      CREATE EXTENSION rag_events VERSION :'target';
    \endif
    \if :ERROR
      \echo :mark failed :LAST_ERROR_SQLSTATE nothing :target :LAST_ERROR_MESSAGE
      \q
    \endif
    \echo :mark created :target
  \else
    ALTER EXTENSION rag_events UPDATE TO :'next';
    \if :ERROR
      \echo :mark failed :LAST_ERROR_SQLSTATE :current :next :LAST_ERROR_MESSAGE
      \q
    \endif
    \echo :mark moved :current :next :target
  \endif
  \set ON_ERROR_STOP on
\else
  \echo :mark wrong_way :current :target
\endif
SQL
}

# migrate WAY: step by step. Sets word, from and to: what was done, over all steps. False
# where a step failed; the steps before it stay.
migrate() {
  local start='' target status

  while :; do
    rag_politely move "$1"
    status=$?
    if [ "$status" -ne 0 ]; then
      [ -z "$start" ] ||
        echo "rag_events went from $start to $to before that, and stays there. Run this again to go on." >&2
      return "$status"
    fi
    read -r word from to target <<<"$rag_result"
    case $word in
    moved)
      start=${start:-$from}
      TO=$target STEPS=
      [ "$to" != "$target" ] || break
      ;;
    there)
      # Somebody else made the last step.
      [ -z "$start" ] || word=moved to=$from
      break
      ;;
    *) return ;;
    esac
  done
  from=${start:-$from}
}

check_steps() {
  [ -z "${TO-}" ] || [ -z "${STEPS-}" ] || die "TO and STEPS exclude each other"
  case ${STEPS-} in
  *[!0-9]* | 0* | ??????*) die "STEPS is \"$STEPS\", and not a number from 1 to 99999" ;;
  esac
}

upgrade() {
  local word from to

  rag_lock_settings "" || exit
  connect
  [ "${TO-}" != head ] || TO=
  check_steps
  migrate up || explain_failed_upgrade $?
  case $word in
  created) echo "Created rag_events $from in database \"$database\"." ;;
  moved) echo "Updated rag_events from $from to $to." ;;
  there) echo "rag_events is at $from already." ;;
  wrong_way) die "$to is below $from, the installed version: \"make downgrade TO=$to\" goes there" ;;
  *) nowhere ;;
  esac
}

# explain_failed_upgrade STATUS: tables of the same name are in the way of a first
# installation.
explain_failed_upgrade() {
  local taken

  if [ -z "$current" ] && [ "$1" -eq 1 ]; then
    taken=$(
      sql -v schema="${SCHEMA-}" <<'SQL'
SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
WHERE relname IN ('sessions', 'messages')
  AND nspname = COALESCE(NULLIF(:'schema', ''), :'current_schema')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'rag_events');
SQL
    )
    if [ "${taken:-0}" -gt 0 ] && [ "${TO-}" != "$adoption" ]; then
      die "database \"$database\" has tables named sessions or messages" \
        "If Alembic made them: \"make upgrade TO=$adoption\" takes them over, and" \
        "\"make upgrade\" then goes on from there. Otherwise give another schema: SCHEMA=NAME."
    fi
  fi
  failed "$1"
}

# failed STATUS: exits as rag_politely() returned.
failed() {
  [ "$1" -ne 2 ] || exit 2
  exit 1
}

downgrade() {
  local word from to

  rag_lock_settings "" || exit
  connect
  require_installed
  check_steps
  [ "${TO-}" != base ] || below_base
  [ -n "${TO-}" ] || STEPS=${STEPS:-1}
  migrate down || failed $?
  case $word in
  moved) echo "Went back from rag_events $from to $to." ;;
  there) echo "rag_events is at $from already." ;;
  wrong_way) die "$to is above $from, the installed version: \"make upgrade TO=$to\" goes there" ;;
  *) if [ -n "${TO-}" ]; then nowhere; else below_base; fi ;;
  esac
}

nowhere() {
  if [ -n "${TO-}" ]; then
    die "there is no version \"$TO\"" "Versions on the server: $known."
  fi
  die "STEPS=$STEPS from ${current:-nothing} leads past the head" "Versions on the server: $known."
}

below_base() {
  die "below $base there is nothing but a database without rag_events" \
    "To remove rag_events with all sessions and messages, run in psql:" \
    "    DROP EXTENSION rag_events;" \
    "To leave rag_events and keep the tables with their data, see \"Leaving\" in docs/migrations.md."
}

# ---------------------------------------------------------------------------
# Keeping what was added to the tables
# ---------------------------------------------------------------------------

# keeper_of FILE: the database that the file was written for, or nothing.
keeper_of() { sed -n '1s/^\(#\|--\) rag_events: database //p' "$1" 2>/dev/null; }

# files_of NAME: of the extension with this name. The control file comes last: with it
# the extension is there.
files_of() { printf '%s\n' "$1--complete.sql" "$1--loading.sql" "$1--loading--complete.sql" "$1.control"; }

# remove_files NAME: where they are this database's.
remove_files() {
  local file

  for file in $(files_of "$1"); do
    [ "$(keeper_of "$KEEP_IN/$file")" != "$title" ] || rm -f "$KEEP_IN/$file"
  done
}

# write_files FOLDER: the files, which psql writes into FOLDER, as one sees the database.
write_files() (
  query=$(cat "$(dirname "${BASH_SOURCE[0]}")/keep_local.sql") &&
    cd "$1" &&
    sql -v schema="$schema" -v name="$name" <<SQL
SELECT CASE current_setting('server_encoding') WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END AS encoding \gset
SET LOCAL client_encoding = :'encoding';
SET LOCAL rag_local.name = :'name';
SELECT max(content) FILTER (WHERE file = :'name' || '.control') AS control,
       max(content) FILTER (WHERE file = :'name' || '--loading.sql') AS loading,
       max(content) FILTER (WHERE file = :'name' || '--loading--complete.sql') AS completing,
       max(content) FILTER (WHERE file = :'name' || '--complete.sql') AS complete
FROM (
$(printf '%s' "${query%;}" | sed 's/ rag_local_ddl()/ :"schema".rag_local_ddl()/')
) AS files \gset
\o $name.control
SELECT :'control';
\o $name--loading.sql
SELECT :'loading';
\o $name--loading--complete.sql
SELECT :'completing';
\o $name--complete.sql
SELECT :'complete';
\o
SQL
)

# place_files FOLDER: each takes the place of an older one as a whole.
place_files() {
  local file

  for file in $(files_of "$name"); do
    cp "$1/$file" "$KEEP_IN/.$file.new" && chmod 644 "$KEEP_IN/.$file.new" && mv "$KEEP_IN/.$file.new" "$KEEP_IN/$file" ||
      die "cannot write to \"$KEEP_IN\"" "Run this as who may, or give another directory: KEEP_IN=DIRECTORY."
  done
}

# create_keeper: in the place of an older one under another name, or one that requires
# other extensions.
create_keeper() {
  sql -v schema="$schema" -v name="$name" -v installed="$installed" <<'SQL'
SELECT :'installed' <> '' AND (
  :'installed' <> :'name' OR
  (SELECT array_agg(r.extname ORDER BY r.extname) FROM pg_catalog.pg_extension AS e
   JOIN pg_catalog.pg_depend AS d ON d.classid = e.tableoid AND d.objid = e.oid AND d.refclassid = e.tableoid
   JOIN pg_catalog.pg_extension AS r ON r.oid = d.refobjid WHERE e.extname = :'installed')
  IS DISTINCT FROM
  (SELECT array_agg(r ORDER BY r) FROM pg_catalog.pg_available_extension_versions AS v
   CROSS JOIN unnest(v.requires) AS r WHERE v.name = :'name' AND v.version = 'complete')) AS other,
  :'installed' = '' AS none \gset
\if :other
  DROP EXTENSION :"installed";
\endif
SELECT :'none' OR :'other' AS to_create \gset
\if :to_create
  CREATE EXTENSION :"name" SCHEMA :"schema" VERSION 'complete';
\endif
SQL
}

keep_local() {
  local found name installed state title anything folder owner

  connect
  require_installed
  [ "$current" != "$adoption" ] || die "this needs rag_events 1.0 or later" "\"make upgrade\" goes there."
  found=$(
    sql -v schema="$schema" <<'SQL'
SELECT to_json(current_database()::text);
SELECT regexp_replace('rag_local_' || current_database(), '[^A-Za-z0-9_]', '_', 'g');
SELECT count(*) FROM :"schema".rag_local_ddl();
SELECT e.extname FROM pg_catalog.pg_extension AS r
  JOIN pg_catalog.pg_depend AS d ON d.refobjid = r.oid AND d.refclassid = r.tableoid AND d.classid = r.tableoid
  JOIN pg_catalog.pg_extension AS e ON e.oid = d.objid
  WHERE r.extname = 'rag_events' AND e.extversion IN ('loading', 'complete') ORDER BY 1 LIMIT 1;
SELECT ':' || object FROM :"schema".rag_check_schema() WHERE kind = 'changed' AND object LIKE 'extension %';
SQL
  ) || exit
  { read -r title; read -r name; read -r anything; read -r installed; read -r state; } <<<"$found"
  case $installed in :*) state=$installed installed= ;; esac
  name=${KEEP_AS:-${installed:-$name}}
  case $name$installed in
  *[!A-Za-z0-9_]* | '') die "the name \"$name\" of an extension has other characters than letters, digits and _" ;;
  esac
  [ ${#name} -le 63 ] || die "the name \"$name\" is too long: give a shorter one, KEEP_AS=NAME"
  [ -z "$state" ] || die "the last restore is not complete" \
    "Make what comes after the rows: ALTER EXTENSION $installed UPDATE TO 'complete';"
  [ -n "${KEEP_IN-}" ] || KEEP_IN=$("${PG_CONFIG:-pg_config}" --sharedir)/extension ||
    die "which server is it?" "Give its pg_config, PG_CONFIG=PATH, or its directory of extensions, KEEP_IN=DIRECTORY."

  if [ "$anything" -eq 0 ]; then
    [ -z "$installed" ] || sql -v installed="$installed" <<<'DROP EXTENSION :"installed";' || exit
    remove_files "$name"
    echo "Nothing was added to the tables of rag_events in database \"$database\": there is nothing to keep."
    return
  fi

  owner=$(keeper_of "$KEEP_IN/$name.control")
  [ ! -e "$KEEP_IN/$name.control" ] || [ -n "$owner" ] ||
    die "there is another extension \"$name\" on the server" "Give another name: KEEP_AS=NAME."
  [ -z "$owner" ] || [ "$owner" = "$title" ] || [ -n "${KEEP_AS-}" ] ||
    die "the files of extension \"$name\" were written for database $owner" \
      "To give this database files of its own, KEEP_AS=NAME; to go on with these, KEEP_AS=$name."
  folder=$(mktemp -d) || exit
  write_files "$folder" && place_files "$folder" || {
    rm -rf "$folder"
    exit 1
  }
  rm -rf "$folder"
  found=$(sql -v name="$name" <<<"SELECT count(*) FROM pg_catalog.pg_available_extension_versions WHERE name = :'name' AND version = 'complete';") || exit
  [ "$found" = 1 ] || die "the server does not find extension \"$name\" in \"$KEEP_IN\"" \
    "Copy $KEEP_IN/$name* into its directory of extensions, and then run: CREATE EXTENSION $name SCHEMA $schema VERSION 'complete';"
  create_keeper || exit
  [ -z "$installed" ] || [ "$installed" = "$name" ] || remove_files "$installed"

  found=$(
    sql -v schema="$schema" <<'SQL'
SELECT count(*) FILTER (WHERE kind = 'kept'), count(*) FILTER (WHERE kind = 'not_dumped' OR kind = 'warning' AND object LIKE 'extension %')
FROM :"schema".rag_check_schema();
SQL
  ) || exit
  [ "${found#*|}" = 0 ] || die "not all is kept: the server reads other files than those in \"$KEEP_IN\", or something was added just now" \
    "\"make check-schema\" tells what is not_dumped."
  echo "Dumps of database \"$database\" keep what was added to the tables (${found%|*}), by extension $name."
  echo "Copy $KEEP_IN/$name* to every server that they are restored on."
}

# ---------------------------------------------------------------------------

command=${1-}
[ $# -eq 0 ] || shift
for argument in "$@"; do
  case $argument in
  TO=* | FROM=* | STEPS=* | SCHEMA=* | KEEP_AS=* | KEEP_IN=* | LOCK_TIMEOUT=* | LOCK_ATTEMPTS=* | LOCK_PAUSE=*) declare "${argument%%=*}=${argument#*=}" ;;
  *) die "unknown argument \"$argument\"" "$(usage)" ;;
  esac
done

case $command in
current | history | upgrade | downgrade) "$command" ;;
check-schema | check) check_schema ;;
migration-sql) migration_sql ;;
keep-local) keep_local ;;
*) die "what is to be done?" "$(usage)" ;;
esac
