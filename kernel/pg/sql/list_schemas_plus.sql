-- \dn+: parameters as in list_schemas.sql
SELECT n.nspname AS "Name",
       pg_catalog.pg_get_userbyid(n.nspowner) AS "Owner",
       COALESCE(pg_catalog.array_to_string(n.nspacl, E'\n'), '') AS "Access privileges",
       COALESCE(pg_catalog.obj_description(n.oid, 'pg_namespace'), '') AS "Description"
FROM pg_catalog.pg_namespace n
WHERE ($1::pg_catalog.text IS NULL OR n.nspname OPERATOR(pg_catalog.~) $1)
  AND (NOT $2::pg_catalog.bool OR (n.nspname OPERATOR(pg_catalog.!~) '^pg_' AND n.nspname <> 'information_schema'))
ORDER BY 1
