/* Shift-Tab in SQL (see inspect_sql.h): cell/sqlscope says what the word is to the statement, the server says the rest. */
#include "magics/inspect_sql.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "cell/sqlscope.h"
#include "magics/side.h"
#include "magics/sidejson.h"
#include "pg/names.h"

enum { SERVER_MS = 400, ABOUT_MAX = 1 << 20 };

struct about {
    struct side_question q;
    struct arena arena;
    const char *schema, *name, *relations;
    bool relation_first;
    struct buf plain, markdown;
};

static void tell(void *self, const char *line, const char *comment, const char *definition)
{
    struct about *a = self;
    const char *gap = a->plain.len ? "\n" : "";
    buf_printf(&a->plain, "%s%s\n", gap, line);
    buf_printf(&a->markdown, "%s`%s`\n", gap, line); /* names may hold what Markdown would read */
    if (*comment) {
        buf_printf(&a->plain, "%s\n", comment);
        buf_puts(&a->markdown, "\n> ");
        for (const char *c = comment; *c; c++) {
            if (strchr("\\`*_{}[]<>()#+-.!|&", *c))
                buf_putc(&a->markdown, '\\');
            buf_putc(&a->markdown, *c == '\n' ? ' ' : *c);
        }
        buf_putc(&a->markdown, '\n');
    }
    if (*definition) {
        buf_printf(&a->plain, "\n%s\n", definition);
        buf_printf(&a->markdown, "\n````sql\n%s\n````\n", definition);
    }
}

static void ask(struct side_question *q, struct pg_conn *conn, struct cancel *c)
{
    struct about *a = (struct about *)q;
    struct err e;
    err_init(&e);
    pg_about(conn, a->schema, a->name, a->relations, a->relation_first, tell, a, c, &e);
}

static void drop(struct side_question *q)
{
    struct about *a = (struct about *)q;
    buf_release(&a->plain);
    buf_release(&a->markdown);
    arena_release(&a->arena);
    free(a);
}

static struct about *about_new(const char *schema, const char *name, const char *relations, bool relation_first)
{
    struct about *a = xcalloc(1, sizeof *a);
    a->q = (struct side_question){.ask = ask, .drop = drop};
    arena_init(&a->arena);
    buf_init(&a->plain, ABOUT_MAX);
    buf_init(&a->markdown, ABOUT_MAX);
    a->schema = schema ? arena_strdup(&a->arena, schema) : NULL;
    a->name = arena_strdup(&a->arena, name);
    a->relations = arena_strdup(&a->arena, relations ? relations : "[]");
    a->relation_first = relation_first;
    return a;
}

static json_t *finish(struct about *a)
{
    json_t *data = NULL;
    if (side_ask(&a->q, SERVER_MS) && a->plain.len > 0) {
        data = json_object();
        json_object_set_new(data, "text/plain", jx_text(buf_str(&a->plain), a->plain.len));
        json_object_set_new(data, "text/markdown", jx_text(buf_str(&a->markdown), a->markdown.len));
    }
    side_drop(&a->q);
    return data;
}

static const struct sql_relation *find(const struct sql_scope *scope, const char *called)
{
    for (size_t i = 0; called && i < scope->n_relations; i++) {
        const struct sql_relation *r = &scope->relations[i];
        const char *name = r->alias ? r->alias : r->name;
        if (r->name && name && strcmp(name, called) == 0)
            return r;
    }
    return NULL;
}

json_t *inspect_sql(const char *code, size_t len, size_t cursor, const struct place *p)
{
    struct arena arena;
    struct sql_scope scope;
    size_t start, end;
    struct about *a = NULL;
    arena_init(&arena);
    place_statement(code, len, cursor, p, &start, &end);
    sql_scope_at(&arena, code + start, end - start, cursor - start, true, &scope);
    if (scope.want != SQL_WANT_NOTHING && *scope.word) {
        const struct sql_relation *behind = find(&scope, scope.qualifier[1]);
        const struct sql_relation *self = scope.qualifier[1] ? NULL : find(&scope, scope.word);
        char *relations = side_relations(&scope, behind ? scope.qualifier[1] : NULL);
        if (self)
            a = about_new(self->schema, self->name, NULL, true);
        else if (behind)
            a = about_new(NULL, scope.word, relations, false);
        else
            a = about_new(scope.qualifier[1], scope.word, scope.qualifier[1] ? NULL : relations,
                          scope.want == SQL_WANT_RELATION || scope.want == SQL_WANT_VIEW || scope.want == SQL_WANT_INDEX ||
                              scope.want == SQL_WANT_SEQUENCE);
        free(relations);
    }
    arena_release(&arena);
    return a ? finish(a) : NULL;
}

json_t *inspect_object(const char *word, size_t len)
{
    struct arena arena;
    arena_init(&arena);
    const char *text = arena_strndup(&arena, word, len), *dot = strchr(text, '.');
    const char *schema = dot ? sql_fold(&arena, text, (size_t)(dot - text)) : NULL;
    const char *name = dot ? dot + 1 : text;
    struct about *a = *name ? about_new(schema, sql_fold(&arena, name, strlen(name)), NULL, true) : NULL;
    arena_release(&arena);
    return a ? finish(a) : NULL;
}
