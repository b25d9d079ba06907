-- Tab: $1 what the name begins with, $2 its schema or NULL (what search_path finds). Not what only the server calls.
SELECT pg_catalog.quote_ident(p.proname), 'function',
       pg_catalog.min(pg_catalog.format('(%s) → %s', pg_catalog.pg_get_function_arguments(p.oid),
                                        COALESCE(pg_catalog.pg_get_function_result(p.oid), 'procedure')))
       || CASE WHEN pg_catalog.count(*) > 1 THEN pg_catalog.format(', and %s more', pg_catalog.count(*) - 1) ELSE '' END
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE pg_catalog.starts_with(pg_catalog.lower(p.proname), pg_catalog.lower($1))
  AND CASE WHEN $2::pg_catalog.text IS NULL THEN pg_catalog.pg_function_is_visible(p.oid) ELSE n.nspname = $2 END
  AND NOT (ARRAY['internal'::pg_catalog.regtype, 'cstring'::pg_catalog.regtype, 'trigger'::pg_catalog.regtype]::pg_catalog.oid[]
           && (p.proargtypes::pg_catalog.oid[] || p.prorettype))
GROUP BY n.nspname, p.proname
ORDER BY n.nspname = 'pg_catalog', p.proname
LIMIT 1000
