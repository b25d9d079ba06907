/*
 * CSV files as SQL. Names come from the first record of each file (or are _c0, _c1 …), types from who asks, or from all values
 * of a column: so the engine guesses nothing, and what does not fit is an error with file and line. Files with the same names are
 * read together.
 */
#include "lakehouse/front_csv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/utf8.h"
#include "base/xalloc.h"

enum { HEAD_MAX = 1 << 20, CSV_COLUMNS_MAX = 4096 };

/* A kind of file: which columns, in which order. */
struct shape {
    const char **names;
    size_t n;
};
struct csv {
    struct front *f;
    const struct front_files *x;
    const struct delta_schema *wanted;
    const char *delimiter, *quote, *escape, *comment;
    bool header;
    struct shape *shapes;
    size_t n_shapes;
    size_t *shape_of;    /* by file; a file without a byte has none: SIZE_MAX */
    const char **names, **types; /* of all files together; the engine's types */
    size_t n;
    struct err *e;
};

/* ---- the first record ---- */
struct head {
    const char *at, *end;
    struct buf field;
};

static bool begins(const struct head *h, const char *with)
{
    size_t n = strlen(with);
    return n && (size_t)(h->end - h->at) >= n && !memcmp(h->at, with, n);
}

static void skip_line(struct head *h)
{
    while (h->at < h->end && *h->at != '\n')
        h->at++;
    h->at += h->at < h->end;
}

/* One field into h->field; false: its quote is not closed. */
static bool take_field(const struct csv *c, struct head *h)
{
    buf_clear(&h->field);
    bool quoted = begins(h, c->quote);
    h->at += quoted;
    while (h->at < h->end) {
        bool escaped = quoted && begins(h, c->escape) && h->at + 1 < h->end &&
                       (h->at[1] == c->quote[0] || (h->at[1] == c->escape[0] && c->escape[0] != c->quote[0]));
        if (escaped)
            h->at++;
        else if (quoted && begins(h, c->quote))
            return h->at++, true;
        else if (!quoted && (begins(h, c->delimiter) || *h->at == '\n' || *h->at == '\r'))
            return true;
        buf_putc(&h->field, *h->at++);
    }
    return !quoted;
}

static bool column_name(const struct csv *c, const struct volume_file *file, struct shape *s, const struct buf *field)
{
    const char *text = buf_str(field);
    if (!utf8_valid(text, field->len) || memchr(text, '\0', field->len))
        return front_files_error(c->f, c->x, file, c->e, "its first line is no UTF-8 text");
    const char *name = c->header && field->len ? arena_strndup(&c->f->arena, text, field->len)
                                               : arena_printf(&c->f->arena, "_c%zu", s->n);
    for (size_t i = 0; i < s->n; i++)
        if (!strcasecmp(s->names[i], name))
            return front_files_error(c->f, c->x, file, c->e, "its header names the column '%.100s' twice", name);
    s->names[s->n++] = name;
    return true;
}

static bool take_record(const struct csv *c, const struct volume_file *file, struct head *h, struct shape *s)
{
    s->names = arena_alloc(&c->f->arena, CSV_COLUMNS_MAX * sizeof *s->names);
    for (;;) {
        if (s->n == CSV_COLUMNS_MAX)
            return front_files_error(c->f, c->x, file, c->e, "it has more than %d columns", CSV_COLUMNS_MAX);
        if (!take_field(c, h))
            return front_files_error(c->f, c->x, file, c->e, "the quote in its first record is not closed");
        if (!column_name(c, file, s, &h->field))
            return false;
        if (!begins(h, c->delimiter))
            return true;
        h->at += strlen(c->delimiter);
    }
}

/* The first bytes of a file. NULL: *e is set. */
static char *read_head(const struct csv *c, const struct volume_file *file, size_t *len)
{
    char *path = xasprintf("%s/%s", c->x->folder, file->name), *text = xmalloc(HEAD_MAX);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t n = fd >= 0 ? 0 : -1;
    *len = 0;
    while (fd >= 0 && *len < HEAD_MAX && (n = read(fd, text + *len, HEAD_MAX - *len)) > 0)
        *len += (size_t)n;
    if (n < 0)
        front_files_error(c->f, c->x, file, c->e, "%s", strerror(errno));
    if (fd >= 0)
        close(fd);
    free(path);
    if (n >= 0)
        return text;
    free(text);
    return NULL;
}

/* *none: the file has no record. */
static bool shape_of_file(const struct csv *c, const struct volume_file *file, struct shape *s, bool *none)
{
    size_t len;
    char *text = read_head(c, file, &len);
    if (!text)
        return false;
    struct head h = {.at = text, .end = text + len};
    const char *skip = front_files_text(c->x, "skipRows");
    if (begins(&h, "\xef\xbb\xbf"))
        h.at += 3;
    for (long n = skip ? strtol(skip, NULL, 10) : 0; n > 0 && h.at < h.end; n--)
        skip_line(&h);
    while (h.at < h.end && (begins(&h, c->comment) || *h.at == '\n' || *h.at == '\r'))
        skip_line(&h);
    *none = h.at == h.end;
    buf_init(&h.field, HEAD_MAX + 1);
    bool ok = *none || take_record(c, file, &h, s);
    buf_release(&h.field);
    free(text);
    return ok;
}

