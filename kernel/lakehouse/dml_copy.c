/*
 * COPY INTO: rows of files into a table, each file once. What was loaded is in the table's own log: for each file a `txn` action,
 * in the commit that adds its rows. So a crash leaves both or none, two loads at once cannot both win, and the knowledge goes with the
 * table. A file is known by its volume and its name, as on the service: one that has changed since is not loaded again.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jx.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "lakehouse/dml.h"
#include "lakehouse/front_files.h"
#include "lakehouse/front_table.h"

struct copy {
    struct front_name table;
    bool by_position, force, merge;
    size_t columns, columns_end; /* tokens of the list of columns */
    size_t query, query_end;     /* tokens of FROM (SELECT …); else the path stands for itself */
    struct front_files *x;       /* in the arena */
    int64_t rows, corrupt;
};

/* ---- parsing ---- */
/* ('name', …) */
static bool take_names(struct front *f, struct front_files *x, struct err *e)
{
    x->names = arena_alloc(&f->arena, FRONT_FILE_NAMES_MAX * sizeof *x->names);
    if (!front_need_symbol(f, "(", e))
        return false;
    do {
        if (x->n_names == FRONT_FILE_NAMES_MAX)
            return front_error(f, front_now(f), "INVALID_PARAMETER_VALUE", "22023", e, "FILES takes at most %d names", FRONT_FILE_NAMES_MAX);
        if (!front_take_string(f, &x->names[x->n_names++], e))
            return false;
    } while (front_take_symbol(f, ","));
    return front_need_symbol(f, ")", e);
}

static bool copy_option(struct front *f, struct copy *c, const struct front_option *o, struct err *e)
{
    bool yes = !strcasecmp(o->value, "true"), *to = !strcasecmp(o->name, "force") ? &c->force
                                                    : !strcasecmp(o->name, "mergeSchema") ? &c->merge : NULL;
    if (!to)
        return front_error(f, o->at, "UNSUPPORTED_FEATURE.OPTION", "0A000", e, "'%.60s' is no option of COPY_OPTIONS: force and mergeSchema are", o->name);
    if (!yes && strcasecmp(o->value, "false") != 0)
        return front_error(f, o->at, "INVALID_PARAMETER_VALUE", "22023", e, "the option %s is true or false, not '%.60s'", o->name, o->value);
    *to = yes;
    return true;
}

/* ('header' = 'true', …) */
static bool take_options(struct front *f, struct copy *c, bool of_copy, struct err *e)
{
    if (!front_need_symbol(f, "(", e))
        return false;
    do {
        struct front_option o = {.at = front_now(f), .name = front_now(f)->text};
        if (!token_names(o.at) && o.at->kind != TOKEN_STRING)
            return front_expected(f, "the name of an option", e);
        f->at++;
        if (!front_need_symbol(f, "=", e) || !front_take_option_value(f, &o.value, e) ||
            !(of_copy ? copy_option(f, c, &o, e) : front_files_option(f, c->x, &o, e)))
            return false;
    } while (front_take_symbol(f, ","));
    return front_need_symbol(f, ")", e);
}

static bool clause(struct front *f, struct copy *c, struct err *e)
{
    const struct token *t = front_now(f);
    struct front_files *x = c->x;
    if (front_take(f, "fileformat")) {
        const struct token *format;
        if (!front_need_symbol(f, "=", e))
            return false;
        format = front_now(f);
        f->at++;
        return front_files_format(f, format->text, format, &x->format, e);
    }
    if (front_take(f, "files"))
        return front_need_symbol(f, "=", e) && take_names(f, x, e);
    if (front_take(f, "pattern"))
        return front_need_symbol(f, "=", e) && front_take_string(f, &x->pattern, e);
    if (front_take(f, "format_options"))
        return take_options(f, c, false, e);
    if (front_take(f, "copy_options"))
        return take_options(f, c, true, e);
    if (token_is(t, "validate") || token_is(t, "with"))
        return front_error(f, t, "UNSUPPORTED_FEATURE", "0A000", e, "%s is not supported in COPY INTO: files are in volumes, and "
                           "need no credential; a load that fails writes nothing", token_is(t, "with") ? "WITH (CREDENTIAL …)" : "VALIDATE");
    return front_expected(f, "FILEFORMAT, FILES, PATTERN, FORMAT_OPTIONS or COPY_OPTIONS", e);
}

