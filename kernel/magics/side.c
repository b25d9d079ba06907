/* The side connection (see side.h): one thread, one question at a time, the newest wins. */
#include "magics/side.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "pg/exec.h"

enum { IDLE_MS = 20000, CONNECT_MS = 5000 };

enum { HOST, PORT, DBNAME, USER, PASSWORD, SSLMODE, SSLROOTCERT, PARTS };
static const char *const keywords[PARTS] = {"host", "port", "dbname", "user", "password", "sslmode", "sslrootcert"};

/* What a login needs. Texts are owned, "" and NULL are nothing. */
struct login {
    char *conninfo, *part[PARTS], *path;
    char *server; /* "host:port" as the session it was taken from says */
    int pid;      /* … of that session's backend */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    pthread_cond_t changed; /* on the monotonic clock once `running` */
    pthread_t thread;
    bool running, stop, fresh; /* fresh: the login changed since the connection was opened */
    bool asking;
    struct login login;
    struct side_question *next; /* waits for the thread; a holder of it */
    struct cancel cancel;       /* of the question that is asked */
} side;

static void login_release(struct login *l)
{
    for (int i = 0; i < PARTS; i++)
        xfree_secret(l->part[i]);
    xfree_secret(l->conninfo);
    free(l->path);
    free(l->server);
    *l = (struct login){0};
}

static bool drop_locked(struct side_question *q) { return --q->holders == 0; }

void side_drop(struct side_question *q)
{
    pthread_mutex_lock(&lock);
    bool last = drop_locked(q);
    pthread_mutex_unlock(&lock);
    if (last)
        q->drop(q);
}

/* ---- the thread ---- */

static struct pg_conn *open_side(const struct login *l, struct cancel *c)
{
    struct err e;
    err_init(&e);
    struct pg_params p = {.conninfo = l->conninfo, .host = l->part[HOST], .port = l->part[PORT], .dbname = l->part[DBNAME],
                          .user = l->part[USER], .password = l->part[PASSWORD], .sslmode = l->part[SSLMODE],
                          .sslrootcert = l->part[SSLROOTCERT], .application_name = "lakebase completion",
                          .connect_timeout_ms = CONNECT_MS};
    struct pg_conn *conn = pg_open(&p, c, &e);
    if (conn && !pg_run(conn, "SET default_transaction_read_only = on; SET statement_timeout = '2s'", c, &e)) {
        pg_close(conn);
        conn = NULL;
    }
    return conn;
}

static bool follow_path(struct pg_conn *conn, const char *path, struct cancel *c)
{
    struct err e;
    err_init(&e);
    const char *params[] = {path};
    return pg_exec(conn, "SELECT pg_catalog.set_config('search_path', $1, false)", params, 1, NULL, c, &e);
}

static void copy_login(const struct login *from, struct login *to)
{
    *to = (struct login){.pid = from->pid};
    to->conninfo = from->conninfo ? xstrdup(from->conninfo) : NULL;
    to->path = from->path ? xstrdup(from->path) : NULL;
    for (int i = 0; i < PARTS; i++)
        to->part[i] = from->part[i] ? xstrdup(from->part[i]) : NULL;
}

static void wait_locked(struct pg_conn *conn, bool *idle)
{
    int64_t end = clock_mono_ms() + IDLE_MS;
    bool early = true;
    while (!side.next && !side.stop && !(conn && side.fresh) && early) {
        if (conn)
            early = clock_cond_until(&side.changed, &lock, end);
        else
            pthread_cond_wait(&side.changed, &lock);
    }
    *idle = !early || side.fresh;
}

/* Everything but the question itself is done with the lock held. */
static void answer_locked(struct side_question *q, struct pg_conn **conn)
{
    struct login login;
    copy_login(&side.login, &login);
    bool reopen = side.fresh || !*conn || !pg_alive(*conn);
    side.fresh = false;
    cancel_reset(&side.cancel);
    side.asking = true;
    pthread_mutex_unlock(&lock);
    if (reopen) {
        pg_close(*conn);
        *conn = login.pid ? open_side(&login, &side.cancel) : NULL;
    }
    bool ok = *conn && (!login.path || follow_path(*conn, login.path, &side.cancel));
    if (ok)
        q->ask(q, *conn, &side.cancel);
    ok = ok && pg_alive(*conn) && !cancel_fired(&side.cancel);
    login_release(&login);
    pthread_mutex_lock(&lock);
    side.asking = false;
    q->answered = ok;
    pthread_cond_broadcast(&side.changed);
}

