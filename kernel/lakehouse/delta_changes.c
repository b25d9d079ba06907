/*
 * The change data feed of a range of versions, as files to read. Source: PROTOCOL.md "Change Data Files", and what Spark and
 * delta-kernel do where it is silent:
 *   a commit with cdc actions: those files, nothing else; else adds and removes with dataChange;
 *   the same file removed and added: only the rows in which the two deletion vectors differ.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fs.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/delta_log.h"

struct range {
    const char *root;
    struct delta_changes *out;
    json_t *protocol, *metadata; /* in force */
    json_t *before;              /* the metadata before the range, when its first commit changes it; else NULL */
    bool new_rules;              /* this commit changed one of the two */
    json_t *cdc, *add, *remove;  /* arrays: this commit's; adds and removes with dataChange */
    json_t *info;
};

static void keep(json_t **place, json_t *body)
{
    json_decref(*place);
    *place = json_incref(body);
}

static void forget(json_t **place)
{
    json_decref(*place);
    *place = NULL;
}

static bool take(void *self, const char *kind, json_t *body, struct err *e)
{
    struct range *r = self;
    json_t *files = !strcmp(kind, "cdc") ? r->cdc : !strcmp(kind, "add") ? r->add : !strcmp(kind, "remove") ? r->remove : NULL;
    if (files) {
        if (files == r->cdc || jx_get_bool(body, "dataChange", true))
            json_array_append(files, body);
        return json_array_size(files) <= DELTA_FILES_MAX || err_set(e, ERR_TOO_BIG, "a commit has more than %d files", DELTA_FILES_MAX);
    }
    if (!strcmp(kind, "commitInfo"))
        keep(&r->info, body);
    r->new_rules = r->new_rules || !strcmp(kind, "metaData") || !strcmp(kind, "protocol");
    if (!strcmp(kind, "metaData"))
        keep(&r->metadata, body);
    else if (!strcmp(kind, "protocol"))
        keep(&r->protocol, body);
    return true;
}

/* ---- rules ---- */
static bool again(struct err *e)
{
    err_hint(e, "load the table anew (a full refresh), and go on from its newest version");
    return false;
}

static bool feed_on(const json_t *metadata, int64_t version, struct err *e)
{
    if (delta_flag(json_object_get(metadata, "configuration"), "delta.enableChangeDataFeed"))
        return true;
    err_set(e, ERR_INVALID_STATE, "the change data feed was off at version %lld", (long long)version);
    err_hint(e, "switch it on (ALTER TABLE … SET TBLPROPERTIES (delta.enableChangeDataFeed = true)): changes are kept from then on");
    return false;
}

/* Does `to` still have what `from` has? New columns may be NULL. */
static bool additive(const struct delta_schema *from, const struct delta_schema *to, int64_t version, struct err *e)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct delta_column *was = &from->columns[i], *is = delta_schema_find(to, was->name);
        if (!is || strcmp(is->name, was->name) != 0)
            return err_set(e, ERR_INVALID_STATE, "version %lld dropped or renamed the column '%s'", (long long)version, was->name);
        if (!json_equal(is->type_json, was->type_json))
            return err_set(e, ERR_INVALID_STATE, "version %lld changed the type of the column '%s'", (long long)version, was->name);
    }
    for (size_t i = 0; i < to->count; i++)
        if (!to->columns[i].nullable && !delta_schema_find(from, to->columns[i].name))
            return err_set(e, ERR_INVALID_STATE, "version %lld added the column '%s', which must not be NULL", (long long)version,
                           to->columns[i].name);
    return true;
}

static bool same_mapping(const json_t *was, const json_t *is)
{
    static const char key[] = "delta.columnMapping.mode";
    return !strcasecmp(jx_get_str(json_object_get(was, "configuration"), key, "none"),
                       jx_get_str(json_object_get(is, "configuration"), key, "none"));
}

/* What was removed was written as `was` says (NULL: not known), and is read as `is` says. */
static bool same_layout(const json_t *was, const json_t *is, int64_t version, struct err *e)
{
    if (!was || (json_equal(json_object_get(was, "partitionColumns"), json_object_get(is, "partitionColumns")) && same_mapping(was, is)))
        return true;
    err_set(e, ERR_INVALID_STATE, "version %lld changed how the table is partitioned or its columns are mapped", (long long)version);
    return again(e);
}

