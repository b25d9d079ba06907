-- What a sync needs in a database. Run by cloud_admin; running it again completes what is there.
-- The settings lakebase.writer and lakebase.creator name the roles, lakebase.schema the target schema.
DO $prepare$
DECLARE
    writer text := pg_catalog.current_setting('lakebase.writer');
    creator text := pg_catalog.current_setting('lakebase.creator');
    schema_name text := pg_catalog.current_setting('lakebase.schema');
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = writer) THEN
        EXECUTE pg_catalog.format('CREATE ROLE %I', writer);
        EXECUTE pg_catalog.format('COMMENT ON ROLE %I IS %L', writer, 'Owns and writes the synced tables of a database');
    END IF;
    EXECUTE pg_catalog.format('ALTER ROLE %I LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE', writer);
    EXECUTE pg_catalog.format('ALTER ROLE %I SET search_path = pg_catalog, pg_temp', writer);
    EXECUTE pg_catalog.format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO %I', pg_catalog.current_database(), writer);
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = schema_name) THEN
        EXECUTE pg_catalog.format('CREATE SCHEMA %I AUTHORIZATION %I', schema_name, creator);
    END IF;
    EXECUTE pg_catalog.format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', schema_name, writer);
    EXECUTE pg_catalog.format('CREATE SCHEMA IF NOT EXISTS databricks_sync AUTHORIZATION %I', writer);
    IF (SELECT pg_catalog.pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace WHERE nspname = 'databricks_sync') <> writer THEN
        RAISE EXCEPTION 'schema databricks_sync belongs to somebody else' USING ERRCODE = 'duplicate_schema';
    END IF;
    EXECUTE pg_catalog.format('SET LOCAL ROLE %I', writer);
END
$prepare$;

CREATE TABLE IF NOT EXISTS databricks_sync.tables (
    id text PRIMARY KEY,
    schema_name text NOT NULL,
    table_name text NOT NULL,
    source_id text NOT NULL,          -- metaData.id of the Delta table
    version bigint NOT NULL,          -- the commit that the target equals
    committed_ms bigint NOT NULL,     -- its time
    columns jsonb NOT NULL,           -- [[name, type], …] as synced
    epoch bigint NOT NULL,            -- counts steps: a stale worker does not know the newest
    row_count bigint NOT NULL,
    update_id text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    UNIQUE (schema_name, table_name)
);

-- Members of databricks_superuser may write all data, so rights alone keep nobody out.
CREATE OR REPLACE FUNCTION databricks_sync.refuse_write() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = TG_RELID AND pg_get_userbyid(c.relowner) = current_user) THEN
        RAISE EXCEPTION 'table "%" is a synced table: only the sync writes to it', TG_TABLE_NAME
            USING ERRCODE = 'read_only_sql_transaction',
                  HINT = 'Change the source table in Unity Catalog; the next sync brings the change here.';
    END IF;
    RETURN NULL;
END
$function$;
CREATE OR REPLACE TRIGGER synced_table_is_read_only
    BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON databricks_sync.tables
    FOR EACH STATEMENT EXECUTE FUNCTION databricks_sync.refuse_write();

-- What was made on the old heap, once more on the new one: indexes and comments. Called again, it brings over what was made or dropped since.
CREATE OR REPLACE FUNCTION databricks_sync.carry_over(old regclass, new regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    old_name text := (SELECT format('%I.%I', n.nspname, c.relname)
                      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = old);
    item record;
    new_name text := (SELECT format('%I.%I', n.nspname, c.relname)
                      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = new);
BEGIN
    FOR item IN
        SELECT i.indexrelid::regclass AS name
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = new AND NOT i.indisprimary AND NOT EXISTS (
            SELECT FROM pg_index o JOIN pg_class d ON d.oid = o.indexrelid
            WHERE o.indrelid = old AND o.indisvalid AND d.relname = c.relname
              AND pg_get_indexdef(i.indexrelid) = replace(pg_get_indexdef(o.indexrelid), format(' ON %s USING ', old_name),
                                                          format(' ON %s USING ', new_name)))
    LOOP
        EXECUTE format('DROP INDEX %s', item.name);
    END LOOP;
    FOR item IN
        SELECT c.relname AS name, i.indisunique AS uniq, pg_get_indexdef(i.indexrelid) AS def
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = old AND NOT i.indisprimary AND i.indisvalid
          AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = old)
          AND NOT EXISTS (SELECT FROM pg_index n JOIN pg_class d ON d.oid = n.indexrelid
                          WHERE n.indrelid = new AND d.relname = c.relname)
    LOOP
        EXECUTE format('CREATE %sINDEX %I ON %s', CASE WHEN item.uniq THEN 'UNIQUE ' ELSE '' END, item.name, new)
            || substr(item.def, 1 + length(format('CREATE %sINDEX %I ON %s', CASE WHEN item.uniq THEN 'UNIQUE ' ELSE '' END,
                                                  item.name, old_name)));
    END LOOP;
    FOR item IN
        SELECT d.objsubid, a.attname, d.description
        FROM pg_description d LEFT JOIN pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid AND d.objsubid > 0
        WHERE d.classoid = 'pg_class'::regclass AND d.objoid = old
    LOOP
        IF item.objsubid = 0 THEN
            EXECUTE format('COMMENT ON TABLE %s IS %L', new, item.description);
        ELSIF EXISTS (SELECT FROM pg_attribute WHERE attrelid = new AND attname = item.attname AND NOT attisdropped) THEN
            EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', new, item.attname, item.description);
        END IF;
    END LOOP;
END
$function$;
REVOKE ALL ON FUNCTION databricks_sync.carry_over(regclass, regclass) FROM PUBLIC;

-- Its rights.
CREATE OR REPLACE FUNCTION databricks_sync.carry_grants(old regclass, new regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE format('%I', pg_get_userbyid(a.grantee)) END AS grantee,
               a.privilege_type AS privilege, a.is_grantable AS grantable
        FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.oid = old AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('GRANT %s ON %s TO %s%s', item.privilege, new, item.grantee,
                       CASE WHEN item.grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
    FOR item IN
        SELECT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE format('%I', pg_get_userbyid(x.grantee)) END AS grantee,
               x.privilege_type AS privilege, x.is_grantable AS grantable, a.attname AS name
        FROM pg_attribute a CROSS JOIN LATERAL aclexplode(a.attacl) x
        WHERE a.attrelid = old AND NOT a.attisdropped
          AND EXISTS (SELECT FROM pg_attribute b WHERE b.attrelid = new AND b.attname = a.attname AND NOT b.attisdropped)
    LOOP
        EXECUTE format('GRANT %s (%I) ON %s TO %s%s', item.privilege, item.name, new, item.grantee,
                       CASE WHEN item.grantable THEN ' WITH GRANT OPTION' ELSE '' END);
    END LOOP;
END
$function$;
REVOKE ALL ON FUNCTION databricks_sync.carry_grants(regclass, regclass) FROM PUBLIC;
