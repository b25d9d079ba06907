/*
 * The REST client (see client.h): route + parameters → URL, model ↔ JSON, errors, retries. Tests drive it against real
 * servers; it has no test switches.
 */
#include "databricks/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "databricks/config.h"
#include "databricks/http.h"
#include "databricks/oauth.h"

/* The SDKs try for five minutes. A local workspace that refuses connections is not running; waiting minutes for it would
 * look like a hang. */
enum { RETRY_BUDGET_MS = 300000, RETRY_LOCAL_CONNECT_MS = 5000, MAX_URL = 64 << 10 };

struct dbx_client {
    struct dbx_config config;
    struct http *http;
    struct oauth oauth;
};

struct dbx_client *dbx_open(const struct dbx_options *o, struct err *e)
{
    struct dbx_client *c = xcalloc(1, sizeof *c);
    if (!dbx_config_resolve(&c->config, o, e)) {
        free(c);
        return NULL;
    }
    c->http = http_new(e);
    if (c->http)
        return c;
    dbx_close(c);
    return NULL;
}

void dbx_close(struct dbx_client *c)
{
    if (!c)
        return;
    http_free(c->http);
    oauth_release(&c->oauth);
    dbx_config_release(&c->config);
    free(c);
}

const char *dbx_host(const struct dbx_client *c) { return c->config.host; }
const char *dbx_auth_type(const struct dbx_client *c) { return c->config.auth == DBX_AUTH_PAT ? "pat" : "oauth-m2m"; }
const char *dbx_profile(const struct dbx_client *c) { return c->config.profile ? c->config.profile : ""; }
bool dbx_is_local(const struct dbx_client *c) { return dbx_host_is_loopback(c->config.host); }

/* ---- URL ---- */

static const char *param_of(const struct dbx_param *params, const char *name, size_t len)
{
    for (const struct dbx_param *p = params; p && p->name; p++) {
        if (strlen(p->name) == len && memcmp(p->name, name, len) == 0)
            return p->value;
    }
    return NULL;
}

static bool add_path(struct buf *url, const struct dbx_route_info *r, const struct dbx_param *params, struct err *e)
{
    for (const char *p = r->path; *p;) {
        if (*p != '{') {
            buf_putc(url, *p++);
            continue;
        }
        size_t len = strcspn(p + 1, "}");
        const char *value = param_of(params, p + 1, len);
        if (!value || !*value || strcmp(value, ".") == 0 || strcmp(value, "..") == 0)
            return err_set(e, ERR_INVALID_PARAMETER, "%s: '%.*s' must not be empty", r->operation, (int)len, p + 1);
        http_escape(url, value);
        p += len + 2;
    }
    return true;
}

static void add_query(struct buf *url, const struct dbx_route_info *r, const struct dbx_param *params)
{
    char sep = '?';
    for (const char *p = r->query; *p;) {
        size_t len = strcspn(p, ",");
        const char *value = param_of(params, p, len);
        if (value) {
            buf_printf(url, "%c%.*s=", sep, (int)len, p);
            http_escape(url, value);
            sep = '&';
        }
        p += len + (p[len] == ',');
    }
}

/* ---- answers ---- */

static const char *wire_code(const json_t *doc, char number[24])
{
    const json_t *code = json_object_get(doc, "error_code");
    if (!json_is_integer(code))
        return json_string_value(code);
    snprintf(number, 24, "%lld", (long long)json_integer_value(code));
    return number;
}

/* Turn an answer with an error status into *e. */
static bool remote_error(const struct dbx_client *c, const struct http_answer *a, struct err *e)
{
    struct err unread = {0};
    char number[24];
    json_t *doc = jx_parse(buf_str(&a->body), a->body.len, HTTP_MAX_BODY, &unread);
    const char *wire = wire_code(doc, number);
    const char *message = jx_get_str(doc, "message", jx_get_str(doc, "error", NULL));
    enum err_code code = err_code_of_wire(wire, a->status);
    if (message && *message)
        err_set(e, code, "%s", message);
    else
        err_set(e, code, "%s answered HTTP %d without a reason", c->config.host, a->status);
    if (!message && a->body.len) {
        char start[200];
        err_copy(start, sizeof start, buf_str(&a->body), a->body.len);
        err_detail(e, "the answer starts: %s", start);
    }
    if (code == ERR_REMOTE && wire)
        err_detail(e, "error_code %s", wire);
    if (a->retry_after > 0)
        err_hint(e, "the server asks to wait %d s before the next try", a->retry_after);
    if (a->status == 401)
        err_hint(e, "the token is not (or no longer) valid for %s", c->config.host);
    e->http = a->status;
    json_decref(doc);
    return false;
}

