-- databricks_auth: roles for the identities of the workspace, and for lessons on roles and GRANT.
-- Every function runs with the rights of the internal superuser, so each stands alone: it calls nothing that a user could
-- have put in its way, looks names up in pg_catalog only, quotes what it executes, and refuses the names of the system.
-- Only members of databricks_superuser may call them.
\echo Use "CREATE EXTENSION databricks_auth" to load this file. \quit

CREATE FUNCTION databricks_create_role(identity_name text, identity_type text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    kind text := upper(identity_type);
    caller text := session_user;
BEGIN
    IF kind IS NULL OR kind NOT IN ('USER', 'SERVICE_PRINCIPAL', 'GROUP', 'PG_ONLY') THEN
        RAISE EXCEPTION 'identity type "%" is not one of USER, SERVICE_PRINCIPAL, GROUP, PG_ONLY', identity_type
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF identity_name IS NULL OR btrim(identity_name) = '' OR octet_length(identity_name) > 63
       OR identity_name ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION 'a role name has 1 to 63 bytes and no control characters'
            USING ERRCODE = 'invalid_name';
    END IF;
    IF lower(identity_name) ~ '^(pg_|databricks_)'
       OR lower(identity_name) IN ('cloud_admin', 'postgres', 'public', 'none', 'current_user', 'current_role', 'session_user') THEN
        RAISE EXCEPTION 'role name "%" is reserved', identity_name USING ERRCODE = 'reserved_name';
    END IF;
    EXECUTE format('CREATE ROLE %I %s', identity_name, CASE kind WHEN 'PG_ONLY' THEN 'NOLOGIN' ELSE 'LOGIN' END);
    EXECUTE format('COMMENT ON ROLE %I IS %L', identity_name,
                   CASE kind WHEN 'PG_ONLY' THEN 'Role without an identity: PG_ONLY' ELSE 'Databricks identity: ' || kind END);
    -- Whoever makes a role may grant it and become it, as on PostgreSQL 16 and later with CREATEROLE.
    EXECUTE format('GRANT %I TO %I WITH ADMIN OPTION', identity_name, caller);
END
$function$;

CREATE FUNCTION databricks_drop_role(role_name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    target oid := (SELECT r.oid FROM pg_roles r WHERE r.rolname = role_name);
BEGIN
    IF target IS NULL THEN
        RAISE EXCEPTION 'role "%" does not exist', role_name USING ERRCODE = 'undefined_object';
    END IF;
    -- Made by databricks_create_role, and the caller's to give: nothing of the system is either.
    IF NOT EXISTS (SELECT FROM pg_auth_members m
                   WHERE m.roleid = target AND m.admin_option
                     AND m.member = (SELECT r.oid FROM pg_roles r WHERE r.rolname = session_user))
       OR target = (SELECT r.oid FROM pg_roles r WHERE r.rolname = session_user)
       OR role_name ~ '^(pg_|databricks_)' OR role_name = 'cloud_admin'
       OR EXISTS (SELECT FROM pg_roles r WHERE r.oid = target AND (r.rolsuper OR r.rolreplication)) THEN
        RAISE EXCEPTION 'must have admin option on role "%" to drop it', role_name
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    EXECUTE format('DROP ROLE %I', role_name);
END
$function$;

REVOKE ALL ON FUNCTION databricks_create_role(text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION databricks_drop_role(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION databricks_create_role(text, text) TO databricks_superuser;
GRANT EXECUTE ON FUNCTION databricks_drop_role(text) TO databricks_superuser;

COMMENT ON FUNCTION databricks_create_role(text, text) IS
    'Make a role for a workspace identity (USER, SERVICE_PRINCIPAL, GROUP: logs in with a token of that name) or a plain '
    'group role (PG_ONLY: no login). The caller may then GRANT it, grant rights to it and SET ROLE to it';
COMMENT ON FUNCTION databricks_drop_role(text) IS
    'Drop a role that the caller made with databricks_create_role (or has admin option on)';
