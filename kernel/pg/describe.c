/* \d NAME: columns (or what an index or sequence has instead) and, under them, indexes, constraints, triggers … */
#include "pg/describe.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/xalloc.h"
#include "pg/sql.h"

enum { RELATIONS_MAX = 1000, FOOTER_MAX = 1 << 20 };

struct relation {
    const char *oid, *schema, *name;
    char kind;
    bool unlogged;
};

struct finder {
    struct arena *arena;
    struct relation *found;
    size_t n;
    bool too_many;
};

static bool note_relation(void *self, const struct pg_value *v, size_t n)
{
    struct finder *f = self;
    if (n < 5 || f->n == RELATIONS_MAX) {
        f->too_many = true;
        return false;
    }
    f->found[f->n++] = (struct relation){.oid = arena_strndup(f->arena, v[0].text, v[0].len),
                                         .schema = arena_strndup(f->arena, v[2].text, v[2].len),
                                         .name = arena_strndup(f->arena, v[3].text, v[3].len),
                                         .kind = v[1].text[0],
                                         .unlogged = v[4].text[0] == 'u'};
    return true;
}

/* Lines under the table, grouped under their headings. */
struct footers {
    struct buf text;
    char heading[80];
};

static bool note_footer(void *self, const struct pg_value *v, size_t n)
{
    struct footers *f = self;
    if (n < 3 || !v[2].text)
        return true;
    if (f->text.len > 0)
        buf_putc(&f->text, '\n');
    if (!v[1].text) {
        buf_puts(&f->text, v[2].text);
        return true;
    }
    if (strcmp(f->heading, v[1].text) != 0) {
        snprintf(f->heading, sizeof f->heading, "%s", v[1].text);
        buf_printf(&f->text, "%s\n", v[1].text);
    }
    buf_printf(&f->text, "    %s", v[2].text);
    return true;
}

static bool note_line(void *self, const struct pg_value *v, size_t n)
{
    struct footers *f = self;
    if (n > 0 && v[0].text)
        buf_printf(&f->text, "%s%s", f->text.len > 0 ? "\n" : "", v[0].text);
    return true;
}

static const char *kind_name(const struct relation *r)
{
    switch (r->kind) {
    case 'r': return r->unlogged ? "Unlogged table" : "Table";
    case 'p': return r->unlogged ? "Unlogged partitioned table" : "Partitioned table";
    case 'v': return "View";
    case 'm': return "Materialized view";
    case 'i': return r->unlogged ? "Unlogged index" : "Index";
    case 'I': return r->unlogged ? "Unlogged partitioned index" : "Partitioned index";
    case 'S': return r->unlogged ? "Unlogged sequence" : "Sequence";
    case 't': return "TOAST table";
    case 'f': return "Foreign table";
    case 'c': return "Composite type";
    default: return "Relation";
    }
}

static const char *query_of(char kind, bool plus)
{
    switch (kind) {
    case 'S': return sql_relation_sequence;
    case 'i': case 'I': return plus ? sql_relation_index_plus : sql_relation_index;
    case 'v': case 'c': return plus ? sql_relation_columns_view_plus : sql_relation_columns;
    case 'f': return plus ? sql_relation_columns_foreign_plus : sql_relation_columns;
    default: return plus ? sql_relation_columns_table_plus : sql_relation_columns;
    }
}

static bool describe_one(struct pg_conn *conn, struct arena *a, const struct relation *r, bool plus,
                         const struct pg_listing *out, struct cancel *c, struct err *e)
{
    const char *sql = query_of(r->kind, plus), *params[] = {r->oid, plus ? "t" : "f"};
    struct footers f = {.heading = ""};
    struct pg_rows lines = {.self = &f, .row = note_footer}, more = {.self = &f, .row = note_line}, rows = out->rows;
    buf_init(&f.text, FOOTER_MAX);
    rows.done = NULL;
    out->begin(out->self, arena_printf(a, "%s \"%s.%s\"", kind_name(r), r->schema, r->name));
    bool ok = pg_exec(conn, sql, &r->oid, 1, &rows, c, e) &&
              pg_exec(conn, sql_relation_footers, params, 2, &lines, c, e) &&
              (!plus || pg_exec(conn, sql_relation_footers_plus, &r->oid, 1, &more, c, e)) &&
              buf_ok(&f.text, "the description", e);
    if (ok)
        out->end(out->self, buf_str(&f.text));
    buf_release(&f.text);
    return ok;
}

bool pg_describe_relations(struct pg_conn *conn, const char *shown, const struct pg_pattern *p, bool plus,
                           const struct pg_listing *out, struct cancel *c, struct err *e)
{
    struct arena a;
    arena_init(&a);
    struct finder f = {.arena = &a, .found = arena_alloc(&a, RELATIONS_MAX * sizeof(struct relation))};
    struct pg_rows rows = {.self = &f, .row = note_relation};
    const char *values[] = {p->name, p->schema, p->has_schema ? "f" : "t"};
    bool ok = pg_exec(conn, sql_relation_find, values, 3, &rows, c, e);
    if (ok && f.too_many)
        ok = err_set(e, ERR_TOO_BIG, "more than %d relations fit '%s'", RELATIONS_MAX, shown);
    if (ok && f.n == 0) {
        ok = err_set(e, ERR_NOT_FOUND, strpbrk(shown, "*?") ? "no relation fits \"%s\"" : "no relation is named \"%s\"", shown);
        err_hint(e, "\\dt lists the tables; names are lower case unless quoted, and may need their schema: "
                    "schema.name");
    }
    for (size_t i = 0; ok && i < f.n; i++)
        ok = describe_one(conn, &a, &f.found[i], plus, out, c, e);
    arena_release(&a);
    return ok;
}
