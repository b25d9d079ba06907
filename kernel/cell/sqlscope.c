/*
 * What could stand at a place in a statement (see sqlscope.h). The walk (sqlwalk.h) has found the parentheses; what is seen
 * from the place is what its own ones and those around it have.
 */
#include "cell/sqlscope.h"

#include <string.h>

#include "base/xalloc.h"
#include "cell/sqlwalk.h"

enum { WORDS_BACK = 6, STARS_MAX = 8 };

/* ---- what is wanted ---- */

/* Tokens before the place and its qualifier, nearest first, IF [NOT] EXISTS and the like left out. */
static size_t words_before(const struct walk *w, size_t from, const struct token *out[WORDS_BACK])
{
    static const char *const noise[] = {"if", "not", "exists", "concurrently", "only"};
    static const struct token none = {.name = ""};
    size_t n = 0;
    for (size_t i = from; i-- > 0 && n < WORDS_BACK;) {
        if (!(w->tokens[i].kind == T_WORD && sql_is_one_of(w->tokens[i].name, noise, ARRAY_LEN(noise))))
            out[n++] = &w->tokens[i];
    }
    size_t found = n;
    while (n < WORDS_BACK)
        out[n++] = &none;
    return found;
}

/* What a word wants behind it, where no clause says more. */
static const struct object_word {
    const char *word;
    enum sql_want want;
} object_words[] = {
    {"schema", SQL_WANT_SCHEMA},       {"role", SQL_WANT_ROLE},         {"user", SQL_WANT_ROLE},
    {"authorization", SQL_WANT_ROLE},  {"database", SQL_WANT_DATABASE}, {"extension", SQL_WANT_EXTENSION},
    {"function", SQL_WANT_FUNCTION},   {"procedure", SQL_WANT_FUNCTION}, {"routine", SQL_WANT_FUNCTION},
    {"call", SQL_WANT_FUNCTION},       {"index", SQL_WANT_INDEX},       {"view", SQL_WANT_VIEW},
    {"sequence", SQL_WANT_SEQUENCE},   {"type", SQL_WANT_TYPE},         {"domain", SQL_WANT_TYPE},
    {"table", SQL_WANT_RELATION},      {"column", SQL_WANT_COLUMN}};

/* SET, SHOW, RESET, ALTER ROLE … SET: a setting, then its value. 0: not that. */
static enum sql_want setting_wanted(const struct walk *w, size_t from, const struct token *const *p, struct sql_scope *out)
{
    bool alone = sql_begins(w, "set") || sql_begins(w, "show") || sql_begins(w, "reset");
    bool alters = sql_begins(w, "alter") && (strcmp(sql_head(w, 1), "role") == 0 || strcmp(sql_head(w, 1), "database") == 0 ||
                                         strcmp(sql_head(w, 1), "user") == 0 || strcmp(sql_head(w, 1), "system") == 0);
    bool word = sql_is_word(p[0], "set") || sql_is_word(p[0], "show") || sql_is_word(p[0], "reset");
    if ((alone && from == 1) || (alters && word) ||
        (sql_begins(w, "set") && from == 2 && (sql_is_word(p[0], "local") || sql_is_word(p[0], "session"))))
        return SQL_WANT_SETTING;
    if ((sql_begins(w, "set") || alters) && (sql_is_sign(p[0], '=') || sql_is_word(p[0], "to")) && p[1]->kind == T_WORD &&
        (sql_is_word(p[2], "set") || sql_is_word(p[2], "local") || sql_is_word(p[2], "session"))) {
        out->subject = p[1]->name;
        return SQL_WANT_VALUE;
    }
    return alone && from > 2 && !sql_is_word(p[0], "role") ? SQL_WANT_KEYWORD : 0;
}

static bool is_operand(const struct token *t)
{
    return sql_is_name(t) || t->kind == T_STRING || t->kind == T_NUMBER || sql_is_sign(t, ')') || sql_is_sign(t, ']');
}

static enum sql_want clause_wanted(const struct walk *w, const struct token *const *p)
{
    const struct frame *f = &w->at;
    bool star = sql_is_sign(p[0], '*') && (sql_is_word(p[1], "select") || sql_is_sign(p[1], ',') || sql_is_sign(p[1], '.'));
    bool operand = star || is_operand(p[0]);
    switch (f->clause) {
    case C_COLUMNS: return sql_is_sign(p[0], '(') || sql_is_sign(p[0], ',') ? SQL_WANT_COLUMN : SQL_WANT_EXPR;
    case C_SET:
        if (sql_begins(w, "alter"))
            return SQL_WANT_KEYWORD;
        return sql_is_word(p[0], "set") || sql_is_sign(p[0], ',') ? SQL_WANT_COLUMN : operand ? SQL_WANT_KEYWORD : SQL_WANT_EXPR;
    case C_TABLE:
        if (w->at_frame == 0)
            return SQL_WANT_KEYWORD;
        return f->items == 2 ? SQL_WANT_TYPE : sql_is_word(p[0], "default") ? SQL_WANT_EXPR : SQL_WANT_KEYWORD;
    case C_JOIN: return operand ? SQL_WANT_KEYWORD : SQL_WANT_JOIN;
    case C_OUTPUT: case C_EXPR: return operand ? SQL_WANT_KEYWORD : SQL_WANT_EXPR;
    case C_FROM: case C_WITH: case C_NONE: break;
    }
    return SQL_WANT_KEYWORD;
}

