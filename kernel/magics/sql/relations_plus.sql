SELECT n.nspname AS "Schema", c.relname AS "Name",
       CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index'
                      WHEN 'S' THEN 'sequence' WHEN 't' THEN 'TOAST table' WHEN 'f' THEN 'foreign table'
                      WHEN 'p' THEN 'partitioned table' WHEN 'I' THEN 'partitioned index' END AS "Type",
       pg_catalog.pg_get_userbyid(c.relowner) AS "Owner",
       CASE c.relpersistence WHEN 'p' THEN 'permanent' WHEN 't' THEN 'temporary' WHEN 'u' THEN 'unlogged' END AS "Persistence",
       am.amname AS "Access method",
       pg_catalog.pg_size_pretty(pg_catalog.pg_table_size(c.oid)) AS "Size",
       pg_catalog.obj_description(c.oid, 'pg_class') AS "Description"
FROM   pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
       LEFT JOIN pg_catalog.pg_am AS am ON am.oid = c.relam
WHERE  c.relkind = ANY (pg_catalog.string_to_array($3, ',')::"char"[])
AND    ($1::text IS NULL OR n.nspname OPERATOR(pg_catalog.~) $1 COLLATE pg_catalog.default)
AND    ($2::text IS NULL OR c.relname OPERATOR(pg_catalog.~) $2 COLLATE pg_catalog.default)
AND    ($1::text IS NOT NULL OR pg_catalog.pg_table_is_visible(c.oid))
AND    ($4::boolean OR (n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast' AND n.nspname <> 'information_schema'))
ORDER  BY 1, 2
