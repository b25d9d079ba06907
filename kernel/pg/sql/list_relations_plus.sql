-- \d+, \dt+, \dv+, \ds+, \dm+: parameters as in list_relations.sql
SELECT n.nspname AS "Schema",
       c.relname AS "Name",
       CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
            WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table'
            WHEN 'i' THEN 'index' WHEN 'I' THEN 'partitioned index' ELSE c.relkind::pg_catalog.text END AS "Type",
       pg_catalog.pg_get_userbyid(c.relowner) AS "Owner",
       CASE c.relpersistence WHEN 'p' THEN 'permanent' WHEN 't' THEN 'temporary' WHEN 'u' THEN 'unlogged' END
         AS "Persistence",
       COALESCE(am.amname, '') AS "Access method",
       pg_catalog.pg_size_pretty(pg_catalog.pg_table_size(c.oid)) AS "Size",
       COALESCE(pg_catalog.obj_description(c.oid, 'pg_class'), '') AS "Description"
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
WHERE pg_catalog.strpos($5, c.relkind::pg_catalog.text) > 0
  AND ($1::pg_catalog.text IS NULL OR c.relname OPERATOR(pg_catalog.~) $1)
  AND ($2::pg_catalog.text IS NULL OR n.nspname OPERATOR(pg_catalog.~) $2)
  AND (NOT $3::pg_catalog.bool OR pg_catalog.pg_table_is_visible(c.oid))
  AND (NOT $4::pg_catalog.bool OR (n.nspname <> 'information_schema' AND n.nspname <> 'pg_catalog'
                                   AND n.nspname OPERATOR(pg_catalog.!~) '^pg_toast'))
ORDER BY 1, 2
