/* The walk over a statement's tokens (see sqlwalk.h): a stack of parentheses, each with its clause and its relations. */
#include "cell/sqlwalk.h"

#include <string.h>

#include "base/xalloc.h"
#include "cell/sqllex.h"

/* Words that can be neither an alias nor an operand. */
static const char *const reserved[] = {
    "all", "analyze", "and", "any", "as", "asc", "between", "by", "case", "check", "collate", "constraint", "create",
    "cross", "default", "desc", "distinct", "do", "else", "except", "exists", "fetch", "for", "from", "full", "grant",
    "group", "having", "ilike", "in", "inner", "intersect", "into", "is", "isnull", "join", "lateral", "left", "like",
    "limit", "matched", "natural", "not", "notnull", "offset", "on", "only", "or", "order", "outer", "over", "overlaps",
    "partition", "primary", "references", "returning", "right", "select", "set", "similar", "some", "table", "tablesample", "then",
    "to", "union", "unique", "using", "values", "when", "where", "window", "with"};

bool sql_is_one_of(const char *name, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(name, words[i]) == 0)
            return true;
    }
    return false;
}

bool sql_is_reserved(const struct token *t)
{
    return t->kind == T_WORD && sql_is_one_of(t->name, reserved, ARRAY_LEN(reserved));
}

bool sql_is_word(const struct token *t, const char *name) { return t->kind == T_WORD && strcmp(t->name, name) == 0; }

bool sql_is_sign(const struct token *t, char c) { return t->kind == T_SIGN && t->name[0] == c; }

bool sql_is_name(const struct token *t) { return t->kind == T_IDENT || (t->kind == T_WORD && !sql_is_reserved(t)); }

const char *sql_fold(struct arena *a, const char *text, size_t len)
{
    char *name = arena_strndup(a, text, len);
    if (len > 0 && *text == '"') {
        size_t n = 0;
        for (size_t i = 1; i < len; i++) {
            if (text[i] == '"' && !(i + 1 < len && text[++i] == '"'))
                break;
            name[n++] = text[i];
        }
        name[n] = '\0';
        return name;
    }
    for (char *c = name; *c; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c + 32);
    }
    return name;
}

/* ---- tokens ---- */

static enum kind kind_at(const char *text, size_t at, size_t len)
{
    unsigned char c = (unsigned char)text[at];
    size_t quote = at + len;
    if (c == '"')
        return T_IDENT;
    if (c == '\'' || (c == '$' && len > 1))
        return T_STRING;
    if (c >= '0' && c <= '9')
        return T_NUMBER;
    if ((c | 32) >= 'a' && (c | 32) <= 'z')
        return text[quote - 1] == '\'' && len > 1 ? T_STRING : T_WORD;
    return c == '_' || c >= 0x80 ? T_WORD : T_SIGN;
}

static bool is_comment(const char *text, size_t at, size_t len)
{
    return len > 1 && (text[at] == '-' || text[at] == '/');
}

