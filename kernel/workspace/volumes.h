/*
 * Volumes: a path as everybody writes it ("/Volumes/main/shop/in/2026/a.csv") to a volume's folder and the path below it, with the
 * privilege that is needed. The one place that says which files of the machine SQL and the Files API may reach.
 */
#ifndef WORKSPACE_VOLUMES_H
#define WORKSPACE_VOLUMES_H

#include <stdbool.h>

#include "base/err.h"
#include "databricks/model.h"
#include "workspace/store_lake.h"

struct workspace;

struct volume_path {
    struct securable_row row; /* of the volume */
    char *rest;               /* below it, without slashes at its ends; "" for the volume itself. No part is "", "." or ".." */
    char *shown;              /* "/Volumes/main/shop/in" */
};
/* privilege: READ_VOLUME or WRITE_VOLUME. "dbfs:" in front is fine. ERR_INVALID_PARAMETER: no path of a volume; ERR_VOLUME_NOT_FOUND;
 * ERR_PERMISSION. */
bool volume_path_open(struct workspace *ws, const char *caller, const char *path, const char *privilege, struct volume_path *out,
                      struct err *e);
void volume_path_release(struct volume_path *p);

/* The row as the API shows it. */
void volume_put(struct workspace *ws, const struct securable_row *row, struct volume_info *out);

#endif
