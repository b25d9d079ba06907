/*
 * Foreign tables: a table function __lake_foreign(id) pulls their rows as text through the catalog's foreign_scan; the
 * SELECT around it casts them. Only columns that the query uses are asked for, and as the engine's C API tells a table function of
 * no filters, those are read from the plan and put into PostgreSQL's query (lake_foreign_where.c). Users cannot call it: the front refuses its
 * name.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/lake_parts.h"

struct entry {
    struct entry *next, *sibling; /* of the registry; of the same statement */
    int64_t id;
    struct lake_object object;
    struct lake_catalog catalog;
    char *where;      /* what PostgreSQL is asked to leave out; NULL: nothing */
};
struct lake_registry {
    pthread_mutex_t lock;
    struct entry *list;
    int64_t last_id;
};
struct lake_handles {
    struct lake_registry *registry;
    struct lake_catalog catalog;
    struct entry *list;
};
/* One scan in work. */
struct scan {
    struct lake_foreign *rows;
    size_t n;       /* columns that are asked for */
    size_t *places; /* in the output chunk, of each */
};

/* ---- the registry ---- */
struct lake_handles *lake_handles_new(struct lake *l, const struct lake_catalog *catalog)
{
    struct lake_handles *h = xcalloc(1, sizeof *h);
    h->registry = l->foreign;
    h->catalog = *catalog;
    return h;
}

int64_t lake_handles_next(struct lake_handles *h)
{
    pthread_mutex_lock(&h->registry->lock);
    int64_t id = ++h->registry->last_id;
    pthread_mutex_unlock(&h->registry->lock);
    return id;
}

void lake_handles_add(struct lake_handles *h, struct lake_object *object, int64_t id)
{
    struct entry *entry = xcalloc(1, sizeof *entry);
    entry->object = *object;
    *object = (struct lake_object){0};
    entry->catalog = h->catalog;
    entry->sibling = h->list;
    h->list = entry;
    entry->id = id;
    pthread_mutex_lock(&h->registry->lock);
    entry->next = h->registry->list;
    h->registry->list = entry;
    pthread_mutex_unlock(&h->registry->lock);
}

void lake_handles_free(void *handles)
{
    struct lake_handles *h = handles;
    if (!h)
        return;
    pthread_mutex_lock(&h->registry->lock);
    for (struct entry *mine = h->list; mine; mine = mine->sibling)
        for (struct entry **at = &h->registry->list; *at; at = &(*at)->next)
            if (*at == mine) {
                *at = mine->next;
                break;
            }
    pthread_mutex_unlock(&h->registry->lock);
    while (h->list) {
        struct entry *entry = h->list;
        h->list = entry->sibling;
        lake_object_release(&entry->object);
        free(entry->where);
        free(entry);
    }
    free(h);
}

static struct entry *find(struct lake_registry *r, int64_t id)
{
    pthread_mutex_lock(&r->lock);
    struct entry *entry = r->list;
    while (entry && entry->id != id)
        entry = entry->next;
    pthread_mutex_unlock(&r->lock);
    return entry;
}

/* ---- conditions ---- */
static const json_t *child_scan(const json_t *node)
{
    const json_t *child = json_array_get(json_object_get(node, "children"), 0);
    return child && strstr(jx_get_str(child, "name", ""), "__LAKE_FOREIGN") ? child : NULL;
}

static void take_filter(struct lake_handles *h, const char *filter)
{
    for (struct entry *entry = h->list; entry; entry = entry->sibling) {
        struct buf where;
        buf_init(&where, LAKE_WHERE_MAX);
        lake_foreign_where(&entry->object, entry->id, filter, &where);
        if (where.len > 0 && buf_ok(&where, "a condition", &(struct err){0})) {
            free(entry->where);
            entry->where = buf_detach(&where);
        }
        buf_release(&where);
    }
}

/* A filter right above a foreign table: rows that it drops are in no result, however else the statement runs. */
static void walk(struct lake_handles *h, const json_t *node, int depth)
{
    enum { PLAN_DEPTH_MAX = 500 };
    size_t i;
    json_t *child;
    const json_t *said = json_object_get(json_object_get(node, "extra_info"), "Expression");
    if (strstr(jx_get_str(node, "name", ""), "FILTER") && child_scan(node)) {
        if (json_is_string(said))
            take_filter(h, json_string_value(said));
        json_array_foreach(said, i, child)
            take_filter(h, json_string_value(child) ? json_string_value(child) : "");
    }
    if (depth < PLAN_DEPTH_MAX)
        json_array_foreach(json_object_get(node, "children"), i, child)
            walk(h, child, depth + 1);
}

/* The plan's moment of now() is a little before that of the run: what is written in between is too late for the statement. */
void lake_foreign_push(struct duck_conn *c, struct lake_handles *h, const char *sql, struct duck_params params)
{
    struct err ignored;
    struct buf explain;
    err_init(&ignored);
    buf_init(&explain, LAKE_SQL_MAX);
    buf_printf(&explain, "EXPLAIN (FORMAT json) %s", sql);
    struct duck_rows *r = buf_ok(&explain, "a plan", &ignored) ? duck_query(c, buf_str(&explain), params, NULL, &ignored) : NULL;
    if (r && duck_next_row(r, NULL, &ignored)) {
        size_t i, len;
        const char *text = duck_text(r, 1, &len);
        json_t *plan = text ? json_loadb(text, len, 0, NULL) : NULL, *node;
        json_array_foreach(plan, i, node)
            walk(h, node, 0);
        json_decref(plan);
    }
    duck_rows_free(r);
    buf_release(&explain);
}