/* The tokens, the one at the place as T_PLACE. false: the place is inside a string or a comment. */
static bool read_tokens(struct walk *w, size_t len, size_t at, bool whole, struct sql_scope *out)
{
    size_t cap = 0, pos = 0;
    bool placed = false;
    while (pos < len && w->n < SQL_SCOPE_TOKENS) {
        size_t end = sql_token(w->text, len, pos), size = end - pos;
        bool blank = strchr(" \t\r\n\f\v", w->text[pos]) != NULL, comment = is_comment(w->text, pos, size);
        enum kind kind = blank || comment ? 0 : kind_at(w->text, pos, size);
        bool inside = pos < at && at < end, touches = pos < at && at == end;
        bool open = kind == T_STRING && end == len && (size == 1 || !strchr("'$", w->text[end - 1]));
        bool unfinished = comment && (w->text[pos] == '-' || size < 4 || memcmp(w->text + end - 2, "*/", 2) != 0);
        if ((inside && (comment || kind == T_STRING)) || (touches && (open || unfinished)))
            return false;
        bool word = kind == T_WORD || kind == T_IDENT;
        if (w->n + 2 > cap) {
            struct token *old = w->tokens;
            cap = cap ? cap * 2 : 64;
            w->tokens = arena_alloc(w->a, cap * sizeof *w->tokens);
            if (w->n)
                memcpy(w->tokens, old, w->n * sizeof *old);
        }
        if (!placed && word && (inside || touches || (whole && pos == at))) {
            placed = true;
            w->place = w->n;
            out->start = pos;
            out->end = whole ? end : at;
            out->quoted = kind == T_IDENT;
            w->tokens[w->n++] = (struct token){T_PLACE, pos, size, ""};
        } else if (!placed && pos >= at) {
            placed = true;
            w->place = w->n;
            w->tokens[w->n++] = (struct token){T_PLACE, at, 0, ""};
            continue;
        } else if (kind) {
            const char *name = word ? sql_fold(w->a, w->text + pos, size)
                               : kind == T_SIGN ? arena_strndup(w->a, w->text + pos, 1) : "";
            w->tokens[w->n++] = (struct token){kind, pos, size, name};
        }
        pos = end;
    }
    if (!placed) {
        if (!w->tokens)
            w->tokens = arena_alloc(w->a, sizeof *w->tokens);
        w->place = w->n;
        w->tokens[w->n++] = (struct token){T_PLACE, at, 0, ""};
    }
    return true;
}

/* ---- the walk ---- */

static struct frame *now(struct walk *w) { return &w->frames[w->now]; }

static const struct token *before(const struct walk *w, size_t i, size_t back)
{
    static const struct token none = {.name = ""};
    return i >= back ? &w->tokens[i - back] : &none;
}

static struct source *add_source(struct walk *w, size_t body)
{
    if (w->n_sources == SQL_SCOPE_RELATIONS) {
        w->last = 0;
        return NULL;
    }
    struct source *s = &w->sources[w->n_sources++];
    *s = (struct source){.frame = w->now, .body = body};
    w->last = w->n_sources;
    return s;
}

static void end_output(struct walk *w, struct frame *f)
{
    if (f->clause == C_OUTPUT && f->output && f->n_outputs < SQL_OUTPUTS_MAX) {
        if (!f->outputs)
            f->outputs = arena_alloc(w->a, SQL_OUTPUTS_MAX * sizeof *f->outputs);
        f->outputs[f->n_outputs++] = f->output;
    }
    f->output = NULL;
}

static void open_frame(struct walk *w)
{
    struct frame *f = now(w);
    const struct token *prev = before(w, w->i, 1);
    struct frame *g = &w->frames[w->n_frames];
    *g = (struct frame){.parent = w->now, .opener = w->i};
    if (f->target && f->expect == E_ALIAS)
        g->clause = C_COLUMNS;
    else if (sql_is_word(prev, "using") || sql_is_word(prev, "conflict") || sql_is_word(prev, "key"))
        g->clause = C_COLUMNS;
    else if (f->clause == C_TABLE && w->now == 0 && f->expect != E_RELATION)
        g->clause = C_TABLE;
    else if (f->clause == C_FROM && f->expect == E_RELATION)
        g->clause = C_FROM, g->expect = E_RELATION, g->joins = true;
    else if (f->clause == C_OUTPUT || f->clause == C_SET || f->clause == C_FROM)
        g->clause = C_EXPR;
    else
        g->clause = f->clause == C_WITH ? C_NONE : f->clause;
    w->now = w->n_frames++;
}

