-- The owner of a new instance: a role of the name in the setting lakebase.owner, and the default database its own.
-- Run by cloud_admin in the database postgres; running it again completes what is there.
-- CREATEROLE only from PostgreSQL 16 on: before, it may grant itself any role but a superuser, and
-- pg_execute_server_program is one of them. There, databricks_auth makes roles.
DO $owner$
DECLARE
    owner text := pg_catalog.current_setting('lakebase.owner');
    may_create text := CASE WHEN pg_catalog.current_setting('server_version_num')::int4 >= 160000
                            THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = owner) THEN
        EXECUTE pg_catalog.format('CREATE ROLE %I', owner);
    END IF;
    EXECUTE pg_catalog.format('ALTER ROLE %I LOGIN CREATEDB BYPASSRLS NOSUPERUSER NOREPLICATION %s', owner, may_create);
    EXECUTE pg_catalog.format('GRANT databricks_superuser TO %I', owner);
    EXECUTE pg_catalog.format('COMMENT ON ROLE %I IS %L', owner, 'Databricks identity: USER');
    IF EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = 'databricks_postgres'
               AND datdba <> (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = owner)) THEN
        EXECUTE pg_catalog.format('ALTER DATABASE databricks_postgres OWNER TO %I', owner);
    END IF;
END
$owner$;
