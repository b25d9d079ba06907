/* Streams: DuckDB's chunks handed out as they are, in the layouts that lake.h names. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "lakehouse/lake_parts.h"

enum { STATEMENT_SELECT = 1 }; /* duckdb_statement_type */

_Static_assert(sizeof(struct lake_string) == 16, "the layout of DuckDB's strings");

struct lake_stream {
    struct duck_conn *conn;
    struct duck_rows *rows;
    struct lake_column *columns;
    struct lake_vector *vectors;
    size_t n;
    void (*on_close)(void *);
    void *on_close_arg;
    struct lake_aliases *aliases;
};

static int decimal_bytes(int precision)
{
    return precision <= 4 ? 2 : precision <= 9 ? 4 : precision <= 18 ? 8 : 16;
}

static int width_of(const struct lake_column *c)
{
    switch (c->type) {
    case DELTA_BOOLEAN: case DELTA_BYTE: return 1;
    case DELTA_SHORT: return 2;
    case DELTA_INTEGER: case DELTA_DATE: case DELTA_FLOAT: return 4;
    case DELTA_LONG: case DELTA_DOUBLE: case DELTA_TIMESTAMP: case DELTA_TIMESTAMP_NTZ: return 8;
    case DELTA_DECIMAL: return decimal_bytes(c->precision);
    default: return (int)sizeof(struct lake_string);
    }
}

/* "CAST(%s AS BIGINT)" with #3 in it. */
static void add_converted(struct buf *out, const char *convert, size_t position)
{
    const char *hole = convert ? strstr(convert, "%s") : NULL;
    if (hole)
        buf_add(out, convert, (size_t)(hole - convert));
    buf_printf(out, "#%zu", position);
    if (hole)
        buf_puts(out, hole + 2);
}

/* The name of a column without an alias: our functions and the engine's types as Databricks SQL spells them. */
static char *shown_name(const char *name)
{
    static const char *const words[][2] = {{"count_star()", "count(1)"}, {"spark_", ""}, {" AS VARCHAR)", " AS STRING)"},
                                           {" AS TIMESTAMPTZ)", " AS TIMESTAMP)"}, {" AS INTEGER)", " AS INT)"},
                                           {"list_value(", "array("}};
    size_t n = strlen(name);
    if (n >= 2 && name[0] == '\'' && !memchr(name + 1, '\'', n - 2) && name[n - 1] == '\'')
        return xstrndup(name + 1, n - 2); /* a literal is its own name */
    if (!strpbrk(name, "(["))
        return xstrdup(name);
    struct buf out;
    buf_init(&out, 1 << 20);
    while (*name) {
        size_t i = 0;
        while (i < ARRAY_LEN(words) && strncmp(name, words[i][0], strlen(words[i][0])) != 0)
            i++;
        if (i == ARRAY_LEN(words)) {
            buf_putc(&out, *name++);
        } else {
            buf_puts(&out, words[i][1]);
            name += strlen(words[i][0]);
        }
    }
    char *text = out.failed ? xstrdup("column") : buf_detach(&out);
    buf_release(&out);
    return text;
}

/* The columns of sql, and sql itself wrapped when some of them need converting: *shift bytes before it then. NULL: *e is set. */
static char *describe(struct lake_stream *s, const char *sql, size_t *shift, struct err *e)
{
    duckdb_statement prepared = duck_prepare(s->conn, sql, e);
    if (!prepared)
        return NULL;
    if (duck->prepared_statement_type(prepared) != STATEMENT_SELECT) {
        duck->destroy_prepare(&prepared);
        err_set(e, ERR_SQL, "[UNSUPPORTED_STATEMENT] only a query can stand here");
        return NULL;
    }
    s->n = duck->prepared_statement_column_count(prepared);
    s->columns = xcalloc(s->n + 1, sizeof *s->columns);
    bool wrap = false;
    struct buf outer;
    buf_init(&outer, LAKE_SQL_MAX);
    buf_puts(&outer, "SELECT ");
    for (size_t i = 0; i < s->n; i++) {
        const char *convert;
        duckdb_type_ref t = duck->prepared_statement_column_logical_type(prepared, i);
        const char *name = duck->prepared_statement_column_name(prepared, i);
        s->columns[i].name = shown_name(name ? name : "");
        duck->free((void *)(uintptr_t)name);
        lake_column_of(t, &s->columns[i], &convert);
        duck->destroy_logical_type(&t);
        buf_puts(&outer, i ? ", " : "");
        add_converted(&outer, convert, i + 1);
        wrap = wrap || convert;
    }
    duck->destroy_prepare(&prepared);
    buf_puts(&outer, " FROM (");
    *shift = wrap ? outer.len : 0;
    buf_printf(&outer, "%s\n)", sql);
    char *text = NULL;
    if (!wrap)
        text = xstrdup(sql);
    else if (buf_ok(&outer, "a statement", e))
        text = buf_detach(&outer);
    buf_release(&outer);
    return text;
}