/* The metadata in force was `was` (NULL: the range begins here) and is r->metadata from `version` on. */
static bool check_rules(struct range *r, const json_t *was, int64_t version, struct err *e)
{
    struct delta_schema schema;
    if (!r->protocol || !r->metadata)
        return err_set(e, ERR_MALFORMED, "the log has no %s action up to version %lld", r->protocol ? "metaData" : "protocol",
                       (long long)version);
    if (!delta_may_read(r->protocol, r->metadata, e) || !feed_on(r->metadata, version, e))
        return false;
    if (was && strcmp(jx_get_str(was, "id", ""), jx_get_str(r->metadata, "id", "")) != 0)
        return err_set(e, ERR_INVALID_STATE, "another table lies here since version %lld", (long long)version) || again(e);
    if (!same_layout(was, r->metadata, version, e))
        return false;
    if (!delta_schema_parse(jx_get_str(r->metadata, "schemaString", ""), &schema, e))
        return false;
    bool ok = !was || additive(&r->out->schema, &schema, version, e) || again(e);
    delta_schema_release(&r->out->schema);
    r->out->schema = schema;
    return ok;
}

/* ---- the rules in force at the start ---- */
static bool take_rules(void *self, const char *kind, json_t *body, struct err *e)
{
    struct range *r = self;
    (void)e;
    json_t **place = !strcmp(kind, "metaData") ? &r->metadata : &r->protocol;
    if (!*place)
        *place = json_incref(body);
    return true;
}

static bool cleaned(int64_t version, const char *what, struct err *e)
{
    err_set(e, ERR_INVALID_STATE, "the change data feed of version %lld is gone: %s was cleaned away", (long long)version, what);
    return again(e);
}

/* A checkpoint knows, also where the commits before were cleaned away. */
static bool find_rules_in_checkpoint(struct range *r, const struct delta_list *list, int64_t version)
{
    struct delta_replay replay;
    struct err ignored;
    err_init(&ignored);
    delta_replay_init(&replay, r->root);
    bool ok = delta_replay_to(&replay, list, version, &ignored) && replay.protocol && replay.metadata;
    if (ok) {
        keep(&r->protocol, replay.protocol);
        keep(&r->metadata, replay.metadata);
    }
    delta_replay_release(&replay);
    return ok;
}

static bool has_checkpoint(const struct delta_list *list, int64_t version)
{
    for (size_t i = 0; i < list->n_checkpoints; i++) {
        if (list->checkpoints[i].version == version)
            return true;
    }
    return false;
}

/* Newest first, until both are known: as far as a checkpoint that can be read, however many commits are before it. */
static bool find_rules(struct range *r, const struct delta_list *list, int64_t version, struct err *e)
{
    static const char *const kinds[] = {"metaData", "protocol", NULL};
    for (int64_t v = version; v >= 0 && !(r->protocol && r->metadata); v--) {
        if (v >= DELTA_CHECKPOINT_GAIN && has_checkpoint(list, v) && find_rules_in_checkpoint(r, list, version))
            return true;
        if (!delta_list_has(list, v))
            return find_rules_in_checkpoint(r, list, version) || cleaned(v, "its commit", e);
        if (!delta_commit_read(r->root, v, kinds, take_rules, r, e))
            return false;
    }
    return true;
}

static bool see_metadata(void *self, const char *kind, json_t *body, struct err *e)
{
    (void)kind, (void)body, (void)e;
    *(bool *)self = true;
    return true;
}

/* A first commit with new metadata is held against the one before it: its removed files have the old columns and partitions.
 * Where the log no longer says what that was, nothing is known to compare. */
static bool find_rules_before(struct range *r, const struct delta_list *list, struct err *e)
{
    static const char *const kinds[] = {"metaData", NULL};
    struct range earlier = {.root = r->root};
    struct err ignored;
    bool changes = false;
    err_init(&ignored);
    if (r->out->from == 0 || !delta_list_has(list, r->out->from))
        return true;
    if (!delta_commit_read(r->root, r->out->from, kinds, see_metadata, &changes, e))
        return false;
    if (changes && find_rules(&earlier, list, r->out->from - 1, &ignored) && earlier.metadata)
        r->before = json_incref(earlier.metadata);
    forget(&earlier.metadata);
    forget(&earlier.protocol);
    return true;
}

