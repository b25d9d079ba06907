/* A lakehouse for unit tests: the engine over a temporary folder, and a Unity Catalog of a few names in memory. */
#ifndef LAKE_CATALOG_H
#define LAKE_CATALOG_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/ids.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/lake.h"

static char lake_folder[] = "/tmp/lbtest-lake-XXXXXX";
static struct lake *lake;
static json_t *lake_names; /* "main.default.t" → folder */

static bool test_resolve(void *self, const char *const parts[3], bool write, struct lake_object *out, struct err *e)
{
    (void)self, (void)write;
    char *name = xasprintf("%s.%s.%s", parts[0], parts[1], parts[2]);
    const char *folder = jx_get_str(lake_names, name, NULL);
    if (folder)
        *out = (struct lake_object){.kind = LAKE_DELTA, .full_name = xstrdup(name), .location = xstrdup(folder)};
    else
        err_set(e, ERR_TABLE_NOT_FOUND, "no table %s", name);
    free(name);
    return folder != NULL;
}

static char *test_name(const json_t *args)
{
    const json_t *n = json_object_get(args, "name");
    return xasprintf("%s.%s.%s", json_string_value(json_array_get(n, 0)), json_string_value(json_array_get(n, 1)),
                     json_string_value(json_array_get(n, 2)));
}

static bool test_call(void *self, const char *method, const json_t *args, json_t **answer, struct err *e)
{
    (void)self;
    if (!strcmp(method, "allocate_table")) {
        char id[37];
        ids_uuid(id);
        char *folder = xasprintf("%s/%s", lake_folder, id);
        *answer = json_pack("{s:s, s:s}", "location", folder, "table_id", id);
        bool ok = fs_mkdirs(folder, 0700, e);
        free(folder);
        return ok;
    }
    if (!strcmp(method, "publish_table")) {
        char *name = test_name(args);
        json_object_set(lake_names, name, json_object_get(args, "location"));
        free(name);
        return true;
    }
    if (!strcmp(method, "update_table"))
        return true;
    return err_set(e, ERR_TABLE_NOT_FOUND, "[TABLE_OR_VIEW_NOT_FOUND] nothing of that name");
}

static const struct lake_catalog test_catalog = {.resolve = test_resolve, .call = test_call};

static int lake_set_up(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    jx_setup();
    if (!mkdtemp(lake_folder))
        return -1;
    char *temp = xasprintf("%s/temp", lake_folder);
    struct lake_options o = {.root = lake_folder, .temp_dir = temp};
    lake_names = json_object();
    lake = lake_open(&o, &e);
    free(temp);
    if (!lake)
        fprintf(stderr, "%s (%s)\n", e.text, e.hint);
    return lake ? 0 : -1;
}

static int lake_tear_down(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    lake_close(lake);
    json_decref(lake_names);
    return fs_remove_tree(lake_folder, &e) ? 0 : -1;
}

static struct lake_stream *lake_sql(const char *sql, struct lake_outcome *outcome, struct cancel *cancel, struct err *e)
{
    struct lake_statement s = {.sql = sql, .catalog = "main", .schema = "default", .principal = "me"};
    err_init(e);
    return lake_execute(lake, &test_catalog, &s, outcome, cancel, e);
}

/* Run to the end; how many rows there were, or -1 with *e. */
static long lake_count(const char *sql, struct err *e)
{
    struct lake_outcome outcome;
    struct lake_stream *s = lake_sql(sql, &outcome, NULL, e);
    if (!s)
        return -1;
    struct lake_batch b;
    long rows = 0;
    while (lake_next(s, &b, NULL, e) && b.rows)
        rows += (long)b.rows;
    lake_stream_close(s);
    lake_outcome_release(&outcome);
    return e->code == ERR_NONE ? rows : -1;
}

#endif