struct lake_stream *lake_stream_new(struct duck_conn *conn, const char *sql, struct duck_params params,
                                    struct lake_column *columns, size_t n, struct cancel *cancel, struct err *e)
{
    struct lake_stream *s = xcalloc(1, sizeof *s);
    s->conn = conn;
    s->columns = columns;
    s->n = n;
    size_t shift = 0; /* of the caller's SQL in ours */
    char *text = columns ? xstrdup(sql) : describe(s, sql, &shift, e);
    s->vectors = xcalloc(s->n + 1, sizeof *s->vectors);
    for (size_t i = 0; i < s->n; i++)
        s->vectors[i].width = width_of(&s->columns[i]);
    s->rows = text ? duck_query(conn, text, params, cancel, e) : NULL;
    if (text && !s->rows && e->position > 0)
        e->position = (size_t)e->position > shift ? e->position - (int)shift : 0;
    if (s->rows && s->rows->columns < s->n)
        err_set(e, ERR_INTERNAL, "the engine gives %zu columns instead of %zu", s->rows->columns, s->n);
    free(text);
    if (s->rows && e->code == ERR_NONE)
        return s;
    lake_stream_close(s);
    return NULL;
}

void lake_stream_on_close(struct lake_stream *s, void (*fn)(void *), void *arg)
{
    s->on_close = fn;
    s->on_close_arg = arg;
}

/* ---- names in errors ---- */
void lake_aliases_add(struct lake_aliases **list, const char *folder, const char *shown)
{
    struct lake_aliases *one = xcalloc(1, sizeof *one);
    *one = (struct lake_aliases){*list, xstrdup(folder), xstrdup(shown)};
    *list = one;
}

void lake_aliases_apply(const struct lake_aliases *list, struct err *e)
{
    for (; list; list = list->next)
        for (char *at; *list->folder && (at = strstr(e->text, list->folder));) {
            char *text = xasprintf("%.*s%s%s", (int)(at - e->text), e->text, list->shown, at + strlen(list->folder));
            err_copy(e->text, sizeof e->text, text, strlen(text));
            free(text);
        }
}

void lake_aliases_free(struct lake_aliases *list)
{
    while (list) {
        struct lake_aliases *next = list->next;
        free(list->folder);
        free(list->shown);
        free(list);
        list = next;
    }
}

void lake_stream_aliases(struct lake_stream *s, struct lake_aliases *list)
{
    s->aliases = list;
}

const struct lake_column *lake_stream_columns(const struct lake_stream *s, size_t *count)
{
    *count = s->n;
    return s->columns;
}

bool lake_next(struct lake_stream *s, struct lake_batch *out, struct cancel *cancel, struct err *e)
{
    *out = (struct lake_batch){.columns = s->n, .vectors = s->vectors};
    if (!duck_fetch(s->rows, cancel, e)) {
        lake_aliases_apply(s->aliases, e);
        return false;
    }
    out->rows = s->rows->rows;
    for (size_t i = 0; out->rows && i < s->n; i++) {
        duckdb_vector v = duck->data_chunk_get_vector(s->rows->chunk, i);
        s->vectors[i].data = duck->vector_get_data(v);
        s->vectors[i].validity = duck->vector_get_validity(v);
    }
    return true;
}

void lake_stream_close(struct lake_stream *s)
{
    if (!s)
        return;
    duck_rows_free(s->rows);
    duck_disconnect(s->conn);
    if (s->on_close)
        s->on_close(s->on_close_arg);
    lake_aliases_free(s->aliases);
    for (size_t i = 0; i < s->n; i++)
        lake_column_release(&s->columns[i]);
    free(s->columns);
    free(s->vectors);
    free(s);
}
