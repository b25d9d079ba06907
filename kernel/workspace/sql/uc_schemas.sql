-- Schemas of a database as Unity Catalog shows them. $1: after this name, $2: at most
SELECT n.nspname, coalesce(obj_description(n.oid, 'pg_namespace'), ''), pg_get_userbyid(n.nspowner), n.oid
FROM pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname > $1 COLLATE "C"
ORDER BY n.nspname COLLATE "C"
LIMIT $2::bigint
