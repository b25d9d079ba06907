/*
 * An in-memory DuckDB database and its connections. Its SQL may read files under the lakehouse root only, cannot load
 * extensions, and cannot change a setting. A watcher thread interrupts what runs when somebody cancels.
 */
#include "lakehouse/duck.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/duck_error.h"

enum { WATCH_MS = 10, SQL_MAX = 64 << 20 };

struct duck_db {
    duckdb_database raw;
    pthread_mutex_t lock; /* of the rest */
    pthread_cond_t changed;
    pthread_t watcher;
    struct duck_conn *armed; /* connections that somebody waits for and may cancel */
    bool closing;
};

/* ---- interrupting ---- */
/* An interrupt that comes before its query began is lost, so it is repeated until nobody waits any more. */
static void *watch(void *self)
{
    struct duck_db *db = self;
    pthread_mutex_lock(&db->lock);
    while (!db->closing) {
        if (!db->armed) {
            pthread_cond_wait(&db->changed, &db->lock);
            continue;
        }
        clock_cond_until(&db->changed, &db->lock, clock_mono_ms() + WATCH_MS);
        for (struct duck_conn *c = db->armed; c; c = c->next_armed)
            if (cancel_fired(c->cancel))
                duck->interrupt(c->raw);
    }
    pthread_mutex_unlock(&db->lock);
    return NULL;
}

static void arm(struct duck_conn *c, struct cancel *cancel)
{
    if (!cancel)
        return;
    pthread_mutex_lock(&c->db->lock);
    if (!c->db->armed)
        pthread_cond_signal(&c->db->changed);
    c->cancel = cancel;
    c->next_armed = c->db->armed;
    c->db->armed = c;
    pthread_mutex_unlock(&c->db->lock);
}

static void disarm(struct duck_conn *c, struct cancel *cancel)
{
    if (!cancel)
        return;
    pthread_mutex_lock(&c->db->lock);
    for (struct duck_conn **at = &c->db->armed; *at; at = &(*at)->next_armed)
        if (*at == c) {
            *at = c->next_armed;
            break;
        }
    c->cancel = NULL;
    pthread_mutex_unlock(&c->db->lock);
}

/* ---- a database ---- */
/* A string as DuckDB writes it in a list: ['/a', '/b']. */
static void add_literal(struct buf *out, const char *text)
{
    buf_putc(out, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            buf_putc(out, '\'');
        buf_putc(out, *text);
    }
    buf_putc(out, '\'');
}

