/* The folders of the lakehouse (see lake_folders.h). */
#include "workspace/lake_folders.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "workspace/cluster_parts.h"
#include "workspace/store_lake.h"
#include "workspace/workspace.h"

char *lake_folders_root(const struct workspace *ws) { return xasprintf("%s/lakehouse", ws->state_dir); }

/* Behind the name of a folder whose table was dropped: the rest of it may go. */
static const char dropped[] = ".dropped";

static const char tables[] = "tables", volumes[] = "volumes", samples[] = "samples"; /* folders of folders */

static char *dir_of(const struct workspace *ws, const char *what) { return xasprintf("%s/lakehouse/%s", ws->state_dir, what); }

/* Inside a folder of the server user: made as that user. */
static bool make_inside(const struct server_user *u, const char *dir, struct err *e)
{
    server_user_enter(u);
    bool ok = mkdir(dir, 0700) == 0 || errno == EEXIST;
    int why = errno;
    server_user_leave(u);
    return ok || err_errno(e, why, "cannot make the folder '%s'", dir);
}

static bool remove_inside(const struct server_user *u, const char *dir, struct err *e)
{
    server_user_enter(u);
    bool ok = fs_remove_tree(dir, e);
    server_user_leave(u);
    return ok;
}

static bool known(const struct securable_rows *rows, const char *dir, const char *name)
{
    size_t len = strlen(dir);
    for (size_t i = 0; i < rows->count; i++) {
        const char *location = rows->rows[i].location;
        if (strncmp(location, dir, len) == 0 && location[len] == '/' && strcmp(location + len + 1, name) == 0)
            return true;
    }
    return false;
}

/* Is there a commit, or a file of a volume? As the server user. */
static bool holds_something(const char *dir, bool table)
{
    char *log = xasprintf("%s%s", dir, table ? "/_delta_log" : "");
    DIR *d = opendir(log);
    bool found = !d && errno != ENOENT && errno != ENOTDIR;
    for (struct dirent *entry; d && !found && (entry = readdir(d));)
        found = entry->d_name[0] != '.';
    if (d)
        closedir(d);
    free(log);
    return found;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* What was dropped, and what never became a table, is removed. A table that the store does not know (an older store was
 * put back, a crash just before a table was published) is only told of: its rows may be the only ones. */
static void sweep_one(const struct server_user *u, const char *dir, bool table)
{
    struct err why = {0};
    server_user_enter(u);
    bool keep = !ends_with(dir, dropped) && holds_something(dir, table);
    server_user_leave(u);
    if (keep) {
        log_line(LOG_WARN, "lakehouse", "no %s of this workspace has the folder %s; it is kept, remove it by hand",
                 table ? "table" : "volume", dir);
        return;
    }
    log_line(LOG_INFO, "lakehouse", "removing what is left of a %s: %s", table ? "table" : "volume", dir);
    if (!remove_inside(u, dir, &why))
        log_err("lakehouse", "orphan", &why); /* tried again at the next start */
}

/* Names first, then removal: a folder is not changed while it is read. */
static bool sweep(struct workspace *ws, const struct server_user *u, const char *dir, bool of_tables, struct err *e)
{
    struct securable_rows rows;
    if (!store_all(ws->store, of_tables ? SECURABLE_TABLE : SECURABLE_VOLUME, &rows, e))
        return false;
    char **orphans = NULL;
    size_t n = 0;
    server_user_enter(u);
    DIR *d = opendir(dir);
    for (struct dirent *entry; d && (entry = readdir(d));) {
        if (entry->d_name[0] == '.' || known(&rows, dir, entry->d_name))
            continue;
        orphans = xreallocarray(orphans, n + 1, sizeof *orphans);
        orphans[n++] = xasprintf("%s/%s", dir, entry->d_name);
    }
    if (d)
        closedir(d);
    server_user_leave(u);
    for (size_t i = 0; i < n; i++) {
        sweep_one(u, orphans[i], of_tables);
        free(orphans[i]);
    }
    free(orphans);
    securable_rows_release(&rows);
    return true;
}

bool lake_folders_open(struct workspace *ws, struct err *e)
{
    struct server_user u;
    if (!server_user_find(&u, e))
        return false;
    char *root = lake_folders_root(ws), *t = dir_of(ws, tables), *v = dir_of(ws, volumes), *s = dir_of(ws, samples);
    bool ok = (fs_exists(root) || own_dir_make(&u, root, e)) && server_user_reaches(&u, root, e) &&
              make_inside(&u, t, e) && sweep(ws, &u, t, true, e) && make_inside(&u, v, e) && sweep(ws, &u, v, false, e) &&
              make_inside(&u, s, e);
    free(root);
    free(t);
    free(v);
    free(s);
    return ok;
}

static char *new_folder(struct workspace *ws, const char *what, const char *id, struct err *e)
{
    struct server_user u;
    if (!server_user_find(&u, e))
        return NULL;
    char *dir = xasprintf("%s/lakehouse/%s/%s", ws->state_dir, what, id);
    if (make_inside(&u, dir, e))
        return dir;
    free(dir);
    return NULL;
}

char *lake_folder_new(struct workspace *ws, const char *table_id, struct err *e) { return new_folder(ws, tables, table_id, e); }

char *lake_volume_new(struct workspace *ws, const char *volume_id, struct err *e) { return new_folder(ws, volumes, volume_id, e); }

char *lake_sample_folder(struct workspace *ws, const char *name, struct err *e) { return new_folder(ws, samples, name, e); }

static bool is_in(const struct workspace *ws, const char *what, const char *location)
{
    char *dir = dir_of(ws, what);
    size_t len = strlen(dir);
    bool in = strncmp(location, dir, len) == 0 && location[len] == '/' && location[len + 1] &&
              location[len + 1] != '.' && !strchr(location + len + 1, '/');
    free(dir);
    return in;
}

bool lake_folder_remove(struct workspace *ws, const char *location, struct err *e)
{
    struct server_user u;
    if (!is_in(ws, tables, location) && !is_in(ws, volumes, location))
        return err_set(e, ERR_INTERNAL, "'%.300s' is not the folder of a table or volume of this workspace", location);
    if (!server_user_find(&u, e))
        return false;
    char *going = xasprintf("%s%s", location, dropped);
    server_user_enter(&u);
    bool renamed = rename(location, going) == 0;
    int why = errno;
    server_user_leave(&u);
    bool ok = renamed ? remove_inside(&u, going, e)
                      : why == ENOENT || err_errno(e, why, "cannot remove the folder '%.300s'", location);
    free(going);
    return ok;
}
