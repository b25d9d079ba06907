-- Tab behind JOIN … ON: the foreign keys between the relation that is joined and those in sight, as conditions.
-- $1 relations as JSON [{"schema":…,"name":…,"alias":…,"joined":…}].
WITH seen AS (
    SELECT c.oid, COALESCE(r.alias, r.name) AS name, r.joined, r.ordinality
    FROM ROWS FROM (pg_catalog.json_to_recordset($1::pg_catalog.json)
                    AS (schema pg_catalog.text, name pg_catalog.text, alias pg_catalog.text, joined pg_catalog.bool))
         WITH ORDINALITY AS r
    CROSS JOIN LATERAL (SELECT pg_catalog.to_regclass(pg_catalog.concat_ws('.', pg_catalog.quote_ident(r.schema),
                                                                           pg_catalog.quote_ident(r.name))) AS oid) c
)
SELECT pg_catalog.string_agg(pg_catalog.format('%I.%I = %I.%I', j.name, ja.attname, o.name, oa.attname), ' AND ' ORDER BY k.i),
       'join', 'foreign key ' || f.conname
FROM seen j
JOIN seen o ON o.ordinality <> j.ordinality
JOIN pg_catalog.pg_constraint f ON f.contype = 'f' AND ((f.conrelid = j.oid AND f.confrelid = o.oid) OR
                                                        (f.conrelid = o.oid AND f.confrelid = j.oid))
CROSS JOIN LATERAL pg_catalog.generate_subscripts(f.conkey, 1) AS k(i)
JOIN pg_catalog.pg_attribute ja ON ja.attrelid = j.oid
     AND ja.attnum = CASE WHEN f.conrelid = j.oid THEN f.conkey[k.i] ELSE f.confkey[k.i] END
JOIN pg_catalog.pg_attribute oa ON oa.attrelid = o.oid
     AND oa.attnum = CASE WHEN f.conrelid = j.oid THEN f.confkey[k.i] ELSE f.conkey[k.i] END
WHERE j.joined
GROUP BY f.oid, f.conname, j.ordinality, o.ordinality
ORDER BY o.ordinality, f.conname
LIMIT 100
