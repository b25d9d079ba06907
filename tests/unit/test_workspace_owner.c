/*
 * What the owner of an instance may do, and above all may not: reach the server's files, its programs, its socket, or the
 * rights of the roles of the system. Against the real PostgreSQL, over the network, as a user would.
 */
#include "cluster_fixture.h"

static struct pg_conn *owner, *admin;

static int set_up_owner(void **state)
{
    struct err e;
    err_init(&e);
    if (group_set_up(state) != 0)
        return -1;
    set_up(state);
    fixture_create(&f);
    owner = login(&f);
    admin = cluster_connect(f.all, f.uid, "databricks_postgres", NULL, &e);
    no_error(&e);
    run(owner, "CREATE EXTENSION databricks_auth");
    run(owner, "CREATE TABLE t (v text)");
    return 0;
}

static int tear_down_owner(void **state)
{
    pg_close(owner);
    pg_close(admin);
    tear_down(state);
    return group_tear_down(state);
}

static bool is_modern(void) { return pg_server_version(owner) >= 160000; }

/* ---- the escape ---------------------------------------------------------------------------------------------------- */

/* Each must be refused for want of rights (42501), or because the thing does not exist here at all. */
static const char *const escapes[] = {
    /* programs and files of the server */
    "COPY t FROM PROGRAM 'id'", "COPY t TO PROGRAM 'cat'", "COPY t FROM '/etc/passwd'", "COPY t TO '/tmp/lb-escape'",
    "SELECT pg_read_file('/etc/passwd')", "SELECT pg_read_file('PG_VERSION')", "SELECT pg_read_binary_file('PG_VERSION')",
    "SELECT pg_ls_dir('.')", "SELECT pg_stat_file('PG_VERSION')", "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(lo_creat(-1), '/tmp/lb-escape')", "SELECT * FROM pg_hba_file_rules", "SELECT * FROM pg_file_settings",
    "SELECT pg_reload_conf()", "SELECT pg_rotate_logfile()", "SELECT pg_switch_wal()", "SELECT pg_promote()",
    /* code of the server */
    "CREATE FUNCTION c() RETURNS int LANGUAGE c AS '/lib/x86_64-linux-gnu/libc.so.6', 'getpid'",
    "CREATE FUNCTION i() RETURNS int LANGUAGE internal AS 'pg_backend_pid'",
    "CREATE FUNCTION i(text) RETURNS text LANGUAGE internal AS 'pg_read_file_all'", "LOAD '/tmp/x.so'",
    "LOAD 'pg_stat_statements'", "CREATE LANGUAGE plpython3u", "CREATE EXTENSION plpython3u", "CREATE EXTENSION plperlu",
    "CREATE EXTENSION adminpack", "CREATE EXTENSION file_fdw", "CREATE EXTENSION dblink", "CREATE EXTENSION postgres_fdw",
    "CREATE EXTENSION pageinspect", "CREATE EXTENSION pg_surgery", "CREATE EXTENSION pg_walinspect",
    "CREATE EXTENSION old_snapshot", "CREATE EXTENSION amcheck", "CREATE EXTENSION xml2",
    "CREATE FOREIGN DATA WRAPPER w", "CREATE EVENT TRIGGER ev ON ddl_command_start EXECUTE FUNCTION now()",
    "CREATE TRUSTED LANGUAGE l HANDLER plpgsql_call_handler", "CREATE CAST (int AS text) WITHOUT FUNCTION",
    /* settings of the server */
    "ALTER SYSTEM SET log_statement = 'all'", "ALTER SYSTEM RESET ALL", "SET session_preload_libraries = 'x'",
    "SET log_statement = 'all'", "SET log_min_error_statement = 'error'", "SET allow_system_table_mods = on",
    "SET session_replication_role = replica", "SET dynamic_library_path = '/tmp'", "SET zero_damaged_pages = on",
    "ALTER ROLE CURRENT_USER SET session_preload_libraries = 'x'", "ALTER ROLE ALL SET work_mem = '1GB'",
    "ALTER DATABASE databricks_postgres SET session_preload_libraries = 'x'",
    "ALTER DATABASE databricks_postgres SET log_statement = 'all'", "ALTER DATABASE template1 SET work_mem = '1GB'",
    "ALTER ROLE cloud_admin IN DATABASE databricks_postgres SET search_path = public", "SELECT set_config('ssl', 'off', false)",
    "GRANT SET ON PARAMETER session_preload_libraries TO CURRENT_USER",
    /* other servers, the socket */
    "CREATE SUBSCRIPTION s CONNECTION 'host=/tmp dbname=postgres user=cloud_admin' PUBLICATION p",
    "CREATE TABLESPACE ts LOCATION '/tmp'", "CREATE PUBLICATION p FOR ALL TABLES",
    "SELECT pg_create_physical_replication_slot('s')",
    /* rights of others */
    "GRANT cloud_admin TO CURRENT_USER", "GRANT pg_execute_server_program TO CURRENT_USER",
    "GRANT pg_read_server_files TO CURRENT_USER", "GRANT pg_write_server_files TO CURRENT_USER",
    "GRANT pg_signal_backend TO CURRENT_USER", "GRANT databricks_control_plane TO CURRENT_USER",
    "GRANT databricks_native TO CURRENT_USER", "GRANT databricks_superuser TO databricks_monitor",
    "SET ROLE cloud_admin", "SET SESSION AUTHORIZATION cloud_admin", "SET ROLE databricks_control_plane",
    "CREATE ROLE boss SUPERUSER", "CREATE ROLE boss REPLICATION", "CREATE ROLE boss IN ROLE pg_execute_server_program",
    "CREATE ROLE boss IN ROLE cloud_admin", "ALTER ROLE CURRENT_USER SUPERUSER", "ALTER ROLE CURRENT_USER REPLICATION",
    "ALTER ROLE cloud_admin PASSWORD 'x'", "ALTER ROLE cloud_admin NOLOGIN", "ALTER ROLE cloud_admin RENAME TO x",
    "ALTER ROLE databricks_superuser LOGIN", "ALTER ROLE databricks_superuser RENAME TO x",
    "ALTER ROLE databricks_native PASSWORD 'x'", "DROP ROLE databricks_monitor", "DROP ROLE databricks_superuser",
    "DROP ROLE cloud_admin", "COMMENT ON ROLE cloud_admin IS 'x'", "REASSIGN OWNED BY cloud_admin TO CURRENT_USER",
    "DROP OWNED BY cloud_admin", "ALTER DATABASE postgres OWNER TO CURRENT_USER", "DROP DATABASE postgres",
    "ALTER DATABASE databricks_postgres OWNER TO cloud_admin", "ALTER TABLE t OWNER TO cloud_admin",
    "ALTER FUNCTION databricks_create_role OWNER TO CURRENT_USER",
    "ALTER FUNCTION databricks_create_role SET search_path = public", "ALTER EXTENSION databricks_auth SET SCHEMA pg_temp",
    "CREATE OR REPLACE FUNCTION databricks_drop_role(role_name text) RETURNS void LANGUAGE sql AS ''",
    "ALTER EXTENSION databricks_auth DROP FUNCTION databricks_drop_role(text)",
    "UPDATE pg_catalog.pg_authid SET rolsuper = true", "DELETE FROM pg_catalog.pg_auth_members",
    "INSERT INTO pg_catalog.pg_auth_members SELECT * FROM pg_catalog.pg_auth_members", "UPDATE pg_catalog.pg_proc SET prosecdef = false",
    "CREATE FUNCTION pg_catalog.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE TABLE pg_catalog.x (v int)",
    "ALTER FUNCTION pg_catalog.now() OWNER TO CURRENT_USER",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'cloud_admin'",
    "SECURITY LABEL ON ROLE cloud_admin IS 'x'",
};

