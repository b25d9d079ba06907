-- Tab: the values of setting $2 that begin with $1.
SELECT v.value, 'value', s.short_desc
FROM pg_catalog.pg_settings s
CROSS JOIN LATERAL (
    SELECT pg_catalog.unnest(s.enumvals) AS value
    UNION ALL SELECT pg_catalog.unnest(ARRAY['on', 'off']) WHERE s.vartype = 'bool'
    UNION ALL SELECT pg_catalog.quote_ident(nspname) FROM pg_catalog.pg_namespace
              WHERE s.name = 'search_path' AND nspname !~ '^pg_(toast|temp)'
    UNION ALL SELECT 'DEFAULT') v
WHERE s.name = pg_catalog.lower($2) AND pg_catalog.starts_with(pg_catalog.lower(v.value), pg_catalog.lower($1))
LIMIT 1000
