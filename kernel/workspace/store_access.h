/* The store's permissions on instances: what was given to whom, besides the creator's and the administrator's own. */
#ifndef WORKSPACE_STORE_ACCESS_H
#define WORKSPACE_STORE_ACCESS_H

#include "workspace/store.h"

enum access_level { ACCESS_NONE, ACCESS_USE, ACCESS_MANAGE };
enum { ACCESS_ROWS_MAX = 100 }; /* for one instance */

struct access_row {
    char principal[256];
    enum access_level level;
};
/* By principal. rows holds ACCESS_ROWS_MAX. */
bool store_instance_access(struct store *s, const char *uid, struct access_row *rows, size_t *count, struct err *e);
/* One transaction: rows replace what the same principals had, or (all) everything that was there. ERR_QUOTA beyond
 * ACCESS_ROWS_MAX, and then nothing has changed. */
bool store_set_instance_access(struct store *s, const char *uid, bool all, const struct access_row *rows, size_t n,
                               struct err *e);

#endif
