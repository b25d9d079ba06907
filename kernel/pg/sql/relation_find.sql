-- \d NAME: which relations fit. $1 name, $2 schema (regular expressions or NULL), $3 only visible ones
SELECT c.oid, c.relkind, n.nspname, c.relname, c.relpersistence
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE ($1::pg_catalog.text IS NULL OR c.relname OPERATOR(pg_catalog.~) $1)
  AND ($2::pg_catalog.text IS NULL OR n.nspname OPERATOR(pg_catalog.~) $2)
  AND (NOT $3::pg_catalog.bool OR pg_catalog.pg_table_is_visible(c.oid))
ORDER BY 3, 4