static void close_frame(struct walk *w)
{
    struct frame *g = now(w);
    size_t body = w->now;
    if (body == 0)
        return;
    end_output(w, g);
    w->now = g->parent;
    struct frame *f = now(w);
    if (f->with && f->clause == C_WITH && g->select) {
        if (w->n_ctes < SQL_CTES_MAX)
            w->ctes[w->n_ctes++] = (struct cte){f->with, body};
        f->with = NULL;
    } else if (f->expect == E_RELATION && g->select) {
        add_source(w, body);
        f->expect = E_ALIAS;
    } else if (f->expect == E_RELATION && g->joins) {
        for (size_t i = 0; i < w->n_sources; i++) {
            if (w->sources[i].frame == body)
                w->sources[i].frame = w->now;
        }
        f->expect = E_ALIAS;
        w->last = 0;
    }
    f->target = false;
}

static const struct cte *find_cte(const struct walk *w, const char *name)
{
    for (size_t i = w->n_ctes; i-- > 0;) {
        if (strcmp(w->ctes[i].name, name) == 0)
            return &w->ctes[i];
    }
    return NULL;
}

/* At the first part of a relation's name; moves to the last one. */
static void take_relation(struct walk *w)
{
    struct frame *f = now(w);
    const char *schema = NULL, *name = w->tokens[w->i].name;
    while (w->i + 2 < w->n && sql_is_sign(&w->tokens[w->i + 1], '.') && sql_is_name(&w->tokens[w->i + 2])) {
        schema = name;
        w->i += 2;
        name = w->tokens[w->i].name;
    }
    f->expect = E_ALIAS;
    w->last = 0;
    bool next_is_place = w->i + 2 < w->n && sql_is_sign(&w->tokens[w->i + 1], '.') && w->tokens[w->i + 2].kind == T_PLACE;
    bool call = !f->target && f->clause == C_FROM && w->i + 1 < w->n && sql_is_sign(&w->tokens[w->i + 1], '(');
    if (next_is_place || call) {
        f->expect = next_is_place ? E_RELATION : E_ALIAS;
        return;
    }
    const struct cte *cte = schema ? NULL : find_cte(w, name);
    struct source *s = add_source(w, cte ? cte->body : 0);
    if (s && cte)
        s->r.alias = name;
    else if (s)
        s->r.schema = schema, s->r.name = name;
}

/* Words that start a clause, and whether a relation follows. */
static const struct clause_word {
    const char *word;
    enum clause clause;
    bool relation, target;
} clause_words[] = {
    {"select", C_OUTPUT, false, false}, {"from", C_FROM, true, false},       {"join", C_FROM, true, false},
    {"where", C_EXPR, false, false},    {"having", C_EXPR, false, false},    {"by", C_EXPR, false, false},
    {"returning", C_EXPR, false, false}, {"values", C_EXPR, false, false},   {"limit", C_NONE, false, false},
    {"offset", C_NONE, false, false},   {"when", C_EXPR, false, false},      {"then", C_EXPR, false, false},
    {"check", C_EXPR, false, false},    {"window", C_NONE, false, false},    {"union", C_NONE, false, false},
    {"except", C_NONE, false, false},   {"intersect", C_NONE, false, false}, {"with", C_WITH, false, false},
    {"into", C_FROM, true, true},       {"update", C_FROM, true, false},     {"references", C_FROM, true, true},
    {"truncate", C_FROM, true, false},  {"copy", C_FROM, true, true},        {"vacuum", C_FROM, true, false},
    {"analyze", C_FROM, true, false},   {"set", C_SET, false, false},        {"table", C_FROM, true, false},
    {"if", C_EXPR, false, false}};

const char *sql_head(const struct walk *w, size_t i)
{
    return i < w->n && w->tokens[i].kind == T_WORD ? w->tokens[i].name : "";
}

bool sql_begins(const struct walk *w, const char *word) { return strcmp(sql_head(w, 0), word) == 0; }

bool sql_has_before(const struct walk *w, size_t i, const char *word)
{
    for (size_t k = 0; k < i; k++) {
        if (sql_is_word(&w->tokens[k], word))
            return true;
    }
    return false;
}

