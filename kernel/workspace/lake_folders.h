/*
 * The folders of the lakehouse: <state>/lakehouse, 0700, of the operating system user that the worker runs as, with a
 * folder for each table, volume and sample. As root every file operation in it is made as that user.
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
/* The same for a volume. */
char *lake_volume_new(struct workspace *ws, const char *volume_id, struct err *e);
/* The folder of a table of `samples`, "tpch.region", made if it is missing. It is not swept: its name never changes. */
char *lake_sample_folder(struct workspace *ws, const char *name, struct err *e);
/* Remove the folder of a table or volume; nothing there is success. Refuses other paths. */
bool lake_folder_remove(struct workspace *ws, const char *location, struct err *e);
/* The folder of all: <state>/lakehouse. Caller frees. */
char *lake_folders_root(const struct workspace *ws);

#endif
