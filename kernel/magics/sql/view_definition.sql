SELECT 'View definition:' || chr(10) || pg_catalog.pg_get_viewdef($1::oid, true)
