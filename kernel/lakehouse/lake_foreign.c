/*
 * Foreign tables: a table function __lake_foreign(id) pulls their rows as text through the catalog's foreign_scan; the
 * SELECT around it casts them. Only columns that the query uses are asked for. Users cannot call it: the front refuses its
 * name.
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "lakehouse/lake_parts.h"

struct entry {
    struct entry *next, *sibling; /* of the registry; of the same statement */
    int64_t id;
    struct lake_object object;
    struct lake_catalog catalog;
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

void lake_handles_add(struct lake_handles *h, struct lake_object *object, int64_t *id)
{
    struct entry *entry = xcalloc(1, sizeof *entry);
    entry->object = *object;
    *object = (struct lake_object){0};
    entry->catalog = h->catalog;
    entry->sibling = h->list;
    h->list = entry;
    pthread_mutex_lock(&h->registry->lock);
    *id = entry->id = ++h->registry->last_id;
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
    for (size_t i = 0; i < entry->object.n_columns; i++)
        duck->bind_add_result_column(info, entry->object.columns[i].name, text);
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
    scan->rows = entry->catalog.foreign_scan(entry->catalog.self, entry->object.foreign, columns, scan->n, &e);
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
