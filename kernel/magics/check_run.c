/*
 * Running lab checks (see check.h): one query or API read, compared with what must hold. Nothing it does stays:
 * SQL runs in a transaction that is rolled back.
 */
#include <regex.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "magics/check.h"
#include "magics/connect.h"
#include "magics/remote.h"
#include "magics/warehouse.h"
#include "pg/exec.h"

enum { ROWS_MAX = 1000, FOUND_MAX = 400 };

struct probe {
    struct magic_ctx *ctx;
    const char *on;            /* where `own` is connected; NULL: nowhere */
    struct connection own;
    /* of one check */
    struct table rows;         /* of its last statement */
    struct err failure;        /* the last statement's error; ERR_NONE: it succeeded */
    struct buf found;          /* what was found, for the learner */
};

/* ---- comparing ---- */

static bool number_of(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0';
}

/* A value of the file and a text as PostgreSQL prints it; NULL: SQL NULL. */
static bool equals(const json_t *want, const char *text)
{
    double n;
    if (json_is_null(want) || !text)
        return json_is_null(want) && !text;
    if (json_is_number(want))
        return number_of(text, &n) && n == json_number_value(want);
    if (json_is_boolean(want))
        return strcmp(text, json_is_true(want) ? "t" : "f") == 0 ||
               strcmp(text, json_is_true(want) ? "true" : "false") == 0;
    return strcmp(json_string_value(want), text) == 0;
}

static bool matches(const json_t *pattern, const char *text)
{
    regex_t re;
    if (!text || regcomp(&re, json_string_value(pattern), REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    bool ok = regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return ok;
}

/* `want`, or one of a list. */
static bool is_one_of(const json_t *want, const char *text)
{
    size_t i;
    json_t *item;
    if (!json_is_array(want))
        return equals(want, text);
    json_array_foreach((json_t *)(uintptr_t)want, i, item) {
        if (equals(item, text))
            return true;
    }
    return false;
}

static const char *cell(struct probe *p, size_t row, size_t column)
{
    return row < p->rows.n_rows && column < p->rows.n_columns ? table_cell_at(&p->rows, row, column)->text : NULL;
}

static bool within(const json_t *expect, const char *low, const char *high, double n)
{
    const json_t *a = json_object_get(expect, low), *b = json_object_get(expect, high);
    return (!a || n >= json_number_value(a)) && (!b || n <= json_number_value(b));
}

static bool rows_equal(struct probe *p, const json_t *rows)
{
    size_t i, j;
    json_t *row, *value;
    if (p->rows.seen != json_array_size(rows))
        return false;
    json_array_foreach((json_t *)(uintptr_t)rows, i, row) {
        if (json_array_size(row) != p->rows.n_columns)
            return false;
        json_array_foreach(row, j, value) {
            if (!equals(value, cell(p, i, j)))
                return false;
        }
    }
    return true;
}

/* ---- what was found, in words ---- */

/* A value that stands alone. */
static void put_text(struct buf *out, const char *text)
{
    char shown[FOUND_MAX];
    const char *t = !text ? "no value (NULL)" : *text ? text : "an empty text";
    err_copy(shown, sizeof shown, t, strlen(t));
    buf_puts(out, shown);
}

static void put_rows(struct probe *p)
{
    for (size_t i = 0; i < p->rows.n_rows && p->found.len < FOUND_MAX; i++) {
        buf_puts(&p->found, i ? ", (" : "(");
        for (size_t j = 0; j < p->rows.n_columns && p->found.len < FOUND_MAX; j++) {
            buf_puts(&p->found, j ? ", " : "");
            const char *text = cell(p, i, j);
            text ? put_text(&p->found, text) : buf_puts(&p->found, "NULL");
        }
        buf_puts(&p->found, ")");
    }
    if (p->rows.seen == 0)
        buf_puts(&p->found, "no rows");
    else if (p->found.len >= FOUND_MAX)
        buf_puts(&p->found, ", …");
}

static void describe_rows(struct probe *p, const json_t *expect)
{
    if (json_object_get(expect, "rows"))
        put_rows(p);
    else if (json_object_get(expect, "min_rows") || json_object_get(expect, "max_rows"))
        buf_printf(&p->found, "%llu row%s", p->rows.seen, p->rows.seen == 1 ? "" : "s");
    else if (p->rows.seen == 0)
        buf_puts(&p->found, "no rows");
    else
        put_text(&p->found, cell(p, 0, 0));
}

/* ---- SQL ---- */

static void keep_columns(void *self, const struct pg_column *columns, size_t n)
{
    struct probe *p = self;
    table_release(&p->rows);
    table_init(&p->rows);
    p->rows.row_cap = ROWS_MAX;
    for (size_t i = 0; i < n; i++)
        table_add_column(&p->rows, columns[i].name, NULL, TABLE_LEFT);
}

static bool keep_row(void *self, const struct pg_value *values, size_t n)
{
    struct probe *p = self;
    struct table_cell few[64];
    n = n > ARRAY_LEN(few) ? ARRAY_LEN(few) : n;
    if (n < p->rows.n_columns)
        return false; /* a check with more than 64 columns compares nothing */
    for (size_t i = 0; i < n; i++)
        few[i] = (struct table_cell){values[i].text, values[i].len, 0};
    table_add_row(&p->rows, few);
    return true;
}

/* The session a check runs in: the learner's own, or one of ours. */
static struct connection *session_of(struct probe *p, const char *on, struct err *e)
{
    struct target target;
    if (!on) {
        struct connection *c = session_connection(p->ctx->session, NULL, e);
        return c && connect_ensure(p->ctx, c, e) ? c : NULL;
    }
    if (p->on && strcmp(p->on, on) == 0)
        return &p->own;
    if (p->on)
        connection_release(&p->own);
    p->on = NULL;
    if (!target_parse(p->ctx, &on, 1, &target, e) || !connect_open(p->ctx, &target, &p->own, e))
        return NULL;
    p->on = on;
    return &p->own;
}

/* The statements; p->failure is set when the last one fails, *e when it is not the statement's fault. */
static bool run_statements(struct probe *p, struct connection *c, const json_t *sql, struct err *e)
{
    struct pg_rows rows = {.self = p, .columns = keep_columns, .row = keep_row};
    size_t n = json_is_array(sql) ? json_array_size(sql) : 1;
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_is_array(sql) ? json_array_get(sql, i) : sql);
        struct err failed = {0};
        keep_columns(p, NULL, 0);
        if (!pg_exec(c->pg, text, NULL, 0, &rows, p->ctx->cancel, &failed)) {
            if (failed.code != ERR_SQL) {
                *e = failed;
                return false;
            }
            p->failure = failed;
            return true;
        }
        if (pg_tx_state(c->pg) != PG_TX_IN_BLOCK)
            return err_set(e, ERR_MALFORMED, "a statement of the check ended its transaction");
    }
    return true;
}

