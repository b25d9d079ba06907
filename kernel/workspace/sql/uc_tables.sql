-- Tables and views of a schema with their columns, as Unity Catalog shows them: types as the PostgreSQL federation of
-- Databricks maps them, the rest as STRING. $1: schema, $2: after this name, $3: at most, $4: this name only (or NULL).
-- The last two values are JSON: columns, and constraints.
WITH mapped AS (
    SELECT a.attrelid, a.attnum, a.attname, a.attnotnull, a.atttypmod, col_description(a.attrelid, a.attnum) AS comment,
           coalesce(nullif(t.typbasetype, 0), t.oid) AS base, t.typtypmod AS domain_mod, a.atttypid
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attnum > 0 AND NOT a.attisdropped
), typed AS (
    SELECT m.*, CASE WHEN m.base = 'numeric'::regtype
                     THEN CASE WHEN greatest(m.atttypmod, coalesce(m.domain_mod, -1)) >= 4
                               THEN ((greatest(m.atttypmod, m.domain_mod) - 4) >> 16) & 65535 ELSE 38 END END AS digits,
           CASE WHEN m.base = 'numeric'::regtype
                THEN CASE WHEN greatest(m.atttypmod, coalesce(m.domain_mod, -1)) >= 4
                          THEN (((greatest(m.atttypmod, m.domain_mod) - 4) & 2047) # 1024) - 1024 ELSE 18 END END AS scale,
           format_type(m.base, NULL) AS pg
    FROM mapped m
), named AS (
    SELECT t.*, CASE t.pg
               WHEN 'smallint' THEN 'SHORT' WHEN 'integer' THEN 'INT' WHEN 'bigint' THEN 'LONG' WHEN 'oid' THEN 'LONG'
               WHEN 'real' THEN 'FLOAT' WHEN 'double precision' THEN 'DOUBLE' WHEN 'boolean' THEN 'BOOLEAN'
               WHEN 'bytea' THEN 'BINARY' WHEN 'date' THEN 'DATE'
               WHEN 'timestamp without time zone' THEN 'TIMESTAMP' WHEN 'timestamp with time zone' THEN 'TIMESTAMP'
               WHEN 'numeric' THEN CASE WHEN t.digits <= 38 AND t.scale BETWEEN 0 AND t.digits THEN 'DECIMAL' ELSE 'STRING' END
               ELSE 'STRING' END AS type_name
    FROM typed t
), spelled AS (
    SELECT n.*, CASE n.type_name WHEN 'SHORT' THEN 'smallint' WHEN 'LONG' THEN 'bigint'
                WHEN 'DECIMAL' THEN format('decimal(%s,%s)', n.digits, n.scale) ELSE lower(n.type_name) END AS type_text,
           CASE n.type_name WHEN 'SHORT' THEN 'short' WHEN 'INT' THEN 'integer' WHEN 'LONG' THEN 'long'
                WHEN 'DECIMAL' THEN format('decimal(%s,%s)', n.digits, n.scale) ELSE lower(n.type_name) END AS spark
    FROM named n
)
SELECT c.relname, coalesce(obj_description(c.oid, 'pg_class'), ''), pg_get_userbyid(c.relowner), c.oid,
       coalesce((SELECT json_agg(json_strip_nulls(json_build_object(
               'name', s.attname, 'type_name', s.type_name, 'type_text', s.type_text, 'comment', s.comment,
               'type_json', json_build_object('name', s.attname, 'type', s.spark, 'nullable', NOT s.attnotnull,
                                              'metadata', '{}'::json)::text,
               'type_precision', CASE WHEN s.type_name = 'DECIMAL' THEN s.digits END,
               'type_scale', CASE WHEN s.type_name = 'DECIMAL' THEN s.scale END,
               'position', s.place, 'nullable', NOT s.attnotnull)) ORDER BY s.attnum)
           FROM (SELECT *, row_number() OVER (ORDER BY attnum) - 1 AS place
                 FROM spelled WHERE attrelid = c.oid) s), '[]'::json),
       coalesce((SELECT json_agg(CASE k.contype
               WHEN 'p' THEN json_build_object('primary_key_constraint', json_build_object(
                   'name', k.conname, 'child_columns', own.names))
               ELSE json_build_object('foreign_key_constraint', json_build_object(
                   'name', k.conname, 'child_columns', own.names,
                   'parent_table', (SELECT json_build_array(pn.nspname, pc.relname)
                                    FROM pg_class pc JOIN pg_namespace pn ON pn.oid = pc.relnamespace
                                    WHERE pc.oid = k.confrelid),
                   'parent_columns', parent.names)) END ORDER BY k.contype DESC, k.conname)
           FROM pg_constraint k
           CROSS JOIN LATERAL (SELECT json_agg(a.attname ORDER BY u.place) AS names
                               FROM unnest(k.conkey) WITH ORDINALITY u(num, place)
                               JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num) own
           CROSS JOIN LATERAL (SELECT json_agg(a.attname ORDER BY u.place) AS names
                               FROM unnest(k.confkey) WITH ORDINALITY u(num, place)
                               JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num) parent
           WHERE k.conrelid = c.oid AND k.contype IN ('p', 'f')), '[]'::json)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND c.relname > $2 COLLATE "C" AND ($4::text IS NULL OR c.relname = $4)
ORDER BY c.relname COLLATE "C"
LIMIT $3::bigint
