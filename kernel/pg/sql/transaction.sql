-- The transaction that this session is in: isolation, access, whether it has changed anything, and the locks it holds on
-- relations of users, strongest first.
SELECT pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.text,
       pg_catalog.current_setting('transaction_isolation'),
       CASE pg_catalog.current_setting('transaction_read_only') WHEN 'on' THEN 'read only' ELSE 'read write' END,
       CASE WHEN pg_catalog.pg_current_xact_id_if_assigned() IS NULL THEN 'no' ELSE 'yes' END,
       COALESCE((SELECT pg_catalog.string_agg(l.mode || ' on ' || l.relation::pg_catalog.regclass, E'\n' ORDER BY
                            pg_catalog.array_position(ARRAY['AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock',
                                                            'ShareUpdateExclusiveLock', 'RowExclusiveLock', 'RowShareLock',
                                                            'AccessShareLock'], l.mode),
                            l.relation::pg_catalog.regclass::pg_catalog.text)
                 FROM pg_catalog.pg_locks l
                 JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p', 'm', 'S', 'f')
                 WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted
                   AND c.relnamespace <> 'pg_catalog'::pg_catalog.regnamespace), '')
