-- What session $1 is doing for so long: a text, how much is done, and of how much (0: nobody knows). No row: nothing to tell.
WITH waiting AS (
    SELECT l.locktype, l.relation, l.transactionid,
           (SELECT t.relation FROM pg_catalog.pg_locks t WHERE t.pid = l.pid AND t.locktype = 'tuple' LIMIT 1) AS row_of
    FROM pg_catalog.pg_locks l WHERE l.pid = $1::pg_catalog.int4 AND NOT l.granted LIMIT 1
),
blockers AS (
    SELECT pg_catalog.string_agg(
               pg_catalog.format('session %s (%s)', a.pid, pg_catalog.concat_ws(', ',
                   NULLIF(a.usename, current_user), NULLIF(a.application_name, ''), a.state,
                   CASE WHEN a.state LIKE 'idle in transaction%' AND a.query <> ''
                        THEN 'last: ' || pg_catalog.left(pg_catalog.regexp_replace(a.query, '\s+', ' ', 'g'), 60) END)),
               ' and ' ORDER BY a.pid) AS who
    FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids($1::pg_catalog.int4)) AS b(pid)
    LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid
)
SELECT pg_catalog.format('waits for %s, held by %s',
           CASE WHEN w.locktype = 'relation' THEN 'a lock on ' || w.relation::pg_catalog.regclass
                WHEN w.row_of IS NOT NULL THEN 'a row of ' || w.row_of::pg_catalog.regclass
                WHEN w.locktype = 'transactionid' THEN 'a row that another transaction changed'
                WHEN w.locktype = 'advisory' THEN 'an advisory lock' ELSE 'a lock (' || w.locktype || ')' END,
           COALESCE(b.who, 'another session')), 0, 0
FROM waiting w CROSS JOIN blockers b
UNION ALL
SELECT 'index: ' || phase, COALESCE(NULLIF(tuples_done, 0), blocks_done), COALESCE(NULLIF(tuples_total, 0), blocks_total)
FROM pg_catalog.pg_stat_progress_create_index WHERE pid = $1::pg_catalog.int4
UNION ALL
SELECT 'vacuum: ' || phase, heap_blks_scanned, heap_blks_total
FROM pg_catalog.pg_stat_progress_vacuum WHERE pid = $1::pg_catalog.int4
UNION ALL
SELECT 'analyze: ' || phase, sample_blks_scanned, sample_blks_total
FROM pg_catalog.pg_stat_progress_analyze WHERE pid = $1::pg_catalog.int4
UNION ALL
SELECT pg_catalog.lower(command) || ': ' || phase, heap_blks_scanned, heap_blks_total
FROM pg_catalog.pg_stat_progress_cluster WHERE pid = $1::pg_catalog.int4
UNION ALL
SELECT 'copy: ' || tuples_processed || ' rows', bytes_processed, bytes_total
FROM pg_catalog.pg_stat_progress_copy WHERE pid = $1::pg_catalog.int4
LIMIT 1
