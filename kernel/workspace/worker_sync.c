/* The job "sync": the sync engine with its rows from the lakehouse, its connection by the server's word. */
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "pg/conn.h"
#include "sync/sync.h"
#include "workspace/worker_job.h"

enum { KEY_MAX = 32 };

struct job {
    struct worker_ctx *x;
    struct sync_spec spec;
    const char *key[KEY_MAX];
    bool follow;
};

static struct pg_conn *connect_writer(void *self, struct cancel *c, struct err *e)
{
    struct job *j = self;
    json_t *login = NULL;
    if (!worker_ask(j->x, "writer_login", json_object(), &login, e))
        return NULL;
    struct pg_params p = {.host = jx_get_str(login, "host", ""), .port = jx_get_str(login, "port", ""),
                          .dbname = jx_get_str(login, "dbname", ""), .user = jx_get_str(login, "user", ""),
                          .password = jx_get_str(login, "password", ""), .sslmode = "verify-full",
                          .sslrootcert = jx_get_str(login, "sslrootcert", ""), .application_name = "lakebase-sync"};
    struct pg_conn *conn = pg_open(&p, c, e);
    json_decref(login);
    return conn;
}

static void on_progress(void *self, const struct sync_progress *p)
{
    struct job *j = self;
    worker_tell(j->x, "progress", json_pack("{s:i,s:I,s:I,s:I}", "phase", (int)p->phase, "version", (json_int_t)p->version,
                                            "rows", (json_int_t)p->rows, "total", (json_int_t)p->total));
}

static json_t *result_json(const struct sync_result *r)
{
    return json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I}", "method", sync_method_name(r->method), "version",
                     (json_int_t)r->version, "timestamp", (json_int_t)r->timestamp, "upserted", (json_int_t)r->upserted,
                     "deleted", (json_int_t)r->deleted, "skipped", (json_int_t)r->skipped, "rows", (json_int_t)r->rows);
}

static void on_applied(void *self, const struct sync_result *r)
{
    struct job *j = self;
    worker_tell(j->x, "applied", result_json(r));
}

static bool take_job(struct worker_ctx *x, const json_t *in, struct job *j, struct err *e)
{
    static const struct {
        const char *name;
        enum sync_policy policy;
    } policies[] = {{"SNAPSHOT", SYNC_SNAPSHOT}, {"TRIGGERED", SYNC_TRIGGERED}, {"CONTINUOUS", SYNC_CONTINUOUS}};
    const json_t *key = json_object_get(in, "key");
    *j = (struct job){.x = x, .follow = jx_get_bool(in, "follow", false)};
    j->spec = (struct sync_spec){
        .id = jx_get_str(in, "id", ""), .source_name = jx_get_str(in, "source_name", ""),
        .source_root = jx_get_str(in, "source_root", ""), .schema = jx_get_str(in, "schema", ""),
        .table = jx_get_str(in, "table", ""), .key = j->key, .timeseries_key = jx_get_str(in, "timeseries_key", NULL),
        .full_refresh = jx_get_bool(in, "full_refresh", false), .update_id = jx_get_str(in, "update_id", ""),
        .creator = jx_get_str(in, "creator", "")};
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        if (strcmp(jx_get_str(in, "policy", ""), policies[i].name) == 0)
            j->spec.policy = policies[i].policy;
    }
    for (size_t i = 0; i < json_array_size(key) && j->spec.n_key < KEY_MAX; i++)
        j->key[j->spec.n_key++] = json_string_value(json_array_get(key, i));
    return (j->spec.policy && j->spec.n_key) || err_set(e, ERR_INTERNAL, "a sync without policy or key");
}

bool worker_sync(struct worker_ctx *x, const json_t *in, json_t **done, struct err *e)
{
    struct job j;
    struct sync_result result = {0};
    if (!take_job(x, in, &j, e))
        return false;
    struct sync_watch watch = {.self = &j, .progress = on_progress, .applied = on_applied, .connect = connect_writer};
    if (j.follow)
        return sync_follow(worker_lake(x), &j.spec, &watch, worker_cancel(x), e);
    if (!sync_run(worker_lake(x), &j.spec, &watch, &result, worker_cancel(x), e))
        return false;
    *done = result_json(&result);
    return true;
}
