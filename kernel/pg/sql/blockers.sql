-- The sessions that session $1 waits for, a row each; none: it does not wait for a lock.
SELECT DISTINCT pid FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids($1::pg_catalog.int4)) AS b(pid) ORDER BY pid
