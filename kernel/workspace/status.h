/* What `status` and `env` print: about a workspace that runs or not, from its files. */
#ifndef WORKSPACE_STATUS_H
#define WORKSPACE_STATUS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "workspace/control.h"

/* Address, process, instances with their servers, and what each capacity means here beside the service. */
bool status_print(FILE *out, const char *state_dir, const struct running *now, bool json, struct err *e);

/* Lines for `eval` in a shell: host, token (app: client id and secret), CA; the other kind of credentials is unset, as
 * SDKs refuse both at once. json: an object with the same names. Contains secrets: that is its purpose. */
bool env_print(FILE *out, const char *state_dir, const struct running *now, bool app, bool json, struct err *e);

#endif
