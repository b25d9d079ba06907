-- \di+: parameters as in list_relations.sql
SELECT n.nspname AS "Schema",
       c.relname AS "Name",
       CASE c.relkind WHEN 'i' THEN 'index' WHEN 'I' THEN 'partitioned index' END AS "Type",
       pg_catalog.pg_get_userbyid(c.relowner) AS "Owner",
       t.relname AS "Table",
       CASE c.relpersistence WHEN 'p' THEN 'permanent' WHEN 't' THEN 'temporary' WHEN 'u' THEN 'unlogged' END
         AS "Persistence",
       COALESCE(am.amname, '') AS "Access method",
       pg_catalog.pg_size_pretty(pg_catalog.pg_table_size(c.oid)) AS "Size",
       COALESCE(pg_catalog.obj_description(c.oid, 'pg_class'), '') AS "Description"
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
WHERE pg_catalog.strpos($5, c.relkind::pg_catalog.text) > 0
  AND ($1::pg_catalog.text IS NULL OR c.relname OPERATOR(pg_catalog.~) $1)
  AND ($2::pg_catalog.text IS NULL OR n.nspname OPERATOR(pg_catalog.~) $2)
  AND (NOT $3::pg_catalog.bool OR pg_catalog.pg_table_is_visible(c.oid))
  AND (NOT $4::pg_catalog.bool OR (n.nspname <> 'information_schema' AND n.nspname <> 'pg_catalog'
                                   AND n.nspname OPERATOR(pg_catalog.!~) '^pg_toast'))
ORDER BY 1, 2
