/* psql's \d family: which query answers which command (see catalog.h). One relation in detail is in describe.c. */
#include "pg/catalog.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/xalloc.h"
#include "pg/describe.h"
#include "pg/sql.h"

enum param { END = 0, NAME, SCHEMA, VISIBLE, HIDE_SYSTEM, KINDS };

struct listing {
    const char *command, *title, *sql, *sql_plus; /* sql_plus: with "+" */
    enum param params[6];                         /* of both queries, in order */
    bool count;                                   /* psql puts the number of rows under it */
};

static const struct listing listings[] = {
    {"l", "List of databases", sql_list_databases, sql_list_databases_plus, {NAME}, true},
    {"dn", "List of schemas", sql_list_schemas, sql_list_schemas_plus, {NAME, HIDE_SYSTEM}, true},
    {"du", "List of roles", sql_list_roles, sql_list_roles_plus, {NAME, HIDE_SYSTEM}, false},
    {"dg", "List of roles", sql_list_roles, sql_list_roles_plus, {NAME, HIDE_SYSTEM}, false},
    {"dx", "List of installed extensions", sql_list_extensions, sql_list_extensions, {NAME}, true},
    {"df", "List of functions", sql_list_functions, sql_list_functions, {NAME, SCHEMA, VISIBLE, HIDE_SYSTEM}, true},
    {"dp", "Access privileges", sql_list_privileges, sql_list_privileges, {NAME, SCHEMA, VISIBLE, HIDE_SYSTEM}, true},
    {"z", "Access privileges", sql_list_privileges, sql_list_privileges, {NAME, SCHEMA, VISIBLE, HIDE_SYSTEM}, true},
};
static const struct listing relations = {
    "d", "List of relations", sql_list_relations, sql_list_relations_plus,
    {NAME, SCHEMA, VISIBLE, HIDE_SYSTEM, KINDS}, true};
static const struct listing indexes = {
    "di", "List of relations", sql_list_indexes, sql_list_indexes_plus,
    {NAME, SCHEMA, VISIBLE, HIDE_SYSTEM, KINDS}, true};

/* "dt", "dtv", …: the kinds of relations (pg_class.relkind) for the letters behind the d. false: another command. */
static bool relation_kinds(const char *command, size_t len, char kinds[16])
{
    static const char *const of[] = {"trp", "vv", "mm", "sS", "iiI", "Ef"};
    size_t n = 0;
    if (len == 0 || command[0] != 'd' || len > 1 + ARRAY_LEN(of))
        return false;
    if (len == 1)
        return snprintf(kinds, 16, "rpvmSf") > 0;
    for (size_t i = 1; i < len; i++) {
        size_t k = 0;
        while (k < ARRAY_LEN(of) && of[k][0] != command[i])
            k++;
        if (k == ARRAY_LEN(of) || memchr(command + 1, command[i], i - 1))
            return false;
        n += (size_t)snprintf(kinds + n, 16 - n, "%s", of[k] + 1);
    }
    return true;
}

struct request {
    const struct listing *listing;
    char kinds[16];     /* of relations */
    bool plus, system;  /* it ends in '+', 'S', or both */
};

/* false: there is no such command. */
static bool find(const char *command, struct request *r)
{
    size_t len = strlen(command);
    *r = (struct request){0};
    for (; len > 1 && (command[len - 1] == '+' || command[len - 1] == 'S'); len--) {
        bool *flag = command[len - 1] == '+' ? &r->plus : &r->system;
        if (*flag)
            return false;
        *flag = true;
    }
    for (size_t i = 0; i < ARRAY_LEN(listings); i++) {
        if (strlen(listings[i].command) == len && memcmp(listings[i].command, command, len) == 0)
            r->listing = &listings[i];
    }
    if (!r->listing && relation_kinds(command, len, r->kinds))
        r->listing = strcmp(r->kinds, "iI") == 0 ? &indexes : &relations;
    return r->listing != NULL;
}

static bool list(struct pg_conn *conn, const struct request *r, const struct pg_pattern *p, bool has_pattern,
                 const struct pg_listing *out, struct cancel *c, struct err *e)
{
    const struct listing *l = r->listing;
    const char *values[ARRAY_LEN(l->params)];
    size_t n = 0;
    for (; l->params[n] != END; n++) {
        switch (l->params[n]) {
        case NAME: values[n] = p->name; break;
        case SCHEMA: values[n] = p->schema; break;
        case VISIBLE: values[n] = p->has_schema ? "f" : "t"; break;
        case HIDE_SYSTEM: values[n] = has_pattern || r->system ? "f" : "t"; break;
        case KINDS: values[n] = r->kinds; break;
        case END: break;
        }
    }
    struct pg_rows rows = out->rows;
    rows.done = NULL;
    out->begin(out->self, l->title);
    if (!pg_exec(conn, r->plus ? l->sql_plus : l->sql, values, n, &rows, c, e))
        return false;
    out->end(out->self, l->count ? NULL : "");
    return true;
}

bool pg_describe(struct pg_conn *conn, const char *command, const char *pattern, const struct pg_listing *out,
                 struct cancel *c, struct err *e)
{
    struct request r;
    if (!find(command, &r))
        return err_set(e, ERR_USAGE, "unknown command \\%s", command);
    struct arena a;
    struct pg_pattern p;
    arena_init(&a);
    bool has_pattern = pattern && *pattern, ok = pg_pattern_parse(&a, pattern, &p, e);
    bool takes_schema = r.listing->params[1] == SCHEMA;
    if (ok && p.has_schema && !takes_schema)
        ok = err_set(e, ERR_USAGE, "\\%s takes a name without a dot", command);
    if (ok && has_pattern && command[0] == 'd' && strspn(command + 1, "+S") == strlen(command + 1))
        ok = pg_describe_relations(conn, pattern, &p, r.plus, out, c, e);
    else if (ok)
        ok = list(conn, &r, &p, has_pattern, out, c, e);
    arena_release(&a);
    return ok;
}
