-- Rights in a database, before any user can see it. Run in template1, postgres and databricks_postgres.
-- PostgreSQL 14 still lets everybody create in public; 15 and later do not, and this changes nothing there.
DO $database$
BEGIN
    ALTER SCHEMA public OWNER TO pg_database_owner;
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    EXECUTE pg_catalog.format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO databricks_superuser WITH GRANT OPTION',
                              pg_catalog.current_database());
END
$database$;
