/* What `status` and `env` print: about a workspace that runs or not, from its files. */
#ifndef WORKSPACE_STATUS_H
#define WORKSPACE_STATUS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "workspace/control.h"

/* Address, process, instances with their servers, and what each capacity means here beside the service. */
bool status_print(FILE *out, const char *state_dir, const struct running *now, bool json, struct err *e);

/* Lines for `eval` in a shell: host, token, CA; the other kind of credentials is unset, as SDKs refuse both at once.
 * Contains secrets: that is its purpose. */
enum {
    ENV_APP = 1,      /* client id and secret instead of the token */
    ENV_JSON = 2,     /* an object with the same names, on one line */
    ENV_STATE_DIR = 4 /* LAKEBASE_STATE_DIR too, for our own programs */
};
bool env_print(FILE *out, const char *state_dir, const struct running *now, unsigned how, struct err *e);
/* The same into this process's environment. */
bool env_enter(const char *state_dir, const struct running *now, unsigned how, struct err *e);

#endif
