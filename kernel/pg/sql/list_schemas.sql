-- \dn: $1 name (regular expression or NULL), $2 without the system's own
SELECT n.nspname AS "Name",
       pg_catalog.pg_get_userbyid(n.nspowner) AS "Owner"
FROM pg_catalog.pg_namespace n
WHERE ($1::pg_catalog.text IS NULL OR n.nspname OPERATOR(pg_catalog.~) $1)
  AND (NOT $2::pg_catalog.bool OR (n.nspname OPERATOR(pg_catalog.!~) '^pg_' AND n.nspname <> 'information_schema'))
ORDER BY 1
