-- One schema. $1: its name
SELECT n.nspname, coalesce(obj_description(n.oid, 'pg_namespace'), ''), pg_get_userbyid(n.nspowner), n.oid
FROM pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname = $1
