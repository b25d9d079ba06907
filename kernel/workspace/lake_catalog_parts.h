/* What the files of the worker's calls share. Private to lake_catalog*.c. */
#ifndef WORKSPACE_LAKE_CATALOG_PARTS_H
#define WORKSPACE_LAKE_CATALOG_PARTS_H

#include "workspace/lake_catalog.h"
#include "workspace/store_lake.h"

/* A name of a call, cut and looked at: parts in lower case where Unity Catalog manages them. */
struct lake_name {
    enum securable_kind kind; /* by the number of parts */
    char *part[3];            /* owned; NULL behind the last */
    char *full;               /* owned */
    struct catalog_row catalog; /* found only where `found` */
    bool found;               /* the catalog exists */
};
/* member: the key of the array in args. want: how many parts (0: 0 to 3). */
bool lake_name_take(struct lake_session *s, const json_t *args, const char *member, int want, struct lake_name *out,
                    struct err *e);
void lake_name_release(struct lake_name *n);

/* lake_catalog_read.c */
bool lake_call_resolve(struct lake_session *s, const json_t *args, json_t **answer, struct err *e);
bool lake_call_describe(struct lake_session *s, const json_t *args, json_t **answer, struct err *e);
bool lake_call_list(struct lake_session *s, const json_t *args, json_t **answer, struct err *e);
/* Databricks' patterns: * stands for any characters, | separates alternatives, case does not count. NULL: everything. */
bool lake_like(const char *pattern, const char *name);
/* The catalog or schema is there, and the principal may look into it. */
bool lake_need_container(struct lake_session *s, const struct lake_name *in, struct err *e);

/* lake_catalog_volumes.c */
bool lake_call_open_volume(struct lake_session *s, const json_t *args, json_t **answer, struct err *e);
bool lake_call_create_volume(struct lake_session *s, const json_t *args, json_t **answer, struct err *e);
bool lake_call_drop_volume(struct lake_session *s, const json_t *args, json_t **answer, struct err *e);
bool lake_call_list_volumes(struct lake_session *s, const json_t *args, json_t **answer, struct err *e);
bool lake_call_describe_volume(struct lake_session *s, const json_t *args, json_t **answer, struct err *e);

#endif
