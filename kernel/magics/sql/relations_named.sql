SELECT c.oid::text, c.relkind::text, n.nspname || '.' || c.relname
FROM   pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE  ($1::text IS NULL OR n.nspname OPERATOR(pg_catalog.~) $1 COLLATE pg_catalog.default)
AND    ($2::text IS NULL OR c.relname OPERATOR(pg_catalog.~) $2 COLLATE pg_catalog.default)
AND    ($1::text IS NOT NULL OR pg_catalog.pg_table_is_visible(c.oid))
AND    c.relkind IN ('r', 'v', 'm', 'i', 'S', 't', 'f', 'p', 'I', 'c')
ORDER  BY n.nspname, c.relname
