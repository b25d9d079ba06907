-- pg_stat_statements in databricks_postgres, where its library is installed and loaded.
DO $statements$
DECLARE
    reset oid;
BEGIN
    CREATE EXTENSION pg_stat_statements SCHEMA public;
    FOR reset IN SELECT p.oid FROM pg_catalog.pg_proc p
                 WHERE p.proname = 'pg_stat_statements_reset' LOOP
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO databricks_superuser',
                                  reset::pg_catalog.regprocedure);
    END LOOP;
END
$statements$;
