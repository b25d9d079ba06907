-- Shift-Tab on a function: $1 schema or NULL, $2 name. A line for each form it has.
SELECT pg_catalog.format('%s %I(%s)%s', CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' WHEN 'w' THEN 'window function'
                             ELSE 'function' END,
                         p.proname, pg_catalog.pg_get_function_arguments(p.oid), ' → ' || pg_catalog.pg_get_function_result(p.oid)),
       COALESCE(pg_catalog.obj_description(p.oid, 'pg_proc'), ''), ''
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE p.proname = $2 AND CASE WHEN $1::pg_catalog.text IS NULL THEN pg_catalog.pg_function_is_visible(p.oid) ELSE n.nspname = $1 END
ORDER BY p.pronargs, 1
LIMIT 20
