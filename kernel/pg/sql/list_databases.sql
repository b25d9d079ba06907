-- \l: $1 name (regular expression or NULL). The locale columns that differ between majors are left out.
SELECT d.datname AS "Name",
       pg_catalog.pg_get_userbyid(d.datdba) AS "Owner",
       pg_catalog.pg_encoding_to_char(d.encoding) AS "Encoding",
       CASE d.datlocprovider WHEN 'b' THEN 'builtin' WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu'
            ELSE d.datlocprovider::pg_catalog.text END AS "Locale Provider",
       COALESCE(d.datcollate, '') AS "Collate",
       COALESCE(d.datctype, '') AS "Ctype",
       COALESCE(pg_catalog.array_to_string(d.datacl, E'\n'), '') AS "Access privileges"
FROM pg_catalog.pg_database d
WHERE $1::pg_catalog.text IS NULL OR d.datname OPERATOR(pg_catalog.~) $1
ORDER BY 1