/* ON belongs to a join, or names the table of an index, a trigger, a policy, a grant, a comment. */
static void take_on(struct walk *w, struct frame *f)
{
    bool grants = sql_begins(w, "grant") || sql_begins(w, "revoke");
    if (w->i + 1 < w->n && sql_is_word(&w->tokens[w->i + 1], "conflict"))
        return;
    if (f->clause == C_FROM) {
        f->clause = C_JOIN;
        f->expect = E_ANY;
        for (size_t i = 0; i < w->n_sources; i++)
            w->sources[i].r.joined = w->sources[i].r.joined && w->sources[i].frame != w->now;
        if (w->n_sources && w->sources[w->n_sources - 1].frame == w->now)
            w->sources[w->n_sources - 1].r.joined = true;
    } else if (grants || sql_begins(w, "create") || sql_begins(w, "drop") || sql_begins(w, "alter")) {
        f->clause = C_FROM;
        f->expect = E_RELATION;
        f->target = sql_has_before(w, w->i, "index");
    }
}

/* A word that starts a clause; false: it does not. */
static bool take_clause(struct walk *w, struct frame *f, const struct token *t)
{
    const struct token *prev = before(w, w->i, 1);
    if (sql_is_word(t, "on")) {
        take_on(w, f);
        return true;
    }
    if (sql_is_word(t, "using") && f->clause == C_FROM && (sql_begins(w, "delete") || sql_begins(w, "merge"))) {
        f->expect = E_RELATION;
        f->target = false;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(clause_words); i++) {
        const struct clause_word *c = &clause_words[i];
        if (!sql_is_word(t, c->word))
            continue;
        const char *opener = f->opener ? w->tokens[f->opener - 1].name : "";
        bool inside_call = strcmp(opener, "extract") == 0 || strcmp(opener, "substring") == 0 || strcmp(opener, "trim") == 0 ||
                           strcmp(opener, "overlay") == 0;
        if (sql_is_word(t, "from") && (inside_call || sql_is_word(prev, "distinct") || sql_begins(w, "revoke")))
            return true;
        if (sql_is_word(t, "update") && (sql_is_word(prev, "for") || sql_is_word(prev, "key") || sql_is_word(prev, "do") || sql_is_word(prev, "then") ||
                                     sql_is_word(prev, "or") || sql_is_word(prev, "on")))
            return true;
        if (sql_is_word(t, "with") && w->i > 0 && !sql_is_sign(prev, '(') && !sql_is_sign(prev, ')') && !sql_is_word(prev, "as"))
            return true;
        if (sql_is_word(t, "if") || (sql_is_word(t, "analyze") && sql_begins(w, "explain")) || (sql_is_word(t, "set") && sql_is_word(prev, "on")))
            return true;
        end_output(w, f);
        if (!(f->clause == C_TABLE && sql_is_word(t, "references")))
            f->clause = c->clause;
        f->expect = c->relation ? E_RELATION : E_ANY;
        f->target = c->target;
        f->select = f->select || c->clause == C_OUTPUT || sql_is_word(t, "returning") || sql_is_word(t, "values");
        if (sql_is_word(t, "table") && sql_begins(w, "create"))
            f->clause = C_TABLE;
        return true;
    }
    return false;
}

