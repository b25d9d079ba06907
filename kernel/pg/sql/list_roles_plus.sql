-- \du+, \dg+: $1 name (regular expression or NULL), $2 without the system's own
SELECT r.rolname AS "Role name",
       pg_catalog.concat_ws(E'\n', NULLIF(pg_catalog.concat_ws(', ',
         CASE WHEN r.rolsuper THEN 'Superuser' END,
         CASE WHEN NOT r.rolinherit THEN 'No inheritance' END,
         CASE WHEN r.rolcreaterole THEN 'Create role' END,
         CASE WHEN r.rolcreatedb THEN 'Create DB' END,
         CASE WHEN NOT r.rolcanlogin THEN 'Cannot login' END,
         CASE WHEN r.rolreplication THEN 'Replication' END,
         CASE WHEN r.rolbypassrls THEN 'Bypass RLS' END), ''),
         CASE WHEN r.rolconnlimit = 0 THEN 'No connections' WHEN r.rolconnlimit = 1 THEN '1 connection'
              WHEN r.rolconnlimit > 1 THEN r.rolconnlimit || ' connections' END,
         'Password valid until ' || r.rolvaliduntil) AS "Attributes",
       '{' || COALESCE((SELECT pg_catalog.string_agg(DISTINCT g.rolname::pg_catalog.text, ',')
                        FROM pg_catalog.pg_auth_members m
                        JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
                        WHERE m.member = r.oid), '') || '}' AS "Member of",
       COALESCE(pg_catalog.shobj_description(r.oid, 'pg_authid'), '') AS "Description"
FROM pg_catalog.pg_roles r
WHERE ($1::pg_catalog.text IS NULL OR r.rolname OPERATOR(pg_catalog.~) $1)
  AND (NOT $2::pg_catalog.bool OR r.rolname OPERATOR(pg_catalog.!~) '^pg_')
ORDER BY 1
