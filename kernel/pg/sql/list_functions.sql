-- \df: $1 name, $2 schema (regular expressions or NULL), $3 only visible ones, $4 without the system's own
SELECT n.nspname AS "Schema",
       p.proname AS "Name",
       COALESCE(pg_catalog.pg_get_function_result(p.oid), '') AS "Result data type",
       pg_catalog.pg_get_function_arguments(p.oid) AS "Argument data types",
       CASE p.prokind WHEN 'a' THEN 'agg' WHEN 'w' THEN 'window' WHEN 'p' THEN 'proc' ELSE 'func' END AS "Type"
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE ($1::pg_catalog.text IS NULL OR p.proname OPERATOR(pg_catalog.~) $1)
  AND ($2::pg_catalog.text IS NULL OR n.nspname OPERATOR(pg_catalog.~) $2)
  AND (NOT $3::pg_catalog.bool OR pg_catalog.pg_function_is_visible(p.oid))
  AND (NOT $4::pg_catalog.bool OR (n.nspname <> 'information_schema' AND n.nspname <> 'pg_catalog'))
ORDER BY 1, 2, 4
