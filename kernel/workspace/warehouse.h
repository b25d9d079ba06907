/* The one SQL warehouse of the workspace: its identity and its state, which is that of the lakehouse worker. */
#ifndef WORKSPACE_WAREHOUSE_H
#define WORKSPACE_WAREHOUSE_H

#include <stdbool.h>

#include "base/err.h"

struct workspace;

#define WAREHOUSE_NAME "Serverless Starter Warehouse"

/* Sixteen hex digits, the same as long as the workspace lives. */
void warehouse_id(const struct workspace *ws, char id[17]);
/* ERR_INVALID_PARAMETER "<id> is not a valid endpoint id." */
bool warehouse_check(const struct workspace *ws, const char *id, struct err *e);

#endif
