/* Tab in SQL (see complete.h): cell/sqlscope says what could stand there, the side connection which names there are. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "cell/sqlscope.h"
#include "magics/complete.h"
#include "magics/names.h"
#include "magics/side.h"
#include "magics/sidejson.h"
#include "pg/names.h"

/* Tab waits so long for the server; then it offers what is known without it. */
enum { SERVER_MS = 400, LOOKUPS_MAX = 6 };

struct lookup {
    enum pg_names kind;
    const char *schema, *prefix;
};

/* One Tab's lookups, and what came of them; all in its arena. */
struct tab {
    struct side_question q;
    struct arena arena;
    struct lookup lookups[LOOKUPS_MAX];
    size_t n_lookups;
    struct completion *found;
    size_t n_found, cap;
    bool call; /* a function is wanted to be called */
};

static void keep(void *self, const char *text, const char *type, const char *help)
{
    struct tab *t = self;
    if (t->n_found == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        struct completion *more = arena_alloc(&t->arena, t->cap * sizeof *more);
        if (t->n_found)
            memcpy(more, t->found, t->n_found * sizeof *more);
        t->found = more;
    }
    t->found[t->n_found++] = (struct completion){arena_strdup(&t->arena, text), arena_strdup(&t->arena, type),
                                                 arena_strdup(&t->arena, help)};
}

static void ask(struct side_question *q, struct pg_conn *conn, struct cancel *c)
{
    struct tab *t = (struct tab *)q;
    for (size_t i = 0; i < t->n_lookups; i++) {
        struct err e;
        err_init(&e);
        const struct lookup *l = &t->lookups[i];
        if (!pg_names(conn, l->kind, l->schema, l->prefix, keep, t, c, &e) && cancel_fired(c))
            return;
    }
}

static void drop(struct side_question *q)
{
    struct tab *t = (struct tab *)q;
    arena_release(&t->arena);
    free(t);
}

static struct tab *tab_new(void)
{
    struct tab *t = xcalloc(1, sizeof *t);
    arena_init(&t->arena);
    t->q = (struct side_question){.ask = ask, .drop = drop};
    return t;
}

static void look_up(struct tab *t, enum pg_names kind, const char *schema, const char *prefix)
{
    if (t->n_lookups < LOOKUPS_MAX)
        t->lookups[t->n_lookups++] = (struct lookup){
            kind, schema ? arena_strdup(&t->arena, schema) : NULL, arena_strdup(&t->arena, prefix)};
}

static const char *called_or_not(struct tab *t, const struct completion *c)
{
    return t->call && strcmp(c->type, "function") == 0 ? arena_printf(&t->arena, "%s(", c->text) : c->text;
}

/* Ask, and take what came. The tab is gone afterwards. */
static void finish(struct search *s, struct tab *t)
{
    if (t->n_lookups == 0) {
        drop(&t->q);
        return;
    }
    if (side_ask(&t->q, SERVER_MS)) {
        for (size_t i = 0; i < t->n_found; i++)
            search_take(s, called_or_not(t, &t->found[i]), t->found[i].type, t->found[i].help);
    }
    side_drop(&t->q);
}

static bool begins(const char *name, const char *prefix) { return strncasecmp(name, prefix, strlen(prefix)) == 0; }

/* Columns of subqueries, which no server knows; only of `alias`, when it is given. */
static void local_columns(struct search *s, const struct sql_scope *scope, const char *alias)
{
    for (size_t i = 0; i < scope->n_relations; i++) {
        const struct sql_relation *r = &scope->relations[i];
        for (size_t k = 0; k < r->n_columns; k++) {
            if (begins(r->columns[k], scope->word) && (!alias || (r->alias && strcmp(r->alias, alias) == 0)))
                search_take(s, r->columns[k], "column", r->alias ? r->alias : "");
        }
    }
}

static const char *called(const struct sql_relation *r) { return r->alias ? r->alias : r->name; }

static void look_up_columns(struct tab *t, const struct sql_scope *scope, const char *alias)
{
    char *relations = side_relations(scope, alias);
    if (relations)
        look_up(t, PG_NAMES_COLUMNS, relations, scope->word);
    free(relations);
}

/* Behind "x." in an expression: the columns of x, or what schema x has. */
static void behind_dot(struct search *s, struct tab *t, const struct sql_scope *scope)
{
    const char *x = scope->qualifier[1];
    bool known = false;
    for (size_t i = 0; i < scope->n_relations && !known; i++)
        known = called(&scope->relations[i]) && strcmp(called(&scope->relations[i]), x) == 0;
    local_columns(s, scope, x);
    if (known) {
        look_up_columns(t, scope, x);
        return;
    }
    char *relation = side_relation(scope->qualifier[0], x);
    look_up(t, PG_NAMES_COLUMNS, relation, scope->word);
    free(relation);
    if (!scope->qualifier[0])
        look_up(t, PG_NAMES_FUNCTIONS, x, scope->word);
}

static void expression(struct search *s, struct tab *t, const struct sql_scope *scope)
{
    if (scope->qualifier[1]) {
        behind_dot(s, t, scope);
        return;
    }
    if (scope->want == SQL_WANT_JOIN && !*scope->word) {
        char *relations = side_relations(scope, NULL);
        if (relations)
            look_up(t, PG_NAMES_JOINS, relations, "");
        free(relations);
    }
    local_columns(s, scope, NULL);
    look_up_columns(t, scope, NULL);
    if (*scope->word)
        look_up(t, PG_NAMES_FUNCTIONS, NULL, scope->word);
}

