/* The workspace as a whole (see workspace.h): order of opening, and nothing else. */
#include "workspace/workspace.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/xalloc.h"
#include "workspace/access.h"
#include "workspace/cluster.h"
#include "workspace/instances.h"
#include "workspace/lake_folders.h"
#include "workspace/samples.h"
#include "workspace/securable.h"
#include "workspace/server.h"
#include "workspace/statements.h"
#include "workspace/synced.h"
#include "workspace/worker.h"

/* A login to an instance; called on the responder's threads. */
static bool on_login(void *self, const char *user, const char *token, size_t token_len, const char *instance_uid,
                     struct err *e)
{
    const struct workspace *ws = self;
    return tokens_check_login(ws->tokens, token, token_len, user, instance_uid, clock_wall_s(), e);
}

bool workspace_make_state_dir(const char *state_dir, struct err *e)
{
    bool root = geteuid() == 0;
    struct stat st;
    if (!fs_mkdirs(state_dir, root ? 0711 : 0700, e))
        return false;
    if (stat(state_dir, &st) != 0 || !S_ISDIR(st.st_mode))
        return err_set(e, ERR_CONFIG, "'%s' is not a folder", state_dir);
    if (st.st_uid != geteuid() || (st.st_mode & 0022))
        return err_set(e, ERR_CONFIG, "the state folder '%s' must belong to the user who runs the workspace, and nobody "
                                      "else may write in it", state_dir);
    return !root || (st.st_mode & 0111) == 0111 || chmod(state_dir, st.st_mode | 0111) == 0 ||
           err_set(e, ERR_IO, "cannot change the mode of '%s'", state_dir);
}

/* A fact that is made once. */
static bool fact(struct store *s, const char *key, const char *fresh, char *out, size_t size, struct err *e)
{
    char *value = NULL;
    if (!store_get(s, key, &value, e))
        return false;
    bool ok = value || store_set(s, key, fresh, e);
    const char *use = value ? value : fresh;
    err_copy(out, size, use, strlen(use));
    free(value);
    return ok;
}

static bool open_identity(struct workspace *ws, struct err *e)
{
    char issuer[64], uuid[37], digits[24];
    unsigned long long n;
    if (getrandom(&n, sizeof n, 0) != (ssize_t)sizeof n)
        return err_set(e, ERR_INTERNAL, "no random bytes");
    snprintf(digits, sizeof digits, "%llu", 1000000000000000ULL + n % 9000000000000000ULL);
    ids_uuid(uuid);
    if (!fact(ws->store, "workspace_id", digits, ws->org_id, sizeof ws->org_id, e) ||
        !fact(ws->store, "metastore_id", uuid, ws->metastore_id, sizeof ws->metastore_id, e))
        return false;
    snprintf(issuer, sizeof issuer, "lakebase-workspace:%s", ws->org_id);
    char *key = xasprintf("%s/token-key.pem", ws->private_dir);
    ws->tokens = tokens_open(key, issuer, e);
    free(key);
    return ws->tokens != NULL;
}

static int number_fact(struct store *s, const char *key)
{
    char *value = NULL;
    struct err none = {0};
    long n = store_get(s, key, &value, &none) && value ? strtol(value, NULL, 10) : 0;
    free(value);
    return n > 0 && n < 65536 ? (int)n : 0;
}

static bool keep_number(struct store *s, const char *key, int n, struct err *e)
{
    char text[16];
    snprintf(text, sizeof text, "%d", n);
    return number_fact(s, key) == n || store_set(s, key, text, e);
}

static bool holds_any(const char *dir)
{
    struct dirent **names = NULL;
    int n = scandir(dir, &names, NULL, NULL);
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
    return n > 2; /* "." and ".." */
}

