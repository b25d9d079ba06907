-- The roles that the service has in every instance. Run once, in the template, by cloud_admin.
-- Source: Databricks, "Pre-created roles and permissions" of a Lakebase instance.
DO $roles$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['databricks_superuser', 'databricks_control_plane', 'databricks_monitor',
                                'databricks_gateway', 'databricks_replicator', 'databricks_native'] LOOP
        EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', name);
    END LOOP;
    GRANT pg_read_all_data, pg_write_all_data, pg_monitor TO databricks_superuser;
    GRANT pg_monitor TO databricks_monitor;
    COMMENT ON ROLE databricks_superuser IS
        'Reads and writes all data, monitors; not a superuser. The creator of the instance is a member';
    COMMENT ON ROLE databricks_native IS 'Members log in with a password of their own instead of a token';
    -- A session of the workspace looks nothing up in schemas that users can write to.
    ALTER ROLE cloud_admin SET search_path = pg_catalog, pg_temp;
END
$roles$;