static enum sql_want wanted(const struct walk *w, size_t from, struct sql_scope *out)
{
    const struct token *p[WORDS_BACK];
    const struct frame *f = &w->at;
    const char *opener = f->opener ? w->tokens[f->opener - 1].name : "";
    size_t n = words_before(w, from, p);
    if (n == 0)
        return SQL_WANT_START;
    if (sql_is_sign(p[0], ':') && sql_is_sign(p[1], ':') && p[1]->at + 1 == p[0]->at)
        return SQL_WANT_TYPE;
    if (sql_is_sign(p[0], ':') && p[0]->at + 1 == out->start && !is_operand(p[1]))
        return SQL_WANT_VARIABLE;
    if (sql_is_word(p[0], "as") && strcmp(opener, "cast") == 0)
        return SQL_WANT_TYPE;
    enum sql_want setting = setting_wanted(w, from, p, out);
    if (setting)
        return setting;
    bool grants = sql_begins(w, "grant") || sql_begins(w, "revoke");
    if ((sql_is_word(p[0], "to") && (sql_is_word(p[1], "owner") || sql_begins(w, "grant") || sql_begins(w, "create"))) ||
        (sql_begins(w, "revoke") && sql_is_word(p[0], "from")))
        return SQL_WANT_ROLE;
    if (grants && sql_is_sign(p[0], ',') && (sql_has_before(w, from, "to") || sql_has_before(w, from, "from")))
        return SQL_WANT_ROLE;
    bool alters = sql_begins(w, "alter") && sql_has_before(w, from, "table");
    if (sql_is_word(p[0], "type") && alters)
        return SQL_WANT_TYPE;
    if (alters && w->at_frame == 0 && sql_is_name(p[0]) && !sql_is_word(p[0], "column") && !sql_is_word(p[0], "constraint") &&
        (sql_is_word(p[1], "add") || (sql_is_word(p[1], "column") && sql_is_word(p[2], "add"))))
        return SQL_WANT_TYPE;
    for (size_t i = 0; i < ARRAY_LEN(object_words); i++) {
        if (!sql_is_word(p[0], object_words[i].word))
            continue;
        bool made = sql_begins(w, "create") && from <= 5 && object_words[i].want != SQL_WANT_EXTENSION;
        bool added = sql_is_word(p[0], "column") && sql_is_word(p[1], "add");
        return made || added ? SQL_WANT_KEYWORD : object_words[i].want;
    }
    if (alters && (sql_is_word(p[0], "drop") || sql_is_word(p[0], "alter") || sql_is_word(p[0], "rename")))
        return SQL_WANT_COLUMN;
    if (f->expect == E_RELATION)
        return SQL_WANT_RELATION;
    return clause_wanted(w, p);
}

/* ---- what can be seen ---- */

static void add_visible(struct walk *w, const struct source *s, const char *alias, struct sql_relation *list, size_t *n, int depth)
{
    if (*n == SQL_SCOPE_RELATIONS || depth > STARS_MAX)
        return;
    struct sql_relation *r = &list[(*n)++];
    *r = s->r;
    if (alias)
        r->alias = alias;
    if (!s->body)
        return;
    const struct frame *body = &w->frames[s->body];
    r->columns = body->outputs;
    r->n_columns = body->n_outputs;
    for (size_t i = 0; body->star && i < w->n_sources; i++) {
        if (w->sources[i].frame == s->body)
            add_visible(w, &w->sources[i], r->alias ? r->alias : "", list, n, depth + 1);
    }
}

static void gather(struct walk *w, struct sql_scope *out)
{
    struct sql_relation *list = arena_alloc(w->a, SQL_SCOPE_RELATIONS * sizeof *list);
    size_t n = 0;
    for (size_t frame = w->at_frame;; frame = w->frames[frame].parent) {
        w->frames[frame].around = true;
        for (size_t i = 0; i < w->n_sources; i++) {
            if (w->sources[i].frame == frame && !(w->sources[i].body && w->frames[w->sources[i].body].around))
                add_visible(w, &w->sources[i], NULL, list, &n, 0);
        }
        if (frame == 0)
            break;
    }
    const char **ctes = arena_alloc(w->a, (w->n_ctes + 1) * sizeof *ctes);
    for (size_t i = 0; i < w->n_ctes; i++) {
        if (!w->frames[w->ctes[i].body].around)
            ctes[out->n_ctes++] = w->ctes[i].name;
    }
    out->relations = list;
    out->n_relations = n;
    out->ctes = ctes;
}

void sql_scope_at(struct arena *a, const char *text, size_t len, size_t at, bool whole, struct sql_scope *out)
{
    struct walk w = {.a = a, .text = text};
    at = at < len ? at : len;
    *out = (struct sql_scope){.want = SQL_WANT_NOTHING, .start = at, .end = at, .word = ""};
    if (!sql_walk(&w, len, at, whole, out))
        return;
    out->word = sql_fold(a, text + out->start, out->end - out->start);
    size_t from = w.place;
    for (size_t part = 2; part-- > 0 && from >= 2 && sql_is_sign(&w.tokens[from - 1], '.') &&
                          (sql_is_name(&w.tokens[from - 2]) || sql_is_reserved(&w.tokens[from - 2]));
         from -= 2)
        out->qualifier[part] = w.tokens[from - 2].name;
    out->want = wanted(&w, from, out);
    if (out->qualifier[1] && out->want == SQL_WANT_KEYWORD)
        out->want = SQL_WANT_EXPR;
    gather(&w, out);
}