static void aliases(struct search *s, const struct sql_scope *scope)
{
    for (size_t i = 0; i < scope->n_relations; i++) {
        const char *name = called(&scope->relations[i]);
        if (name && begins(name, scope->word))
            search_take(s, name, "alias", scope->relations[i].name);
    }
}

struct variable_search {
    struct search *s;
    const char *prefix;
};

static void add_variable(void *self, const char *name)
{
    struct variable_search *v = self;
    if (begins(name, v->prefix))
        search_take(v->s, name, "variable", NULL);
}

/* What is simply asked from the server. */
static const struct {
    enum sql_want want;
    enum pg_names kind;
} simple[] = {{SQL_WANT_VIEW, PG_NAMES_VIEWS},       {SQL_WANT_INDEX, PG_NAMES_INDEXES},
              {SQL_WANT_SEQUENCE, PG_NAMES_SEQUENCES}, {SQL_WANT_FUNCTION, PG_NAMES_FUNCTIONS},
              {SQL_WANT_TYPE, PG_NAMES_TYPES},       {SQL_WANT_SCHEMA, PG_NAMES_SCHEMAS},
              {SQL_WANT_DATABASE, PG_NAMES_DATABASES}, {SQL_WANT_ROLE, PG_NAMES_ROLES},
              {SQL_WANT_EXTENSION, PG_NAMES_EXTENSIONS}, {SQL_WANT_SETTING, PG_NAMES_SETTINGS}};

static void relations_wanted(struct search *s, struct tab *t, const struct sql_scope *scope)
{
    for (size_t i = 0; i < scope->n_ctes && !scope->qualifier[1]; i++) {
        if (begins(scope->ctes[i], scope->word))
            search_take(s, scope->ctes[i], "table", "of WITH");
    }
    look_up(t, PG_NAMES_RELATIONS, scope->qualifier[1], scope->word);
    if (*scope->word)
        look_up(t, PG_NAMES_FUNCTIONS, scope->qualifier[1], scope->word);
}

static void wanted(struct search *s, const struct sql_scope *scope)
{
    struct tab *t = tab_new();
    t->call = true;
    switch (scope->want) {
    case SQL_WANT_RELATION: relations_wanted(s, t, scope); break;
    case SQL_WANT_EXPR: case SQL_WANT_JOIN: expression(s, t, scope); break;
    case SQL_WANT_COLUMN:
        local_columns(s, scope, scope->qualifier[1]);
        if (scope->qualifier[1])
            behind_dot(s, t, scope);
        else
            look_up_columns(t, scope, NULL);
        break;
    case SQL_WANT_VALUE: look_up(t, PG_NAMES_VALUES, scope->subject, scope->word); break;
    case SQL_WANT_VARIABLE: {
        struct variable_search v = {s, scope->word};
        names_each(NAMES_VARIABLE, add_variable, &v);
        break;
    }
    default:
        for (size_t i = 0; i < ARRAY_LEN(simple); i++) {
            if (simple[i].want != scope->want)
                continue;
            t->call = false;
            look_up(t, simple[i].kind, scope->qualifier[1], scope->word);
        }
    }
    finish(s, t);
    if ((scope->want == SQL_WANT_EXPR || scope->want == SQL_WANT_JOIN) && !scope->qualifier[1])
        aliases(s, scope);
}

void complete_sql(struct search *s, const char *code, size_t len, size_t cursor, const struct place *p)
{
    struct sql_scope scope;
    size_t start, end;
    place_statement(code, len, cursor, p, &start, &end);
    sql_scope_at(&s->out->arena, code + start, end - start, cursor - start, false, &scope);
    if (scope.want == SQL_WANT_NOTHING)
        return;
    s->out->start = start + scope.start;
    s->out->end = cursor;
    s->prefix = code + s->out->start;
    s->len = s->out->end - s->out->start;
    wanted(s, &scope);
    bool words = scope.want == SQL_WANT_START || scope.want == SQL_WANT_KEYWORD || scope.want == SQL_WANT_EXPR ||
                 scope.want == SQL_WANT_JOIN || scope.want == SQL_WANT_RELATION || scope.want == SQL_WANT_TYPE;
    if (words && !scope.qualifier[1])
        search_keywords(s);
}

void complete_objects(struct search *s, const char *provider)
{
    static const struct {
        const char *provider;
        enum pg_names kind;
    } known[] = {{"relation", PG_NAMES_RELATIONS}, {"index", PG_NAMES_INDEXES},     {"view", PG_NAMES_VIEWS},
                 {"sequence", PG_NAMES_SEQUENCES}, {"schema", PG_NAMES_SCHEMAS},    {"role", PG_NAMES_ROLES},
                 {"function", PG_NAMES_FUNCTIONS}, {"database", PG_NAMES_DATABASES},
                 {"extension", PG_NAMES_EXTENSIONS}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(known[i].provider, provider) != 0)
            continue;
        struct tab *t = tab_new();
        struct arena a;
        arena_init(&a);
        const char *word = arena_strndup(&a, s->prefix, s->len), *dot = strchr(word, '.');
        const char *schema = dot ? sql_fold(&a, word, (size_t)(dot - word)) : NULL;
        const char *name = dot ? dot + 1 : word;
        if (dot) {
            s->out->start += (size_t)(dot + 1 - word);
            s->len -= (size_t)(dot + 1 - word);
            s->prefix += dot + 1 - word;
        }
        look_up(t, known[i].kind, schema, sql_fold(&a, name, strlen(name)));
        arena_release(&a);
        finish(s, t);
    }
}