/* ---- one version ---- */
static bool emit(struct range *r, enum delta_change kind, const json_t *body, int64_t version, int64_t timestamp,
                 struct err *e)
{
    struct delta_changes *out = r->out;
    if (out->count >= DELTA_FILES_MAX)
        return err_set(e, ERR_TOO_BIG, "the range has more than %d files of changes", DELTA_FILES_MAX);
    if ((out->count & (out->count + 1)) == 0)
        out->files = xreallocarray(out->files, 2 * out->count + 1, sizeof *out->files);
    struct delta_change_file *f = &out->files[out->count++];
    *f = (struct delta_change_file){.version = version, .timestamp = timestamp, .kind = kind};
    if (!delta_file_parse(r->root, body, &f->file, e))
        return false;
    if (!fs_exists(f->file.path)) {
        char *what = xasprintf("its file '%s'", f->file.uri);
        cleaned(version, what, e);
        free(what);
        return false;
    }
    return true;
}

/* The action on the same file, whatever its deletion vector: paths are compared as decoded. */
static json_t *by_path(struct range *r, const json_t *bodies, struct err *e)
{
    json_t *index = json_object();
    for (size_t i = 0; i < json_array_size(bodies); i++) {
        json_t *body = json_array_get(bodies, i);
        char *path = delta_path_decode(r->root, jx_get_str(body, "path", ""), e);
        if (!path) {
            json_decref(index);
            return NULL;
        }
        json_object_set(index, path, body);
        free(path);
    }
    return index;
}

/* Rows that became masked were deleted; rows that became visible again (RESTORE) were inserted. */
static bool emit_rows(struct range *r, enum delta_change kind, const json_t *body, uint64_t *rows, size_t n, int64_t version,
                      int64_t timestamp, struct err *e)
{
    if (n == 0 || !emit(r, kind, body, version, timestamp, e)) {
        free(rows);
        return n == 0;
    }
    struct delta_change_file *f = &r->out->files[r->out->count - 1];
    f->only_rows = true;
    f->rows = rows;
    f->n_rows = n;
    return true;
}

/* The file is named by whichever action has a vector. */
static bool emit_difference(struct range *r, const json_t *before, const json_t *after, int64_t version, int64_t timestamp,
                            struct err *e)
{
    struct delta_vector_difference d;
    if (!delta_vector_compare(r->root, before, after, &d, e))
        return false;
    bool ok = emit_rows(r, DELTA_CHANGE_DELETE, after, d.masked, d.n_masked, version, timestamp, e);
    if (!ok)
        free(d.unmasked);
    return ok && emit_rows(r, DELTA_CHANGE_INSERT, before, d.unmasked, d.n_unmasked, version, timestamp, e);
}

/* Removed and added again in one commit: with the same deletion vector nothing happened, with another some rows changed. Both
 * indexes lose the pair. */
static bool emit_pairs(struct range *r, json_t *adds, json_t *removes, int64_t version, int64_t timestamp, struct err *e)
{
    const char *path;
    json_t *body;
    void *next;
    bool ok = true;
    json_object_foreach_safe(adds, next, path, body) {
        json_t *before = json_object_get(removes, path);
        if (!before)
            continue;
        ok = ok && (delta_vector_same(before, body) || emit_difference(r, before, body, version, timestamp, e));
        json_object_del(removes, path);
        json_object_del(adds, path);
    }
    return ok;
}

static bool emit_all(struct range *r, enum delta_change kind, json_t *index, int64_t version, int64_t timestamp, struct err *e)
{
    const char *path;
    json_t *body;
    json_object_foreach(index, path, body)
        if (!emit(r, kind, body, version, timestamp, e))
            return false;
    return true;
}

