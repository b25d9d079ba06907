SELECT n.nspname AS "Name", pg_catalog.pg_get_userbyid(n.nspowner) AS "Owner"
FROM   pg_catalog.pg_namespace AS n
WHERE  ($1::text IS NULL OR n.nspname OPERATOR(pg_catalog.~) $1 COLLATE pg_catalog.default)
AND    ($2::boolean OR (n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'))
ORDER  BY 1
