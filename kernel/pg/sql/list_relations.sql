-- \d, \dt, \dv, \ds, \dm: $1 name, $2 schema (regular expressions or NULL), $3 only visible ones, $4 without the
-- system's own, $5 letters of the kinds
SELECT n.nspname AS "Schema",
       c.relname AS "Name",
       CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
            WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table'
            WHEN 'i' THEN 'index' WHEN 'I' THEN 'partitioned index' ELSE c.relkind::pg_catalog.text END AS "Type",
       pg_catalog.pg_get_userbyid(c.relowner) AS "Owner"
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE pg_catalog.strpos($5, c.relkind::pg_catalog.text) > 0
  AND ($1::pg_catalog.text IS NULL OR c.relname OPERATOR(pg_catalog.~) $1)
  AND ($2::pg_catalog.text IS NULL OR n.nspname OPERATOR(pg_catalog.~) $2)
  AND (NOT $3::pg_catalog.bool OR pg_catalog.pg_table_is_visible(c.oid))
  AND (NOT $4::pg_catalog.bool OR (n.nspname <> 'information_schema' AND n.nspname <> 'pg_catalog'
                                   AND n.nspname OPERATOR(pg_catalog.!~) '^pg_toast'))
ORDER BY 1, 2
