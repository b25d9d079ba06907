-- Shift-Tab on a setting, a type, a role or a schema: $1 its name.
SELECT pg_catalog.format('setting %s = %s', name, pg_catalog.current_setting(name)) , short_desc || COALESCE('. ' || extra_desc, ''),
       ''
FROM pg_catalog.pg_settings WHERE name = pg_catalog.lower($1)
UNION ALL
SELECT 'type ' || pg_catalog.format_type(t.oid, NULL), COALESCE(pg_catalog.obj_description(t.oid, 'pg_type'), ''),
       COALESCE((SELECT pg_catalog.string_agg(pg_catalog.quote_literal(enumlabel), ', ' ORDER BY enumsortorder)
                 FROM pg_catalog.pg_enum WHERE enumtypid = t.oid), '')
FROM pg_catalog.pg_type t WHERE t.oid = pg_catalog.to_regtype(pg_catalog.quote_ident($1)) AND t.typrelid = 0
UNION ALL
SELECT 'schema ' || pg_catalog.quote_ident(nspname), COALESCE(pg_catalog.obj_description(oid, 'pg_namespace'), ''), ''
FROM pg_catalog.pg_namespace WHERE nspname = $1
UNION ALL
SELECT 'role ' || pg_catalog.quote_ident(rolname), CASE WHEN rolcanlogin THEN 'can log in' ELSE 'a group, cannot log in' END, ''
FROM pg_catalog.pg_roles WHERE rolname = $1
