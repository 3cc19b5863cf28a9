# shellcheck shell=dash
#
# To be sourced, by sh as well as by bash: steps that do not let everybody else wait behind
# them. A step waits for a lock for a moment only, and is tried again; meanwhile it is told
# who is in the way.
#
#   rag_lock_settings RAG_EVENTS_   # from RAG_EVENTS_LOCK_TIMEOUT …
#   rag_ask() { … }                 # the caller's: runs the statements of standard input
#   rag_politely step …             # step prints lines that begin with $rag_mark
#
# Variables, with the prefix that the caller gives:
#   LOCK_TIMEOUT    how long a step waits for a lock, in seconds unless it has a unit (ms, s,
#                   min, h): 5; 0: for ever
#   LOCK_ATTEMPTS   how often a step is tried: 12
#   LOCK_PAUSE      about how many seconds to pause after the first attempt; the pauses
#                   double up to 16 times that, and are random by half: 1

# rag_lock_settings PREFIX: false, with a message, where a variable is not what it should be.
rag_lock_settings() {
  local number

  rag_prefix=$1
  eval "rag_lock_timeout=\${${1}LOCK_TIMEOUT-} rag_lock_attempts=\${${1}LOCK_ATTEMPTS-} rag_lock_pause=\${${1}LOCK_PAUSE-}"
  rag_lock_timeout=${rag_lock_timeout:-5s}
  rag_lock_attempts=${rag_lock_attempts:-12}
  rag_lock_pause=${rag_lock_pause:-1}

  number=${rag_lock_timeout%%[!0-9]*}
  case ${#number}:${rag_lock_timeout#"$number"} in
  [1-7]:) rag_lock_timeout=${number}s ;;
  [1-7]:ms | [1-7]:s | [1-7]:min | [1-7]:h) ;;
  *)
    printf '%s\n' "error: ${1}LOCK_TIMEOUT is \"$rag_lock_timeout\", and not a time like 5, 500ms or 2min" >&2
    return 1
    ;;
  esac
  case $rag_lock_attempts in
  '' | *[!0-9]* | 0* | ???????*)
    printf '%s\n' "error: ${1}LOCK_ATTEMPTS is \"$rag_lock_attempts\", and not a number from 1 to 999999" >&2
    return 1
    ;;
  esac
  case $rag_lock_pause in
  *[!0-9.]* | *.*.* | *. | .* | ??????????*)
    printf '%s\n' "error: ${1}LOCK_PAUSE is \"$rag_lock_pause\", and not a number of seconds" >&2
    return 1
    ;;
  esac
  [ "$number" -ne 0 ] || rag_lock_timeout=0

  # What the step says is told from what the server says by a word that nobody knows.
  rag_mark=rag_$(od -A n -t x1 -N 8 /dev/urandom | tr -d ' \n')
}

