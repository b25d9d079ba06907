/* What `status` and `env` print (see status.h). */
#include "workspace/status.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "databricks/config.h"
#include "workspace/access.h"
#include "workspace/cluster.h"
#include "workspace/store.h"

/* ---- status ---- */

/* The server that runs out of the instance's folder: the pid in its file, when that process works in this folder. */
static pid_t server_pid(const char *state_dir, const char *uid)
{
    struct buf b;
    struct err none = {0};
    char link[64], cwd[4096];
    char *data = xasprintf("%s/instances/%s/data", state_dir, uid), *path = xasprintf("%s/postmaster.pid", data);
    buf_init(&b, 4096);
    pid_t pid = fs_read(path, &b, &none) ? (pid_t)strtol(buf_str(&b), NULL, 10) : 0;
    snprintf(link, sizeof link, "/proc/%d/cwd", (int)pid);
    ssize_t n = pid > 0 ? readlink(link, cwd, sizeof cwd - 1) : -1;
    cwd[n > 0 ? n : 0] = '\0';
    if (strcmp(cwd, data) != 0)
        pid = 0;
    buf_release(&b);
    free(path);
    free(data);
    return pid;
}

/* What is so, not what the row wants: a server that should run and does not is DOWN. */
static const char *state_now(const struct instance_row *row, pid_t pid)
{
    return row->state == INST_AVAILABLE && pid == 0 ? "DOWN" : inst_state_name(row->state);
}

static json_t *instance_json(const char *state_dir, const struct instance_row *row)
{
    struct cluster_memory m = {0};
    json_t *o = json_object();
    pid_t pid = server_pid(state_dir, row->uid);
    json_object_set_new(o, "name", json_string(row->name));
    json_object_set_new(o, "state", json_string(state_now(row, pid)));
    json_object_set_new(o, "address", json_string(row->address));
    json_object_set_new(o, "port", json_integer(row->port));
    json_object_set_new(o, "pid", json_integer(pid));
    json_object_set_new(o, "capacity", json_string(row->capacity));
    if (row->failure[0])
        json_object_set_new(o, "failure", jx_str(row->failure));
    if (cluster_memory_of(row->capacity, &m)) {
        json_object_set_new(o, "service_ram", json_integer(m.service_ram));
        json_object_set_new(o, "local_shared_buffers", json_integer(m.local_shared_buffers));
        json_object_set_new(o, "local_effective_cache", json_integer(m.local_effective_cache));
        json_object_set_new(o, "max_connections", json_integer(m.max_connections));
    }
    return o;
}

/* Instance folders that the store does not know: it was lost, or is an older one. */
static void add_rowless(const char *state_dir, const struct instance_rows *rows, json_t *list)
{
    struct cluster_folders f;
    struct err none = {0};
    cluster_folders_list(state_dir, &f, &none);
    for (size_t i = 0; i < f.count; i++) {
        if (!instance_rows_have(rows, f.uids[i]))
            json_array_append_new(list, json_string(f.uids[i]));
    }
    cluster_folders_release(&f);
}

static bool add_instances(const char *state_dir, json_t *list, json_t *rowless, struct err *e)
{
    char *path = xasprintf("%s/private/workspace.db", state_dir);
    struct instance_rows rows = {0};
    bool ok = true;
    if (fs_exists(path)) {
        struct store *store = store_open(path, e);
        ok = store && store_instances(store, NULL, 0, &rows, e);
        store_close(store);
    }
    for (size_t i = 0; i < rows.count; i++)
        json_array_append_new(list, instance_json(state_dir, &rows.rows[i]));
    if (ok)
        add_rowless(state_dir, &rows, rowless);
    instance_rows_release(&rows);
    free(path);
    return ok;
}

static const char differences[] =
    "Where it differs from the service: memory is scaled down, capacity units cost nothing and limit no CPU;\n"
    "one node each (no high availability, readable secondaries, branches, point-in-time restore);\n"
    "the PostgreSQL version is the installed one; a refused login has SQLSTATE 28000, on the service 28P01;\n"
    "one SQL warehouse (a local engine: statements outside its list are refused by name), Delta tables on this disk;\n"
    "a CONTINUOUS synced table follows at once, on the service every 15 s at the soonest.\n";

/* A line for what the table's words do not say. */
static void print_notes(FILE *out, const struct running *now, const json_t *instances)
{
    json_t *i;
    size_t k, down = 0, up = 0;
    json_array_foreach(instances, k, i)
    {
        down += strcmp(jx_get_str(i, "state", ""), "DOWN") == 0;
        up += jx_get_int(i, "pid", 0) != 0;
    }
    if (down)
        fprintf(out, "\nDOWN: no PostgreSQL server runs; the data is there, and %s.\n",
                now->pid ? "the workspace starts it again" : "it starts with the workspace");
    if (up && !now->pid)
        fprintf(out, "\nServers run without the workspace: open sessions go on, no token can log in.\n");
}

static void print_rowless(FILE *out, const json_t *rowless)
{
    json_t *uid;
    size_t k;
    if (json_array_size(rowless))
        fputs("\nFolders in instances/ that the store does not know (left alone; only a reset removes them):\n", out);
    json_array_foreach(rowless, k, uid)
        fprintf(out, "  %s\n", json_string_value(uid));
}

static void print_pid(FILE *out, int64_t pid)
{
    if (pid)
        fprintf(out, "%8" PRId64, pid);
    else
        fprintf(out, "%8s", "-");
}

static double gib(const json_t *o, const char *key) { return (double)jx_get_int(o, key, 0) / (1 << 30); }

