SELECT a.attname AS "Column", pg_catalog.format_type(a.atttypid, a.atttypmod) AS "Type",
       CASE WHEN a.attnum <= i.indnkeyatts THEN 'yes' ELSE 'no' END AS "Key?",
       pg_catalog.pg_get_indexdef(a.attrelid, a.attnum, true) AS "Definition"
FROM   pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_index AS i ON i.indexrelid = a.attrelid
WHERE  a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER  BY a.attnum
