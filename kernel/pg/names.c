/* Names for Tab and Shift-Tab: which query answers what (see names.h). */
#include "pg/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "pg/exec.h"
#include "pg/sql.h"

static const struct {
    const char *sql;
    const char *what; /* the last parameter: kinds of relations, what of names_objects.sql; NULL: there is none */
    bool schema;      /* the second parameter is the caller's schema */
    bool prefix;      /* the first one is the prefix */
} queries[] = {
    [PG_NAMES_RELATIONS] = {sql_names_relations, "rpvmf", true, true},
    [PG_NAMES_VIEWS] = {sql_names_relations, "vm", true, true},
    [PG_NAMES_INDEXES] = {sql_names_relations, "iI", true, true},
    [PG_NAMES_SEQUENCES] = {sql_names_relations, "S", true, true},
    [PG_NAMES_FUNCTIONS] = {sql_names_functions, NULL, true, true},
    [PG_NAMES_TYPES] = {sql_names_types, NULL, true, true},
    [PG_NAMES_SCHEMAS] = {sql_names_objects, "schema", false, true},
    [PG_NAMES_DATABASES] = {sql_names_objects, "database", false, true},
    [PG_NAMES_ROLES] = {sql_names_objects, "role", false, true},
    [PG_NAMES_EXTENSIONS] = {sql_names_objects, "extension", false, true},
    [PG_NAMES_SETTINGS] = {sql_names_objects, "setting", false, true},
    [PG_NAMES_VALUES] = {sql_names_values, NULL, true, true},
    [PG_NAMES_COLUMNS] = {sql_names_columns, "f", true, true},
    [PG_NAMES_JOINS] = {sql_names_joins, NULL, true, false},
};

struct reader {
    pg_name_fn *name;
    pg_about_fn *about;
    void *self;
    size_t n;
};

static bool take(void *self, const struct pg_value *v, size_t n)
{
    struct reader *r = self;
    const char *text[3] = {"", "", ""};
    for (size_t i = 0; i < n && i < ARRAY_LEN(text); i++)
        text[i] = v[i].text ? v[i].text : "";
    r->n++;
    if (r->name)
        r->name(r->self, text[0], text[1], text[2]);
    else
        r->about(r->self, text[0], text[1], text[2]);
    return true;
}

bool pg_names(struct pg_conn *conn, enum pg_names kind, const char *schema, const char *prefix, pg_name_fn *fn, void *self,
              struct cancel *c, struct err *e)
{
    struct reader r = {.name = fn, .self = self};
    struct pg_rows rows = {.self = &r, .row = take};
    const char *params[3];
    size_t n = 0;
    if (queries[kind].prefix)
        params[n++] = prefix;
    if (queries[kind].schema)
        params[n++] = schema;
    if (queries[kind].what)
        params[n++] = queries[kind].what;
    return pg_exec(conn, queries[kind].sql, params, n, &rows, c, e);
}

bool pg_about(struct pg_conn *conn, const char *schema, const char *name, const char *relations, bool relation_first,
              pg_about_fn *fn, void *self, struct cancel *c, struct err *e)
{
    const char *as_column[] = {name, relations}, *as_named[] = {schema, name}, *as_object[] = {name};
    const struct {
        const char *sql;
        const char *const *params;
        size_t n;
    } all[] = {{sql_about_column, as_column, 2},
               {sql_about_relation, as_named, 2},
               {sql_about_function, as_named, 2},
               {sql_about_object, as_object, 1}};
    struct reader r = {.about = fn, .self = self};
    struct pg_rows rows = {.self = &r, .row = take};
    for (size_t i = relation_first ? 1 : 0; i < ARRAY_LEN(all) && r.n == 0; i++) {
        if (all[i].n == 1 && schema)
            continue;
        if (!pg_exec(conn, all[i].sql, all[i].params, all[i].n, &rows, c, e))
            return false;
    }
    return true;
}

struct progress_reader {
    char *text;
    long long done, total;
};

static bool take_progress(void *self, const struct pg_value *v, size_t n)
{
    struct progress_reader *r = self;
    if (n == 3 && !r->text && v[0].text) {
        r->text = xstrndup(v[0].text, v[0].len);
        r->done = v[1].text ? strtoll(v[1].text, NULL, 10) : 0;
        r->total = v[2].text ? strtoll(v[2].text, NULL, 10) : 0;
    }
    return true;
}

bool pg_progress(struct pg_conn *conn, int pid, char **text, long long *done, long long *total, struct cancel *c, struct err *e)
{
    char number[16];
    const char *params[] = {number};
    struct progress_reader r = {0};
    struct pg_rows rows = {.self = &r, .row = take_progress};
    snprintf(number, sizeof number, "%d", pid);
    bool ok = pg_exec(conn, sql_progress, params, 1, &rows, c, e);
    *text = r.text;
    *done = r.done;
    *total = r.total;
    return ok;
}