static bool run_sql(struct probe *p, const char *on, const json_t *sql, struct err *e)
{
    struct connection *c = session_of(p, on, e);
    if (!c)
        return false;
    enum pg_tx tx = pg_tx_state(c->pg);
    bool inside = tx == PG_TX_IN_BLOCK;
    if (tx == PG_TX_FAILED) {
        err_set(e, ERR_INVALID_STATE,
                "the transaction of connection '%s' has failed, so nothing can be checked in it", c->alias);
        err_hint(e, "ROLLBACK first");
        return false;
    }
    static const char quiet[] = "SET LOCAL client_min_messages = error";
    static const char limit[] = "SET LOCAL statement_timeout = '30s'";
    bool ok = pg_run(c->pg, inside ? "SAVEPOINT lakebase_check" : "BEGIN", p->ctx->cancel, e) &&
              pg_run(c->pg, quiet, p->ctx->cancel, e) && pg_run(c->pg, limit, p->ctx->cancel, e) &&
              run_statements(p, c, sql, e);
    struct err undo = {0};
    if (pg_alive(c->pg) && pg_tx_state(c->pg) != PG_TX_IDLE) {
        bool undone = pg_run(c->pg, inside ? "ROLLBACK TO SAVEPOINT lakebase_check" : "ROLLBACK", NULL, &undo) &&
                      (!inside || pg_run(c->pg, "RELEASE SAVEPOINT lakebase_check", NULL, &undo));
        if (!undone && ok) {
            *e = undo;
            ok = err_wrap(e, "what the check did was not undone");
        }
    }
    return ok;
}

