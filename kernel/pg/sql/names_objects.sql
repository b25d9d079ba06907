-- Tab for what has no schema: $1 what the name begins with, $2 what: schema, database, role, extension, setting.
SELECT name, $2, help
FROM (SELECT 'schema' AS what, pg_catalog.quote_ident(nspname) AS name, nspname AS raw,
             pg_catalog.obj_description(oid, 'pg_namespace') AS help
      FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_(toast|temp)'
      UNION ALL
      SELECT 'database', pg_catalog.quote_ident(datname), datname, pg_catalog.shobj_description(oid, 'pg_database')
      FROM pg_catalog.pg_database WHERE datallowconn
      UNION ALL
      SELECT 'role', pg_catalog.quote_ident(rolname), rolname, CASE WHEN rolcanlogin THEN 'can log in' ELSE 'group' END
      FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' OR pg_catalog.starts_with($1, 'pg_')
      UNION ALL
      SELECT 'extension', pg_catalog.quote_ident(name), name, comment FROM pg_catalog.pg_available_extensions
      UNION ALL
      SELECT 'setting', name, name, short_desc FROM pg_catalog.pg_settings) o
WHERE what = $2 AND pg_catalog.starts_with(pg_catalog.lower(raw), pg_catalog.lower($1))
ORDER BY 1
LIMIT 1000