/* 'path', or (SELECT … FROM 'path') */
static bool take_source(struct front *f, struct copy *c, struct err *e)
{
    const struct token *t = front_now(f);
    if (t->kind == TOKEN_STRING) {
        c->x->at = t;
        c->x->path = t->text;
        f->at++;
        return true;
    }
    size_t end = token_symbol(t, "(") ? front_after_bracket(f, f->at, e) : 0;
    if (!end)
        return e->code != ERR_NONE ? false : front_expected(f, "a path as a string, or (SELECT … FROM a path)", e);
    c->query = f->at + 1;
    c->query_end = end - 1;
    f->copied = c->x;
    if (!front_find_tables(f, c->query, c->query_end, false, e))
        return false;
    if (!c->x->path)
        return front_error(f, t, "PARSE_SYNTAX_ERROR", "42601", e, "the query of COPY INTO reads FROM a path: '/Volumes/…'");
    f->at = end;
    return true;
}

static bool parse(struct front *f, struct copy *c, struct err *e)
{
    f->at = 1;
    c->x = arena_alloc(&f->arena, sizeof *c->x);
    c->x->load = true;
    if (!front_need(f, "into", e) || !front_take_name(f, 3, &c->table, e))
        return false;
    c->by_position = front_take(f, "by position");
    if (!c->by_position && token_symbol(front_now(f), "(")) {
        size_t after = front_after_bracket(f, f->at, e);
        c->columns = f->at + 1;
        c->columns_end = after ? after - 1 : 0;
        f->at = after;
        if (!after)
            return false;
    }
    if (!front_need(f, "from", e) || !take_source(f, c, e))
        return false;
    while (front_now(f)->kind != TOKEN_END)
        if (!clause(f, c, e))
            return false;
    if (!c->x->format)
        return front_expected(f, "FILEFORMAT = CSV, JSON or PARQUET", e);
    if (c->x->pattern && c->x->n_names)
        return front_error(f, front_token(f, 0), "INVALID_PARAMETER_VALUE", "22023", e, "FILES and PATTERN cannot be given together");
    if ((c->by_position || c->columns_end) && (strcmp(c->x->format, "csv") != 0 || front_files_flag(c->x, "header", false)))
        return front_error(f, c->table.token, "INVALID_PARAMETER_VALUE", "22023", e,
                           "columns are matched by position only for CSV files without a header");
    return true;
}

/* ---- which files ---- */
static char *file_key(const struct front_files *x, const struct volume_file *file)
{
    return xasprintf("copy-into/%s/%s", x->volume_id, file->name);
}

static void drop_loaded(const struct front_files *from, const struct delta_snapshot *s, struct volume_files *files)
{
    size_t kept = 0;
    for (size_t i = 0; i < files->count; i++) {
        char *key = file_key(from, &files->list[i]);
        if (!json_object_get(s->transactions, key))
            files->list[kept++] = files->list[i];
        free(key);
    }
    files->count = kept;
}

/* Can every value of the file be read? */
static bool readable(struct front *f, const struct front_files *x, const struct volume_file *file, struct err *e)
{
    struct front_files one = *x;
    struct volume_file copy = *file;
    struct buf reader, sql;
    one.files = (struct volume_files){&copy, 1, 1};
    buf_init(&reader, LAKE_SQL_MAX);
    buf_init(&sql, LAKE_SQL_MAX);
    bool ok = front_reader_sql(f, &one, NULL, &reader, e);
    buf_printf(&sql, "SELECT max(hash(t)) FROM (%s) AS t", buf_str(&reader));
    ok = ok && (!reader.len || duck_run(f->conn, buf_str(&sql), duck_no_params, f->cancel, e));
    buf_release(&reader);
    buf_release(&sql);
    return ok;
}

/* ignoreCorruptFiles: those that cannot be read are counted, and tried again by the next load. */
static bool drop_corrupt(struct front *f, struct copy *c, struct err *e)
{
    size_t kept = 0;
    c->corrupt = 0;
    for (size_t i = 0; i < c->x->files.count; i++) {
        struct err why;
        err_init(&why);
        if (readable(f, c->x, &c->x->files.list[i], &why)) {
            c->x->files.list[kept++] = c->x->files.list[i];
        } else if (why.code == ERR_SQL) {
            c->corrupt++;
        } else {
            *e = why;
            return false;
        }
    }
    c->x->files.count = kept;
    return true;
}

/* ---- columns ---- */
struct match {
    struct delta_schema schema; /* of the table after it */
    size_t *from;               /* by column of it: place in the source from 1; 0: none */
    size_t n_from;
    bool grown;
};

static bool mismatch(struct front *f, const struct copy *c, const char *name, struct err *e)
{
    front_error(f, c->x->at, "DELTA_METADATA_MISMATCH.SCHEMA_MISMATCH", "42KDG", e, "the table has no column '%.100s', and the files do", name);
    if (!strncmp(name, "_c", 2))
        err_hint(e, "files without a header have columns _c0, _c1 …: FORMAT_OPTIONS ('header' = 'true'), COPY INTO t BY POSITION, or a SELECT");
    else
        err_hint(e, "COPY_OPTIONS ('mergeSchema' = 'true') adds it to the table; or choose columns in a SELECT");
    return false;
}

