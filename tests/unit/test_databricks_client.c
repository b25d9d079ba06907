/* The client against a server that follows a script: what is sent, what is tried again, what an error becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sched.h>

#include "base/clock.h"
#include "base/jx.h"
#include "databricks/client.h"
#include "http_script.h"

#define P(...) ((const struct dbx_param[]){__VA_ARGS__, {NULL, NULL}})
#define LAST {999, NULL, NULL, 0}
static const char ok_body[] = "{\"name\":\"demo\",\"state\":\"AVAILABLE\",\"unheard\":[1]}";

static struct http_script server;
static struct dbx_client *client;

static struct dbx_client *open_client(bool m2m)
{
    struct err e = {0};
    char host[64];
    snprintf(host, sizeof host, "http://127.0.0.1:%d", server.port);
    setenv("DATABRICKS_HOST", host, 1);
    unsetenv("DATABRICKS_TOKEN");
    unsetenv("DATABRICKS_CLIENT_ID");
    unsetenv("DATABRICKS_CLIENT_SECRET");
    unsetenv("DATABRICKS_CONFIG_PROFILE");
    unsetenv("DATABRICKS_AUTH_TYPE");
    if (m2m) {
        setenv("DATABRICKS_CLIENT_ID", "the-client", 1);
        setenv("DATABRICKS_CLIENT_SECRET", "secret-of-it", 1);
    } else {
        setenv("DATABRICKS_TOKEN", "dapi-secret", 1);
    }
    struct dbx_client *c = dbx_open(NULL, &e);
    assert_string_equal(e.text, "");
    return c;
}

static void begin(const struct http_step *steps, bool m2m)
{
    http_script_start(&server, steps);
    client = open_client(m2m);
}

static void end(void)
{
    dbx_close(client);
    http_script_stop(&server);
}

static void get_ok(void)
{
    struct err e = {0};
    struct database_instance out;
    bool ok = dbx_call(client, DBX_get_database_instance, P({"name", "demo"}), NULL, &out, NULL, &e);
    assert_string_equal(e.text, "");
    assert_true(ok);
    assert_string_equal(out.name, "demo");
    model_release(&model_database_instance, &out);
}

static struct err get_bad(void)
{
    struct err e = {0};
    struct database_instance out;
    assert_false(dbx_call(client, DBX_get_database_instance, P({"name", "demo"}), NULL, &out, NULL, &e));
    assert_null(out.name);
    assert_null(strstr(e.text, "secret"));
    assert_null(strstr(e.detail, "secret"));
    return e;
}

static struct err post_bad(void)
{
    struct err e = {0};
    struct database_instance in = {.name = (char *)"demo"};
    assert_false(dbx_call(client, DBX_create_database_instance, NULL, &in, NULL, NULL, &e));
    return e;
}

static void what_is_sent(void **state)
{
    (void)state;
    static const struct http_step steps[] = {{200, NULL, ok_body, 0}, {200, NULL, "{}", 0}, LAST};
    begin(steps, false);
    struct err e = {0};
    struct database_instance in = {.name = (char *)"demo", .stopped = TRI_FALSE, .uid = (char *)"u"};
    assert_true(dbx_call(client, DBX_update_database_instance, P({"name", "a b/c@d"}, {"update_mask", "*"}), &in, NULL, NULL,
                         &e));
    assert_true(dbx_call(client, DBX_delete_database_instance, P({"name", "demo"}, {"purge", "true"}, {"force", NULL}), NULL,
                         NULL, NULL, &e));
    end();
    assert_non_null(strstr(server.requests[0],
                           "PATCH /api/2.0/database/instances/a%20b%2Fc%40d?update_mask=%2A HTTP/1.1\r\n"));
    assert_non_null(strstr(server.requests[0], "\r\nAuthorization: Bearer dapi-secret\r\n"));
    assert_non_null(strstr(server.requests[0], "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(server.requests[0], "\r\nUser-Agent: lakebase-kernel/"));
    assert_non_null(strstr(server.requests[0], "\r\n\r\n{\"name\":\"demo\",\"stopped\":false}")); /* no uid: output */
    assert_non_null(strstr(server.requests[1], "DELETE /api/2.0/database/instances/demo?purge=true HTTP/1.1\r\n"));
}

static void busy_is_tried_again(void **state)
{
    (void)state;
    static const struct http_step steps[] = {
        {503, "Retry-After: 0\r\n", "{}", 0}, {429, "Retry-After: 0\r\n", NULL, 0}, {200, NULL, ok_body, 0}, LAST};
    begin(steps, false);
    get_ok();
    end();
    assert_int_equal(server.seen, 3);
}

