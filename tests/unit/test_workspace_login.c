/* Token login against the real PostgreSQL: who gets in, who does not, and who can pose as the responder (nobody). */
#include "cluster_fixture.h"

#include <pthread.h>

#include "workspace/ca.h"
#include "workspace/ldap.h"

static int set_up_created(void **state)
{
    set_up(state);
    fixture_create(&f);
    return 0;
}

/* The SQLSTATE of a refused login; fails when it works. */
static void assert_refused(const char *user, const char *password, const char *dbname, const char *sslmode, const char *want,
                           const char *said)
{
    struct err e;
    err_init(&e);
    struct pg_conn *conn = login_with(&f, user, password, dbname, sslmode, &e);
    if (conn) {
        pg_close(conn);
        fail_msg("%s got in with sslmode=%s", user, sslmode);
    }
    if (strcmp(e.sqlstate, want) != 0 || !strstr(e.text, said))
        fail_msg("%s [%s] (%s), wanted [%s] %s", e.text, e.sqlstate, e.detail, want, said);
}

static char *token_of(const char *user, size_t len)
{
    char *token = xasprintf("good-token-of:%s@%s", user, f.uid);
    size_t have = strlen(token);
    if (len > have) {
        token = xreallocarray(token, len + 1, 1);
        memset(token + have, '.', len - have);
        token[len] = '\0';
    }
    return token;
}

static void test_refusals(void **state)
{
    (void)state;
    char *good = token_of(OWNER, 0), *other = token_of("bob@example.com", 0);
    assert_refused(OWNER, "wrong", "databricks_postgres", "require", "28000", "LDAP authentication failed");
    assert_refused(OWNER, other, "databricks_postgres", "require", "28000", "LDAP authentication failed");
    assert_refused("bob@example.com", other, "databricks_postgres", "require", "28000", "does not exist");
    assert_refused(OWNER, good, "databricks_postgres", "disable", "28000", "no encryption");
    assert_refused("cloud_admin", good, "databricks_postgres", "require", "28000", "pg_hba.conf rejects");
    assert_refused("databricks_superuser", good, "databricks_postgres", "require", "28000", "pg_hba.conf rejects");
    /* libpq sends nothing where the password is empty; PostgreSQL refuses that before it asks */
    assert_refused(OWNER, "", "databricks_postgres", "require", "", "password");
    free(good);
    free(other);
}

/* Real tokens have some 1,200 to 2,000 bytes; PostgreSQL's own limit is 64 KB for the message. */
static void test_long_tokens(void **state)
{
    (void)state;
    static const size_t lengths[] = {2000, 8192, 60000};
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct err e;
        char *token = token_of(OWNER, lengths[i]);
        err_init(&e);
        struct pg_conn *conn = login_with(&f, OWNER, token, "databricks_postgres", "verify-full", &e);
        no_error(&e);
        pg_close(conn);
        free(token);
    }
}

/* The user name is the client's text; it arrives whole and changes no identity. */
static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = {"o'brien@example.com", "a,dc=b", "a:b", "cn=x\\,y=z+q", "with space", "\"quoted\"",
                                        "*", "(uid=*)", "UPPER@Example.com", "\xc3\xa9l\xc3\xa8ve@example.com"};
    struct err e;
    struct pg_conn *conn = login(&f);
    run(conn, "CREATE EXTENSION databricks_auth");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *params[] = {names[i]};
        char *ignored = NULL;
        err_init(&e);
        pg_scalar(conn, "SELECT databricks_create_role($1, 'USER')", params, 1, &ignored, NULL, &e);
        no_error(&e);
        struct pg_conn *own = login_as(&f, names[i], "databricks_postgres", &e);
        no_error(&e);
        assert_asked(own, "SELECT session_user", names[i]);
        pg_close(own);
        char *token = token_of(OWNER, 0);
        assert_refused(names[i], token, "databricks_postgres", "require", "28000", "LDAP authentication failed");
        free(token);
        free(ignored);
    }
    /* A name that spells another instance and user: the token of that user there is no token here. */
    char *sly = xasprintf("%s:%s", "a0000000", OWNER), *token = token_of(OWNER, 0);
    assert_refused(sly, token, "databricks_postgres", "require", "28000", "LDAP authentication failed");
    free(sly);
    free(token);
    pg_close(conn);
}

