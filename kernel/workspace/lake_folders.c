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

static char *tables_dir(const struct workspace *ws) { return xasprintf("%s/lakehouse/tables", ws->state_dir); }

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

static bool known(const struct securable_rows *tables, const char *dir, const char *name)
{
    size_t len = strlen(dir);
    for (size_t i = 0; i < tables->count; i++) {
        const char *location = tables->rows[i].location;
        if (strncmp(location, dir, len) == 0 && location[len] == '/' && strcmp(location + len + 1, name) == 0)
            return true;
    }
    return false;
}

/* Is there a commit? As the server user. */
static bool holds_a_table(const char *dir)
{
    char *log = xasprintf("%s/_delta_log", dir);
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
static void sweep_one(const struct server_user *u, const char *dir)
{
    struct err why = {0};
    server_user_enter(u);
    bool keep = !ends_with(dir, dropped) && holds_a_table(dir);
    server_user_leave(u);
    if (keep) {
        log_line(LOG_WARN, "lakehouse", "no table of this workspace has the folder %s; it is kept, remove it by hand", dir);
        return;
    }
    log_line(LOG_INFO, "lakehouse", "removing what is left of a table: %s", dir);
    if (!remove_inside(u, dir, &why))
        log_err("lakehouse", "orphan", &why); /* tried again at the next start */
}

/* Names first, then removal: a folder is not changed while it is read. */
static bool sweep(struct workspace *ws, const struct server_user *u, const char *dir, struct err *e)
{
    struct securable_rows tables;
    if (!store_all_tables(ws->store, &tables, e))
        return false;
    char **orphans = NULL;
    size_t n = 0;
    server_user_enter(u);
    DIR *d = opendir(dir);
    for (struct dirent *entry; d && (entry = readdir(d));) {
        if (entry->d_name[0] == '.' || known(&tables, dir, entry->d_name))
            continue;
        orphans = xreallocarray(orphans, n + 1, sizeof *orphans);
        orphans[n++] = xasprintf("%s/%s", dir, entry->d_name);
    }
    if (d)
        closedir(d);
    server_user_leave(u);
    for (size_t i = 0; i < n; i++) {
        sweep_one(u, orphans[i]);
        free(orphans[i]);
    }
    free(orphans);
    securable_rows_release(&tables);
    return true;
}

bool lake_folders_open(struct workspace *ws, struct err *e)
{
    struct server_user u;
    if (!server_user_find(&u, e))
        return false;
    char *root = lake_folders_root(ws), *tables = tables_dir(ws);
    bool ok = (fs_exists(root) || own_dir_make(&u, root, e)) && server_user_reaches(&u, root, e) &&
              make_inside(&u, tables, e) && sweep(ws, &u, tables, e);
    free(root);
    free(tables);
    return ok;
}

char *lake_folder_new(struct workspace *ws, const char *table_id, struct err *e)
{
    struct server_user u;
    if (!server_user_find(&u, e))
        return NULL;
    char *dir = xasprintf("%s/lakehouse/tables/%s", ws->state_dir, table_id);
    if (make_inside(&u, dir, e))
        return dir;
    free(dir);
    return NULL;
}

bool lake_folder_remove(struct workspace *ws, const char *location, struct err *e)
{
    struct server_user u;
    char *dir = tables_dir(ws);
    size_t len = strlen(dir);
    bool ours = strncmp(location, dir, len) == 0 && location[len] == '/' && location[len + 1] &&
                location[len + 1] != '.' && !strchr(location + len + 1, '/');
    free(dir);
    if (!ours)
        return err_set(e, ERR_INTERNAL, "'%.300s' is not the folder of a table of this workspace", location);
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
