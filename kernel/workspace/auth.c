/* Who calls (see auth.h). */
#include "workspace/auth.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"

enum { MAX_BEARER = 8192 };

static bool refuse(struct err *e, const char *why)
{
    return err_set(e, ERR_UNAUTHENTICATED, "Credential was not sent or was of an unsupported type for this API: %s", why);
}

static bool by_pat(struct store *store, const char *token, size_t len, struct principal *out, struct err *e)
{
    char sha[65];
    struct err why = {0};
    tokens_sha256(token, len, sha);
    if (store_principal_by_sha(store, sha, out, &why) && out->kind == PRINCIPAL_USER && tokens_same(out->secret_sha, sha))
        return true;
    if (why.code && !err_is(&why, ERR_NOT_FOUND)) {
        *e = why;
        return false;
    }
    return err_set(e, ERR_UNAUTHENTICATED, "Invalid access token.");
}

bool auth_check(struct store *store, const struct tokens *tokens, const char *header, struct principal *out,
                struct err *e)
{
    if (!header || !*header)
        return refuse(e, "no Authorization header");
    if (strncasecmp(header, "Bearer ", 7) != 0)
        return refuse(e, "only Bearer tokens are taken");
    const char *token = header + 7 + strspn(header + 7, " ");
    size_t len = strlen(token);
    if (len == 0 || len > MAX_BEARER)
        return refuse(e, "the token is empty or too long");
    if (strncmp(token, "dapi", 4) == 0)
        return by_pat(store, token, len, out, e);
    char subject[256];
    struct err why = {0};
    if (!tokens_check_bearer(tokens, token, len, clock_wall_s(), subject, &why))
        return err_set(e, ERR_UNAUTHENTICATED, "Invalid access token: %s.", why.text);
    if (store_principal(store, subject, out, &why))
        return true;
    if (err_is(&why, ERR_NOT_FOUND))
        return err_set(e, ERR_UNAUTHENTICATED, "Invalid access token: its principal does not exist.");
    *e = why; /* the store's fault, not the token's */
    return false;
}

bool auth_client(struct store *store, const char *client_id, const char *client_secret, struct principal *out,
                 struct err *e)
{
    char sha[65];
    struct err why = {0};
    tokens_sha256(client_secret, strlen(client_secret), sha);
    if (store_principal(store, client_id, out, &why) && out->kind == PRINCIPAL_SERVICE && tokens_same(out->secret_sha, sha))
        return true;
    if (why.code && !err_is(&why, ERR_NOT_FOUND)) {
        *e = why;
        return false;
    }
    return err_set(e, ERR_UNAUTHENTICATED, "client authentication failed");
}

bool auth_host_ok(const char *host)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};
    for (size_t i = 0; host && i < sizeof names / sizeof *names; i++) {
        size_t len = strlen(names[i]);
        if (strncasecmp(host, names[i], len) == 0 && (host[len] == '\0' || host[len] == ':'))
            return strspn(host + len, ":0123456789") == strlen(host + len);
    }
    return false;
}
