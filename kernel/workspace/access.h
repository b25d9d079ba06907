/* The first principals and their secrets: a user with a personal access token and a service principal. */
#ifndef WORKSPACE_ACCESS_H
#define WORKSPACE_ACCESS_H

#include <stdbool.h>

#include "base/err.h"
#include "workspace/store.h"

#define ACCESS_USER "learner@example.com"
#define ACCESS_APP "lakebase-app"

/*
 * Write <state>/databrickscfg for clients. Secrets are in this file only; the store has their SHA-256. When the file is
 * missing or its secrets are not the store's, new ones are made and the old ones end.
 */
bool access_write(struct store *store, const char *state_dir, const char *url, struct err *e);
char *access_path(const char *state_dir); /* caller frees */

#endif