static bool configure(duckdb_config config, const struct lake_options *o, struct err *e)
{
    char memory[32], threads[16];
    size_t bytes = o->memory_limit ? o->memory_limit : (size_t)512 << 20;
    snprintf(memory, sizeof memory, "%zuMiB", bytes >> 20);
    snprintf(threads, sizeof threads, "%d", o->threads);
    /* errors as JSON give class and position; the order of NULLs is Spark's */
    const char *const settings[][2] = {
        {"errors_as_json", "true"}, {"max_memory", memory}, {"temp_directory", o->temp_dir ? o->temp_dir : ""},
        {"autoinstall_known_extensions", "false"}, {"autoload_known_extensions", "false"},
        {"allow_community_extensions", "false"}, {"allow_unsigned_extensions", "false"},
        {"default_null_order", "nulls_first_on_asc_last_on_desc"}, {"preserve_insertion_order", "true"},
        {"threads", o->threads > 0 ? threads : NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(settings); i++)
        if (settings[i][1] && duck->set_config(config, settings[i][0], settings[i][1]) != DUCKDB_OK)
            return err_set(e, ERR_CONFIG, "the lakehouse engine (libduckdb %s) has no setting %s", duck->library_version(),
                           settings[i][0]);
    return true;
}

/* From now on files outside of these folders cannot be opened, whatever the SQL. */
static bool close_doors(struct duck_db *db, const struct lake_options *o, struct err *e)
{
    struct buf sql;
    buf_init(&sql, 64 << 10);
    buf_puts(&sql, "SET GLOBAL allowed_directories = [");
    add_literal(&sql, o->root);
    if (o->temp_dir) {
        buf_puts(&sql, ", ");
        add_literal(&sql, o->temp_dir);
    }
    buf_putc(&sql, ']');
    struct duck_conn *c = buf_ok(&sql, "the folder of the lakehouse", e) ? duck_connect(db, e) : NULL;
    bool ok = c && duck_run(c, buf_str(&sql), duck_no_params, NULL, e) &&
              duck_run(c, "SET GLOBAL enable_external_access = false", duck_no_params, NULL, e);
    duck_disconnect(c);
    buf_release(&sql);
    return ok;
}

static bool open_raw(struct duck_db *db, const struct lake_options *o, struct err *e)
{
    duckdb_config config;
    char *why = NULL;
    if (duck->create_config(&config) != DUCKDB_OK)
        return err_set(e, ERR_INTERNAL, "the lakehouse engine gives no configuration");
    bool ok = configure(config, o, e);
    if (ok && duck->open_ext(NULL, &db->raw, config, &why) != DUCKDB_OK) {
        ok = err_set(e, ERR_CONFIG, "the lakehouse engine does not start: %s", why ? why : "no reason given");
        duck->free(why);
    }
    duck->destroy_config(&config);
    return ok;
}

struct duck_db *duck_open(const struct lake_options *o, struct err *e)
{
    struct duck_db *db = xcalloc(1, sizeof *db);
    if (!open_raw(db, o, e)) {
        free(db);
        return NULL;
    }
    pthread_mutex_init(&db->lock, NULL);
    clock_cond_init(&db->changed);
    int failed = pthread_create(&db->watcher, NULL, watch, db);
    if (failed) {
        err_errno(e, failed, "cannot start a thread");
        duck->close(&db->raw);
        free(db);
        return NULL;
    }
    if (close_doors(db, o, e))
        return db;
    duck_close(db);
    return NULL;
}

void duck_close(struct duck_db *db)
{
    if (!db)
        return;
    pthread_mutex_lock(&db->lock);
    db->closing = true;
    pthread_cond_signal(&db->changed);
    pthread_mutex_unlock(&db->lock);
    pthread_join(db->watcher, NULL);
    duck->close(&db->raw);
    pthread_cond_destroy(&db->changed);
    pthread_mutex_destroy(&db->lock);
    free(db);
}

struct duck_conn *duck_connect(struct duck_db *db, struct err *e)
{
    struct duck_conn *c = xcalloc(1, sizeof *c);
    c->db = db;
    if (duck->connect(db->raw, &c->raw) == DUCKDB_OK)
        return c;
    free(c);
    err_set(e, ERR_INTERNAL, "the lakehouse engine gives no connection");
    return NULL;
}

void duck_disconnect(struct duck_conn *c)
{
    if (!c)
        return;
    duck->disconnect(&c->raw);
    free(c);
}

/* ---- statements ---- */
duckdb_statement duck_prepare(struct duck_conn *c, const char *sql, struct err *e)
{
    duckdb_statement s = NULL;
    if (duck->prepare(c->raw, sql, &s) == DUCKDB_OK)
        return s;
    duck_error(duck->prepare_error(s), sql, e);
    duck->destroy_prepare(&s);
    return NULL;
}

static bool bind(duckdb_statement s, struct duck_params params, struct err *e)
{
    for (size_t i = 0; i < params.count; i++) {
        const struct lake_parameter *p = &params.list[i];
        idx_t at;
        if (duck->bind_parameter_index(s, &at, p->name) != DUCKDB_OK)
            continue;
        int done = p->value ? duck->bind_varchar_length(s, at, p->value, strlen(p->value)) : duck->bind_null(s, at);
        if (done != DUCKDB_OK)
            return err_set(e, ERR_INVALID_PARAMETER, "parameter '%s' cannot be bound", p->name);
    }
    return true;
}

struct duck_rows *duck_query(struct duck_conn *c, const char *sql, struct duck_params params, struct cancel *cancel,
                             struct err *e)
{
    duckdb_statement s = cancel_check(cancel, e) ? duck_prepare(c, sql, e) : NULL;
    if (!s || !bind(s, params, e)) {
        if (s)
            duck->destroy_prepare(&s);
        return NULL;
    }
    struct duck_rows *r = xcalloc(1, sizeof *r);
    r->conn = c;
    arm(c, cancel);
    int done = duck->execute_prepared_streaming(s, &r->result);
    disarm(c, cancel);
    duck->destroy_prepare(&s);
    if (done != DUCKDB_OK) {
        if (cancel_check(cancel, e))
            duck_error(duck->result_error(&r->result), sql, e);
        duck_rows_free(r);
        return NULL;
    }
    r->columns = duck->column_count(&r->result);
    return r;
}

bool duck_fetch(struct duck_rows *r, struct cancel *cancel, struct err *e)
{
    if (r->chunk)
        duck->destroy_data_chunk(&r->chunk);
    r->rows = r->row = 0;
    if (!cancel_check(cancel, e))
        return false;
    arm(r->conn, cancel);
    r->chunk = duck->fetch_chunk(r->result);
    disarm(r->conn, cancel);
    if (r->chunk) {
        r->rows = duck->data_chunk_get_size(r->chunk);
        return true;
    }
    const char *why = duck->result_error(&r->result);
    if (!why || !*why)
        return true;
    if (cancel_check(cancel, e))
        duck_error(why, NULL, e);
    return false;
}

void duck_rows_free(struct duck_rows *r)
{
    if (!r)
        return;
    if (r->chunk)
        duck->destroy_data_chunk(&r->chunk);
    duck->destroy_result(&r->result);
    free(r);
}

bool duck_run(struct duck_conn *c, const char *sql, struct duck_params params, struct cancel *cancel, struct err *e)
{
    struct duck_rows *r = duck_query(c, sql, params, cancel, e);
    bool ok = r != NULL;
    while (ok && (ok = duck_fetch(r, cancel, e)) && r->rows > 0)
        ;
    duck_rows_free(r);
    return ok;
}

/* ---- rows of small queries ---- */
bool duck_next_row(struct duck_rows *r, struct cancel *cancel, struct err *e)
{
    if (r->row + 1 < r->rows) {
        r->row++;
        return true;
    }
    return duck_fetch(r, cancel, e) && r->rows > 0;
}

static const void *cell(const struct duck_rows *r, size_t column, size_t width)
{
    duckdb_vector v = duck->data_chunk_get_vector(r->chunk, column);
    const uint64_t *valid = duck->vector_get_validity(v);
    if (valid && !((valid[r->row / 64] >> (r->row % 64)) & 1))
        return NULL;
    return (const char *)duck->vector_get_data(v) + r->row * width;
}

const char *duck_text(const struct duck_rows *r, size_t column, size_t *len)
{
    const struct lake_string *s = cell(r, column, sizeof *s);
    *len = s ? s->length : 0;
    return s ? lake_string_text(s) : NULL;
}

char *duck_strdup(const struct duck_rows *r, size_t column)
{
    size_t len;
    const char *text = duck_text(r, column, &len);
    return text ? xstrndup(text, len) : NULL;
}

int64_t duck_int(const struct duck_rows *r, size_t column)
{
    const int64_t *value = cell(r, column, sizeof *value);
    return value ? *value : 0;
}
