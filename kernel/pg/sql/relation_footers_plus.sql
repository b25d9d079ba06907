-- What \d+ NAME adds at the end: $1 oid. One text for each row.
SELECT line FROM (
  SELECT 1 AS place, 'View definition:' || E'\n' || pg_catalog.pg_get_viewdef(c.oid, true) AS line
  FROM pg_catalog.pg_class c WHERE c.oid = $1::pg_catalog.oid AND c.relkind IN ('v', 'm')
  UNION ALL
  SELECT 2, CASE WHEN p.relkind IN ('p', 'I') THEN 'Partitions: ' ELSE 'Child tables: ' END
            || pg_catalog.string_agg(
                 k.oid::pg_catalog.regclass || COALESCE(' ' || pg_catalog.pg_get_expr(k.relpartbound, k.oid), '')
                 || CASE WHEN k.relkind IN ('p', 'I') THEN ', PARTITIONED' WHEN k.relkind = 'f' THEN ', FOREIGN' ELSE '' END
                 || CASE WHEN i.inhdetachpending THEN ' (DETACH PENDING)' ELSE '' END,
                 E',\n' || CASE WHEN p.relkind IN ('p', 'I') THEN '            ' ELSE '              ' END
                 ORDER BY pg_catalog.pg_get_expr(k.relpartbound, k.oid) = 'DEFAULT',
                          k.oid::pg_catalog.regclass::pg_catalog.text)
  FROM pg_catalog.pg_class p
  JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
  JOIN pg_catalog.pg_class k ON k.oid = i.inhrelid
  WHERE p.oid = $1::pg_catalog.oid
  GROUP BY p.relkind
  UNION ALL
  SELECT 2, 'Number of partitions: 0'
  FROM pg_catalog.pg_class p
  WHERE p.oid = $1::pg_catalog.oid AND p.relkind IN ('p', 'I')
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = p.oid)
  UNION ALL
  SELECT 3, 'Access method: ' || am.amname
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am am ON am.oid = c.relam
  WHERE c.oid = $1::pg_catalog.oid AND c.relkind IN ('r', 'm', 'p', 'I', 't')
) f
ORDER BY place