/* Longer than we try at all: said at once, with what the server asks for. */
static void busy_for_too_long(void **state)
{
    (void)state;
    static const char *const waits[] = {"Retry-After: 301\r\n", "Retry-After: 99999999999999999999\r\n"};
    for (size_t i = 0; i < 2; i++) {
        struct http_step steps[] = {{503, waits[i], NULL, 0}, LAST};
        begin(steps, false);
        struct err e = get_bad();
        end();
        assert_int_equal(e.code, ERR_UNAVAILABLE);
        assert_int_equal(server.seen, 1);
        assert_non_null(strstr(e.hint, i == 0 ? "wait 301 s" : "wait 86400 s"));
    }
}

static void busy_is_tried_again_for_a_post_too(void **state)
{
    (void)state;
    static const struct http_step steps[] = {{503, "Retry-After: 0\r\n", "{}", 0}, {200, NULL, ok_body, 0}, LAST};
    begin(steps, false);
    struct err e = {0};
    struct database_instance in = {.name = (char *)"demo"};
    assert_true(dbx_call(client, DBX_create_database_instance, NULL, &in, NULL, NULL, &e));
    end();
    assert_int_equal(server.seen, 2);
}

/* A server on this machine is asked directly; a proxy would be handed the token. */
static void no_proxy_for_a_local_server(void **state)
{
    (void)state;
    static const struct http_step to_proxy[] = {{403, NULL, NULL, 0}, LAST};
    static const struct http_step steps[] = {{200, NULL, ok_body, 0}, LAST};
    static struct http_script proxy;
    char url[64];
    http_script_start(&proxy, to_proxy);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", proxy.port);
    setenv("http_proxy", url, 1);
    setenv("all_proxy", url, 1);
    setenv("no_proxy", "", 1);
    begin(steps, false);
    get_ok();
    end();
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    unsetenv("no_proxy");
    http_script_stop(&proxy);
    assert_int_equal(proxy.seen, 0);
    assert_int_equal(server.seen, 1);
}

static void a_lost_answer_to_a_get_is_asked_for_again(void **state)
{
    (void)state;
    static const struct http_step steps[] = {{0, NULL, NULL, 0}, {200, NULL, ok_body, 0}, LAST};
    begin(steps, false);
    get_ok();
    end();
    assert_int_equal(server.seen, 2);
}

/* It may have been carried out: sending it twice could create twice. */
static void a_lost_answer_to_a_post_is_an_error(void **state)
{
    (void)state;
    static const struct http_step steps[] = {{0, NULL, NULL, 0}, {200, NULL, ok_body, 0}, LAST};
    begin(steps, false);
    struct err e = post_bad();
    end();
    assert_int_equal(e.code, ERR_CONNECT);
    assert_int_equal(server.seen, 1);
}

static void errors_keep_code_status_and_text(void **state)
{
    (void)state;
    static const struct {
        struct http_step step;
        enum err_code code;
        const char *text;
    } cases[] = {
        {{404, NULL, "{\"error_code\":\"NOT_FOUND\",\"message\":\"gone\"}", 0}, ERR_NOT_FOUND, "gone"},
        {{404, NULL, "{\"error_code\":\"CATALOG_DOES_NOT_EXIST\",\"message\":\"c\"}", 0}, ERR_CATALOG_NOT_FOUND, "c"},
        {{404, NULL, "{\"error_code\":\"NEVER_HEARD\",\"message\":\"m\"}", 0}, ERR_NOT_FOUND, "m"},
        {{409, NULL, "{\"error_code\":\"ALREADY_EXISTS\",\"message\":\"m\"}", 0}, ERR_ALREADY_EXISTS, "m"},
        {{401, NULL, "{\"error_code\":\"UNAUTHENTICATED\",\"message\":\"m\"}", 0}, ERR_UNAUTHENTICATED, "m"},
        {{400, NULL, "{\"error_code\":7,\"message\":\"m\"}", 0}, ERR_INVALID_PARAMETER, "m"},
        {{418, NULL, "{\"error_code\":\"TEAPOT\",\"message\":\"m\"}", 0}, ERR_REMOTE, "m"},
        {{403, NULL, "<html>no</html>", 0}, ERR_PERMISSION, NULL},
        {{500, NULL, NULL, 0}, ERR_INTERNAL, NULL},
        {{400, NULL, "[]", 0}, ERR_INVALID_PARAMETER, NULL},
        {{501, NULL, "{\"error_code\":\"NOT_IMPLEMENTED\",\"message\":{}}", 0}, ERR_NOT_IMPLEMENTED, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_step steps[] = {cases[i].step, LAST};
        begin(steps, false);
        struct err e = get_bad();
        end();
        assert_int_equal(e.code, cases[i].code);
        assert_int_equal(e.http, cases[i].step.status);
        if (cases[i].text)
            assert_string_equal(e.text, cases[i].text);
        else
            assert_non_null(strstr(e.text, "without a reason"));
    }
}

static void answers_that_cannot_be_read(void **state)
{
    (void)state;
    static const char *const bodies[] = {"{", "[]", "<html>", "{\"name\":7}", "\"x\""};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct http_step steps[] = {{200, NULL, bodies[i], 0}, LAST};
        begin(steps, false);
        struct err e = {0};
        struct database_instance out;
        bool ok = dbx_call(client, DBX_get_database_instance, P({"name", "demo"}), NULL, &out, NULL, &e);
        end();
        assert_false(ok);
        assert_int_equal(e.code, ERR_REMOTE);
        assert_non_null(strstr(e.text, "the answer to get_database_instance cannot be read"));
    }
}

