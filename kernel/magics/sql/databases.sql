SELECT d.datname AS "Name", pg_catalog.pg_get_userbyid(d.datdba) AS "Owner",
       pg_catalog.pg_encoding_to_char(d.encoding) AS "Encoding", d.datcollate AS "Collate", d.datctype AS "Ctype",
       pg_catalog.array_to_string(d.datacl, chr(10)) AS "Access privileges"
FROM   pg_catalog.pg_database AS d
WHERE  ($1::text IS NULL OR d.datname OPERATOR(pg_catalog.~) $1 COLLATE pg_catalog.default)
ORDER  BY 1
