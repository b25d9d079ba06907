/*
 * Unified authentication: which host, and which credentials. Reads arguments, environment and ~/.databrickscfg; makes no
 * call. Private to databricks/.
 */
#ifndef DATABRICKS_CONFIG_H
#define DATABRICKS_CONFIG_H

#include <stdbool.h>

#include "base/err.h"
#include "databricks/client.h"

enum dbx_auth { DBX_AUTH_PAT = 1, DBX_AUTH_M2M };

/* All strings owned; the secrets are wiped on release. */
struct dbx_config {
    char *host; /* "https://x.cloud.databricks.com", without a slash at the end */
    char *token, *client_id, *client_secret, *username, *password, *auth_type;
    char *profile;     /* NULL: none asked for, or none used */
    char *config_file; /* path looked at */
    enum dbx_auth auth;
};

/*
 * Order: o->profile, then environment, then profile of the file, which fills only what is unset and is not read when
 * host or credentials are known and no profile was named. Profile: DATABRICKS_CONFIG_PROFILE, [__settings__]
 * default_profile, [DEFAULT]. Texts of errors: as the SDKs (Python config.py, Go config.go). ERR_CONFIG.
 * One difference: o->profile is a word of the user, so host and credentials then come from that profile alone,
 * where the SDKs would let the environment replace its host.
 */
bool dbx_config_resolve(struct dbx_config *c, const struct dbx_options *o, struct err *e);
void dbx_config_release(struct dbx_config *c);
/* The host is 127.0.0.0/8, ::1 or localhost. */
bool dbx_host_is_loopback(const char *host);

#endif
