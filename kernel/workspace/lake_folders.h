/*
 * The folders of the lakehouse: <state>/lakehouse, 0700, of the operating system user that the worker runs as, with a
 * folder for each table. As root every file operation in it is made as that user.
 */
#ifndef WORKSPACE_LAKE_FOLDERS_H
#define WORKSPACE_LAKE_FOLDERS_H

#include <stdbool.h>

#include "base/err.h"

struct workspace;

/* Make what is missing; remove what is left of tables that were dropped or never made (a crash). The folder of a table that
 * no row names is kept, and named in the log. */
bool lake_folders_open(struct workspace *ws, struct err *e);
/* An empty folder for a new table; its path, absolute. Caller frees; NULL on failure. */
char *lake_folder_new(struct workspace *ws, const char *table_id, struct err *e);
/* Remove a table's folder; nothing there is success. Refuses paths that are no folder of a table. */
bool lake_folder_remove(struct workspace *ws, const char *location, struct err *e);
/* The folder of all: <state>/lakehouse. Caller frees. */
char *lake_folders_root(const struct workspace *ws);

#endif
