/*
 * Replay: the actions of a log, oldest first, into what holds at a version. Source: PROTOCOL.md, "Action Reconciliation".
 * Bodies are kept as JSON; delta_snapshot.c makes values of them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/delta_log.h"

void delta_replay_init(struct delta_replay *r, const char *root)
{
    *r = (struct delta_replay){.root = root, .live = json_object(), .removed = json_object(), .transactions = json_object(),
                               .domains = json_object(), .adds = json_array()};
}

void delta_replay_release(struct delta_replay *r)
{
    json_t **const all[] = {&r->live, &r->removed, &r->protocol, &r->metadata, &r->commit_info, &r->transactions, &r->domains, &r->adds};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        json_decref(*all[i]);
        *all[i] = NULL;
    }
}

static void keep(json_t **place, json_t *body)
{
    json_decref(*place);
    *place = json_incref(body);
}

/* Adds wait for the commit's end: within one commit order means nothing, and what is there again after a remove lives. */
static bool take_file(struct delta_replay *r, bool add, json_t *body, struct err *e)
{
    struct buf key;
    buf_init(&key, DELTA_LINE_MAX);
    bool ok = delta_file_key(r->root, body, &key, e) && buf_ok(&key, "a file's path", e);
    if (ok && add) {
        json_array_append_new(r->adds, json_pack("[sO]", buf_str(&key), body));
        if (json_array_size(r->adds) > DELTA_FILES_MAX)
            ok = err_set(e, ERR_TOO_BIG, "a commit adds more than %d files", DELTA_FILES_MAX);
    } else if (ok) {
        json_object_del(r->live, buf_str(&key));
        json_object_set(r->removed, buf_str(&key), body);
    }
    buf_release(&key);
    return ok;
}

static bool take_transaction(struct delta_replay *r, const json_t *body, struct err *e)
{
    const char *app = jx_get_str(body, "appId", NULL);
    json_t *version = json_object_get(body, "version");
    if (!app || !json_is_integer(version))
        return err_set(e, ERR_MALFORMED, "a txn action has no 'appId' or no 'version'");
    json_object_set(r->transactions, app, version);
    return true;
}

static bool take_domain(struct delta_replay *r, const json_t *body, struct err *e)
{
    const char *domain = jx_get_str(body, "domain", NULL);
    if (!domain)
        return err_set(e, ERR_MALFORMED, "a domainMetadata action has no 'domain'");
    if (jx_get_bool(body, "removed", false))
        json_object_del(r->domains, domain);
    else
        json_object_set_new(r->domains, domain, jx_str(jx_get_str(body, "configuration", "")));
    return true;
}

bool delta_replay_action(void *self, const char *kind, json_t *body, struct err *e)
{
    struct delta_replay *r = self;
    if (!strcmp(kind, "add") || !strcmp(kind, "remove"))
        return take_file(r, kind[0] == 'a', body, e);
    if (!strcmp(kind, "metaData"))
        keep(&r->metadata, body);
    else if (!strcmp(kind, "protocol"))
        keep(&r->protocol, body);
    else if (!strcmp(kind, "commitInfo"))
        keep(&r->commit_info, body);
    else if (!strcmp(kind, "txn"))
        return take_transaction(r, body, e);
    else if (!strcmp(kind, "domainMetadata"))
        return take_domain(r, body, e);
    return true; /* cdc is of its own commit only; unknown actions announce themselves in the protocol if they matter */
}

bool delta_replay_end(struct delta_replay *r, struct err *e)
{
    for (size_t i = 0; i < json_array_size(r->adds); i++) {
        const json_t *pair = json_array_get(r->adds, i);
        const char *key = json_string_value(json_array_get(pair, 0));
        json_object_del(r->removed, key);
        json_object_set(r->live, key, json_array_get(pair, 1));
    }
    json_array_clear(r->adds);
    if (json_object_size(r->live) > DELTA_FILES_MAX)
        return err_set(e, ERR_TOO_BIG, "the table has more than %d files", DELTA_FILES_MAX);
    return true;
}

static bool gap(const char *root, const struct delta_list *list, int64_t missing, struct err *e)
{
    if (!delta_parquet() && list->n_checkpoints && list->checkpoints[0].version >= missing) {
        err_set(e, ERR_NOT_IMPLEMENTED, "the log of '%s' begins with a checkpoint (version %lld), and the commits before it were "
                "cleaned away: only the lakehouse engine reads checkpoints", root, (long long)list->checkpoints[0].version);
        err_hint(e, "write a copy of the table (CREATE TABLE … AS SELECT)");
        return false;
    }
    err_set(e, ERR_INVALID_STATE, "the log of '%s' is broken: the commit of version %lld is missing", root, (long long)missing);
    if (list->n_checkpoints)
        err_detail(e, "and no checkpoint is there that stands for it");
    return false;
}

/* The commits after version `after` up to `version`. */
static bool replay_commits(struct delta_replay *r, const struct delta_list *list, int64_t after, int64_t version, struct err *e)
{
    for (int64_t v = after + 1; v <= version; v++) {
        if (!delta_list_has(list, v))
            return gap(r->root, list, v, e);
        json_decref(r->commit_info);
        r->commit_info = NULL;
        if (!delta_commit_read(r->root, v, NULL, delta_replay_action, r, e) || !delta_replay_end(r, e))
            return false;
    }
    return true;
}

/* The first version that the commits do not have, up to `version`; version + 1: they have all. */
static int64_t first_missing(const struct delta_list *list, int64_t version)
{
    int64_t v = 0;
    while (v <= version && delta_list_has(list, v))
        v++;
    return v;
}

static bool from_checkpoint(struct delta_replay *r, const struct delta_list *list, ptrdiff_t at, int64_t version, struct err *e)
{
    static const char *const info[] = {"commitInfo", NULL};
    int64_t start = list->checkpoints[at].version;
    if (!delta_checkpoint_read(r, list, at, e) || !replay_commits(r, list, start, version, e))
        return false;
    /* what the commit of the checkpoint says of itself stands only in the commit */
    return start < version || !delta_list_has(list, start) ||
           delta_commit_read(r->root, start, info, delta_replay_action, r, e);
}

/* A checkpoint that cannot be read is only a lost shortcut while the commits are there, or an older checkpoint. */
bool delta_replay_to(struct delta_replay *r, const struct delta_list *list, int64_t version, struct err *e)
{
    const char *root = r->root;
    bool whole = first_missing(list, version) > version;
    struct err why;
    err_init(&why);
    for (int64_t below = version; below >= 0;) {
        ptrdiff_t at = delta_checkpoint_find(list, below);
        if (at < 0 || (whole && list->checkpoints[at].version < DELTA_CHECKPOINT_GAIN))
            break;
        if (from_checkpoint(r, list, at, version, &why))
            return true;
        delta_replay_release(r);
        delta_replay_init(r, root);
        below = list->checkpoints[at].version - 1;
    }
    if (!whole && why.code != ERR_NONE) {
        *e = e->code == ERR_NONE ? why : *e;
        return false;
    }
    return replay_commits(r, list, -1, version, e);
}
