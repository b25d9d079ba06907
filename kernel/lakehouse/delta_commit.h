/* A commit inside lakehouse/: filled by delta_commit.c, checked by delta_commit_check.c, written by delta_publish.c. */
#ifndef LAKEHOUSE_DELTA_COMMIT_H
#define LAKEHOUSE_DELTA_COMMIT_H

#include "lakehouse/delta_log.h"

enum delta_action_kind { DELTA_ACTION_ADD = 1, DELTA_ACTION_REMOVE, DELTA_ACTION_CDC };

struct delta_commit {
    char *root;
    int64_t read_version;
    char *operation, *user;
    json_t *parameters, *metrics; /* objects of strings */
    json_t *transactions;         /* object: appId → version; or NULL */
    bool blind_append;
    bool has_metadata;            /* the next six hold */
    char *id, *name, *description;
    struct delta_schema schema;
    char **partition_columns;
    size_t n_partition_columns;
    json_t *configuration;
    struct {
        enum delta_action_kind kind;
        struct delta_file file;
    } *files;
    size_t n_files;
};

/* Everything that can be known before writing. base: the table at read_version, NULL when it is created. Fills uri, size and
 * time of the files from the disk, and syncs them. */
bool delta_commit_check(struct delta_commit *c, const struct delta_snapshot *base, struct err *e);

#endif