# What is in the way, as lines: "version V", "working t" where another migration is at work,
# "held …" for each, to be shown, and "end …", the statement that ends it. What others have
# written (a query, the name of a prepared transaction) must not reach the terminal as it
# is. The caller gives :schema, where a first installation would go, and has set
# :current_schema and the search_path.
rag_in_the_way() {
  cat <<'SQL'
SELECT 'version ' || extversion FROM pg_extension WHERE extname = 'rag_events';
SELECT '[\u0001-\u001f\u007f-\u009f'
       || CASE WHEN getdatabaseencoding() = 'UTF8' THEN '\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069' ELSE '' END
       || ']' AS control \gset
WITH wanted AS (
  SELECT c.oid, c.relname
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relname IN ('sessions', 'messages', 'rag_migration_log')
    AND n.nspname = COALESCE((SELECT s.nspname FROM pg_extension AS e JOIN pg_namespace AS s ON s.oid = e.extnamespace
                              WHERE e.extname = 'rag_events'),
                             NULLIF(:'schema', ''), :'current_schema')
), lock AS (
  -- A step locks both tables against everybody, and adds a row to the log.
  SELECT l.pid, l.virtualtransaction, l.mode || ' on ' || w.relname AS what, false AS is_migration
  FROM pg_locks AS l JOIN wanted AS w ON w.oid = l.relation
  WHERE l.locktype = 'relation' AND l.granted
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (w.relname <> 'rag_migration_log'
         OR l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))
  UNION ALL
  SELECT l.pid, l.virtualtransaction, 'the lock of migrations', true
  FROM pg_locks AS l
  WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND ((l.classid::int8 << 32) | l.objid::int8) = hashtext('rag_events')
), holder AS (
  SELECT COALESCE(a.leader_pid, l.pid) AS pid, CASE WHEN l.pid IS NULL THEN l.virtualtransaction END AS prepared,
         string_agg(DISTINCT l.what, ', ') AS what, bool_or(l.is_migration) AS is_migration
  FROM lock AS l LEFT JOIN pg_stat_activity AS a USING (pid)
  WHERE l.pid IS DISTINCT FROM pg_backend_pid()
  GROUP BY 1, 2
), told AS (
  SELECT h.is_migration AND COALESCE(a.state = 'active', false) AS is_working,
         COALESCE(a.xact_start, a.query_start, a.backend_start) AS since,
         format('pid %s, %s, for ', h.pid, COALESCE(a.state, 'of a state that only its own role sees')) AS who,
         h.what,
         regexp_replace(translate("left"(a.query, 80), E'\n\r\t', '   '), :'control', '?', 'g')
           || CASE WHEN length(a.query) > 80 THEN ' ...' ELSE '' END AS query,
         format('SELECT pg_terminate_backend(%s);', h.pid) AS way_out
  FROM holder AS h LEFT JOIN pg_stat_activity AS a USING (pid)
  WHERE h.pid IS NOT NULL
  UNION ALL
  -- A prepared transaction is known in pg_locks by the lock of its own number.
  SELECT false, p.prepared, format('prepared transaction %s, for ', gid.quoted), h.what, NULL,
         format('ROLLBACK PREPARED %s;', gid.quoted)
  FROM holder AS h
  JOIN pg_locks AS x ON x.virtualtransaction = h.prepared AND x.pid IS NULL AND x.granted
    AND x.locktype = 'transactionid' AND x.mode = 'ExclusiveLock'
  JOIN pg_prepared_xacts AS p ON p.transaction = x.transactionid
  CROSS JOIN LATERAL (
    SELECT CASE
             WHEN p.gid ~ :'control' THEN 'E''' || string_agg(
               CASE WHEN c ~ :'control' THEN '\u' || lpad(to_hex(ascii(c)), 4, '0')
                    WHEN c IN ('\', '''') THEN c || c
                    ELSE c END, '' ORDER BY n) || ''''
             ELSE ltrim(quote_literal(p.gid))
           END AS quoted
    FROM string_to_table(p.gid, NULL) WITH ORDINALITY AS t (c, n)
  ) AS gid
)
SELECT concat_ws(E'\n', CASE WHEN is_working THEN 'working' END,
                 'held ' || who || COALESCE(extract(epoch FROM clock_timestamp() - since)::int8::text || ' s', 'an unknown time')
                   || ', has ' || what || COALESCE(': ' || query, ''),
                 'end ' || way_out)
FROM told ORDER BY since NULLS LAST, who;
SQL
}

# rag_look: sets rag_version, a sentence; rag_working, whether another migration is at work;
# and rag_held and rag_end, lines that are indented.
rag_look() {
  local found

  if found=$(rag_in_the_way | rag_ask); then
    rag_version=$(printf '%s\n' "$found" | sed -n 's/^version \(.*\)/rag_events is at \1./p')
    rag_version=${rag_version:-rag_events is not installed.}
  else
    found='held nobody knows: see the error above'
    rag_version='The version is not known: see the error above.'
  fi
  rag_working=$(printf '%s\n' "$found" | sed -n '/^working$/p')
  rag_held=$(printf '%s\n' "$found" | sed -n 's/^held /  /p')
  rag_end=$(printf '%s\n' "$found" | sed -n 's/^end /    /p')
}

# rag_wait ATTEMPT: the pause after it.
rag_wait() {
  local seconds

  seconds=$(od -A n -t u2 -N 2 /dev/urandom | LC_ALL=C awk -v n="$1" -v pause="$rag_lock_pause" '
    { printf "%.2f", pause * 2 ^ (n < 5 ? n - 1 : 4) * (0.5 + $1 / 65536) }')
  echo "Trying again in $seconds s." >&2
  sleep "$seconds"
}

# rag_give_up STEP WHY
rag_give_up() {
  local plural=s

  [ "$rag_lock_attempts" -ne 1 ] || plural=
  {
    echo "error: the locks $1 were not to be had in $rag_lock_attempts attempt$plural; the last: $2"
    echo "$rag_version This step has changed nothing."
    if [ -n "$rag_end" ]; then
      printf '%s\n' "In the way:" "$rag_held" "To end that, in psql:" "$rag_end" "Or wait longer, or more often:"
    else
      printf '%s\n' "In the way:" "${rag_held:-  nobody who still holds a lock on the tables}" "To wait longer, or more often:"
    fi
    echo "run this again with ${rag_prefix}LOCK_TIMEOUT (now $rag_lock_timeout; 0: for ever) or ${rag_prefix}LOCK_ATTEMPTS."
  } >&2
}

# rag_politely COMMAND…: runs a step, again and again where it did not get its locks. COMMAND
# does it in one transaction, under $rag_lock_timeout, and prints its result as a line that
# begins with $rag_mark. Where a statement failed, the result is "failed SQLSTATE FROM TO
# MESSAGE", with "-" for FROM and TO while it has not got the lock of migrations, and
# "nothing" for FROM where nothing is installed. Sets rag_result. Returns what COMMAND does,
# 1 where a statement failed for another reason than a lock, and 3 where no attempt is left.
rag_politely() {
  local attempt=1 output status state from to why step

  if [ "$rag_lock_timeout" = 0 ]; then
    rag_look
    [ -z "$rag_held" ] || printf '%s\n' "${rag_prefix}LOCK_TIMEOUT is 0: this waits for as long as it takes. In the way:" "$rag_held" >&2
  fi
  while :; do
    output=$("$@" 2>&1) && status=0 || status=$?
    rag_result=$(printf '%s\n' "$output" | sed -n "s/.*$rag_mark //p")
    case $rag_result in
    "failed 55P03 "* | "failed 40P01 "* | "failed 40001 "*) ;;
    *)
      output=$(printf '%s\n' "$output" | sed "/$rag_mark /d")
      [ -z "$output" ] || printf '%s\n' "$output" >&2
      case $rag_result in failed*) status=1 ;; esac
      return "$status"
      ;;
    esac
    read -r _ state from to why <<END
$rag_result
END
    why="$(printf '%s' "$why" | LC_ALL=C tr '\001-\037\177' '?') ($state)"
    rag_look
    if [ "$from" = - ] && [ -n "$rag_working" ]; then
      # It keeps nobody else waiting but other migrations, and ends.
      printf '%s\n' "Another migration is at work:" "$rag_held" >&2
      rag_wait 1
      continue
    fi
    case $from:$to in
    -:-) step="of migrations" ;;
    nothing:*) step="to install $to" ;;
    *) step="to go from $from to $to" ;;
    esac
    if [ "$attempt" -ge "$rag_lock_attempts" ]; then
      rag_give_up "$step" "$why"
      return 3
    fi
    {
      echo "Attempt $attempt of $rag_lock_attempts to get the locks $step: $why. In the way:"
      printf '%s\n' "${rag_held:-  nobody who still holds a lock on the tables}"
    } >&2
    rag_wait "$attempt"
    attempt=$((attempt + 1))
  done
}