static void print_text(FILE *out, const char *state_dir, const struct running *now, const json_t *instances,
                       const json_t *rowless)
{
    json_t *i;
    size_t k;
    if (now->ready)
        fprintf(out, "workspace  %s (pid %d)\n", now->url, (int)now->pid);
    else
        fprintf(out, "workspace  %s\n", now->pid ? "starting" : "not running; start it with: lakebase-workspace start");
    fprintf(out, "state      %s\n", state_dir);
    if (now->ready)
        fprintf(out, "CA         %s\n", now->ca);
    if (json_array_size(instances))
        fprintf(out, "\n%-20s %-10s %-21s %8s  %-8s %12s %14s %11s\n", "instance", "state", "address", "pid", "capacity",
                "service RAM", "shared buffers", "connections");
    json_array_foreach(instances, k, i)
    {
        char address[64];
        const char *host = jx_get_str(i, "address", "");
        snprintf(address, sizeof address, *host ? "%s:%" PRId64 : "-", host, jx_get_int(i, "port", 0));
        fprintf(out, "%-20s %-10s %-21s ", jx_get_str(i, "name", ""), jx_get_str(i, "state", ""), address);
        print_pid(out, jx_get_int(i, "pid", 0));
        fprintf(out, "  %-8s %8.0f GiB %10.3f GiB %11" PRId64 "\n", jx_get_str(i, "capacity", ""), gib(i, "service_ram"),
                gib(i, "local_shared_buffers"), jx_get_int(i, "max_connections", 0));
        if (json_object_get(i, "failure"))
            fprintf(out, "  failed: %s\n", jx_get_str(i, "failure", ""));
    }
    print_notes(out, now, instances);
    print_rowless(out, rowless);
    fprintf(out, "\n%s", differences);
}

bool status_print(FILE *out, const char *state_dir, const struct running *now, bool json, struct err *e)
{
    json_t *list = json_array(), *rowless = json_array();
    bool ok = add_instances(state_dir, list, rowless, e);
    if (ok && json) {
        json_t *doc = json_object();
        json_object_set_new(doc, "running", json_boolean(now->ready));
        json_object_set_new(doc, "pid", json_integer(now->pid));
        json_object_set_new(doc, "url", json_string(now->url));
        json_object_set_new(doc, "ca", jx_str(now->ca));
        json_object_set_new(doc, "state_dir", jx_str(state_dir));
        json_object_set(doc, "instances", list);
        json_object_set(doc, "folders_without_instance", rowless);
        char *text = jx_dump(doc);
        fprintf(out, "%s\n", text);
        free(text);
        json_decref(doc);
    } else if (ok) {
        print_text(out, state_dir, now, list, rowless);
    }
    json_decref(list);
    json_decref(rowless);
    return ok;
}

/* ---- env ---- */

/* 'it'\''s': one word for any shell. */
static void quote(struct buf *out, const char *text)
{
    buf_putc(out, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            buf_puts(out, "'\\''");
        else
            buf_putc(out, *text);
    }
    buf_putc(out, '\'');
}

static void print_lines(FILE *out, const char *const pairs[][2], size_t n)
{
    struct buf b;
    buf_init(&b, 65536);
    for (size_t i = 0; i < n; i++) {
        if (!pairs[i][1]) {
            buf_printf(&b, "unset %s\n", pairs[i][0]);
            continue;
        }
        buf_printf(&b, "export %s=", pairs[i][0]);
        quote(&b, pairs[i][1]);
        buf_putc(&b, '\n');
    }
    fputs(buf_str(&b), out);
    buf_release_secret(&b);
}

static void print_json(FILE *out, const char *const pairs[][2], size_t n)
{
    json_t *doc = json_object();
    for (size_t i = 0; i < n; i++) {
        if (pairs[i][1])
            json_object_set_new(doc, pairs[i][0], jx_str(pairs[i][1]));
    }
    char *text = jx_dump(doc);
    fprintf(out, "%s\n", text);
    xfree_secret(text);
    json_decref(doc);
}

static void enter(FILE *out, const char *const pairs[][2], size_t n)
{
    (void)out;
    for (size_t i = 0; i < n; i++) {
        if (pairs[i][1])
            setenv(pairs[i][0], pairs[i][1], 1);
        else
            unsetenv(pairs[i][0]);
    }
}

typedef void show_fn(FILE *out, const char *const pairs[][2], size_t n);

static bool with_env(const char *state_dir, const struct running *now, unsigned how, show_fn *show, FILE *out, struct err *e)
{
    bool app = how & ENV_APP;
    struct dbx_config c;
    char *path = access_path(state_dir);
    bool ok = dbx_config_resolve(&c, &(struct dbx_options){.profile = app ? "app" : "local", .config_file = path}, e);
    free(path);
    if (!ok)
        return false;
    const char *const pairs[][2] = {
        {"DATABRICKS_HOST", now->url},
        {"DATABRICKS_TOKEN", app ? NULL : c.token},
        {"DATABRICKS_CLIENT_ID", app ? c.client_id : NULL},
        {"DATABRICKS_CLIENT_SECRET", app ? c.client_secret : NULL},
        {"NODE_EXTRA_CA_CERTS", now->ca},
        {"PGSSLROOTCERT", now->ca},
        {"LAKEBASE_STATE_DIR", state_dir},
    };
    show(out, pairs, ARRAY_LEN(pairs) - !(how & ENV_STATE_DIR));
    dbx_config_release(&c);
    return true;
}

bool env_print(FILE *out, const char *state_dir, const struct running *now, unsigned how, struct err *e)
{
    return with_env(state_dir, now, how, how & ENV_JSON ? print_json : print_lines, out, e);
}

bool env_enter(const char *state_dir, const struct running *now, unsigned how, struct err *e)
{
    return with_env(state_dir, now, how, enter, NULL, e);
}
