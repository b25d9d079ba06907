/* From method and path to a route and its parameters; queries, pages, hosts, and answers to errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "clusters_in_memory.h"
#include "workspace/answer.h"
#include "workspace/auth.h"
#include "workspace/router.h"

static struct request req;

static int set_up(void **state)
{
    (void)state;
    memset(&req, 0, sizeof req);
    arena_init(&req.arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&req.arena);
    return 0;
}

static const char *find(const char *method, const char *path)
{
    struct api_route route;
    struct err e = {0};
    req.n_params = 0;
    req.method = method;
    req.path = path;
    if (!router_find(&req, &route, &e))
        return arena_printf(&req.arena, "%d %s", err_info(e.code)->http, e.text);
    assert_non_null(route.run);
    return route.info->operation;
}

#define DB "/api/2.0/database"
#define UC "/api/2.1/unity-catalog"

static void routes(void **state)
{
    (void)state;
    assert_string_equal(find("POST", DB "/instances"), "create_database_instance");
    assert_string_equal(find("GET", DB "/instances"), "list_database_instances");
    assert_string_equal(find("GET", DB "/instances/"), "list_database_instances");
    assert_string_equal(find("GET", DB "/instances:findByUid"), "find_database_instance_by_uid");
    assert_string_equal(find("GET", DB "/instances/x:findByUid"), "get_database_instance");
    assert_string_equal(req.params[0].value, "x:findByUid");
    assert_string_equal(find("PATCH", DB "/instances/demo/"), "update_database_instance");
    assert_string_equal(req.params[0].value, "demo");
    assert_string_equal(find("GET", DB "/instances/demo/catalogs"), "list_database_catalogs");
    assert_string_equal(req.params[0].name, "instance");
    assert_string_equal(find("GET", UC "/tables/a.b.c"), "get_table");
    assert_string_equal(find("GET", UC "/tables/a.b.c/exists"), "table_exists");
    assert_string_equal(req.params[0].value, "a.b.c");
    assert_int_equal(req.n_params, 1);
}

static void names_are_decoded_after_the_split(void **state)
{
    (void)state;
    assert_string_equal(find("GET", DB "/instances/a%2Fb%20c%40d+e"), "get_database_instance");
    assert_string_equal(req.params[0].value, "a/b c@d+e");
    assert_string_equal(find("GET", DB "/instances/%e4%BD%a0"), "get_database_instance");
    assert_string_equal(req.params[0].value, "\xe4\xbd\xa0");
    static const char *const broken[] = {"/%", "/%2", "/%zz", "/%2x", "/a%00", "/%00"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        assert_string_equal(find("GET", arena_printf(&req.arena, DB "/instances%s", broken[i])),
                            "400 Path parameter 'name' is not properly percent-encoded");
}

static void what_is_no_route(void **state)
{
    (void)state;
    assert_string_equal(find("PUT", DB "/instances"), "404 No API found for 'PUT " DB "/instances'");
    assert_string_equal(find("GET", "/"), "404 No API found for 'GET /'");
    assert_string_equal(find("GET", ""), "404 No API found for 'GET '");
    assert_string_equal(find("GET", DB "/instances//catalogs"), "404 No API found for 'GET " DB "/instances//catalogs'");
    assert_string_equal(find("GET", DB "/instances/a/b/c"), "404 No API found for 'GET " DB "/instances/a/b/c'");
    assert_string_equal(find("get", DB "/instances"), "404 No API found for 'get " DB "/instances'");
    assert_string_equal(find("GET", DB "/tables/a.b.c"), "501 Database tables are not offered by this local workspace yet");
    assert_string_equal(find("GET", DB "/tables_of"), "404 No API found for 'GET " DB "/tables_of'");
    assert_string_equal(find("POST", DB "/instances/a/failover"), "501 Failover is not offered by this local workspace yet");
}

static void booleans(void **state)
{
    (void)state;
    struct err e = {0};
    bool b;
    req.params[req.n_params++] = (struct request_param){"yes", "true"};
    req.params[req.n_params++] = (struct request_param){"no", "false"};
    req.params[req.n_params++] = (struct request_param){"empty", ""};
    req.params[req.n_params++] = (struct request_param){"odd", "True"};
    assert_true(request_bool(&req, "yes", false, &b, &e) && b);
    assert_true(request_bool(&req, "no", true, &b, &e) && !b);
    assert_true(request_bool(&req, "empty", true, &b, &e) && b);
    assert_true(request_bool(&req, "missing", true, &b, &e) && b);
    assert_false(request_bool(&req, "odd", true, &b, &e));
    assert_string_equal(e.text, "Parameter 'odd' must be true or false, not 'True'");
}

static bool page(const char *size, const char *token, struct page *p)
{
    struct err e = {0};
    req.n_params = 0;
    if (size)
        req.params[req.n_params++] = (struct request_param){"page_size", size};
    if (token)
        req.params[req.n_params++] = (struct request_param){"page_token", token};
    return request_page(&req, "page_size", 100, p, &e);
}

static void pages(void **state)
{
    (void)state;
    struct page p;
    assert_true(page(NULL, NULL, &p) && p.limit == 100 && !*p.after);
    assert_true(page("0", "", &p) && p.limit == 100);
    assert_true(page("7", NULL, &p) && p.limit == 7);
    assert_true(page("101", NULL, &p) && p.limit == 100);
    assert_true(page("99999999999999999999", NULL, &p) && p.limit == 100);
    assert_false(page("-1", NULL, &p));
    assert_false(page("1.5", NULL, &p));
    char *token = page_token_after("Odd \"ü\" name");
    assert_true(page(NULL, token, &p));
    assert_string_equal(p.after, "Odd \"ü\" name");
    free(token);
    static const char *const bad[] = {"x", "n1", "nzz", "n00", "n4", "nAB", "4142"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(page(NULL, bad[i], &p));
}

static void hosts(void **state)
{
    (void)state;
    static const char *const yes[] = {"127.0.0.1", "127.0.0.1:80", "localhost:41234", "LOCALHOST", "[::1]", "[::1]:9"};
    static const char *const no[] = {"", "127.0.0.2", "127.0.0.1.x", "localhost.x:1", "x", "localhost:1x", "[::1]x", "0.0.0.0",
                                     "127.0.0.1@x"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(auth_host_ok(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(auth_host_ok(no[i]));
    assert_false(auth_host_ok(NULL));
}

static void errors_as_answers(void **state)
{
    (void)state;
    static const struct {
        enum err_code code;
        int status;
        const char *wire;
    } cases[] = {{ERR_QUOTA, 400, "QUOTA_EXCEEDED"}, {ERR_TOO_BIG, 413, "REQUEST_TOO_LARGE"},
                 {ERR_LOGIN, 500, "INTERNAL_ERROR"}, {ERR_SQL, 500, "INTERNAL_ERROR"},
                 {ERR_CANCELLED, 503, "TEMPORARILY_UNAVAILABLE"}, {ERR_NOT_IMPLEMENTED, 501, "NOT_IMPLEMENTED"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = {0}, none = {0};
        struct answer a = {0};
        err_set(&e, cases[i].code, "what \"quoted\" \xff");
        err_hint(&e, "do this");
        answer_error(&a, &e);
        assert_int_equal(a.status, cases[i].status);
        json_t *doc = jx_parse(a.body, strlen(a.body), 4096, &none);
        assert_string_equal(jx_get_str(doc, "error_code", ""), cases[i].wire);
        assert_string_equal(jx_get_str(doc, "message", ""), "what \"quoted\" \xef\xbf\xbd; do this");
        assert_int_equal(json_object_size(doc), 2);
        json_decref(doc);
        answer_release(&a);
    }
}

int main(void)
{
    jx_setup();
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(routes), T(names_are_decoded_after_the_split), T(what_is_no_route), T(booleans), T(pages), T(hosts),
        T(errors_as_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