static void *serve(void *unused)
{
    struct pg_conn *conn = NULL;
    (void)unused;
    pthread_mutex_lock(&lock);
    while (!side.stop) {
        bool idle;
        wait_locked(conn, &idle);
        if (side.stop)
            break;
        struct side_question *q = side.next;
        side.next = NULL;
        if (q) {
            answer_locked(q, &conn);
            if (drop_locked(q)) {
                pthread_mutex_unlock(&lock);
                q->drop(q);
                pthread_mutex_lock(&lock);
            }
        } else if (idle) {
            pthread_mutex_unlock(&lock);
            pg_close(conn);
            conn = NULL;
            pthread_mutex_lock(&lock);
        }
    }
    pthread_mutex_unlock(&lock);
    pg_close(conn);
    return NULL;
}

static bool start_locked(void)
{
    struct err e;
    err_init(&e);
    if (side.running)
        return true;
    if (!cancel_init(&side.cancel, &e))
        return false;
    clock_cond_init(&side.changed);
    side.stop = false;
    side.running = pthread_create(&side.thread, NULL, serve, NULL) == 0;
    if (!side.running) {
        cancel_release(&side.cancel);
        pthread_cond_destroy(&side.changed);
    }
    return side.running;
}

/* ---- questions ---- */

bool side_ask(struct side_question *q, int ms)
{
    struct side_question *old = NULL;
    int64_t end = clock_mono_ms() + ms;
    pthread_mutex_lock(&lock);
    q->holders = 1;
    q->answered = false;
    bool ok = side.login.pid && start_locked();
    if (ok) {
        q->holders++;
        if (side.next && drop_locked(side.next))
            old = side.next;
        side.next = q;
        if (side.asking)
            cancel_fire(&side.cancel);
        pthread_cond_broadcast(&side.changed);
        while (q->holders == 2 && clock_cond_until(&side.changed, &lock, end))
            continue;
        ok = q->answered;
    }
    pthread_mutex_unlock(&lock);
    if (old)
        old->drop(old);
    return ok;
}

/* ---- the login ---- */

static bool contains(const char *text, size_t len, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= len; i++) {
        if (strncasecmp(text + i, word, n) == 0)
            return true;
    }
    return false;
}

static char *read_path(struct connection *c)
{
    struct err e;
    char *path = NULL;
    err_init(&e);
    enum pg_tx tx = pg_tx_state(c->pg);
    if (tx == PG_TX_IDLE || tx == PG_TX_IN_BLOCK)
        pg_scalar(c->pg, "SELECT pg_catalog.current_setting('search_path')", NULL, 0, &path, NULL, &e);
    return path;
}

static char *server_of(const struct connection *c) { return xasprintf("%s:%s", pg_host(c->pg), pg_port(c->pg)); }

void side_note(struct session *s, const char *code, size_t len)
{
    struct connection *c = s->current && pg_alive(s->current->pg) ? s->current : NULL;
    int pid = c ? pg_backend_pid(c->pg) : 0;
    pthread_mutex_lock(&lock);
    bool same = pid == side.login.pid;
    pthread_mutex_unlock(&lock);
    char *path = c && contains(code, len, "search_path") ? read_path(c) : NULL;
    if (same && !path)
        return;
    struct login old = {0}, fresh = {.pid = pid, .path = path};
    if (c && !same) {
        fresh.conninfo = c->conninfo ? xstrdup(c->conninfo) : NULL;
        fresh.server = server_of(c);
        for (int i = 0; i < PARTS; i++)
            fresh.part[i] = pg_option(c->pg, keywords[i]);
    }
    pthread_mutex_lock(&lock);
    if (same) {
        free(side.login.path);
        side.login.path = path;
    } else {
        old = side.login;
        side.login = fresh;
        side.fresh = true;
        if (side.running)
            pthread_cond_broadcast(&side.changed);
    }
    pthread_mutex_unlock(&lock);
    login_release(&old);
}

void side_forget(void)
{
    pthread_mutex_lock(&lock);
    bool running = side.running;
    struct login old = side.login;
    side.login = (struct login){0};
    side.stop = true;
    if (running) {
        cancel_fire(&side.cancel);
        pthread_cond_broadcast(&side.changed);
    }
    pthread_mutex_unlock(&lock);
    login_release(&old);
    if (!running)
        return;
    pthread_join(side.thread, NULL);
    pthread_mutex_lock(&lock);
    struct side_question *left = side.next;
    side.next = NULL;
    side.running = false;
    bool last = left && drop_locked(left);
    cancel_release(&side.cancel);
    pthread_cond_destroy(&side.changed);
    pthread_mutex_unlock(&lock);
    if (last)
        left->drop(left);
}

bool side_sees(const struct connection *c)
{
    char *server = pg_alive(c->pg) ? server_of(c) : NULL;
    pthread_mutex_lock(&lock);
    bool same = server && side.login.server && strcmp(server, side.login.server) == 0;
    pthread_mutex_unlock(&lock);
    free(server);
    return same;
}