/* The statement failed: is that what must hold? */
static bool judge_failure(struct probe *p, const json_t *expect)
{
    const json_t *want = json_object_get(expect, "error");
    buf_printf(&p->found, "error %s: %s", p->failure.sqlstate, p->failure.text);
    return want && is_one_of(want, p->failure.sqlstate);
}

static bool judge_rows(struct probe *p, const json_t *expect)
{
    const json_t *v;
    double n;
    const char *first = cell(p, 0, 0);
    if (json_object_get(expect, "error")) {
        buf_puts(&p->found, "no error");
        return false;
    }
    describe_rows(p, expect);
    if ((v = json_object_get(expect, "value")))
        return p->rows.seen == 1 && p->rows.n_columns == 1 && equals(v, first);
    if ((v = json_object_get(expect, "rows")))
        return rows_equal(p, v);
    if ((v = json_object_get(expect, "matches")))
        return matches(v, first);
    if (json_object_get(expect, "min") || json_object_get(expect, "max"))
        return first && number_of(first, &n) && within(expect, "min", "max", n);
    return within(expect, "min_rows", "max_rows", (double)p->rows.seen);
}

/* ---- warehouse ---- */

static void keep_json_rows(struct probe *p, const json_t *rows)
{
    size_t i, j;
    json_t *row, *value;
    size_t n = json_array_size(json_array_get(rows, 0));
    struct table_cell *cells = arena_alloc(p->ctx->arena, (n + 1) * sizeof *cells);
    keep_columns(p, NULL, 0);
    for (j = 0; j < n; j++)
        table_add_column(&p->rows, "", NULL, TABLE_LEFT);
    json_array_foreach((json_t *)(uintptr_t)rows, i, row) {
        json_array_foreach(row, j, value) {
            if (j < n)
                cells[j] = (struct table_cell){json_string_value(value), json_string_length(value), 0};
        }
        table_add_row(&p->rows, cells);
    }
}

/* Databricks SQL; p->failure is set when the warehouse refuses it. */
static bool run_warehouse(struct probe *p, const char *sql, struct err *e)
{
    const char *id = warehouse_find(p->ctx, NULL, e);
    json_t *rows = NULL;
    keep_columns(p, NULL, 0);
    if (!id)
        return false;
    if (warehouse_query(p->ctx, id, sql, &rows, e)) {
        keep_json_rows(p, rows);
    } else if (e->code == ERR_SQL) {
        p->failure = *e;
        err_init(e);
    }
    json_decref(rows);
    return e->code == ERR_NONE;
}

/* ---- API ---- */

/* The object as JSON; NULL with ERR_NONE when it does not exist. */
static json_t *read_object(struct probe *p, const json_t *api, struct err *e)
{
    static const struct {
        const char *kind, *parameter;
        enum dbx_route route;
    } reads[] = {{"instance", "name", DBX_get_database_instance},
                 {"catalog", "name", DBX_get_database_catalog},
                 {"schema", "full_name", DBX_get_schema},
                 {"table", "full_name", DBX_get_table},
                 {"synced_table", "name", DBX_get_synced_table}};
    for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
        const char *name = jx_get_str(api, reads[i].kind, NULL);
        if (!name)
            continue;
        struct dbx_param params[] = {{reads[i].parameter, name}, {NULL, NULL}};
        const struct model *m = dbx_route_info(reads[i].route)->response;
        void *got = arena_alloc(p->ctx->arena, m->size);
        json_t *object = NULL;
        if (remote_call(p->ctx, reads[i].route, params, NULL, got, e)) {
            object = model_encode(m, MODEL_SERVER, got);
            model_release(m, got);
        } else if (e->http == 404) {
            err_init(e);
        }
        return object;
    }
    bug("a validated check names no object");
}

static char *text_of(const json_t *value)
{
    if (!value || json_is_null(value))
        return NULL;
    if (json_is_string(value))
        return xstrdup(json_string_value(value));
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    return text;
}

