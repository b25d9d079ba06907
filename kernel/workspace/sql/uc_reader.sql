-- The role that the SQL warehouse reads a registered database as: every table, nothing else, and no row hidden by row
-- security, as Unity Catalog's SELECT means the whole table. Run in that database by cloud_admin; again is fine.
DO $reader$
BEGIN
    -- Nearly always it is there: nothing is written then.
    IF EXISTS (SELECT FROM pg_catalog.pg_roles
               WHERE rolname = 'databricks_reader' AND rolcanlogin AND rolbypassrls AND NOT rolsuper
                 AND pg_catalog.cardinality(rolconfig) = 2
                 AND pg_catalog.pg_has_role(oid, 'pg_read_all_data', 'USAGE')
                 AND pg_catalog.has_database_privilege(oid, pg_catalog.current_database(), 'CONNECT')) THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'databricks_reader') THEN
        CREATE ROLE databricks_reader;
        COMMENT ON ROLE databricks_reader IS 'Reads for the SQL warehouse of the workspace';
    END IF;
    ALTER ROLE databricks_reader LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION BYPASSRLS;
    ALTER ROLE databricks_reader SET default_transaction_read_only = on;
    ALTER ROLE databricks_reader SET search_path = pg_catalog, pg_temp;
    GRANT pg_read_all_data TO databricks_reader;
    -- Everybody may connect unless somebody revoked it; \l should not show a grant that is not needed.
    IF NOT pg_catalog.has_database_privilege('databricks_reader', pg_catalog.current_database(), 'CONNECT') THEN
        EXECUTE pg_catalog.format('GRANT CONNECT ON DATABASE %I TO databricks_reader', pg_catalog.current_database());
    END IF;
EXCEPTION
    -- Two statements at once made it: one of them is enough.
    WHEN unique_violation OR duplicate_object THEN NULL;
    WHEN internal_error THEN
        IF SQLERRM !~ 'concurrently updated' THEN RAISE; END IF;
END
$reader$;