static bool read_answer(const struct dbx_route_info *r, const struct http_answer *a, void *response, struct err *e)
{
    if (!response)
        return true;
    memset(response, 0, r->response->size);
    if (a->body.len == 0)
        return true;
    struct err why = {0};
    json_t *doc = jx_parse(buf_str(&a->body), a->body.len, HTTP_MAX_BODY, &why);
    bool ok = doc && model_decode(r->response, MODEL_CLIENT, doc, response, &why);
    json_decref(doc);
    if (!ok)
        err_set(e, ERR_REMOTE, "the answer to %s cannot be read: %s", r->operation, why.text);
    return ok;
}

/* ---- one call, and again ---- */

static bool once(struct dbx_client *c, const struct dbx_route_info *r, const struct buf *url, const char *body,
                 struct http_answer *a, struct cancel *cancel, struct err *e)
{
    *a = (struct http_answer){.retry_after = -1};
    const char *token = c->config.token;
    if (c->config.auth == DBX_AUTH_M2M)
        token = oauth_token(&c->oauth, &c->config, c->http, cancel, e);
    if (!token)
        return false;
    struct http_request req = {.method = dbx_method_name(r->method),
                               .url = buf_str(url),
                               .bearer = token,
                               .body = body,
                               .body_len = body ? strlen(body) : 0,
                               .content_type = "application/json",
                               .fresh = r->method == DBX_POST};
    return http_perform(c->http, &req, a, cancel, e);
}

/* Is it right to send the request again, after wait_ms more? After a lost connection only what does no harm twice. */
static bool again(const struct dbx_client *c, const struct dbx_route_info *r, const struct http_answer *a,
                  const struct err *e, int64_t passed_ms, int wait_ms)
{
    if (passed_ms + wait_ms > RETRY_BUDGET_MS)
        return false;
    if (!e->code)
        return a->status == 429 || a->status == 503;
    if (e->code == ERR_RATE_LIMIT || e->code == ERR_UNAVAILABLE)
        return true; /* said by the token endpoint */
    if (e->code != ERR_CONNECT && e->code != ERR_TIMEOUT)
        return false;
    if (dbx_is_local(c) && !a->sent && passed_ms > RETRY_LOCAL_CONNECT_MS)
        return false;
    return !a->sent || r->method != DBX_POST;
}

/* Seconds as the server asked, else 1, 2 … 10; plus up to 0.75 s so that clients do not come back in step. */
static int delay_ms(const struct http_answer *a, int attempt)
{
    unsigned noise = 0;
    if (getrandom(&noise, sizeof noise, GRND_NONBLOCK) < 0)
        noise = (unsigned)clock_mono_us();
    int s = a->retry_after >= 0 ? a->retry_after : attempt < 10 ? attempt : 10;
    return s * 1000 + 50 + (int)(noise % 700);
}

static bool with_retries(struct dbx_client *c, const struct dbx_route_info *r, const struct buf *url, const char *body,
                         struct http_answer *a, struct cancel *cancel, struct err *e)
{
    int64_t start = clock_mono_ms();
    for (int attempt = 1;; attempt++) {
        struct err why = {0};
        bool ok = once(c, r, url, body, a, cancel, &why);
        int64_t passed = clock_mono_ms() - start;
        int wait = delay_ms(a, attempt);
        if (!again(c, r, a, &why, passed, wait)) {
            if (!ok) {
                *e = why;
                err_wrap(e, "%s", c->config.host);
                if (attempt > 1)
                    err_detail(e, "gave up after %d attempts in %lld s", attempt, (long long)passed / 1000);
            }
            return ok;
        }
        buf_release(&a->body);
        if (!cancel_poll(cancel, -1, 0, wait, e))
            return false;
    }
}

bool dbx_call(struct dbx_client *c, enum dbx_route route, const struct dbx_param *params, const void *request,
              void *response, struct cancel *cancel, struct err *e)
{
    const struct dbx_route_info *r = dbx_route_info(route);
    struct buf url;
    buf_init(&url, MAX_URL);
    buf_puts(&url, c->config.host);
    bool ok = add_path(&url, r, params, e);
    if (ok)
        add_query(&url, r, params);
    ok = ok && buf_ok(&url, "the address of the call", e);
    char *body = NULL;
    if (ok && request && r->request != &model_empty) {
        json_t *doc = model_encode(r->request, MODEL_CLIENT, request);
        body = jx_dump(doc);
        json_decref(doc);
    }
    struct http_answer a = {0};
    ok = ok && with_retries(c, r, &url, body, &a, cancel, e);
    if (ok)
        ok = a.status / 100 == 2 ? read_answer(r, &a, response, e) : remote_error(c, &a, e);
    if (!ok && response)
        memset(response, 0, r->response->size);
    buf_release_secret(&a.body); /* may hold a database credential */
    buf_release(&url);
    free(body);
    return ok;
}