static void test_native_password(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    struct pg_conn *admin = cluster_connect(f.all, f.uid, "postgres", NULL, &e);
    no_error(&e);
    run(admin, "CREATE ROLE app LOGIN PASSWORD 'app-secret' IN ROLE databricks_native");
    run(admin, "CREATE ROLE plain LOGIN PASSWORD 'app-secret'");
    pg_close(admin);
    int asked = atomic_load(&logins_asked);
    struct pg_conn *conn = login_with(&f, "app", "app-secret", "databricks_postgres", "verify-full", &e);
    no_error(&e);
    pg_close(conn);
    assert_refused("app", "wrong", "databricks_postgres", "require", "28P01", "password authentication failed");
    assert_int_equal(atomic_load(&logins_asked), asked);
    assert_refused("plain", "app-secret", "databricks_postgres", "require", "28000", "LDAP authentication failed");
}

/* Sessions stay, new logins fail while no workspace runs, and work again after. */
static void test_workspace_down(void **state)
{
    (void)state;
    char *good = token_of(OWNER, 0), *ca = xstrdup(clusters_ca_path(f.all));
    struct pg_conn *open = login(&f);
    struct err e;
    int port = clusters_ldaps_port(f.all);
    err_init(&e);
    clusters_close(f.all);
    f.all = NULL;
    struct pg_params p = {.host = f.spec.address, .port = "5432", .user = OWNER, .password = good,
                          .dbname = "databricks_postgres", .sslmode = "verify-full", .sslrootcert = ca};
    assert_null(pg_open(&p, NULL, &e));
    assert_string_equal(e.sqlstate, "28000");
    assert_asked(open, "SELECT 1", "1");
    pg_close(open);
    struct cluster_options o = {.state_dir = f.dir, .login = check_login, .ldaps_port = port};
    err_init(&e);
    f.all = clusters_open(&o, &e);
    assert_int_equal(clusters_ldaps_port(f.all), port);
    pg_close(login(&f));
    free(good);
    free(ca);
}

static bool say_yes(void *self, const char *user, const char *token, size_t len, const char *uid, struct err *e)
{
    (void)self, (void)user, (void)token, (void)len, (void)uid, (void)e;
    atomic_fetch_add(&logins_asked, 1);
    return true;
}

/* Somebody else answers at the responder's port and would let everybody in. */
static void pose(const struct ca_pair *pair, int port, const char *ca, bool works)
{
    struct err e;
    err_init(&e);
    int asked = atomic_load(&logins_asked);
    struct ldaps_options o = {.cert_pem = pair->cert, .key_pem = pair->key, .port = port, .login = say_yes};
    struct ldaps *l = ldaps_open(&o, &e);
    no_error(&e);
    assert_int_equal(ldaps_port(l), port);
    struct pg_params p = {.host = f.spec.address, .port = "5432", .user = OWNER, .password = "any", .sslrootcert = ca,
                          .dbname = "databricks_postgres", .sslmode = "verify-full"};
    struct pg_conn *conn = pg_open(&p, NULL, &e);
    assert_true((conn != NULL) == works);
    assert_int_equal(atomic_load(&logins_asked), asked + works);
    pg_close(conn);
    ldaps_close(l);
}

