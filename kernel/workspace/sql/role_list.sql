-- Roles of an instance that are somebody's: none of PostgreSQL's or the service's own. $1: after this name, $2: at most,
-- $3: this one only (or NULL).
SELECT r.rolname,
       CASE WHEN c.text ~ '^Databricks identity: (USER|SERVICE_PRINCIPAL|GROUP)$' THEN split_part(c.text, ': ', 2) ELSE 'PG_ONLY' END,
       EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles s ON s.oid = m.roleid
               WHERE m.member = r.oid AND s.rolname = 'databricks_superuser'),
       r.rolbypassrls, r.rolcreatedb, r.rolcreaterole
FROM pg_roles r CROSS JOIN LATERAL (SELECT coalesce(shobj_description(r.oid, 'pg_authid'), '') AS text) c
WHERE r.rolname !~ '^(pg_|databricks_)' AND r.rolname NOT IN ('cloud_admin', 'postgres')
  AND r.rolname > $1 COLLATE "C" AND ($3::text IS NULL OR r.rolname = $3)
ORDER BY r.rolname COLLATE "C"
LIMIT $2::bigint