static void fill(struct match *m, size_t column, size_t place)
{
    if (column >= m->n_from) {
        m->from = xreallocarray(m->from, column + 1, sizeof *m->from);
        memset(m->from + m->n_from, 0, (column + 1 - m->n_from) * sizeof *m->from);
        m->n_from = column + 1;
    }
    m->from[column] = place;
}

static bool match_name(struct front *f, const struct copy *c, duckdb_statement s, idx_t i, struct match *m, struct err *e)
{
    const char *name = duck->prepared_statement_column_name(s, i);
    const struct delta_column *column = delta_schema_find(&m->schema, name);
    bool ok = column || c->merge || mismatch(f, c, name, e);
    if (ok && !column) {
        struct lake_column found = {0};
        const char *convert;
        duckdb_type_ref type = duck->prepared_statement_column_logical_type(s, i);
        lake_column_of(type, &found, &convert);
        ok = delta_schema_add(&m->schema, name, found.type_text, true, NULL, e);
        lake_column_release(&found);
        duck->destroy_logical_type(&type);
        m->grown = true;
        column = ok ? &m->schema.columns[m->schema.count - 1] : NULL;
    }
    if (ok)
        fill(m, (size_t)(column - m->schema.columns), i + 1);
    duck->free((void *)(uintptr_t)name);
    return ok;
}

/* BY POSITION, or the list of columns. */
static bool match_places(struct front *f, const struct copy *c, size_t given, struct match *m, struct err *e)
{
    size_t wanted = c->by_position ? m->schema.count : 0;
    for (size_t i = 0; c->by_position && i < wanted; i++)
        fill(m, i, i + 1);
    for (f->at = c->columns; f->at < c->columns_end;) {
        const struct token *t = front_now(f);
        const struct delta_column *column = token_names(t) ? delta_schema_find(&m->schema, t->text) : NULL;
        if (!column)
            return front_error(f, t, "UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703", e, "the table has no column '%s'", t->text);
        fill(m, (size_t)(column - m->schema.columns), ++wanted);
        f->at++;
        if (f->at < c->columns_end && !front_need_symbol(f, ",", e))
            return false;
    }
    return wanted == given || front_error(f, c->table.token, "COPY_INTO_COLUMN_ARITY_MISMATCH", "21S01", e,
                                          "%zu columns are to be filled, and the files have %zu", wanted, given);
}

static bool match_columns(struct front *f, const struct copy *c, const char *source, const struct front_map *map, struct match *m,
                          struct err *e)
{
    duckdb_statement s = duck_prepare(f->conn, source, e);
    if (!s) {
        front_map_error(f, map, e);
        return false;
    }
    idx_t n = duck->prepared_statement_column_count(s);
    bool ok = true, places = c->by_position || c->columns_end;
    if (places)
        ok = match_places(f, c, n, m, e);
    for (idx_t i = 0; ok && !places && i < n; i++)
        ok = match_name(f, c, s, i, m, e);
    if (m->schema.count)
        fill(m, m->schema.count - 1, m->n_from >= m->schema.count ? m->from[m->schema.count - 1] : 0);
    duck->destroy_prepare(&s);
    return ok;
}

/* ---- rows ---- */
/* What the rows come from: the query with the files in the path's place, or the files. */
static bool source_sql(struct front *f, const struct copy *c, const struct delta_schema *table, struct buf *out, struct front_map *map,
                       struct err *e)
{
    if (!c->query)
        return front_reader_sql(f, c->x, c->by_position || c->columns_end ? NULL : table, out, e);
    struct buf reader;
    buf_init(&reader, LAKE_SQL_MAX);
    bool ok = front_reader_sql(f, c->x, NULL, &reader, e);
    if (ok && reader.len) {
        for (size_t i = 0; i < f->n_tables; i++)
            if (f->tables[i].files == c->x)
                f->tables[i].sql = arena_strndup(&f->arena, buf_str(&reader), reader.len);
        ok = front_resolve_tables(f, e) && front_rewrite(f, c->query, c->query_end, out, map, e) && front_check(f, buf_str(out), e);
    }
    buf_release(&reader);
    return ok;
}

