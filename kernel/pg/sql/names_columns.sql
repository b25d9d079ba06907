-- Tab: $1 what the name begins with, $2 relations as JSON [{"schema":…,"name":…,"alias":…}] in the order they are in sight,
-- $3 true: also the system's columns (ctid, xmin…).
SELECT pg_catalog.quote_ident(a.attname), 'column',
       pg_catalog.concat_ws(' · ', pg_catalog.format_type(a.atttypid, a.atttypmod), COALESCE(r.alias, r.name),
                            pg_catalog.col_description(a.attrelid, a.attnum))
FROM ROWS FROM (pg_catalog.json_to_recordset($2::pg_catalog.json)
                AS (schema pg_catalog.text, name pg_catalog.text, alias pg_catalog.text)) WITH ORDINALITY AS r
CROSS JOIN LATERAL (SELECT pg_catalog.to_regclass(pg_catalog.concat_ws('.', pg_catalog.quote_ident(r.schema),
                                                                       pg_catalog.quote_ident(r.name))) AS oid) c
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
WHERE NOT a.attisdropped AND (a.attnum > 0 OR $3::pg_catalog.bool)
  AND pg_catalog.starts_with(pg_catalog.lower(a.attname), pg_catalog.lower($1))
ORDER BY r.ordinality, a.attnum < 0, a.attnum
LIMIT 1000
