/*
 * The routes without a bearer token (see public.h). URLs in the documents are built from the host name that the client
 * used. Sources: Databricks OAuth M2M as its SDKs use it; RFC 6749 §2.3.1, §4.4, §5.2; RFC 8414.
 */
#include "workspace/public.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "workspace/auth.h"
#include "workspace/router.h"
#include "workspace/workspace.h"

static void set_url(json_t *doc, const char *key, const struct public_call *call, const char *path)
{
    json_object_set_new(doc, key, jx_str(arena_printf(&call->r->arena, "http://%s%s", call->host, path)));
}

static void host_config(const struct public_call *call, struct answer *a)
{
    json_t *doc = json_object();
    set_url(doc, "oidc_endpoint", call, "/oidc");
    json_object_set_new(doc, "workspace_id", json_string(call->r->ws->org_id));
    json_object_set_new(doc, "host_type", json_string("WORKSPACE_HOST"));
    answer_json(a, 200, doc);
}

static void oidc_config(const struct public_call *call, struct answer *a)
{
    json_t *doc = json_object();
    set_url(doc, "issuer", call, "/oidc");
    /* Members that clients insist on; the login in a browser is not offered here, and says so. */
    set_url(doc, "authorization_endpoint", call, "/oidc/v1/authorize");
    set_url(doc, "token_endpoint", call, "/oidc/v1/token");
    json_object_set_new(doc, "grant_types_supported", json_pack("[s]", "client_credentials"));
    json_object_set_new(doc, "response_types_supported", json_pack("[s]", "token"));
    json_object_set_new(doc, "token_endpoint_auth_methods_supported",
                        json_pack("[s, s]", "client_secret_basic", "client_secret_post"));
    answer_json(a, 200, doc);
}

static void oauth_error(struct answer *a, int status, const char *code, const char *why)
{
    answer_json(a, status, json_pack("{s: s, s: s}", "error", code, "error_description", why));
}

/* Value of a form field, decoded; NULL: not there. */
static const char *form_value(const struct public_call *call, const char *name)
{
    size_t name_len = strlen(name);
    for (const char *p = call->body, *end = p + call->len; p && p < end;) {
        const char *amp = memchr(p, '&', (size_t)(end - p));
        const char *stop = amp ? amp : end;
        if ((size_t)(stop - p) > name_len && memcmp(p, name, name_len) == 0 && p[name_len] == '=') {
            char *copy = arena_strndup(&call->r->arena, p + name_len + 1, (size_t)(stop - p) - name_len - 1);
            for (char *c = copy; *c; c++)
                *c = *c == '+' ? ' ' : *c;
            return router_decode(&call->r->arena, copy, strlen(copy));
        }
        p = stop + 1;
    }
    return NULL;
}

/* "Basic base64(id:secret)" → id and secret in the arena. */
static bool basic(const struct public_call *call, const char **id, const char **secret)
{
    const char *h = call->authorization;
    if (!h || strncasecmp(h, "Basic ", 6) != 0)
        return false;
    h += 6 + strspn(h + 6, " ");
    size_t len = strlen(h);
    if (len % 4 != 0 || len > 2048)
        return false;
    char *text = arena_alloc(&call->r->arena, len / 4 * 3 + 1);
    int n = EVP_DecodeBlock((unsigned char *)text, (const unsigned char *)h, (int)len);
    char *colon = n > 0 ? strchr(text, ':') : NULL;
    if (!colon)
        return false;
    *colon = '\0';
    *id = text;
    *secret = colon + 1;
    return true;
}

static void token(const struct public_call *call, struct answer *a)
{
    const char *grant = form_value(call, "grant_type"), *id = NULL, *secret = NULL;
    struct principal p;
    struct err why = {0};
    if (!grant || strcmp(grant, "client_credentials") != 0) {
        oauth_error(a, 400, "unsupported_grant_type", "only client_credentials is offered by the local workspace");
        return;
    }
    if (!basic(call, &id, &secret)) {
        id = form_value(call, "client_id");
        secret = form_value(call, "client_secret");
    }
    if (!id || !secret || !auth_client(call->r->ws->store, id, secret, &p, &why)) {
        oauth_error(a, 401, "invalid_client", "Client authentication failed");
        return;
    }
    char *signed_token = tokens_oauth(call->r->ws->tokens, p.name, clock_wall_s());
    json_t *doc = json_object();
    json_object_set_new(doc, "access_token", jx_str(signed_token));
    json_object_set_new(doc, "token_type", json_string("Bearer"));
    json_object_set_new(doc, "expires_in", json_integer(tokens_life_s(call->r->ws->tokens)));
    json_object_set_new(doc, "scope", json_string("all-apis"));
    xfree_secret(signed_token);
    answer_json(a, 200, doc);
}

static void authorize(const struct public_call *call, struct answer *a)
{
    (void)call;
    oauth_error(a, 400, "unsupported_response_type",
                "the local workspace has no login in a browser; use the token or the client secret of "
                "lakebase-workspace env");
}

static void health(const struct public_call *call, struct answer *a)
{
    (void)call;
    answer_json(a, 200, json_pack("{s: s, s: s}", "status", "ok", "version", LAKEBASE_VERSION));
}

static const struct {
    const char *method, *path;
    public_fn *run;
} routes[] = {
    {"GET", "/.well-known/databricks-config", host_config},
    {"GET", "/oidc/.well-known/oauth-authorization-server", oidc_config},
    {"GET", "/oidc/.well-known/openid-configuration", oidc_config},
    {"GET", "/oidc/v1/authorize", authorize},
    {"POST", "/oidc/v1/token", token},
    {"GET", "/health", health},
};

public_fn *public_find(const char *method, const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (strcmp(routes[i].method, method) == 0 && strcmp(routes[i].path, path) == 0)
            return routes[i].run;
    }
    return NULL;
}