static void an_empty_answer_is_an_empty_object(void **state)
{
    (void)state;
    static const struct http_step steps[] = {{200, NULL, NULL, 0}, LAST};
    begin(steps, false);
    struct err e = {0};
    struct database_instance out;
    assert_true(dbx_call(client, DBX_get_database_instance, P({"name", "demo"}), NULL, &out, NULL, &e));
    assert_null(out.name);
    end();
}

/* 64 MiB are read (and found to be no JSON), one byte more is not. */
static void answers_have_a_cap(void **state)
{
    (void)state;
    static char block[(1 << 20) + 1];
    memset(block, ' ', sizeof block - 1);
    struct http_step at[] = {{200, NULL, block, 64}, LAST};
    begin(at, false);
    struct err e = get_bad();
    end();
    assert_int_equal(e.code, ERR_REMOTE);
    struct http_step over[] = {{200, NULL, block, 65}, LAST};
    begin(over, false);
    e = get_bad();
    end();
    assert_int_equal(e.code, ERR_TOO_BIG);
    assert_non_null(strstr(e.text, "larger than 64 MiB"));
}

static void *fire_when_silent(void *arg)
{
    char byte;
    if (read(server.in_silence[0], &byte, 1) == 1)
        cancel_fire(arg);
    return NULL;
}