/* schema => '…' names the columns by their places, as Spark does. */
static bool name_by_schema(const struct csv *c, const struct volume_file *file, struct shape *s)
{
    const struct delta_schema *schema = &c->x->schema;
    if (s->n != schema->count)
        return front_files_error(c->f, c->x, file, c->e, "it has %zu columns, and the schema %zu", s->n, schema->count);
    for (size_t i = 0; i < s->n; i++)
        s->names[i] = arena_strdup(&c->f->arena, schema->columns[i].name);
    return true;
}

static bool same_shape(const struct shape *a, const struct shape *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++)
        same = !strcmp(a->names[i], b->names[i]);
    return same;
}

static bool find_shapes(struct csv *c)
{
    size_t n = c->x->files.count;
    c->shapes = arena_alloc(&c->f->arena, (n + 1) * sizeof *c->shapes);
    c->shape_of = arena_alloc(&c->f->arena, (n + 1) * sizeof *c->shape_of);
    for (size_t i = 0; i < n; i++) {
        struct shape s = {0};
        bool none;
        const struct volume_file *file = &c->x->files.list[i];
        if (!cancel_check(c->f->cancel, c->e) || !shape_of_file(c, file, &s, &none) ||
            (!none && c->x->schema.count && !name_by_schema(c, file, &s)))
            return false;
        size_t at = 0;
        while (!none && at < c->n_shapes && !same_shape(&c->shapes[at], &s))
            at++;
        if (!none && at == c->n_shapes)
            c->shapes[c->n_shapes++] = s;
        c->shape_of[i] = none ? SIZE_MAX : at;
    }
    return true;
}

/* ---- SQL ---- */
static const char *type_of(const struct csv *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++)
        if (!strcasecmp(c->names[i], name))
            return c->types[i];
    return "VARCHAR";
}

static void put_option(const char *name, const char *value, struct buf *out)
{
    buf_printf(out, ", %s=", name);
    lake_quote_text(out, value);
}

static void put_options(const struct csv *c, struct buf *out)
{
    const char *null = front_files_text(c->x, "nullValue"), *skip = front_files_text(c->x, "skipRows"),
               *mode = front_files_text(c->x, "mode");
    put_option("delim", c->delimiter, out);
    put_option("quote", c->quote, out);
    put_option("escape", *c->quote ? c->escape : "", out);
    put_option("nullstr", null ? null : "", out);
    if (*c->comment)
        put_option("comment", c->comment, out);
    buf_printf(out, ", header=%s, auto_detect=false, allow_quoted_nulls=false, hive_partitioning=false, compression='none'",
               c->header ? "true" : "false");
    if (skip)
        buf_printf(out, ", skip=%s", skip);
    if (mode && !strcasecmp(mode, "dropmalformed"))
        buf_puts(out, ", ignore_errors=true");
}

/* Files of each shape in a call of the engine's reader; plain: every column as text. */
static void put_readers(const struct csv *c, bool plain, struct buf *out)
{
    for (size_t s = 0; s < c->n_shapes; s++) {
        size_t n = 0;
        buf_puts(out, s ? " UNION ALL BY NAME SELECT * FROM read_csv([" : "SELECT * FROM read_csv([");
        for (size_t i = 0; i < c->x->files.count; i++)
            if (c->shape_of[i] == s) {
                buf_puts(out, n++ ? ", " : "");
                front_put_path(c->x, &c->x->files.list[i], out);
            }
        buf_puts(out, "], columns={");
        for (size_t i = 0; i < c->shapes[s].n; i++) {
            buf_puts(out, i ? ", " : "");
            lake_quote_text(out, c->shapes[s].names[i]);
            buf_puts(out, ": ");
            lake_quote_text(out, plain ? "VARCHAR" : type_of(c, c->shapes[s].names[i]));
        }
        buf_putc(out, '}');
        put_options(c, out);
        buf_putc(out, ')');
    }
}

/* ---- types from the values ---- */
/* The first that all values of a column fit is its type; counted in one look at all files. */
static const struct guess {
    const char *type, *test; /* %s: the column */
} guesses[] = {
    {"INTEGER", "regexp_full_match(%s, '[+-]?[0-9]{1,10}') AND TRY_CAST(%s AS INTEGER) IS NOT NULL"},
    {"BIGINT", "regexp_full_match(%s, '[+-]?[0-9]{1,19}') AND TRY_CAST(%s AS BIGINT) IS NOT NULL"},
    {"DOUBLE", "TRY_CAST(%s AS DOUBLE) IS NOT NULL"},
    {"DATE", "regexp_full_match(%s, '[0-9]{4}-[0-9]{2}-[0-9]{2}') AND TRY_CAST(%s AS DATE) IS NOT NULL"},
    {"TIMESTAMPTZ", "regexp_matches(%s, '^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}') AND TRY_CAST(%s AS TIMESTAMPTZ) IS NOT NULL"},
    {"BOOLEAN", "lower(%s) IN ('true', 'false')"},
};