static bool is_refusal(const char *state)
{
    /* insufficient privilege; not offered here; fixed at server start; no label provider */
    static const char *const fine[] = {"42501", "0A000", "58P01", "55P02", "22023"};
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        if (strcmp(state, fine[i]) == 0)
            return true;
    }
    return false;
}

static void test_escape(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
        const char *code = refusal(owner, escapes[i]);
        if (!is_refusal(code))
            fail_msg("%s: refused with %s only", escapes[i], code);
    }
    assert_int_equal(access("/tmp/lb-escape", F_OK), -1);
    assert_asked(admin, "SELECT string_agg(rolname, ' ') FROM pg_roles WHERE rolsuper", "cloud_admin");
}

/* Before PostgreSQL 16 a role with CREATEROLE may grant itself pg_execute_server_program: so the owner has none. */
static void test_create_role_right(void **state)
{
    (void)state;
    assert_asked(owner, "SELECT rolcreaterole FROM pg_roles WHERE rolname = current_user", is_modern() ? "t" : "f");
    assert_asked(owner, "SELECT concat(rolsuper, rolreplication, rolcreatedb, rolbypassrls, rolcanlogin) FROM pg_roles "
                        "WHERE rolname = current_user", "ffttt");
    assert_asked(owner, "SELECT string_agg(roleid::regrole::text, ' ') FROM pg_auth_members "
                        "WHERE member = (SELECT oid FROM pg_roles WHERE rolname = current_user)", "databricks_superuser");
    if (is_modern())
        return;
    assert_string_equal(refusal(owner, "CREATE ROLE analyst"), "42501");
}

