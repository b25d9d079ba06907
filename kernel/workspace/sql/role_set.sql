-- Make or change a role, all or nothing: the object in the setting lakebase.role has name, create (then kind too), and what is to be
-- set: member (of databricks_superuser), bypassrls, createdb, createrole. Run by cloud_admin in the database postgres.
DO $role$
DECLARE
    wanted jsonb := pg_catalog.current_setting('lakebase.role')::jsonb;
    role text := wanted ->> 'name';
    attribute text;
BEGIN
    IF (wanted ->> 'create')::bool THEN
        IF pg_catalog.octet_length(role) NOT BETWEEN 1 AND 63 OR pg_catalog.btrim(role) = '' OR role ~ '[[:cntrl:]]' THEN
            RAISE EXCEPTION 'a role name has 1 to 63 bytes and no control characters' USING ERRCODE = 'invalid_name';
        END IF;
        IF pg_catalog.lower(role) ~ '^(pg_|databricks_)' OR
           pg_catalog.lower(role) IN ('cloud_admin', 'postgres', 'public', 'none', 'current_user', 'current_role', 'session_user') THEN
            RAISE EXCEPTION 'role name "%" is reserved', role USING ERRCODE = 'reserved_name';
        END IF;
        EXECUTE pg_catalog.format('CREATE ROLE %I %s', role, CASE wanted ->> 'kind' WHEN 'PG_ONLY' THEN 'NOLOGIN' ELSE 'LOGIN' END);
        EXECUTE pg_catalog.format('COMMENT ON ROLE %I IS %L', role, CASE wanted ->> 'kind'
                                  WHEN 'PG_ONLY' THEN 'Role without an identity: PG_ONLY' ELSE 'Databricks identity: ' || (wanted ->> 'kind') END);
    END IF;
    -- Before 16 it may grant itself any role but a superuser, and pg_execute_server_program is one of them.
    IF (wanted ->> 'createrole')::bool AND pg_catalog.current_setting('server_version_num')::int4 < 160000 THEN
        RAISE EXCEPTION 'the attribute createrole is offered from PostgreSQL 16 on; before, the extension databricks_auth makes roles'
            USING ERRCODE = 'feature_not_supported';
    END IF;
    FOREACH attribute IN ARRAY ARRAY['bypassrls', 'createdb', 'createrole'] LOOP
        IF wanted ? attribute THEN
            EXECUTE pg_catalog.format('ALTER ROLE %I %s', role, CASE WHEN (wanted ->> attribute)::bool THEN '' ELSE 'NO' END || attribute);
        END IF;
    END LOOP;
    IF (wanted ->> 'member')::bool THEN
        EXECUTE pg_catalog.format('GRANT databricks_superuser TO %I', role);
    ELSIF wanted ? 'member' THEN
        EXECUTE pg_catalog.format('REVOKE databricks_superuser FROM %I', role);
    END IF;
END
$role$;