/* "a.b": member b of member a. */
static const json_t *member(const json_t *object, const char *path)
{
    for (const char *dot; object && (dot = strchr(path, '.')); path = dot + 1) {
        char *name = xstrndup(path, (size_t)(dot - path));
        object = json_object_get(object, name);
        free(name);
    }
    return json_object_get(object, path);
}

static bool judge_fields(struct probe *p, const json_t *object, const json_t *fields)
{
    const char *key;
    json_t *want;
    json_object_foreach((json_t *)(uintptr_t)fields, key, want) {
        char *text = text_of(member(object, key));
        bool ok = json_is_object(want) ? matches(json_object_get(want, "matches"), text) : is_one_of(want, text);
        if (!ok) {
            if (text)
                put_text(&p->found, text);
            else
                buf_printf(&p->found, "no %s", key);
        }
        free(text);
        if (!ok)
            return false;
    }
    return true;
}

static bool judge_object(struct probe *p, const json_t *api, const json_t *expect, bool *holds, struct err *e)
{
    json_t *object = read_object(p, api, e);
    if (e->code != ERR_NONE)
        return false;
    const json_t *exists = json_object_get(expect, "exists");
    if (!object)
        buf_puts(&p->found, "not there");
    else if (exists)
        buf_puts(&p->found, "there");
    *holds = exists ? json_is_true(exists) == (object != NULL)
                    : object && judge_fields(p, object, json_object_get(expect, "fields"));
    json_decref(object);
    return true;
}

/* ---- one check, and all ---- */

static bool judge(struct probe *p, const json_t *check, const char *on, bool *holds, struct err *e)
{
    const json_t *expect = json_object_get(check, "expect"), *sql = json_object_get(check, "sql");
    buf_clear(&p->found);
    err_init(&p->failure);
    const char *warehouse = jx_get_str(check, "warehouse", NULL);
    if (!sql && !warehouse)
        return judge_object(p, json_object_get(check, "api"), expect, holds, e);
    if (warehouse ? !run_warehouse(p, warehouse, e) : !run_sql(p, jx_get_str(check, "on", on), sql, e))
        return false;
    *holds = p->failure.code != ERR_NONE ? judge_failure(p, expect) : judge_rows(p, expect);
    return true;
}

/* The message with {found} filled in. */
static bool does_not_hold(struct probe *p, const json_t *check, struct err *e)
{
    const char *message = jx_get_str(check, "message", ""), *found = buf_str(&p->found);
    struct buf text;
    buf_init(&text, 64 << 10);
    bool told = false;
    for (const char *mark; (mark = strstr(message, "{found}")); message = mark + strlen("{found}")) {
        buf_add(&text, message, (size_t)(mark - message));
        buf_puts(&text, found);
        told = true;
    }
    buf_puts(&text, message);
    err_set(e, ERR_CHECK, "%s", buf_str(&text));
    if (*found && !told)
        err_detail(e, "found: %s", found);
    buf_release(&text);
    return false;
}

bool check_run(struct magic_ctx *ctx, const json_t *file, struct err *e)
{
    struct probe p = {.ctx = ctx};
    const json_t *checks = json_object_get(file, "checks");
    const char *on = jx_get_str(file, "on", NULL);
    size_t n = json_array_size(checks), i;
    bool ok = true;
    table_init(&p.rows);
    buf_init(&p.found, 64 << 10);
    sink_printf(ctx->out, "%s\n", jx_get_str(file, "title", ""));
    for (i = 0; ok && i < n; i++) {
        const json_t *check = json_array_get(checks, i);
        const char *title = jx_get_str(check, "title", "");
        bool holds = false;
        ok = judge(&p, check, on, &holds, e) || err_wrap(e, "cannot check that %s", title);
        if (ok)
            sink_printf(ctx->out, "%s %s\n", holds ? "✓" : "✗", title);
        if (ok && !holds) {
            ok = does_not_hold(&p, check, e);
            if (json_array_size(json_object_get(file, "hints")) > 0)
                err_hint(e, "%%lab hint %s helps", jx_get_str(file, "id", ""));
        }
    }
    if (ok)
        sink_printf(ctx->out, n == 1 ? "It holds.\n" : "All %zu hold.\n", n);
    table_release(&p.rows);
    buf_release(&p.found);
    if (p.on)
        connection_release(&p.own);
    return ok;
}
