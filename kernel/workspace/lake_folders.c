/* The folders of the lakehouse (see lake_folders.h). */
#include "workspace/lake_folders.h"

#include <dirent.h>
#include <errno.h>
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
        struct err why = {0};
        log_line(LOG_INFO, "lakehouse", "removing a table's folder that no table names: %s", orphans[i]);
        if (!remove_inside(u, orphans[i], &why))
            log_err("lakehouse", "orphan", &why); /* tried again at the next start */
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
    return server_user_find(&u, e) && remove_inside(&u, location, e);
}
