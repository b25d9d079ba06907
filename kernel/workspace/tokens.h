/*
 * Signed tokens: JWT, RS256, made and checked with the workspace's own key. Two kinds, told apart by their audience:
 * a database credential (password of a PostgreSQL login, for named instances) and an OAuth access token (bearer of the
 * API; also the login password of its own service principal). Knows nothing of HTTP or the store.
 * Sources: RFC 7519, RFC 7515; one hour, checked at login only: Databricks "OAuth to an instance". LAKEBASE_TOKEN_SECONDS in the
 * environment of the workspace makes them shorter (not longer), so that a test or a lab can see one expire.
 */
#ifndef WORKSPACE_TOKENS_H
#define WORKSPACE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { TOKEN_LIFE_S = 3600, TOKEN_LIFE_LEAST_S = 5, TOKEN_MAX = 8192 };

struct tokens;

/* Read the private key (PEM, 0600), or make it when the file is not there. issuer is copied. ERR_CONFIG also for a
 * LAKEBASE_TOKEN_SECONDS that is no number of seconds from TOKEN_LIFE_LEAST_S to TOKEN_LIFE_S. */
struct tokens *tokens_open(const char *key_path, const char *issuer, struct err *e);
/* How long a token holds, in seconds. */
int tokens_life_s(const struct tokens *t);
void tokens_close(struct tokens *t);

struct token_instance {
    const char *name, *uid;
};
/* A database credential of `user` for n instances, good from now (seconds since 1970). Caller frees with
 * xfree_secret. */
char *tokens_database(const struct tokens *t, const char *user, const struct token_instance *instances, size_t n,
                      int64_t now);
/* One that holds for life_s seconds, at most tokens_life_s(). */
char *tokens_database_for(const struct tokens *t, const char *user, const struct token_instance *instances, size_t n,
                          int64_t now, int life_s);
/* An OAuth access token of a service principal. Caller frees with xfree_secret. */
char *tokens_oauth(const struct tokens *t, const char *client_id, int64_t now);

/* The bearer of an API call: subject copied to `subject`. ERR_UNAUTHENTICATED. Any thread. */
bool tokens_check_bearer(const struct tokens *t, const char *token, size_t len, int64_t now, char subject[256],
                         struct err *e);
/* A login to an instance: a database credential of `user` that names the instance, or an OAuth access token of `user`.
 * ERR_LOGIN with the reason; never contains the token. Any thread. */
bool tokens_check_login(const struct tokens *t, const char *token, size_t len, const char *user,
                        const char *instance_uid, int64_t now, struct err *e);

/* SHA-256 of text as 64 hex digits, and a comparison that takes the same time wherever they differ. */
void tokens_sha256(const char *text, size_t len, char out[65]);
bool tokens_same(const char *a, const char *b);

#endif
