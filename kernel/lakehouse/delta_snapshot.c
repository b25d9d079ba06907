/* A table at a version: opens the log, lets the gate look, and makes a value of what was replayed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/delta_log.h"

static bool fill_metadata(struct delta_snapshot *s, const json_t *metadata, struct err *e)
{
    const json_t *columns = json_object_get(metadata, "partitionColumns");
    json_t *configuration = json_object_get(metadata, "configuration");
    const char *schema = jx_get_str(metadata, "schemaString", NULL);
    if (!schema)
        return err_set(e, ERR_MALFORMED, "the table's metaData action has no schemaString");
    if (!delta_schema_parse(schema, &s->schema, e))
        return false;
    s->id = xstrdup(jx_get_str(metadata, "id", ""));
    s->name = xstrdup(jx_get_str(metadata, "name", NULL));
    s->description = xstrdup(jx_get_str(metadata, "description", NULL));
    s->created_time = jx_get_int(metadata, "createdTime", 0);
    s->configuration = json_is_object(configuration) ? json_deep_copy(configuration) : json_object();
    s->partition_columns = xcalloc(json_array_size(columns) + 1, sizeof *s->partition_columns);
    for (size_t i = 0; i < json_array_size(columns); i++) {
        const char *name = json_string_value(json_array_get(columns, i));
        if (!name || !delta_schema_find(&s->schema, name))
            return err_set(e, ERR_MALFORMED, "the table is partitioned by '%s', which is no column", name ? name : "");
        s->partition_columns[s->n_partition_columns++] = xstrdup(name);
    }
    return true;
}

static json_t *array_copy(const json_t *from, const char *key)
{
    const json_t *list = json_object_get(from, key);
    return json_is_array(list) ? json_deep_copy(list) : NULL;
}

static bool fill_files(struct delta_snapshot *s, json_t *live, struct err *e)
{
    const char *key;
    json_t *body;
    s->files = xcalloc(json_object_size(live) + 1, sizeof *s->files);
    json_object_foreach(live, key, body) {
        if (!delta_file_parse(s->root, body, &s->files[s->n_files++], e))
            return false;
        s->files[s->n_files - 1].data_change = true; /* what its add said is of that commit: removing it is a change */
    }
    return true;
}

bool delta_snapshot_fill(struct delta_snapshot *s, struct delta_replay *r, struct err *e)
{
    if (!r->protocol || !r->metadata)
        return err_set(e, ERR_MALFORMED, "the log of '%s' has no %s action up to version %lld", s->root,
                       r->protocol ? "metaData" : "protocol", (long long)s->version);
    if (!delta_may_read(r->protocol, r->metadata, e) || !fill_metadata(s, r->metadata, e))
        return false;
    s->min_reader = (int)jx_get_int(r->protocol, "minReaderVersion", 1);
    s->min_writer = (int)jx_get_int(r->protocol, "minWriterVersion", 1);
    s->reader_features = array_copy(r->protocol, "readerFeatures");
    s->writer_features = array_copy(r->protocol, "writerFeatures");
    s->transactions = json_incref(r->transactions);
    s->domains = json_incref(r->domains);
    return fill_files(s, r->live, e);
}

/* A root without slashes at its end. */
static char *trim(const char *root)
{
    size_t n = strlen(root);
    while (n > 1 && root[n - 1] == '/')
        n--;
    return xstrndup(root, n);
}

static bool choose_version(const struct delta_list *list, int64_t *version, struct err *e)
{
    int64_t newest = delta_list_newest(list);
    if (*version > newest || *version < -1)
        return err_set(e, ERR_NOT_FOUND, "the table has no version %lld; its newest is %lld", (long long)*version,
                       (long long)newest);
    if (*version == -1)
        *version = newest;
    return true;
}

/* A checkpoint may outlive its commit: then its own time has to do. */
static bool find_time(struct delta_snapshot *s, const struct delta_list *list, const json_t *info, struct err *e)
{
    if (delta_list_has(list, s->version))
        return delta_commit_time(s->root, s->version, info, &s->timestamp, e);
    struct stat st;
    char *path = xasprintf("%s/_delta_log/%s", s->root, list->checkpoints[delta_checkpoint_find(list, s->version)].name);
    bool ok = stat(path, &st) == 0 || err_errno(e, errno, "cannot read '%s'", path);
    s->timestamp = ok ? (int64_t)st.st_mtim.tv_sec * 1000 : 0;
    free(path);
    return ok;
}

struct delta_snapshot *delta_open(const char *root, int64_t version, struct err *e)
{
    struct delta_snapshot *s = xcalloc(1, sizeof *s);
    struct delta_list list = {0};
    struct delta_replay r;
    s->root = trim(root);
    s->version = version;
    delta_replay_init(&r, s->root);
    bool ok = delta_list_load(s->root, &list, e) && choose_version(&list, &s->version, e) &&
              delta_replay_to(&r, &list, s->version, e) && delta_snapshot_fill(s, &r, e) &&
              find_time(s, &list, r.commit_info, e);
    delta_replay_release(&r);
    delta_list_release(&list);
    if (!ok) {
        delta_close(s);
        s = NULL;
    }
    return s;
}

void delta_close(struct delta_snapshot *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_files; i++)
        delta_file_release(&s->files[i]);
    for (size_t i = 0; i < s->n_partition_columns; i++)
        free(s->partition_columns[i]);
    free(s->files);
    free(s->partition_columns);
    delta_schema_release(&s->schema);
    free(s->root);
    free(s->id);
    free(s->name);
    free(s->description);
    json_decref(s->configuration);
    json_decref(s->reader_features);
    json_decref(s->writer_features);
    json_decref(s->transactions);
    json_decref(s->domains);
    free(s);
}

const char *delta_property(const struct delta_snapshot *s, const char *name) { return jx_get_str(s->configuration, name, NULL); }