static void test_other_databases(void **state)
{
    (void)state;
    struct err e;
    static const char *const shared[] = {"postgres", "template1"};
    for (size_t i = 0; i < ARRAY_LEN(shared); i++) {
        err_init(&e);
        struct pg_conn *conn = login_as(&f, OWNER, shared[i], &e);
        no_error(&e);
        assert_string_equal(refusal(conn, "CREATE TABLE public.x (v int)"), "42501");
        assert_string_equal(refusal(conn, "CREATE SCHEMA x"), "42501");
        assert_string_equal(refusal(conn, "CREATE EXTENSION databricks_auth"), "42501");
        pg_close(conn);
    }
    run(owner, "CREATE DATABASE second");
    struct pg_conn *conn = login_as(&f, OWNER, "second", &e);
    no_error(&e);
    run(conn, "CREATE TABLE x (v int)");
    pg_close(conn);
    run(owner, "DROP DATABASE second");
}

/* What a user sets for a database does not reach the sessions of the workspace. */
static void test_sessions_of_the_workspace(void **state)
{
    (void)state;
    static const char *const traps[] = {
        "ALTER DATABASE databricks_postgres SET search_path = evil, public",
        "ALTER DATABASE databricks_postgres SET default_transaction_read_only = on",
        "ALTER DATABASE databricks_postgres SET statement_timeout = '1ms'",
        "ALTER DATABASE databricks_postgres SET row_security = on",
        "ALTER DATABASE databricks_postgres SET standard_conforming_strings = off",
        "ALTER DATABASE databricks_postgres SET role = databricks_superuser",
    };
    struct err e;
    err_init(&e);
    run(owner, "CREATE SCHEMA evil");
    for (size_t i = 0; i < ARRAY_LEN(traps); i++)
        run(owner, traps[i]);
    struct pg_conn *conn = cluster_connect(f.all, f.uid, "databricks_postgres", NULL, &e);
    no_error(&e);
    assert_asked(conn, "SELECT current_user || ' ' || session_user", "cloud_admin cloud_admin");
    assert_asked(conn, "SHOW search_path", "pg_catalog,pg_temp");
    assert_asked(conn, "SELECT pg_sleep(0.01) IS NULL", "f");
    assert_asked(conn, "SHOW transaction_read_only", "off");
    assert_asked(conn, "SHOW standard_conforming_strings", "on");
    run(conn, "COMMENT ON DATABASE databricks_postgres IS NULL");
    pg_close(conn);
    run(admin, "ALTER DATABASE databricks_postgres RESET ALL");
}

/* ---- databricks_auth ------------------------------------------------------------------------------------------------- */

static void test_lesson_on_roles(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    run(owner, "CREATE TABLE orders AS SELECT 1 AS id");
    run(owner, "SELECT databricks_create_role('analyst', 'PG_ONLY')");
    run(owner, "SELECT databricks_create_role('bob@example.com', 'user')");
    run(owner, "GRANT SELECT ON orders TO analyst");
    run(owner, "SET ROLE analyst");
    assert_asked(owner, "SELECT id FROM orders", "1");
    assert_string_equal(refusal(owner, "INSERT INTO orders VALUES (2)"), "42501");
    assert_string_equal(refusal(owner, "SELECT databricks_create_role('x', 'PG_ONLY')"), "42501");
    run(owner, "RESET ROLE");
    struct pg_conn *bob = login_as(&f, "bob@example.com", "databricks_postgres", &e);
    no_error(&e);
    assert_string_equal(refusal(bob, "SELECT id FROM orders"), "42501");
    run(owner, "GRANT analyst TO \"bob@example.com\"");
    assert_asked(bob, "SELECT id FROM orders", "1");
    assert_string_equal(refusal(bob, "SELECT databricks_create_role('x', 'PG_ONLY')"), "42501");
    assert_string_equal(refusal(bob, "SELECT databricks_drop_role('analyst')"), "42501");
    assert_string_equal(refusal(bob, "GRANT analyst TO CURRENT_USER"), "42501");
    pg_close(bob);
    run(owner, "REVOKE analyst FROM \"bob@example.com\"");
    assert_asked(owner, "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = 'bob@example.com'",
                 "Databricks identity: USER");
    assert_string_equal(refusal(owner, "SELECT databricks_drop_role('analyst')"), "2BP01"); /* still holds a grant */
    run(owner, "REVOKE ALL ON orders FROM analyst");
    run(owner, "SELECT databricks_drop_role('analyst')");
    run(owner, "SELECT databricks_drop_role('bob@example.com')");
    assert_asked(owner, "SELECT count(*) FROM pg_roles WHERE rolname IN ('analyst', 'bob@example.com')", "0");
}

