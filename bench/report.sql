-- The report, in Markdown, of the measurements on standard input.
CREATE TEMP TABLE result (name text, round int, variant text, us float8);
\copy result FROM PSTDIN

CREATE TEMP TABLE variant (n int, variant text, label text);
INSERT INTO variant VALUES
  (1, 'function', '`rag_add_message()`'),
  (2, 'statements', 'BEGIN; INSERT; UPDATE; COMMIT'),
  (3, 'with', 'WITH … UPDATE … INSERT'),
  (4, 'plpgsql', 'PL/pgSQL function');

\qecho '| rows | written by | µs a message | fastest round | `rag_add_message()` is … times as fast |'
\qecho '| --- | --- | ---: | ---: | ---: |'
SELECT format('| %s | %s | %s | %s | %s |', name, label,
    round((percentile_cont(0.5) WITHIN GROUP (ORDER BY r.us))::numeric, 1),
    round(min(r.us)::numeric, 1),
    CASE variant WHEN 'function' THEN '1' ELSE
      format('**%s** (%s to %s)',
        round((percentile_cont(0.5) WITHIN GROUP (ORDER BY r.us / f.us))::numeric, 2),
        round((percentile_cont(0.25) WITHIN GROUP (ORDER BY r.us / f.us))::numeric, 2),
        round((percentile_cont(0.75) WITHIN GROUP (ORDER BY r.us / f.us))::numeric, 2)) END)
FROM result AS r JOIN variant USING (variant)
  JOIN (SELECT name, round, us FROM result WHERE variant = 'function') AS f USING (name, round)
GROUP BY name, variant, label, n
ORDER BY min(array_position(ARRAY(SELECT name FROM data), name)), n;

\qecho
SELECT format('%s, pgbench -M prepared over %s, %s%s; medians of %s rounds, side by side '
    '(in brackets: the middle half of the rounds); a round writes %s messages to %s sessions at random; '
    'synchronous_commit = %s, fsync = %s.',
    regexp_replace(version(), ' on .*| \(.*', ''),
    CASE WHEN inet_server_addr() IS NULL THEN 'a Unix socket' ELSE 'TCP' END,
    :'clients' || CASE :clients WHEN 1 THEN ' client' ELSE ' clients' END, :'cpus',
    :'rounds', :'messages', :'sessions',
    current_setting('synchronous_commit'), current_setting('fsync'));
SELECT format('%s: %s %s, on average %s bytes of text and %s bytes of sources.', name, messages,
  CASE messages WHEN 1 THEN 'message' ELSE 'messages' END, round(content_bytes), coalesce(round(sources_bytes), 0))
FROM data;