static bool write_rows(struct dml *d, const struct copy *c, struct match *m, struct err *e)
{
    struct front *f = d->f;
    struct buf source, sql;
    struct front_map map = {0};
    buf_init(&source, LAKE_SQL_MAX);
    buf_init(&sql, LAKE_SQL_MAX);
    bool ok = source_sql(f, c, &m->schema, &source, &map, e);
    if (ok && source.len && (ok = match_columns(f, c, buf_str(&source), &map, m, e))) {
        d->shape.schema = &m->schema;
        buf_puts(&sql, "SELECT ");
        for (size_t i = 0; i < m->schema.count; i++) {
            buf_puts(&sql, i ? ", " : "");
            dml_cast_open(&sql);
            if (m->from[i])
                buf_printf(&sql, "#%zu", m->from[i]);
            else
                buf_puts(&sql, "NULL");
            dml_cast_close(&sql, &m->schema.columns[i]);
        }
        buf_puts(&sql, " FROM (");
        for (size_t i = 0; i < map.count; i++) /* places move with the text */
            map.places[i].out += sql.len;
        buf_add(&sql, buf_str(&source), source.len);
        buf_puts(&sql, "\n)");
        ok = buf_ok(&sql, "the statement", e) && dml_write(d, buf_str(&sql), &map, false, &d->data, e);
    }
    free(map.places);
    buf_release(&source);
    buf_release(&sql);
    return ok;
}

static bool publish(struct dml *d, const struct copy *c, const struct match *m, struct err *e)
{
    const struct delta_snapshot *s = d->target->snapshot;
    struct delta_commit *commit = delta_commit_new(s->root, s->version, "COPY INTO");
    if (m->grown)
        delta_commit_metadata(commit, s->id, s->name, s->description, &m->schema, s->partition_columns, s->n_partition_columns, s->configuration);
    for (size_t i = 0; i < d->data.count; i++) {
        d->data.list[i].data_change = true;
        delta_commit_add(commit, &d->data.list[i]);
    }
    for (size_t i = 0; i < c->x->files.count; i++) {
        char *key = file_key(c->x, &c->x->files.list[i]);
        delta_commit_transaction(commit, key, c->x->files.list[i].modified_ms);
        free(key);
    }
    json_object_set_new(d->parameters, "fileFormat", json_string(c->x->format));
    dml_describe(d, commit);
    delta_commit_metric(commit, "numFiles", (int64_t)d->data.count);
    delta_commit_metric(commit, "numOutputRows", d->data.rows);
    delta_commit_metric(commit, "numOutputBytes", d->data.bytes);
    delta_commit_metric(commit, "numSkippedCorruptFiles", c->corrupt);
    bool ok = dml_publish_commit(d, commit, e);
    delta_commit_free(commit);
    if (!ok && e->code == ERR_INVALID_PARAMETER) {
        char text[sizeof e->text];
        memcpy(text, e->text, sizeof text);
        e->code = ERR_NONE;
        front_error(d->f, c->x->at, "DELTA_INVALID_TABLE_DEFINITION", "42000", e, "%s", text);
    }
    return ok;
}

static bool load(struct dml *d, struct copy *c, struct err *e)
{
    const struct delta_snapshot *s = d->target->snapshot;
    struct match m = {0};
    if (!c->force)
        drop_loaded(c->x, s, &c->x->files);
    if (front_files_flag(c->x, "ignoreCorruptFiles", false) && !drop_corrupt(d->f, c, e))
        return false;
    c->rows = 0;
    if (!c->x->files.count)
        return true;
    delta_schema_copy(&m.schema, &s->schema);
    bool ok = write_rows(d, c, &m, e) && publish(d, c, &m, e);
    if (!ok)
        dml_files_discard(&d->data);
    c->rows = ok ? d->data.rows : 0;
    ok = ok && (!m.grown || front_tell_catalog(d->f, &c->table, &m.schema, d->shape.partitions, d->shape.n_partitions, s->configuration, e));
    delta_schema_release(&m.schema);
    free(m.from);
    return ok;
}

static bool attempt(struct front *f, void *self, struct err *e)
{
    struct copy *c = self;
    struct dml d;
    bool ok = dml_begin(&d, f, &c->table, false, e) && front_files_find(f, c->x, e) && load(&d, c, e);
    dml_release(&d);
    if (!ok && e->code == ERR_SQL && !e->position)
        e->position = (int)utf8_count(f->s->sql, c->x->at->start) + 1;
    return ok;
}

struct lake_stream *front_copy(struct front *f, struct err *e)
{
    static const char *const names[] = {"num_affected_rows", "num_inserted_rows", "num_skipped_corrupt_files"};
    struct copy c = {0};
    if (!parse(f, &c, e) || !dml_retry(f, attempt, &c, e))
        return NULL;
    return dml_counts(f, names, (const int64_t[]){c.rows, c.rows, c.corrupt}, 3, e);
}