static void test_foreign_responder(void **state)
{
    (void)state;
    struct err e;
    struct ca_pair foreign, instance, same_name;
    err_init(&e);
    char *cert = xasprintf("%s/foreign.crt", f.dir), *key = xasprintf("%s/foreign.key", f.dir);
    char *own_cert = xstrdup(clusters_ca_path(f.all)), *own_key = xasprintf("%s/private/ca.key", f.dir);
    struct ca *other = ca_open(cert, key, &e), *own = ca_open(own_cert, own_key, &e);
    assert_true(ca_issue(other, "login responder", "127.0.0.1", true, &foreign, &e));
    /* What an instance has: signed by the workspace's CA, for its own address and localhost. */
    struct buf pem;
    char *path = xasprintf("%s/instances/%s/server.pem", f.dir, f.uid);
    buf_init(&pem, 65536);
    assert_true(fs_read(path, &pem, &e));
    instance = (struct ca_pair){xstrdup(buf_str(&pem)), xstrdup(buf_str(&pem))};
    buf_release(&pem);
    free(path);
    assert_true(ca_issue(own, "x", "127.0.0.1", false, &same_name, &e));
    int port = clusters_ldaps_port(f.all);
    clusters_close(f.all);
    f.all = NULL;
    pose(&foreign, port, own_cert, false);
    pose(&instance, port, own_cert, false);
    pose(&same_name, port, own_cert, true); /* so that the two above fail for the reason they should */
    ca_pair_release(&foreign);
    ca_pair_release(&instance);
    ca_pair_release(&same_name);
    ca_close(other);
    ca_close(own);
    free(cert);
    free(key);
    free(own_cert);
    free(own_key);
}

/* More logins at once than the responder serves at once: they wait, none is refused. */
static void *one_login(void *arg)
{
    struct err e;
    err_init(&e);
    struct pg_conn *conn = login_as(&f, OWNER, "databricks_postgres", &e);
    if (!conn)
        print_message("%s\n", e.text);
    else
        atomic_fetch_add((atomic_int *)arg, 1);
    pg_close(conn);
    return NULL;
}

static void test_many_at_once(void **state)
{
    (void)state;
    enum { MANY = 100 };
    pthread_t threads[MANY];
    atomic_int in = 0;
    for (int i = 0; i < MANY; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, one_login, &in), 0);
    for (int i = 0; i < MANY; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&in), MANY);
}

/* Nothing secret in the server's log, its files or its environment and arguments. */
static bool file_says(const char *path, const char *needle)
{
    struct buf b;
    struct err e;
    err_init(&e);
    buf_init(&b, 16 << 20);
    bool read_it = fs_read(path, &b, &e), found = read_it && memmem(b.data, b.len, needle, strlen(needle));
    buf_release(&b);
    return found || !read_it;
}

static void test_no_token_in_the_log(void **state)
{
    (void)state;
    struct err e;
    char *token = xasprintf("%s-and-a-mistake", "secret-token-7f3a");
    err_init(&e);
    assert_null(login_with(&f, OWNER, token, "databricks_postgres", "require", &e));
    struct pg_conn *conn = login(&f);
    refusal(conn, "ALTER ROLE cloud_admin PASSWORD 'secret-token-7f3a'");
    refusal(conn, "SELECT 1/0 AS \"secret-token-7f3a\"");
    pg_close(conn);
    char *log = xasprintf("%s/instances/%s/log", f.dir, f.uid);
    assert_false(file_says(log, "secret-token-7f3a"));
    assert_true(file_says(log, "LDAP authentication failed"));
    assert_null(strstr(e.text, "secret-token"));
    free(log);
    free(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),        cmocka_unit_test(test_long_tokens), cmocka_unit_test(test_names),
        cmocka_unit_test(test_native_password), cmocka_unit_test(test_many_at_once), cmocka_unit_test(test_no_token_in_the_log),
    };
    const struct CMUnitTest closing[] = {
        cmocka_unit_test_setup_teardown(test_workspace_down, set_up_created, tear_down),
        cmocka_unit_test_setup_teardown(test_foreign_responder, set_up_created, tear_down),
    };
    int failed = group_set_up(NULL) != 0 || set_up_created(NULL) != 0;
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    tear_down(NULL);
    failed += cmocka_run_group_tests(closing, NULL, NULL);
    return failed + group_tear_down(NULL);
}
