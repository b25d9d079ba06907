SELECT e.extname AS "Name", e.extversion AS "Version", n.nspname AS "Schema", c.description AS "Description"
FROM   pg_catalog.pg_extension AS e LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
       LEFT JOIN pg_catalog.pg_description AS c ON c.objoid = e.oid AND c.classoid = 'pg_catalog.pg_extension'::pg_catalog.regclass
WHERE  ($1::text IS NULL OR e.extname OPERATOR(pg_catalog.~) $1 COLLATE pg_catalog.default)
ORDER  BY 1
