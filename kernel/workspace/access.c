/* The first principals (see access.h). */
#include "workspace/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/xalloc.h"
#include "databricks/config.h"
#include "workspace/tokens.h"

struct secrets {
    char *token, *client_id, *client_secret;
};

char *access_path(const char *state_dir) { return xasprintf("%s/databrickscfg", state_dir); }

static void digits(char out[24])
{
    unsigned long long n;
    if (getrandom(&n, sizeof n, 0) != (ssize_t)sizeof n)
        bug("no random bytes");
    snprintf(out, 24, "%llu", 1000000000000000ULL + n % 9000000000000000ULL);
}

/* Is `secret` the one whose digest the store has for `name`? */
static bool known(struct store *store, const char *name, const char *secret)
{
    struct principal p;
    struct err none = {0};
    char sha[65];
    if (!name || !secret || !store_principal(store, name, &p, &none))
        return false;
    tokens_sha256(secret, strlen(secret), sha);
    return tokens_same(p.secret_sha, sha);
}

static bool put(struct store *store, const char *name, const char *display, int kind, const char *secret, struct err *e)
{
    struct principal p = {.kind = kind}, old;
    struct err none = {0};
    err_copy(p.name, sizeof p.name, name, strlen(name));
    err_copy(p.display, sizeof p.display, display, strlen(display));
    tokens_sha256(secret, strlen(secret), p.secret_sha);
    if (store_principal(store, name, &old, &none))
        memcpy(p.id, old.id, sizeof p.id);
    else
        digits(p.id);
    return store_put_principal(store, &p, e);
}

static char *new_secret(const char *prefix)
{
    char hex[65];
    ids_hex(hex, 16);
    char *text = xasprintf("%s%s", prefix, hex);
    explicit_bzero(hex, sizeof hex);
    return text;
}

static void read_file(const char *path, struct secrets *s)
{
    struct dbx_config c;
    struct err none = {0};
    if (dbx_config_resolve(&c, &(struct dbx_options){.profile = "local", .config_file = path}, &none)) {
        s->token = xstrdup(c.token);
        dbx_config_release(&c);
    }
    err_init(&none);
    if (dbx_config_resolve(&c, &(struct dbx_options){.profile = "app", .config_file = path}, &none)) {
        s->client_id = xstrdup(c.client_id);
        s->client_secret = xstrdup(c.client_secret);
        dbx_config_release(&c);
    }
}

static bool fill(struct store *store, struct secrets *s, struct err *e)
{
    if (!known(store, ACCESS_USER, s->token)) {
        xfree_secret(s->token);
        s->token = new_secret("dapi");
        if (!put(store, ACCESS_USER, "Learner", PRINCIPAL_USER, s->token, e))
            return false;
    }
    if (known(store, s->client_id, s->client_secret))
        return true;
    xfree_secret(s->client_secret);
    s->client_secret = new_secret("dose");
    /* The application id stays, as roles in databases are named after it. */
    char *id = NULL;
    if (!store_get(store, "app_client_id", &id, e))
        return false;
    free(s->client_id);
    s->client_id = id;
    if (!id) {
        s->client_id = xcalloc(1, 37);
        ids_uuid(s->client_id);
    }
    return store_set(store, "app_client_id", s->client_id, e) &&
           put(store, s->client_id, ACCESS_APP, PRINCIPAL_SERVICE, s->client_secret, e);
}

bool access_write(struct store *store, const char *state_dir, const char *url, struct err *e)
{
    struct secrets s = {0};
    char *path = access_path(state_dir);
    read_file(path, &s);
    bool ok = fill(store, &s, e);
    if (ok) {
        struct buf b;
        buf_init(&b, 16384);
        buf_puts(&b, "; Written by lakebase-workspace at each start: how clients reach the local workspace.\n");
        buf_printf(&b, "[DEFAULT]\nhost = %s\ntoken = %s\n\n", url, s.token);
        buf_printf(&b, "[local]\nhost = %s\ntoken = %s\n\n", url, s.token);
        buf_printf(&b, "[app]\nhost = %s\nclient_id = %s\nclient_secret = %s\n", url, s.client_id, s.client_secret);
        ok = fs_write_atomic(path, buf_str(&b), b.len, 0600, e);
        buf_release_secret(&b);
    }
    xfree_secret(s.token);
    xfree_secret(s.client_secret);
    free(s.client_id);
    free(path);
    return ok;
}