static void put_test(const char *test, const char *column, struct buf *out)
{
    for (const char *hole; (hole = strstr(test, "%s")); test = hole + 2) {
        buf_add(out, test, (size_t)(hole - test));
        lake_quote_name(out, column);
    }
    buf_puts(out, test);
}

static void put_counts(const struct csv *c, struct buf *out)
{
    buf_puts(out, "SELECT 0");
    for (size_t i = 0; i < c->n; i++) {
        buf_puts(out, ", count(");
        lake_quote_name(out, c->names[i]);
        buf_putc(out, ')');
        for (size_t g = 0; g < ARRAY_LEN(guesses); g++) {
            buf_puts(out, ", count(*) FILTER (WHERE ");
            put_test(guesses[g].test, c->names[i], out);
            buf_putc(out, ')');
        }
    }
    buf_puts(out, " FROM (");
    put_readers(c, true, out);
    buf_putc(out, ')');
}

static bool infer(struct csv *c, const bool *known)
{
    struct buf sql;
    buf_init(&sql, LAKE_SQL_MAX);
    put_counts(c, &sql);
    struct duck_rows *r = buf_ok(&sql, "the statement", c->e)
                              ? duck_query(c->f->conn, buf_str(&sql), duck_no_params, c->f->cancel, c->e) : NULL;
    bool ok = r && duck_next_row(r, c->f->cancel, c->e);
    for (size_t i = 0; ok && i < c->n; i++) {
        size_t at = 1 + i * (1 + ARRAY_LEN(guesses)), g = 0;
        int64_t values = duck_int(r, at);
        while (g < ARRAY_LEN(guesses) && duck_int(r, at + 1 + g) != values)
            g++;
        if (!known[i] && values && g < ARRAY_LEN(guesses))
            c->types[i] = guesses[g].type;
    }
    duck_rows_free(r);
    buf_release(&sql);
    if (!ok)
        c->e->position = 0;
    return ok;
}

/* What the engine can read out of a field by itself; the rest stays text, and is cast later. */
static const char *type_wanted(const struct csv *c, const char *name)
{
    const struct delta_column *column = c->wanted ? delta_schema_find(c->wanted, name) : NULL;
    if (!column)
        return NULL;
    if (column->type == DELTA_NESTED || column->type == DELTA_BINARY || column->type == DELTA_VOID)
        return "VARCHAR";
    struct buf type;
    buf_init(&type, 4096);
    lake_duck_type(&type, column->type_json);
    const char *kept = arena_strdup(&c->f->arena, buf_str(&type));
    buf_release(&type);
    return kept;
}

static bool find_types(struct csv *c)
{
    size_t cap = 1;
    for (size_t s = 0; s < c->n_shapes; s++)
        cap += c->shapes[s].n;
    c->names = arena_alloc(&c->f->arena, cap * sizeof *c->names);
    c->types = arena_alloc(&c->f->arena, cap * sizeof *c->types);
    bool *known = arena_alloc(&c->f->arena, cap), all = true;
    for (size_t s = 0; s < c->n_shapes; s++)
        for (size_t i = 0; i < c->shapes[s].n; i++) {
            const char *name = c->shapes[s].names[i], *type = type_wanted(c, name);
            size_t at = 0;
            while (at < c->n && strcasecmp(c->names[at], name) != 0)
                at++;
            if (at < c->n)
                continue;
            known[at] = type != NULL;
            all = all && type;
            c->names[at] = name;
            c->types[at] = type ? type : "VARCHAR";
            c->n++;
        }
    return all || !front_files_flag(c->x, "inferSchema", !c->x->load) || infer(c, known);
}

bool front_csv_sql(struct front *f, const struct front_files *x, const struct delta_schema *wanted, struct buf *out, struct err *e)
{
    const char *delimiter = front_files_text(x, "delimiter"), *quote = front_files_text(x, "quote"),
               *escape = front_files_text(x, "escape"), *comment = front_files_text(x, "comment");
    struct csv c = {.f = f, .x = x, .wanted = x->schema.count ? &x->schema : wanted, .e = e,
                    .delimiter = delimiter ? delimiter : ",", .quote = quote ? quote : "\"",
                    .escape = escape && *escape ? escape : quote && *quote ? quote : "\"",
                    .comment = comment ? comment : "", .header = front_files_flag(x, "header", false)};
    if (!strcmp(c.delimiter, "\\t"))
        c.delimiter = "\t";
    if (!find_shapes(&c) || !find_types(&c))
        return false;
    if (c.n_shapes)
        put_readers(&c, false, out);
    return true;
}
