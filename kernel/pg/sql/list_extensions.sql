-- \dx: $1 name (regular expression or NULL)
SELECT e.extname AS "Name",
       e.extversion AS "Version",
       n.nspname AS "Schema",
       COALESCE(pg_catalog.obj_description(e.oid, 'pg_extension'), '') AS "Description"
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE $1::pg_catalog.text IS NULL OR e.extname OPERATOR(pg_catalog.~) $1
ORDER BY 1
