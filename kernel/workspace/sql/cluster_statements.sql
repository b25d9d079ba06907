
-- The end of each script of pg_stat_statements in the private prefix: databricks_superuser may reset it.
DO $statements$
DECLARE
    reset oid;
BEGIN
    FOR reset IN SELECT p.oid FROM pg_catalog.pg_proc p
                 WHERE p.proname = 'pg_stat_statements_reset' LOOP
        EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO databricks_superuser',
                                  reset::pg_catalog.regprocedure);
    END LOOP;
END
$statements$;
