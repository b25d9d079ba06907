/*
 * What the engine says of a file it has written, as the Delta log says it: partition values and per-column statistics (the
 * protocol's "Per-file Statistics"). Bounds are left out where the engine's are not exact or the protocol has no form.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/dml.h"

enum { STATS_COLUMNS = 32, STATS_TEXT_MAX = 64, COLUMN_FILE = 0, COLUMN_COUNT = 1, COLUMN_SIZE = 2, COLUMN_STATS = 4,
       COLUMN_KEYS = 5 };

/* ---- DuckDB's maps ---- */
struct list_entry {
    uint64_t offset, length;
};
struct map_view {
    duckdb_vector keys, values;
    struct list_entry entry;
};

static bool is_valid(duckdb_vector v, uint64_t row)
{
    const uint64_t *valid = duck->vector_get_validity(v);
    return !valid || ((valid[row / 64] >> (row % 64)) & 1);
}

static bool map_open(duckdb_vector v, uint64_t row, struct map_view *out)
{
    if (!is_valid(v, row))
        return false;
    duckdb_vector pairs = duck->list_vector_get_child(v);
    out->entry = ((const struct list_entry *)duck->vector_get_data(v))[row];
    out->keys = duck->struct_vector_get_child(pairs, 0);
    out->values = duck->struct_vector_get_child(pairs, 1);
    return true;
}

static char *text_at(duckdb_vector v, uint64_t row)
{
    if (!is_valid(v, row))
        return NULL;
    const struct lake_string *s = (const struct lake_string *)duck->vector_get_data(v) + row;
    return xstrndup(lake_string_text(s), s->length);
}

/* A map of texts as a JSON object; NULL stays null. */
static json_t *map_object(const struct map_view *m)
{
    json_t *object = json_object();
    for (uint64_t i = m->entry.offset; i < m->entry.offset + m->entry.length; i++) {
        char *key = text_at(m->keys, i), *value = text_at(m->values, i);
        if (key)
            json_object_set_new(object, key, value ? jx_str(value) : json_null());
        free(key);
        free(value);
    }
    return object;
}

/* ---- statistics ---- */
/* "2026-11-23 06:49:44.489039+00" → "2026-11-23T06:49:44.489Z": cut to milliseconds, as the protocol has it. */
static json_t *timestamp_bound(const char *text, bool zone)
{
    char date[16], time[16];
    int millis = 0;
    if (sscanf(text, "%10[0-9-] %8[0-9:]", date, time) != 2 || strlen(date) != 10 || strlen(time) != 8)
        return NULL;
    const char *dot = strchr(text, '.');
    for (int i = 1; i <= 3; i++)
        millis = millis * 10 + (dot && dot[1] >= '0' && dot[1] <= '9' ? *++dot - '0' : 0);
    return json_sprintf("%sT%s.%03d%s", date, time, millis, zone ? "Z" : "");
}

/* A bound in its JSON form; NULL: there is none. */
static json_t *bound(const struct delta_column *c, const char *text)
{
    switch (c->type) {
    case DELTA_BYTE: case DELTA_SHORT: case DELTA_INTEGER: case DELTA_LONG:
        return json_integer(strtoll(text, NULL, 10));
    case DELTA_FLOAT: case DELTA_DOUBLE: {
        double number = strtod(text, NULL);
        return isfinite(number) ? json_real(number) : NULL;
    }
    case DELTA_DECIMAL:
        /* a JSON number of more digits than a double holds would be read wrong by many */
        return c->precision <= 15 ? json_real(strtod(text, NULL)) : NULL;
    case DELTA_STRING:
        return strlen(text) <= STATS_TEXT_MAX ? jx_str(text) : NULL;
    case DELTA_DATE:
        return strlen(text) == 10 ? jx_str(text) : NULL;
    case DELTA_TIMESTAMP: case DELTA_TIMESTAMP_NTZ:
        return timestamp_bound(text, c->type == DELTA_TIMESTAMP);
    default:
        return NULL;
    }
}

static void add_bound(json_t *to, const struct delta_column *c, const json_t *facts, const char *key, const char *exact)
{
    const char *text = jx_get_str(facts, key, NULL);
    bool usable = text && !strcmp(jx_get_str(facts, exact, "false"), "true") &&
                  strcmp(jx_get_str(facts, "has_nan", "false"), "true") != 0;
    json_t *value = usable ? bound(c, text) : NULL;
    if (value)
        json_object_set_new(to, c->name, value);
}

