-- What \d+ NAME adds at the end: $1 oid. One text for each row.
SELECT line FROM (
  SELECT 1 AS place, 'View definition:' || E'\n' || pg_catalog.pg_get_viewdef(c.oid, true) AS line
  FROM pg_catalog.pg_class c WHERE c.oid = $1::pg_catalog.oid AND c.relkind IN ('v', 'm')
  UNION ALL
  SELECT 2, 'Partitions: ' || pg_catalog.string_agg(i.inhrelid::pg_catalog.regclass || ' '
              || pg_catalog.pg_get_expr(k.relpartbound, k.oid), E',\n            '
              ORDER BY i.inhrelid::pg_catalog.regclass::pg_catalog.text)
  FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class k ON k.oid = i.inhrelid AND k.relispartition
  WHERE i.inhparent = $1::pg_catalog.oid AND k.relkind NOT IN ('i', 'I')
  HAVING pg_catalog.count(*) > 0
  UNION ALL
  SELECT 3, 'Access method: ' || am.amname
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am am ON am.oid = c.relam
  WHERE c.oid = $1::pg_catalog.oid AND c.relkind IN ('r', 'm')
) f
ORDER BY place
