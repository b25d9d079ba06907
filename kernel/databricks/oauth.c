/*
 * OAuth client credentials (see oauth.h). Discovery: /.well-known/databricks-config names the OIDC endpoint; a host
 * without that document has it at /oidc. Source: Databricks OAuth M2M, RFC 6749 §4.4, RFC 8414.
 */
#include "databricks/oauth.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/jx.h"
#include "base/xalloc.h"

enum { MAX_JSON = 1 << 20, RENEW_EARLY_S = 40, LIFE_MOST_S = 86400 };

static json_t *get_json(struct http *h, const char *url, struct cancel *cancel, struct err *e)
{
    struct http_request r = {.method = "GET", .url = url};
    struct http_answer a;
    json_t *v = NULL;
    if (http_perform(h, &r, &a, cancel, e)) {
        if (a.status == 200)
            v = jx_parse(buf_str(&a.body), a.body.len, MAX_JSON, e);
        else
            err_set(e, err_code_of_wire(NULL, a.status), "%s answered HTTP %d", url, a.status);
    }
    buf_release(&a.body);
    return v;
}

static bool discover(struct oauth *o, const struct dbx_config *c, struct http *h, struct cancel *cancel, struct err *e)
{
    struct err ignored = {0};
    char *url = xasprintf("%s/.well-known/databricks-config", c->host);
    json_t *host_doc = get_json(h, url, cancel, &ignored);
    free(url);
    if (err_is(&ignored, ERR_CANCELLED) || err_is(&ignored, ERR_CONNECT)) {
        *e = ignored;
        return false;
    }
    const char *oidc = jx_get_str(host_doc, "oidc_endpoint", NULL);
    url = oidc ? xasprintf("%s/.well-known/oauth-authorization-server", oidc)
               : xasprintf("%s/oidc/.well-known/oauth-authorization-server", c->host);
    json_t *doc = get_json(h, url, cancel, e);
    const char *endpoint = jx_get_str(doc, "token_endpoint", NULL);
    if (doc && endpoint)
        o->token_endpoint = xstrdup(endpoint);
    else if (doc)
        err_set(e, ERR_CONFIG, "%s names no token_endpoint", url);
    free(url);
    json_decref(doc);
    json_decref(host_doc);
    return o->token_endpoint != NULL;
}

static bool take(struct oauth *o, const json_t *doc, int status, struct err *e)
{
    const char *token = jx_get_str(doc, "access_token", NULL);
    if (status != 200 || !token) {
        err_set(e, status == 503 || status == 429 ? err_code_of_wire(NULL, status) : ERR_UNAUTHENTICATED,
                "oauth-m2m: the token endpoint refused the client: %s",
                jx_get_str(doc, "error_description", jx_get_str(doc, "error", "no reason given")));
        e->http = status;
        err_hint(e, "check client_id and client_secret");
        return false;
    }
    int64_t life = jx_get_int(doc, "expires_in", 0);
    life = life < 0 ? 0 : life < LIFE_MOST_S ? life : LIFE_MOST_S;
    xfree_secret(o->token);
    o->token = xstrdup(token);
    o->renew_at = clock_mono_ms() + (life - RENEW_EARLY_S) * 1000;
    return true;
}

static bool fetch(struct oauth *o, const struct dbx_config *c, struct http *h, struct cancel *cancel, struct err *e)
{
    static const char form[] = "grant_type=client_credentials&scope=all-apis";
    struct http_request r = {.method = "POST",
                             .url = o->token_endpoint,
                             .basic_user = c->client_id,
                             .basic_pass = c->client_secret,
                             .body = form,
                             .body_len = sizeof form - 1,
                             .content_type = "application/x-www-form-urlencoded"};
    struct http_answer a;
    bool ok = http_perform(h, &r, &a, cancel, e);
    if (ok) {
        struct err unread = {0};
        json_t *doc = jx_parse(buf_str(&a.body), a.body.len, MAX_JSON, &unread);
        ok = take(o, doc, a.status, e);
        json_decref(doc);
    }
    buf_release_secret(&a.body);
    return ok;
}

const char *oauth_token(struct oauth *o, const struct dbx_config *c, struct http *h, struct cancel *cancel, struct err *e)
{
    if (o->token && clock_mono_ms() < o->renew_at)
        return o->token;
    if (!o->token_endpoint && !discover(o, c, h, cancel, e))
        return NULL;
    return fetch(o, c, h, cancel, e) ? o->token : NULL;
}

void oauth_release(struct oauth *o)
{
    xfree_secret(o->token);
    free(o->token_endpoint);
    memset(o, 0, sizeof *o);
}
