-- Tab: $1 what the name begins with, $2 its schema or NULL (what search_path finds), $3 kinds (pg_class.relkind).
-- Without a schema also the schemas that have such relations. System objects only when they are asked for.
SELECT pg_catalog.quote_ident(c.relname),
       CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index'
            WHEN 'I' THEN 'index' WHEN 'f' THEN 'foreign table' ELSE 'table' END,
       COALESCE(pg_catalog.obj_description(c.oid, 'pg_class'), n.nspname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind::pg_catalog.text = ANY (pg_catalog.string_to_array($3, NULL))
  AND pg_catalog.starts_with(pg_catalog.lower(c.relname), pg_catalog.lower($1))
  AND CASE WHEN $2::pg_catalog.text IS NULL
           THEN pg_catalog.pg_table_is_visible(c.oid) AND (n.nspname <> 'pg_catalog' OR pg_catalog.starts_with($1, 'pg_'))
           ELSE n.nspname = $2 END
UNION ALL
SELECT pg_catalog.quote_ident(n.nspname) || '.', 'schema', COALESCE(pg_catalog.obj_description(n.oid, 'pg_namespace'), '')
FROM pg_catalog.pg_namespace n
WHERE $2 IS NULL AND pg_catalog.starts_with(pg_catalog.lower(n.nspname), pg_catalog.lower($1))
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  AND (n.nspname !~ '^pg_(toast|temp)' AND (n.nspname !~ '^(pg_|information_schema)' OR $1 <> ''))
ORDER BY 1
LIMIT 1000