/* The facts of a column, or NULL. Caller frees. */
static json_t *facts_of(const struct map_view *all, const char *name)
{
    struct buf quoted;
    buf_init(&quoted, 4096);
    lake_quote_name(&quoted, name);
    json_t *facts = NULL;
    for (uint64_t i = all->entry.offset; !facts && i < all->entry.offset + all->entry.length; i++) {
        char *key = text_at(all->keys, i);
        struct map_view one;
        if (key && !strcmp(key, buf_str(&quoted)) && map_open(all->values, i, &one))
            facts = map_object(&one);
        free(key);
    }
    buf_release(&quoted);
    return facts;
}

static bool null_violation(const struct delta_column *c, struct err *e)
{
    err_set(e, ERR_SQL, "[DELTA_NOT_NULL_CONSTRAINT_VIOLATED] NOT NULL constraint violated for column: %s", c->name);
    memcpy(e->sqlstate, "23502", 6);
    return false;
}

static bool statistics(const struct dml_shape *shape, const struct map_view *all, int64_t rows, char **out, struct err *e)
{
    json_t *least = json_object(), *most = json_object(), *nulls = json_object();
    bool ok = true;
    for (size_t i = 0; ok && i < shape->schema->count; i++) {
        const struct delta_column *c = &shape->schema->columns[i];
        json_t *facts = facts_of(all, c->name);
        int64_t null_count = jx_get_int(facts, "null_count", 0);
        if (facts && null_count > 0 && !c->nullable)
            ok = null_violation(c, e);
        if (facts && i < STATS_COLUMNS && c->type != DELTA_NESTED) {
            json_object_set_new(nulls, c->name, json_integer(null_count));
            add_bound(least, c, facts, "min", "min_is_exact");
            add_bound(most, c, facts, "max", "max_is_exact");
        }
        json_decref(facts);
    }
    json_t *stats = json_pack("{s:I, s:o, s:o, s:o}", "numRecords", (json_int_t)rows, "minValues", least, "maxValues", most,
                              "nullCount", nulls);
    *out = json_dumps(stats, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(stats);
    return ok;
}

/* ---- partition values ---- */
/* "2024-01-01 00:00:00.5+00" → "2024-01-01T00:00:00.500000Z", the form of the protocol that needs no zone of the writer's. */
static json_t *instant(const char *text)
{
    char date[16], time[16];
    int micros = 0;
    if (sscanf(text, "%10[0-9-] %8[0-9:]", date, time) != 2)
        return jx_str(text);
    const char *dot = strchr(text, '.');
    for (int i = 1; i <= 6; i++)
        micros = micros * 10 + (dot && dot[1] >= '0' && dot[1] <= '9' ? *++dot - '0' : 0);
    return json_sprintf("%sT%s.%06dZ", date, time, micros);
}

static bool partition_values(const struct dml_shape *shape, const struct duck_rows *row, json_t **out, struct err *e)
{
    struct map_view m;
    json_t *keys = map_open(duck->data_chunk_get_vector(row->chunk, COLUMN_KEYS), row->row, &m) ? map_object(&m) : NULL;
    *out = json_object();
    bool ok = true;
    for (size_t i = 0; ok && i < shape->n_partitions; i++) {
        const struct delta_column *c = delta_schema_find(shape->schema, shape->partitions[i]);
        const char *text = jx_get_str(keys, shape->partitions[i], NULL);
        text = text && *text ? text : NULL; /* the empty text is NULL as a partition value */
        if (!text && c && !c->nullable)
            ok = null_violation(c, e);
        json_object_set_new(*out, shape->partitions[i],
                            !text ? json_null() : c && c->type == DELTA_TIMESTAMP ? instant(text) : jx_str(text));
    }
    json_decref(keys);
    return ok;
}

bool dml_file_of(const struct dml_shape *shape, const struct duck_rows *row, struct delta_file *out, struct err *e)
{
    *out = (struct delta_file){.path = duck_strdup(row, COLUMN_FILE), .rows = duck_int(row, COLUMN_COUNT),
                               .size = duck_int(row, COLUMN_SIZE), .data_change = true};
    struct stat st;
    struct map_view all;
    if (stat(out->path, &st))
        return err_errno(e, errno, "cannot find the data file '%s'", out->path);
    out->size = st.st_size;
    out->modification_time = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    return partition_values(shape, row, &out->partition_values, e) &&
           (!map_open(duck->data_chunk_get_vector(row->chunk, COLUMN_STATS), row->row, &all) ||
            statistics(shape, &all, out->rows, &out->stats, e));
}
