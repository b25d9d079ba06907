-- Tab: $1 what the name begins with, $2 its schema or NULL. As SQL writes them (integer, not int4).
SELECT DISTINCT CASE WHEN $2::pg_catalog.text IS NULL THEN f.name ELSE pg_catalog.quote_ident(t.typname) END, 'type',
       COALESCE(pg_catalog.obj_description(t.oid, 'pg_type'), '')
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
CROSS JOIN LATERAL (VALUES (pg_catalog.format_type(t.oid, NULL)), (pg_catalog.quote_ident(t.typname))) AS f(name)
WHERE t.typtype <> 'p' AND t.typelem = 0 AND (t.typrelid = 0 OR $2 IS NOT NULL)
  AND CASE WHEN $2 IS NULL THEN pg_catalog.pg_type_is_visible(t.oid) ELSE n.nspname = $2 END
  AND pg_catalog.starts_with(pg_catalog.lower(f.name), pg_catalog.lower($1))
ORDER BY 1
LIMIT 1000