static bool emit_files(struct range *r, int64_t version, int64_t timestamp, struct err *e)
{
    bool ok = true;
    for (size_t i = 0; ok && i < json_array_size(r->cdc); i++)
        ok = emit(r, DELTA_CHANGE_CDC, json_array_get(r->cdc, i), version, timestamp, e);
    if (!ok || json_array_size(r->cdc))
        return ok;
    json_t *adds = by_path(r, r->add, e), *removes = adds ? by_path(r, r->remove, e) : NULL;
    ok = removes && emit_pairs(r, adds, removes, version, timestamp, e) &&
         emit_all(r, DELTA_CHANGE_DELETE, removes, version, timestamp, e) &&
         emit_all(r, DELTA_CHANGE_INSERT, adds, version, timestamp, e);
    json_decref(adds);
    json_decref(removes);
    return ok;
}

static bool one_version(struct range *r, const struct delta_list *list, int64_t version, struct err *e)
{
    int64_t timestamp;
    if (!delta_list_has(list, version))
        return cleaned(version, "its commit", e);
    r->cdc = json_array();
    r->add = json_array();
    r->remove = json_array();
    r->new_rules = version == r->out->from;
    json_t *was = version == r->out->from ? NULL : json_incref(r->metadata);
    bool ok = delta_commit_read(r->root, version, NULL, take, r, e) && (!r->new_rules || check_rules(r, was, version, e)) &&
              (was || !json_array_size(r->remove) || same_layout(r->before, r->metadata, version, e)) &&
              delta_commit_time(r->root, version, r->info, &timestamp, e) && emit_files(r, version, timestamp, e);
    if (ok)
        r->out->to_timestamp = timestamp;
    json_decref(was);
    forget(&r->cdc);
    forget(&r->add);
    forget(&r->remove);
    forget(&r->info);
    return ok;
}

static bool check_range(const struct delta_list *list, int64_t from, int64_t *to, struct err *e)
{
    int64_t newest = delta_list_newest(list);
    if (*to == -1)
        *to = newest;
    if (from < 0 || *to > newest)
        return err_set(e, ERR_NOT_FOUND, "the table has no version %lld; its newest is %lld", (long long)(from < 0 ? from : *to),
                       (long long)newest);
    return from <= *to || err_set(e, ERR_INVALID_PARAMETER, "the range of changes ends (version %lld) before it begins (version %lld)",
                                  (long long)*to, (long long)from);
}

bool delta_changes_load(const char *root, int64_t from, int64_t to, struct delta_changes *out, struct err *e)
{
    struct delta_list list;
    *out = (struct delta_changes){.from = from};
    if (!delta_list_load(root, &list, e))
        return false;
    struct range r = {.root = root, .out = out};
    bool ok = check_range(&list, from, &to, e) && find_rules_before(&r, &list, e) && find_rules(&r, &list, from, e);
    for (int64_t v = from; ok && v <= to; v++)
        ok = one_version(&r, &list, v, e);
    out->to = to;
    json_decref(r.protocol);
    json_decref(r.metadata);
    json_decref(r.before);
    delta_list_release(&list);
    if (!ok)
        delta_changes_release(out);
    return ok || err_wrap(e, "the changes of the table at '%s'", root);
}

static int64_t rows_of(const struct delta_change_file *f)
{
    return f->only_rows ? (int64_t)f->n_rows : f->file.rows > 0 ? f->file.rows : 0;
}

bool delta_changes_cut(const char *root, int64_t from, int64_t to, const struct delta_slice *most, int64_t *cut, struct err *e)
{
    struct delta_changes changes;
    int64_t rows = 0, bytes = 0;
    *cut = to - from < most->versions ? to : from + most->versions - 1;
    if (!delta_changes_load(root, from, *cut, &changes, e))
        return false;
    for (size_t i = 0; i < changes.count; i++) {
        const struct delta_change_file *f = &changes.files[i];
        bool full = rows >= most->rows || bytes >= most->bytes;
        if (full && i && f->version > changes.files[i - 1].version) {
            *cut = f->version - 1;
            break;
        }
        rows += rows_of(f);
        bytes += f->only_rows ? 0 : f->file.size;
    }
    delta_changes_release(&changes);
    return true;
}

void delta_changes_release(struct delta_changes *c)
{
    for (size_t i = 0; i < c->count; i++) {
        delta_file_release(&c->files[i].file);
        free(c->files[i].rows);
    }
    free(c->files);
    delta_schema_release(&c->schema);
    *c = (struct delta_changes){0};
}
