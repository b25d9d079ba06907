SELECT r.rolname AS "Role name",
       pg_catalog.array_to_string(ARRAY[
           CASE WHEN r.rolsuper THEN 'Superuser' END, CASE WHEN NOT r.rolinherit THEN 'No inheritance' END,
           CASE WHEN r.rolcreaterole THEN 'Create role' END, CASE WHEN r.rolcreatedb THEN 'Create DB' END,
           CASE WHEN NOT r.rolcanlogin THEN 'Cannot login' END, CASE WHEN r.rolreplication THEN 'Replication' END,
           CASE WHEN r.rolbypassrls THEN 'Bypass RLS' END,
           CASE WHEN r.rolconnlimit = 0 THEN 'No connections' WHEN r.rolconnlimit = 1 THEN '1 connection'
                WHEN r.rolconnlimit > 1 THEN r.rolconnlimit || ' connections' END,
           CASE WHEN r.rolvaliduntil IS NOT NULL THEN 'Password valid until ' || r.rolvaliduntil END], ', ') AS "Attributes",
       ARRAY(SELECT b.rolname FROM pg_catalog.pg_auth_members AS m JOIN pg_catalog.pg_roles AS b ON b.oid = m.roleid
             WHERE m.member = r.oid ORDER BY b.rolname) AS "Member of"
FROM   pg_catalog.pg_roles AS r
WHERE  ($1::text IS NULL OR r.rolname OPERATOR(pg_catalog.~) $1 COLLATE pg_catalog.default)
AND    ($2::boolean OR r.rolname !~ '^pg_')
ORDER  BY 1
