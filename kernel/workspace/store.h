/*
 * The store: what the workspace must remember, in one SQLite file (WAL, every commit synced to disk). Rows are the
 * truth of intent: a row says what an instance should be; workspace/instances.c makes it so, again after a crash.
 * Knows nothing of HTTP or PostgreSQL. Every function may be called from any thread (one lock inside).
 */
#ifndef WORKSPACE_STORE_H
#define WORKSPACE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct store;

/* Open or create; brings an older file up to date. ERR_CONFIG for a file of a newer version. */
struct store *store_open(const char *path, struct err *e);
void store_close(struct store *s);

/* Small facts by name: "workspace_id", "port"… Caller frees *value; NULL: not set. */
bool store_get(struct store *s, const char *key, char **value, struct err *e);
bool store_set(struct store *s, const char *key, const char *value, struct err *e);

/* ---- principals: who may call ---- */
enum { PRINCIPAL_USER = 1, PRINCIPAL_SERVICE = 2 };
struct principal {
    char name[256];      /* e-mail, or application id: userName, and the PostgreSQL role */
    char display[256];
    char id[24];         /* digits, SCIM */
    int kind;
    char secret_sha[65]; /* SHA-256, hex: of the token (user) or of the client secret (service principal) */
};
bool store_put_principal(struct store *s, const struct principal *p, struct err *e);
/* ERR_NOT_FOUND when there is none. */
bool store_principal(struct store *s, const char *name, struct principal *out, struct err *e);
bool store_principal_by_sha(struct store *s, const char *secret_sha, struct principal *out, struct err *e);

/* ---- instances ---- */
enum inst_state { INST_STARTING = 1, INST_AVAILABLE, INST_STOPPED, INST_UPDATING, INST_DELETING };
const char *inst_state_name(enum inst_state state); /* "STARTING" */

enum { INST_NAME_MAX = 63, INST_TAGS_MAX = 4096 };
struct instance_row {
    char uid[37], name[INST_NAME_MAX + 1], creator[256], creation_time[32];
    char capacity[8];
    int retention_days;
    char usage_policy_id[256];
    char custom_tags[INST_TAGS_MAX]; /* JSON list as in the API, "" for none */
    enum inst_state state;
    bool stopped;      /* wanted: no server */
    bool created;      /* the cluster was complete once */
    char address[46];  /* "" before the cluster exists */
    int port;
    char failure[512]; /* why the last operation failed; "": it did not */
};
struct instance_rows {
    struct instance_row *rows; /* caller frees with instance_rows_release */
    size_t count;
};

/* ERR_ALREADY_EXISTS "Instance name is not unique", ERR_QUOTA beyond max_count rows; one transaction. */
bool store_add_instance(struct store *s, const struct instance_row *row, int max_count, struct err *e);
/* Unknown name: ERR_NOT_FOUND "Database instance is not found." */
bool store_instance(struct store *s, const char *name, struct instance_row *out, struct err *e);
bool store_instance_by_uid(struct store *s, const char *uid, struct instance_row *out, struct err *e);
/* Up to limit rows with a name after `after`, in the order of names; limit 0: all. */
bool store_instances(struct store *s, const char *after, size_t limit, struct instance_rows *out, struct err *e);
void instance_rows_release(struct instance_rows *rows);
bool instance_rows_have(const struct instance_rows *rows, const char *uid);

/* Change a row in one transaction: `change` sees the row as it is and edits it, or refuses with *e set (nothing is
 * written then). *out (may be NULL) gets the row written. */
typedef bool instance_change_fn(void *self, struct instance_row *row, struct err *e);
bool store_change_instance(struct store *s, const char *uid, instance_change_fn *change, void *self,
                           struct instance_row *out, struct err *e);
/* Make it DELETING, for good, unless a catalog is registered over it (then, and when it is gone, *doomed is false). No
 * catalog can come after that. */
bool store_doom_instance(struct store *s, const char *uid, bool *doomed, struct err *e);
bool store_remove_instance(struct store *s, const char *uid, struct err *e);

/* ---- catalogs registered over a database ---- */
struct catalog_row {
    char name[256], uid[37], instance_uid[37], instance_name[INST_NAME_MAX + 1], database[64], owner[256];
    int64_t created_ms;
};
struct catalog_rows {
    struct catalog_row *rows;
    size_t count;
};
/* ERR_CATALOG_EXISTS for a taken name, ERR_ALREADY_EXISTS for a database that is registered already, ERR_INVALID_STATE
 * unless the instance is AVAILABLE at that moment. */
bool store_add_catalog(struct store *s, const struct catalog_row *row, struct err *e);
/* ERR_CATALOG_NOT_FOUND. instance_name is filled. */
bool store_catalog(struct store *s, const char *name, struct catalog_row *out, struct err *e);
/* Of one instance (NULL: of all), by name, after `after`, at most limit (0: all). */
bool store_catalogs(struct store *s, const char *instance_uid, const char *after, size_t limit,
                    struct catalog_rows *out, struct err *e);
void catalog_rows_release(struct catalog_rows *rows);
bool store_remove_catalog(struct store *s, const char *name, struct err *e);

#endif