/* A store that was never used, beside data that only a lost one knows: to go on would hide them for good. */
static bool check_not_lost(struct workspace *ws, const char *store, struct err *e)
{
    char *id = NULL, *tables = xasprintf("%s/lakehouse/tables", ws->state_dir);
    struct cluster_folders f = {0};
    bool ok = store_get(ws->store, "workspace_id", &id, e) && (id || cluster_folders_list(ws->state_dir, &f, e));
    if (ok && (f.count || (!id && holds_any(tables)))) {
        ok = err_set(e, ERR_CONFIG, "the store '%s' is new, but %zu instances and the tables beside it in '%s' belong to one "
                                    "that is gone", store, f.count, ws->state_dir);
        err_hint(e, "put the old workspace.db back in its place, or move instances/ and lakehouse/ away to keep them, or "
                    "delete everything: lakebase-workspace reset --yes");
    }
    cluster_folders_release(&f);
    free(tables);
    free(id);
    return ok;
}

static bool open_parts(struct workspace *ws, struct err *e)
{
    char *path = xasprintf("%s/workspace.db", ws->private_dir);
    ws->store = store_open(path, e);
    bool ok = ws->store && check_not_lost(ws, path, e) && open_identity(ws, e);
    free(path);
    if (!ok)
        return false;
    struct cluster_options o = {.state_dir = ws->state_dir, .login = on_login, .login_self = ws,
                                .ldaps_port = number_fact(ws->store, "ldaps_port")};
    ws->clusters = clusters_open(&o, e);
    if (!ws->clusters || !keep_number(ws->store, "ldaps_port", clusters_ldaps_port(ws->clusters), e))
        return false;
    ws->instances = instances_open(ws->store, ws->clusters, e);
    if (!ws->instances || !securable_open(ws, e) || !lake_folders_open(ws, e) || !samples_open(ws, e))
        return false;
    ws->worker = worker_new(ws);
    ws->statements = statements_new(ws);
    ws->synced = synced_open(ws, e);
    return ws->synced != NULL;
}

struct workspace *workspace_open(const char *state_dir, struct err *e)
{
    struct workspace *ws = xcalloc(1, sizeof *ws);
    ws->state_dir = xstrdup(state_dir);
    ws->private_dir = xasprintf("%s/private", state_dir);
    if (workspace_make_state_dir(state_dir, e) && fs_mkdirs(ws->private_dir, 0700, e) && open_parts(ws, e))
        return ws;
    workspace_close(ws);
    return NULL;
}

bool workspace_serve(struct workspace *ws, int port, struct err *e)
{
    struct err busy = {0};
    int last = number_fact(ws->store, "port");
    ws->server = server_open(ws, port ? port : last, port || !last ? e : &busy);
    if (!ws->server && !port && last)
        ws->server = server_open(ws, 0, e);
    return ws->server && keep_number(ws->store, "port", server_port(ws->server), e) &&
           access_write(ws->store, ws->state_dir, server_url(ws->server), e);
}

static void end_work(struct workspace *ws)
{
    instances_begin_close(ws->instances);
    synced_begin_close(ws->synced);
    statements_begin_close(ws->statements);
    server_close(ws->server);
    synced_close(ws->synced);
    if (ws->worker)
        worker_stop(ws->worker);
    statements_free(ws->statements);
    worker_free(ws->worker);
    instances_close(ws->instances);
    ws->server = NULL;
    ws->synced = NULL;
    ws->statements = NULL;
    ws->worker = NULL;
    ws->instances = NULL;
}

bool workspace_stop_servers(struct workspace *ws, struct err *e)
{
    end_work(ws);
    return instances_stop_servers(ws->store, ws->clusters, e);
}

void workspace_close(struct workspace *ws)
{
    if (!ws)
        return;
    end_work(ws);
    if (ws->clusters)
        clusters_close(ws->clusters);
    tokens_close(ws->tokens);
    store_close(ws->store);
    free(ws->state_dir);
    free(ws->private_dir);
    free(ws);
}

const char *workspace_url(const struct workspace *ws) { return server_url(ws->server); }