void lake_foreign_explain(const struct lake_handles *h, struct buf *out)
{
    for (const struct entry *entry = h ? h->list : NULL; entry; entry = entry->sibling)
        buf_printf(out, "PostgreSQL: %s%s%s\n", entry->object.full_name, entry->where ? " WHERE " : ", every row",
                   entry->where ? entry->where : "");
}

/* ---- the table function ---- */
static void on_bind(duckdb_info info)
{
    struct lake_registry *r = duck->bind_get_extra_info(info);
    duckdb_value value = duck->bind_get_parameter(info, 0);
    struct entry *entry = find(r, duck->get_int64(value));
    duck->destroy_value(&value);
    if (!entry) {
        duck->bind_set_error(info, "there is no such foreign table");
        return;
    }
    duckdb_type_ref text = duck->create_logical_type(DUCKDB_VARCHAR);
    for (size_t i = 0; i < entry->object.n_columns; i++) {
        char name[48]; /* so that a plan's text says which column of which table it means */
        snprintf(name, sizeof name, LAKE_FOREIGN_COLUMN, (long long)entry->id, i);
        duck->bind_add_result_column(info, name, text);
    }
    duck->destroy_logical_type(&text);
    duck->bind_set_bind_data(info, entry, NULL);
}

static void free_scan(void *self)
{
    struct scan *scan = self;
    if (scan->rows)
        scan->rows->close(scan->rows->self);
    free(scan->places);
    free(scan);
}

static void on_init(duckdb_info info)
{
    struct entry *entry = duck->init_get_bind_data(info);
    size_t asked = duck->init_get_column_count(info);
    struct scan *scan = xcalloc(1, sizeof *scan);
    size_t *columns = xcalloc(asked + 1, sizeof *columns);
    scan->places = xcalloc(asked + 1, sizeof *scan->places);
    for (size_t i = 0; i < asked; i++) {
        size_t column = duck->init_get_column_index(info, i);
        if (column >= entry->object.n_columns) /* the row itself: count(*) */
            continue;
        columns[scan->n] = column;
        scan->places[scan->n++] = i;
    }
    struct err e;
    err_init(&e);
    scan->rows = entry->catalog.foreign_scan(entry->catalog.self, entry->object.foreign, columns, scan->n, entry->where, &e);
    free(columns);
    if (!scan->rows)
        duck->init_set_error(info, e.text);
    duck->init_set_max_threads(info, 1);
    duck->init_set_init_data(info, scan, free_scan);
}

static void set_null(duckdb_vector v, size_t row)
{
    duck->vector_ensure_validity_writable(v);
    uint64_t *valid = duck->vector_get_validity(v);
    valid[row / 64] &= ~((uint64_t)1 << (row % 64));
}

static void on_rows(duckdb_info info, duckdb_chunk out)
{
    struct scan *scan = duck->function_get_init_data(info);
    size_t rows = 0, most = duck->vector_size();
    struct err e;
    err_init(&e);
    for (bool end = false; rows < most; rows++) {
        const char *const *values;
        const size_t *lengths;
        if (!scan->rows->next(scan->rows->self, &values, &lengths, &end, &e)) {
            duck->function_set_error(info, e.text);
            return;
        }
        if (end)
            break;
        for (size_t i = 0; i < scan->n; i++) {
            duckdb_vector v = duck->data_chunk_get_vector(out, scan->places[i]);
            if (values[i])
                duck->vector_assign_string_element_len(v, rows, values[i], lengths[i]);
            else
                set_null(v, rows);
        }
    }
    duck->data_chunk_set_size(out, rows);
}

static void free_registry(void *self)
{
    struct lake_registry *r = self;
    pthread_mutex_destroy(&r->lock);
    free(r);
}

bool lake_foreign_register(struct lake *l, struct err *e)
{
    struct duck_conn *c = duck_connect(l->db, e);
    if (!c)
        return false;
    l->foreign = xcalloc(1, sizeof *l->foreign);
    pthread_mutex_init(&l->foreign->lock, NULL);
    duckdb_table_function f = duck->create_table_function();
    duckdb_type_ref id = duck->create_logical_type(DUCKDB_BIGINT);
    duck->table_function_set_name(f, "__lake_foreign");
    duck->table_function_add_parameter(f, id);
    duck->table_function_set_extra_info(f, l->foreign, free_registry); /* freed with the database */
    duck->table_function_set_bind(f, on_bind);
    duck->table_function_set_init(f, on_init);
    duck->table_function_set_function(f, on_rows);
    duck->table_function_supports_projection_pushdown(f, true);
    bool ok = duck->register_table_function(c->raw, f) == DUCKDB_OK ||
              err_set(e, ERR_INTERNAL, "the engine takes no table function");
    duck->destroy_logical_type(&id);
    duck->destroy_table_function(&f);
    duck_disconnect(c);
    return ok;
}
