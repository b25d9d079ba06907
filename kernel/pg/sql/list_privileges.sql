-- \dp, \z: $1 name, $2 schema (regular expressions or NULL), $3 only visible ones, $4 without the system's own
SELECT n.nspname AS "Schema",
       c.relname AS "Name",
       CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
            WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' END AS "Type",
       COALESCE(pg_catalog.array_to_string(c.relacl, E'\n'), '') AS "Access privileges",
       COALESCE((SELECT pg_catalog.string_agg(a.attname || E':\n  ' || pg_catalog.array_to_string(a.attacl, E'\n  '),
                                              E'\n' ORDER BY a.attnum)
                 FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = c.oid AND NOT a.attisdropped AND a.attacl IS NOT NULL), '')
         AS "Column privileges",
       COALESCE((SELECT pg_catalog.string_agg(
                          pol.polname
                          || CASE WHEN NOT pol.polpermissive THEN ' (RESTRICTIVE)' ELSE '' END
                          || CASE WHEN pol.polcmd <> '*' THEN ' (' || pol.polcmd::pg_catalog.text || '):' ELSE ':' END
                          || COALESCE(E'\n  (u): ' || pg_catalog.pg_get_expr(pol.polqual, pol.polrelid), '')
                          || COALESCE(E'\n  (c): ' || pg_catalog.pg_get_expr(pol.polwithcheck, pol.polrelid), '')
                          || CASE WHEN pol.polroles <> '{0}' THEN E'\n  to: ' ||
                               (SELECT pg_catalog.string_agg(r.rolname, ', ' ORDER BY r.rolname)
                                FROM pg_catalog.pg_roles r WHERE r.oid = ANY (pol.polroles)) ELSE '' END,
                          E'\n' ORDER BY pol.polname)
                 FROM pg_catalog.pg_policy pol WHERE pol.polrelid = c.oid), '') AS "Policies"
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'S', 'f', 'p')
  AND ($1::pg_catalog.text IS NULL OR c.relname OPERATOR(pg_catalog.~) $1)
  AND ($2::pg_catalog.text IS NULL OR n.nspname OPERATOR(pg_catalog.~) $2)
  AND (NOT $3::pg_catalog.bool OR pg_catalog.pg_table_is_visible(c.oid))
  AND (NOT $4::pg_catalog.bool OR n.nspname OPERATOR(pg_catalog.!~) '^pg_' AND n.nspname <> 'information_schema')
ORDER BY 1, 2