static void take_word(struct walk *w, struct frame *f, const struct token *t)
{
    static const char *const passed[] = {"only", "lateral", "if", "exists", "not", "concurrently", "table", "verbose",
                                         "freeze", "temp", "temporary", "unlogged"};
    static const char *const objects[] = {"all", "database", "domain", "function", "language", "procedure", "routine",
                                          "schema", "sequence", "type"};
    if (f->expect == E_RELATION) {
        if (t->kind == T_WORD && (sql_begins(w, "grant") || sql_begins(w, "revoke")) &&
            sql_is_one_of(t->name, objects, ARRAY_LEN(objects))) {
            f->expect = E_ANY;
            return;
        }
        if (t->kind == T_WORD && sql_is_one_of(t->name, passed, ARRAY_LEN(passed)) &&
            !(w->i + 1 < w->n && sql_is_sign(&w->tokens[w->i + 1], '.')))
            return;
        if (sql_is_name(t)) {
            take_relation(w);
            return;
        }
    } else if (f->expect == E_ALIAS) {
        if (sql_is_word(t, "as") && f->clause != C_TABLE)
            return;
        if (sql_is_name(t) && f->clause == C_FROM && !sql_is_word(t, "add") && !sql_is_word(t, "drop") && !sql_is_word(t, "alter") &&
            !sql_is_word(t, "rename") && !sql_is_word(t, "owner")) {
            if (w->last)
                w->sources[w->last - 1].r.alias = t->name;
            f->expect = E_ANY;
            return;
        }
        f->expect = E_ANY;
    }
    if (take_clause(w, f, t))
        return;
    if (f->clause == C_WITH && sql_is_name(t) && !sql_is_word(t, "recursive") && !sql_is_word(t, "materialized"))
        f->with = t->name;
    if (f->clause == C_OUTPUT && !sql_is_sign(before(w, w->i, 1), ':'))
        f->output = sql_is_name(t) && !sql_is_word(t, "end") ? t->name : NULL;
    if (sql_begins(w, "alter") && sql_has_before(w, w->i, "table") && f->clause == C_FROM) {
        f->clause = C_TABLE;
        f->expect = E_ANY;
    }
}

static void take_sign(struct walk *w, struct frame *f, const struct token *t)
{
    if (sql_is_sign(t, '(')) {
        open_frame(w);
    } else if (sql_is_sign(t, ')')) {
        close_frame(w);
    } else if (sql_is_sign(t, ',')) {
        end_output(w, f);
        f->items = 0;
        f->expect = E_ANY;
        if ((f->clause == C_FROM || f->clause == C_JOIN) && !f->target) {
            f->clause = C_FROM;
            f->expect = E_RELATION;
        }
        return;
    } else if (sql_is_sign(t, '*') && f->clause == C_OUTPUT) {
        const struct token *prev = before(w, w->i, 1);
        f->star = f->star || sql_is_word(prev, "select") || sql_is_sign(prev, ',') || sql_is_sign(prev, '.');
        f->output = NULL;
    } else if (f->clause == C_OUTPUT && !sql_is_sign(t, '.') && !sql_is_sign(t, ':')) {
        f->output = NULL;
    }
    if (!sql_is_sign(t, '(') && !sql_is_sign(t, ')') && !sql_is_sign(t, '.') && f->expect == E_ALIAS)
        f->expect = E_ANY;
}

static void take(struct walk *w)
{
    const struct token *t = &w->tokens[w->i];
    struct frame *f = now(w);
    f->items++;
    switch (t->kind) {
    case T_PLACE:
        w->at_frame = w->now;
        w->at = *f;
        w->last = 0;
        f->expect = f->expect == E_RELATION ? E_ALIAS : f->expect;
        break;
    case T_WORD: case T_IDENT: take_word(w, f, t); break;
    case T_SIGN: take_sign(w, f, t); break;
    case T_STRING: case T_NUMBER: f->output = NULL; break;
    }
}

bool sql_walk(struct walk *w, size_t len, size_t at, bool whole, struct sql_scope *out)
{
    size_t opened = 1;
    if (!read_tokens(w, len, at, whole, out))
        return false;
    for (size_t i = 0; i < w->n; i++)
        opened += sql_is_sign(&w->tokens[i], '(');
    w->frames = arena_alloc(w->a, opened * sizeof *w->frames);
    w->sources = arena_alloc(w->a, SQL_SCOPE_RELATIONS * sizeof *w->sources);
    w->ctes = arena_alloc(w->a, SQL_CTES_MAX * sizeof *w->ctes);
    w->frames[0] = (struct frame){0};
    w->n_frames = 1;
    for (w->i = 0; w->i < w->n; w->i++)
        take(w);
    end_output(w, &w->frames[0]);
    return true;
}