static void a_cancel_ends_a_silent_call(void **state)
{
    (void)state;
    static const struct http_step steps[] = {{-1, NULL, NULL, 0}, {200, NULL, ok_body, 0}, LAST};
    struct err e = {0};
    struct cancel cancel;
    struct database_instance out;
    pthread_t t;
    assert_true(cancel_init(&cancel, &e));
    begin(steps, false);
    pthread_create(&t, NULL, fire_when_silent, &cancel);
    assert_false(dbx_call(client, DBX_get_database_instance, P({"name", "demo"}), NULL, &out, &cancel, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    pthread_join(t, NULL);
    get_ok(); /* the client is usable afterwards */
    end();
    cancel_release(&cancel);
    assert_int_equal(server.seen, 2);
}

/* The cancel fires once the first answer is out: the client is then in its pause, or about to be. */
static void *fire_after_first(void *arg)
{
    while (__atomic_load_n(&server.answered, __ATOMIC_ACQUIRE) == 0)
        sched_yield();
    cancel_fire(arg);
    return NULL;
}

static void a_cancel_ends_the_pause_before_the_next_try(void **state)
{
    (void)state;
    static const struct http_step steps[] = {{503, "Retry-After: 200\r\n", "{}", 0}, LAST};
    struct err e = {0};
    struct cancel cancel;
    pthread_t t;
    assert_true(cancel_init(&cancel, &e));
    begin(steps, false);
    pthread_create(&t, NULL, fire_after_first, &cancel);
    assert_false(dbx_call(client, DBX_get_database_instance, P({"name", "demo"}), NULL, NULL, &cancel, &e));
    assert_int_equal(e.code, ERR_CANCELLED);
    pthread_join(t, NULL);
    end();
    cancel_release(&cancel);
}

static void nobody_listens(void **state)
{
    (void)state;
    static const struct http_step steps[] = {LAST};
    begin(steps, false);
    http_script_stop(&server);
    int64_t start = clock_mono_ms();
    struct err e = post_bad();
    dbx_close(client);
    assert_int_equal(e.code, ERR_CONNECT);
    assert_non_null(strstr(e.detail, "gave up after"));
    assert_true(clock_mono_ms() - start < 60000); /* a local workspace that is not there is no reason to wait 5 minutes */
}

static void empty_path_parameters(void **state)
{
    (void)state;
    static const struct http_step steps[] = {LAST};
    begin(steps, false);
    static const char *const names[] = {"", NULL, ".", ".."};
    for (size_t i = 0; i < 4; i++) {
        struct err e = {0};
        assert_false(dbx_call(client, DBX_delete_database_instance, P({"name", names[i]}), NULL, NULL, NULL, &e));
        assert_int_equal(e.code, ERR_INVALID_PARAMETER);
    }
    end();
    assert_int_equal(server.seen, 0);
}

/* ---- OAuth ---- */

#define TOKEN(text, life) {200, NULL, "{\"access_token\":\"" text "\",\"token_type\":\"Bearer\",\"expires_in\":" life "}", 0}

/* The documents name the server itself, so they are made once its port is known. */
static char host_doc[128], oidc_doc[128];
static void oauth(struct http_step *steps, void (*calls)(void))
{
    http_script_start(&server, steps);
    snprintf(host_doc, sizeof host_doc, "{\"oidc_endpoint\":\"http://127.0.0.1:%d/other\"}", server.port);
    snprintf(oidc_doc, sizeof oidc_doc, "{\"token_endpoint\":\"http://127.0.0.1:%d/t\"}", server.port);
    client = open_client(true);
    assert_string_equal(dbx_auth_type(client), "oauth-m2m");
    calls();
    end();
}

static void two_gets(void)
{
    get_ok();
    get_ok();
}

static void a_token_is_fetched_once(void **state)
{
    (void)state;
    struct http_step steps[] = {{200, NULL, host_doc, 0}, {200, NULL, oidc_doc, 0}, TOKEN("first", "3600"),
                                {200, NULL, ok_body, 0},  {200, NULL, ok_body, 0},  LAST};
    oauth(steps, two_gets);
    assert_int_equal(server.seen, 5);
    assert_non_null(strstr(server.requests[0], "GET /.well-known/databricks-config "));
    assert_null(strstr(server.requests[0], "Authorization"));
    assert_non_null(strstr(server.requests[1], "GET /other/.well-known/oauth-authorization-server "));
    assert_non_null(strstr(server.requests[2], "POST /t "));
    assert_non_null(strstr(server.requests[2], "\r\nAuthorization: Basic dGhlLWNsaWVudDpzZWNyZXQtb2YtaXQ=\r\n"));
    assert_non_null(strstr(server.requests[2], "\r\n\r\ngrant_type=client_credentials&scope=all-apis"));
    assert_non_null(strstr(server.requests[3], "\r\nAuthorization: Bearer first\r\n"));
    assert_non_null(strstr(server.requests[4], "\r\nAuthorization: Bearer first\r\n"));
}

static void a_token_is_renewed_40_s_before_its_end(void **state)
{
    (void)state;
    struct http_step steps[] = {{200, NULL, host_doc, 0},     {200, NULL, oidc_doc, 0}, TOKEN("first", "40"),
                                {200, NULL, ok_body, 0}, TOKEN("second", "\"3600\""), {200, NULL, ok_body, 0}, LAST};
    oauth(steps, two_gets);
    assert_int_equal(server.seen, 6);
    assert_non_null(strstr(server.requests[5], "\r\nAuthorization: Bearer second\r\n"));
}

static void a_token_for_ever(void **state)
{
    (void)state;
    struct http_step steps[] = {{200, NULL, host_doc, 0}, {200, NULL, oidc_doc, 0}, TOKEN("t", "9223372036854775807"),
                                {200, NULL, ok_body, 0},  {200, NULL, ok_body, 0},  LAST};
    oauth(steps, two_gets);
    assert_int_equal(server.seen, 5);
}

static void one_get(void) { get_ok(); }

static void a_host_without_the_document(void **state)
{
    (void)state;
    struct http_step steps[] = {{404, NULL, "{}", 0}, {200, NULL, oidc_doc, 0}, TOKEN("t", "3600"),
                                {200, NULL, ok_body, 0}, LAST};
    oauth(steps, one_get);
    assert_non_null(strstr(server.requests[1], "GET /oidc/.well-known/oauth-authorization-server "));
}

static void refused_client(void)
{
    struct err e = get_bad();
    assert_int_equal(e.code, ERR_UNAUTHENTICATED);
    assert_int_equal(e.http, 401);
    assert_non_null(strstr(e.text, "no such client"));
}

static void a_client_that_is_refused(void **state)
{
    (void)state;
    struct http_step steps[] = {{200, NULL, host_doc, 0}, {200, NULL, oidc_doc, 0},
                                {401, NULL, "{\"error\":\"invalid_client\",\"error_description\":\"no such client\"}", 0}, LAST};
    oauth(steps, refused_client);
    assert_int_equal(server.seen, 3);
}

/* ---- the waiter ---- */

struct seen_states {
    char text[256];
};

static void note_state(void *self, const char *state, long long ms)
{
    struct seen_states *s = self;
    assert_true(ms >= 0);
    size_t used = strlen(s->text);
    snprintf(s->text + used, sizeof s->text - used, "%s ", state);
}

#define STATE(s) {200, NULL, "{\"name\":\"demo\",\"state\":\"" s "\"}", 0}

static struct err wait_for(const struct http_step *steps, const char *want, const char *states)
{
    struct err e = {0};
    struct seen_states seen = {""};
    begin(steps, false);
    dbx_wait_instance(client, "demo", want, note_state, &seen, NULL, NULL, &e);
    end();
    assert_string_equal(seen.text, states);
    return e;
}

static void waiting_for_states(void **state)
{
    (void)state;
    static const struct http_step up[] = {STATE("STARTING"), STATE("STARTING"), STATE("AVAILABLE"), LAST};
    assert_int_equal(wait_for(up, "AVAILABLE", "STARTING STARTING AVAILABLE ").code, ERR_NONE);
    static const struct http_step gone[] = {STATE("DELETING"), {404, NULL, "{}", 0}, LAST};
    assert_int_equal(wait_for(gone, "", "DELETING ").code, ERR_NONE);
    /* The service may show the old state for a moment. */
    static const struct http_step stop[] = {STATE("AVAILABLE"), STATE("UPDATING"), STATE("STOPPED"), LAST};
    assert_int_equal(wait_for(stop, "STOPPED", "AVAILABLE UPDATING STOPPED ").code, ERR_NONE);
    static const struct http_step unknown[] = {STATE("UPGRADING"), STATE("AVAILABLE"), LAST};
    assert_int_equal(wait_for(unknown, "AVAILABLE", "UPGRADING AVAILABLE ").code, ERR_NONE);
}

static void waiting_in_vain(void **state)
{
    (void)state;
    static const struct http_step stopped[] = {STATE("STOPPED"), LAST};
    assert_int_equal(wait_for(stopped, "AVAILABLE", "").code, ERR_INVALID_STATE);
    static const struct http_step deleting[] = {STATE("DELETING"), LAST};
    struct err e = wait_for(deleting, "AVAILABLE", "");
    assert_int_equal(e.code, ERR_INVALID_STATE);
    assert_string_equal(e.text, "instance 'demo' is DELETING and will not become AVAILABLE by itself");
    static const struct http_step restarted[] = {STATE("UPDATING"), STATE("AVAILABLE"), LAST};
    assert_int_equal(wait_for(restarted, "STOPPED", "UPDATING ").code, ERR_INVALID_STATE);
    static const struct http_step missing[] = {{404, NULL, "{\"error_code\":\"NOT_FOUND\",\"message\":\"m\"}", 0}, LAST};
    assert_int_equal(wait_for(missing, "AVAILABLE", "").code, ERR_NOT_FOUND);
}

int main(void)
{
    jx_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_proxy_for_a_local_server), cmocka_unit_test(what_is_sent),
        cmocka_unit_test(busy_for_too_long), cmocka_unit_test(a_token_for_ever), cmocka_unit_test(busy_is_tried_again),
        cmocka_unit_test(busy_is_tried_again_for_a_post_too), cmocka_unit_test(a_lost_answer_to_a_get_is_asked_for_again),
        cmocka_unit_test(a_lost_answer_to_a_post_is_an_error), cmocka_unit_test(errors_keep_code_status_and_text),
        cmocka_unit_test(answers_that_cannot_be_read), cmocka_unit_test(an_empty_answer_is_an_empty_object),
        cmocka_unit_test(answers_have_a_cap), cmocka_unit_test(a_cancel_ends_a_silent_call),
        cmocka_unit_test(a_cancel_ends_the_pause_before_the_next_try), cmocka_unit_test(nobody_listens),
        cmocka_unit_test(empty_path_parameters), cmocka_unit_test(a_token_is_fetched_once),
        cmocka_unit_test(a_token_is_renewed_40_s_before_its_end), cmocka_unit_test(a_host_without_the_document),
        cmocka_unit_test(a_client_that_is_refused), cmocka_unit_test(waiting_for_states), cmocka_unit_test(waiting_in_vain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
