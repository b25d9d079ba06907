/* What lies in `_delta_log`: versions and checkpoints by their names. Opens no file. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "lakehouse/delta_log.h"

enum { LOOKS_AT_A_GAP = 3 };

/* Exactly `digits` digits at *p, which moves behind them; -1: something else. */
static int64_t take_number(const char **p, int digits)
{
    int64_t n = 0;
    for (int i = 0; i < digits; i++) {
        if ((*p)[i] < '0' || (*p)[i] > '9' || n > (INT64_MAX - 9) / 10)
            return -1;
        n = n * 10 + ((*p)[i] - '0');
    }
    *p += digits;
    return n;
}

/* What follows "V.checkpoint.": "parquet", "<part>.<parts>.parquet" or "<uuid>.parquet|json". */
static bool parse_checkpoint(const char *rest, struct delta_checkpoint *c)
{
    c->part = c->parts = 1;
    c->json = false;
    if (!strcmp(rest, "parquet"))
        return true;
    const char *p = rest;
    int64_t part = take_number(&p, 10), parts = part > 0 && *p++ == '.' ? take_number(&p, 10) : -1;
    if (parts > 0) {
        c->part = (int)part;
        c->parts = (int)parts;
        return part <= parts && parts <= DELTA_NAMES_MAX && !strcmp(p, ".parquet");
    }
    if (strlen(rest) < 37 || strspn(rest, "0123456789abcdefABCDEF-") != 36 || rest[36] != '.')
        return false;
    c->json = !strcmp(rest + 37, "json");
    return c->json || !strcmp(rest + 37, "parquet");
}

static void add_name(struct delta_list *l, const char *name)
{
    static const char mark[] = ".checkpoint.";
    const char *p = name;
    int64_t version = take_number(&p, 20);
    struct delta_checkpoint c = {.version = version};
    if (version < 0)
        return;
    if (!strcmp(p, ".json")) {
        if ((l->n_commits & (l->n_commits + 1)) == 0) /* grow at 0, 1, 3, 7 ... */
            l->commits = xreallocarray(l->commits, 2 * l->n_commits + 1, sizeof *l->commits);
        l->commits[l->n_commits++] = version;
    } else if (!strncmp(p, mark, sizeof mark - 1) && parse_checkpoint(p + sizeof mark - 1, &c)) {
        c.name = xstrdup(name);
        l->checkpoints = xreallocarray(l->checkpoints, l->n_checkpoints + 1, sizeof *l->checkpoints);
        l->checkpoints[l->n_checkpoints++] = c;
    }
}

static int by_version(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int by_checkpoint(const void *a, const void *b)
{
    const struct delta_checkpoint *x = a, *y = b;
    if (x->version != y->version)
        return x->version < y->version ? -1 : 1;
    if (x->parts != y->parts)
        return x->parts < y->parts ? -1 : 1;
    return x->part != y->part ? (x->part < y->part ? -1 : 1) : strcmp(x->name, y->name);
}

static bool no_table(const char *root, struct err *e)
{
    err_set(e, ERR_NOT_FOUND, "there is no Delta table at '%s'", root);
    err_hint(e, "a Delta table has its commits in the folder _delta_log");
    return false;
}

static bool read_names(const char *root, struct delta_list *out, struct err *e)
{
    char *path = xasprintf("%s/_delta_log", root);
    DIR *dir = opendir(path);
    int seen = 0, saved = errno;
    if (dir) {
        for (struct dirent *entry; (errno = 0, entry = readdir(dir)) && seen <= DELTA_NAMES_MAX; seen++)
            add_name(out, entry->d_name);
        saved = errno;
        closedir(dir);
    }
    bool ok = dir && saved == 0;
    if (!dir && (saved == ENOENT || saved == ENOTDIR))
        no_table(root, e);
    else if (!ok)
        err_errno(e, saved, "cannot read the folder '%s'", path);
    else if (seen > DELTA_NAMES_MAX)
        ok = err_set(e, ERR_TOO_BIG, "the folder '%s' has more than %d entries", path, DELTA_NAMES_MAX);
    free(path);
    return ok;
}

/* A folder that is written to while it is read may show a file and not one that was made before it. */
static bool has_gap(const struct delta_list *l)
{
    return l->n_commits && l->commits[l->n_commits - 1] - l->commits[0] + 1 != (int64_t)l->n_commits;
}

static bool read_sorted(const char *root, struct delta_list *out, struct err *e)
{
    *out = (struct delta_list){0};
    bool ok = read_names(root, out, e);
    if (ok && out->n_commits + out->n_checkpoints == 0)
        ok = no_table(root, e);
    if (!ok)
        delta_list_release(out);
    else if (out->n_commits)
        qsort(out->commits, out->n_commits, sizeof *out->commits, by_version);
    return ok;
}

bool delta_list_load(const char *root, struct delta_list *out, struct err *e)
{
    if (!read_sorted(root, out, e))
        return false;
    for (int i = 0; i < LOOKS_AT_A_GAP && has_gap(out); i++) {
        delta_list_release(out);
        if (!read_sorted(root, out, e))
            return false;
    }
    if (out->n_checkpoints)
        qsort(out->checkpoints, out->n_checkpoints, sizeof *out->checkpoints, by_checkpoint);
    return true;
}

void delta_list_release(struct delta_list *l)
{
    for (size_t i = 0; i < l->n_checkpoints; i++)
        free(l->checkpoints[i].name);
    free(l->checkpoints);
    free(l->commits);
    *l = (struct delta_list){0};
}

int64_t delta_list_newest(const struct delta_list *l)
{
    int64_t commit = l->n_commits ? l->commits[l->n_commits - 1] : -1;
    int64_t checkpoint = l->n_checkpoints ? l->checkpoints[l->n_checkpoints - 1].version : -1;
    return commit > checkpoint ? commit : checkpoint;
}

bool delta_list_has(const struct delta_list *l, int64_t version)
{
    return l->n_commits && bsearch(&version, l->commits, l->n_commits, sizeof version, by_version);
}

int64_t delta_newest(const char *root, struct err *e)
{
    struct delta_list l;
    if (!delta_list_load(root, &l, e))
        return -1;
    int64_t newest = delta_list_newest(&l);
    delta_list_release(&l);
    return newest;
}
