SELECT n.nspname AS "Schema", p.proname AS "Name", pg_catalog.pg_get_function_result(p.oid) AS "Result data type",
       pg_catalog.pg_get_function_arguments(p.oid) AS "Argument data types",
       CASE p.prokind WHEN 'a' THEN 'agg' WHEN 'w' THEN 'window' WHEN 'p' THEN 'proc' ELSE 'func' END AS "Type"
FROM   pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE  ($1::text IS NULL OR n.nspname OPERATOR(pg_catalog.~) $1 COLLATE pg_catalog.default)
AND    ($2::text IS NULL OR p.proname OPERATOR(pg_catalog.~) $2 COLLATE pg_catalog.default)
AND    ($1::text IS NOT NULL OR pg_catalog.pg_function_is_visible(p.oid))
AND    ($3::boolean OR (n.nspname <> 'pg_catalog' AND n.nspname <> 'information_schema'))
ORDER  BY 1, 2, 4
