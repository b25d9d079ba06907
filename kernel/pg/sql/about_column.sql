-- Shift-Tab on a column: $1 its name, $2 relations in sight as JSON. A line for each that has it, its comment, nothing more.
SELECT pg_catalog.concat_ws(' ', 'column', pg_catalog.format('%s.%I', c.oid::pg_catalog.regclass, a.attname),
                            pg_catalog.format_type(a.atttypid, a.atttypmod),
                            CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                            'DEFAULT ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid),
                            CASE WHEN p.oid IS NOT NULL THEN '· primary key' END),
       COALESCE(pg_catalog.col_description(a.attrelid, a.attnum), ''), ''
FROM ROWS FROM (pg_catalog.json_to_recordset($2::pg_catalog.json)
                AS (schema pg_catalog.text, name pg_catalog.text, alias pg_catalog.text)) WITH ORDINALITY AS r
CROSS JOIN LATERAL (SELECT pg_catalog.to_regclass(pg_catalog.concat_ws('.', pg_catalog.quote_ident(r.schema),
                                                                       pg_catalog.quote_ident(r.name))) AS oid) c
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = $1 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_catalog.pg_constraint p ON p.conrelid = c.oid AND p.contype = 'p' AND a.attnum = ANY (p.conkey)
ORDER BY r.ordinality
LIMIT 20
