/* A commit being built: what the caller says, kept as it will stand in the log. delta_publish.c checks and writes it. */
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/delta_commit.h"

struct delta_commit *delta_commit_new(const char *root, int64_t read_version, const char *operation)
{
    struct delta_commit *c = xcalloc(1, sizeof *c);
    size_t n = strlen(root);
    while (n > 1 && root[n - 1] == '/')
        n--;
    c->root = xstrndup(root, n);
    c->read_version = read_version;
    c->operation = xstrdup(operation);
    c->parameters = json_object();
    c->metrics = json_object();
    return c;
}

static void metadata_release(struct delta_commit *c)
{
    delta_schema_release(&c->schema);
    for (size_t i = 0; i < c->n_partition_columns; i++)
        free(c->partition_columns[i]);
    free(c->partition_columns);
    free(c->id);
    free(c->name);
    free(c->description);
    json_decref(c->configuration);
}

void delta_commit_free(struct delta_commit *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_files; i++)
        delta_file_release(&c->files[i].file);
    free(c->files);
    metadata_release(c);
    free(c->root);
    free(c->operation);
    free(c->user);
    json_decref(c->parameters);
    json_decref(c->metrics);
    json_decref(c->transactions);
    free(c);
}

/* Values of both are text, as Spark writes them. */
void delta_commit_parameter(struct delta_commit *c, const char *name, const char *value)
{
    json_object_set_new(c->parameters, name, value ? jx_str(value) : json_null());
}

void delta_commit_metric(struct delta_commit *c, const char *name, int64_t value)
{
    json_object_set_new(c->metrics, name, json_sprintf("%lld", (long long)value));
}

void delta_commit_user(struct delta_commit *c, const char *user)
{
    free(c->user);
    c->user = xstrdup(user);
}

void delta_commit_transaction(struct delta_commit *c, const char *app, int64_t version)
{
    if (!c->transactions)
        c->transactions = json_object();
    json_object_set_new(c->transactions, app, json_integer(version));
}

void delta_commit_blind_append(struct delta_commit *c) { c->blind_append = true; }

void delta_commit_metadata(struct delta_commit *c, const char *id, const char *name, const char *description,
                           const struct delta_schema *schema, char *const *partition_columns, size_t n,
                           json_t *configuration)
{
    metadata_release(c);
    c->has_metadata = true;
    c->id = xstrdup(id);
    c->name = xstrdup(name);
    c->description = xstrdup(description);
    delta_schema_copy(&c->schema, schema);
    c->partition_columns = xcalloc(n + 1, sizeof *c->partition_columns);
    c->n_partition_columns = n;
    for (size_t i = 0; i < n; i++)
        c->partition_columns[i] = xstrdup(partition_columns[i]);
    c->configuration = configuration ? json_deep_copy(configuration) : json_object();
}

static void keep_file(struct delta_commit *c, enum delta_action_kind kind, const struct delta_file *f)
{
    if ((c->n_files & (c->n_files + 1)) == 0)
        c->files = xreallocarray(c->files, 2 * c->n_files + 1, sizeof *c->files);
    c->files[c->n_files].kind = kind;
    delta_file_copy(&c->files[c->n_files++].file, f);
}

void delta_commit_add(struct delta_commit *c, const struct delta_file *f) { keep_file(c, DELTA_ACTION_ADD, f); }
void delta_commit_remove(struct delta_commit *c, const struct delta_file *f) { keep_file(c, DELTA_ACTION_REMOVE, f); }
void delta_commit_cdc(struct delta_commit *c, const struct delta_file *f) { keep_file(c, DELTA_ACTION_CDC, f); }