static void test_names_and_types(void **state)
{
    (void)state;
    static const struct {
        const char *call, *state;
    } bad[] = {
        {"SELECT databricks_create_role('x', 'SUPERUSER')", "22023"},
        {"SELECT databricks_create_role('x', NULL)", "22023"},
        {"SELECT databricks_create_role(NULL, 'USER')", "42602"},
        {"SELECT databricks_create_role('', 'USER')", "42602"},
        {"SELECT databricks_create_role('  ', 'USER')", "42602"},
        {"SELECT databricks_create_role(E'a\\nb', 'USER')", "42602"},
        {"SELECT databricks_create_role(repeat('x', 64), 'USER')", "42602"},
        {"SELECT databricks_create_role('pg_write_server_files2', 'USER')", "42939"},
        {"SELECT databricks_create_role('PG_x', 'USER')", "42939"},
        {"SELECT databricks_create_role('databricks_writer_5', 'USER')", "42939"},
        {"SELECT databricks_create_role('cloud_admin', 'USER')", "42939"},
        {"SELECT databricks_create_role('Public', 'USER')", "42939"},
        {"SELECT databricks_create_role('" OWNER "', 'USER')", "42710"},
        {"SELECT databricks_drop_role('nobody')", "42704"},
        {"SELECT databricks_drop_role(NULL)", "42704"},
        {"SELECT databricks_drop_role('cloud_admin')", "42501"},
        {"SELECT databricks_drop_role('databricks_superuser')", "42501"},
        {"SELECT databricks_drop_role('pg_monitor')", "42501"},
        {"SELECT databricks_drop_role('" OWNER "')", "42501"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const char *code = refusal(owner, bad[i].call);
        if (strcmp(code, bad[i].state) != 0)
            fail_msg("%s: %s, wanted %s", bad[i].call, code, bad[i].state);
    }
    run(owner, "SELECT databricks_create_role('x\"; CREATE ROLE evil SUPERUSER; --', 'GROUP')");
    assert_asked(owner, "SELECT count(*) FROM pg_roles WHERE rolname = 'evil'", "0");
    run(owner, "SELECT databricks_drop_role('x\"; CREATE ROLE evil SUPERUSER; --')");
}

/* Functions, operators and tables of the caller that the extension's functions could trip over, in every place a name is
 * looked up: none is ever run with the rights of the superuser. */
static void test_search_path_tricks(void **state)
{
    (void)state;
    static const char *const traps[] = {
        "CREATE SCHEMA IF NOT EXISTS evil", "CREATE TABLE evil.seen (who text)", "GRANT USAGE ON SCHEMA evil TO PUBLIC",
        "GRANT INSERT ON evil.seen TO PUBLIC",
        "CREATE FUNCTION evil.note() RETURNS void LANGUAGE sql AS 'INSERT INTO evil.seen VALUES (current_user)'",
        "CREATE FUNCTION evil.upper(text) RETURNS text LANGUAGE sql AS 'SELECT evil.note(); SELECT $1'",
        "CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE sql AS 'SELECT evil.note(); SELECT $1'",
        "CREATE FUNCTION evil.btrim(text) RETURNS text LANGUAGE sql AS 'SELECT evil.note(); SELECT $1'",
        "CREATE FUNCTION evil.format(text, text, text) RETURNS text LANGUAGE sql AS "
        "'SELECT evil.note(); SELECT ''SELECT 1''::text'",
        "CREATE FUNCTION evil.format(text, text) RETURNS text LANGUAGE sql AS "
        "'SELECT evil.note(); SELECT ''SELECT 1''::text'",
        "CREATE FUNCTION evil.eq(text, text) RETURNS bool LANGUAGE sql AS 'SELECT evil.note(); SELECT true'",
        "CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.eq)",
        "CREATE FUNCTION evil.eq(name, text) RETURNS bool LANGUAGE sql AS 'SELECT evil.note(); SELECT true'",
        "CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.eq)",
        "CREATE VIEW evil.pg_roles AS SELECT 10::oid AS oid, 'analyst'::name AS rolname, false AS rolsuper, "
        "false AS rolreplication",
        "CREATE TEMP VIEW pg_roles AS SELECT 10::oid AS oid, 'analyst'::name AS rolname, false AS rolsuper, "
        "false AS rolreplication",
        "CREATE TEMP TABLE pg_auth_members (roleid oid, member oid, admin_option bool)",
        "INSERT INTO pg_temp.pg_auth_members VALUES (10, 10, true)",
        "SET search_path = evil, pg_temp, public, pg_catalog",
    };
    for (size_t i = 0; i < ARRAY_LEN(traps); i++)
        run(owner, traps[i]);
    run(owner, "SELECT public.databricks_create_role('caught', 'PG_ONLY')");
    refusal(owner, "SELECT public.databricks_drop_role('analyst')");
    refusal(owner, "SELECT public.databricks_drop_role('cloud_admin')");
    run(owner, "SELECT public.databricks_drop_role('caught')");
    run(owner, "RESET search_path");
    assert_asked(owner, "SELECT count(*) FROM evil.seen WHERE who = 'cloud_admin'", "0");
    run(owner, "DROP SCHEMA evil CASCADE");
    run(owner, "DISCARD TEMP");
}

/* The extension in a schema of the caller's, which is then renamed and replaced: the functions call nothing there. */
static void test_replaced_schema(void **state)
{
    (void)state;
    run(owner, "DROP EXTENSION databricks_auth");
    run(owner, "CREATE SCHEMA mine");
    run(owner, "CREATE EXTENSION databricks_auth SCHEMA mine");
    run(owner, "ALTER SCHEMA mine RENAME TO moved");
    run(owner, "CREATE SCHEMA mine");
    run(owner, "SELECT moved.databricks_create_role('caught', 'PG_ONLY')");
    run(owner, "SELECT moved.databricks_drop_role('caught')");
    run(owner, "DROP EXTENSION databricks_auth");
    /* Functions that are there already are not taken over. */
    run(owner, "CREATE FUNCTION databricks_drop_role(role_name text) RETURNS void LANGUAGE sql AS 'SELECT 1'");
    refusal(owner, "CREATE EXTENSION databricks_auth");
    run(owner, "DROP FUNCTION databricks_drop_role(text)");
    run(owner, "CREATE EXTENSION databricks_auth");
}

/* The extensions of the service that are installed here, and no others. */
static void test_extensions(void **state)
{
    (void)state;
    static const char *const there[] = {"btree_gin", "citext", "cube", "fuzzystrmatch", "hstore", "intarray", "ltree", "pg_trgm",
                                        "pgcrypto", "unaccent", "\"uuid-ossp\""};
    for (size_t i = 0; i < ARRAY_LEN(there); i++) {
        char *sql = xasprintf("CREATE EXTENSION %s", there[i]);
        run(owner, sql);
        free(sql);
    }
    assert_asked(owner, "SELECT count(*) FROM pg_available_extensions WHERE name IN ('dblink', 'postgres_fdw', 'file_fdw', "
                        "'adminpack', 'pageinspect')", "0");
    run(owner, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
    run(owner, "SELECT count(*) FROM pg_stat_statements");
    run(owner, "SELECT pg_stat_statements_reset()");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape),           cmocka_unit_test(test_create_role_right),
        cmocka_unit_test(test_other_databases),  cmocka_unit_test(test_sessions_of_the_workspace),
        cmocka_unit_test(test_lesson_on_roles),  cmocka_unit_test(test_names_and_types),
        cmocka_unit_test(test_search_path_tricks), cmocka_unit_test(test_replaced_schema), cmocka_unit_test(test_extensions),
    };
    return cmocka_run_group_tests(tests, set_up_owner, tear_down_owner);
}
