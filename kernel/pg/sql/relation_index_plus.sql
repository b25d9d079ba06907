-- \d+ NAME of an index: $1 oid
SELECT a.attname AS "Column",
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS "Type",
       CASE WHEN a.attnum <= i.indnkeyatts THEN 'yes' ELSE 'no' END AS "Key?",
       pg_catalog.pg_get_indexdef(a.attrelid, a.attnum, true) AS "Definition",
       CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' THEN 'main'
            WHEN 'x' THEN 'extended' ELSE '???' END AS "Storage",
       CASE WHEN a.attstattarget >= 0 THEN a.attstattarget::pg_catalog.text ELSE '' END AS "Stats target"
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_index i ON i.indexrelid = a.attrelid
WHERE a.attrelid = $1::pg_catalog.oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
