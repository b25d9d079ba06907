/*
 * What could stand at a place in a statement (see sqlscope.h). One walk over the tokens with a stack of parentheses: each
 * one has its clause and its relations; what is seen from the place is what its own parentheses and those around it have.
 */
#include "cell/sqlscope.h"

#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "cell/sqllex.h"

enum kind { T_WORD = 1, T_IDENT, T_STRING, T_NUMBER, T_SIGN, T_PLACE };

struct token {
    enum kind kind;
    size_t at, len;
    const char *name; /* T_WORD, T_IDENT: folded; T_SIGN: the sign; else "" */
};

enum clause { C_NONE = 0, C_OUTPUT, C_FROM, C_JOIN, C_EXPR, C_SET, C_COLUMNS, C_TABLE, C_WITH };

/* What the next identifier is. */
enum expect { E_ANY = 0, E_RELATION, E_ALIAS };

struct frame {
    size_t parent, opener; /* opener: index of the token before its parenthesis */
    enum clause clause;
    enum expect expect;
    bool around;           /* the place is in it */
    bool select;           /* it is a query */
    bool star;             /* with * in its output */
    bool joins;            /* FROM (a JOIN b …): what is in it is seen outside */
    bool target;           /* the relation before was that of INTO, REFERENCES, COPY, INDEX ON: columns may follow */
    size_t items;          /* tokens since the last comma */
    const char *with;      /* the name before AS ( in its WITH */
    const char *output;    /* name of the output column that is being read */
    const char **outputs;  /* OUTPUTS_MAX of them, or NULL */
    size_t n_outputs;
};

struct source {
    struct sql_relation r;
    size_t frame, body; /* body: of a subquery; 0: none */
};

struct cte {
    const char *name;
    size_t body;
};

struct walk {
    struct arena *a;
    const char *text;
    struct token *tokens;
    size_t n, i;
    struct frame *frames;
    size_t n_frames, now;
    struct source *sources;
    size_t n_sources;
    struct cte *ctes;
    size_t n_ctes;
    size_t last;         /* the source that an alias would name, plus one; 0: none */
    /* at the place */
    size_t place, at_frame;
    struct frame at;
};

enum { OUTPUTS_MAX = 100, CTES_MAX = 100, WORDS_BACK = 6, STARS_MAX = 8 };

/* Words that can be neither an alias nor an operand. */
static const char *const reserved[] = {
    "all", "analyze", "and", "any", "as", "asc", "between", "by", "case", "check", "collate", "constraint", "create",
    "cross", "default", "desc", "distinct", "do", "else", "except", "exists", "fetch", "for", "from", "full", "grant",
    "group", "having", "ilike", "in", "inner", "intersect", "into", "is", "isnull", "join", "lateral", "left", "like",
    "limit", "matched", "natural", "not", "notnull", "offset", "on", "only", "or", "order", "outer", "over", "overlaps",
    "partition", "primary", "references", "returning", "right", "select", "set", "similar", "some", "table", "tablesample", "then",
    "to", "union", "unique", "using", "values", "when", "where", "window", "with"};

static bool is_one_of(const char *name, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(name, words[i]) == 0)
            return true;
    }
    return false;
}

static bool is_reserved(const struct token *t)
{
    return t->kind == T_WORD && is_one_of(t->name, reserved, ARRAY_LEN(reserved));
}

static bool is_word(const struct token *t, const char *name) { return t->kind == T_WORD && strcmp(t->name, name) == 0; }

static bool is_sign(const struct token *t, char c) { return t->kind == T_SIGN && t->name[0] == c; }

static bool is_name(const struct token *t) { return t->kind == T_IDENT || (t->kind == T_WORD && !is_reserved(t)); }

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
    if (f->clause == C_OUTPUT && f->output && f->n_outputs < OUTPUTS_MAX) {
        if (!f->outputs)
            f->outputs = arena_alloc(w->a, OUTPUTS_MAX * sizeof *f->outputs);
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
    else if (is_word(prev, "using") || is_word(prev, "conflict") || is_word(prev, "key"))
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
        if (w->n_ctes < CTES_MAX)
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
    while (w->i + 2 < w->n && is_sign(&w->tokens[w->i + 1], '.') && is_name(&w->tokens[w->i + 2])) {
        schema = name;
        w->i += 2;
        name = w->tokens[w->i].name;
    }
    f->expect = E_ALIAS;
    w->last = 0;
    bool next_is_place = w->i + 2 < w->n && is_sign(&w->tokens[w->i + 1], '.') && w->tokens[w->i + 2].kind == T_PLACE;
    bool call = !f->target && f->clause == C_FROM && w->i + 1 < w->n && is_sign(&w->tokens[w->i + 1], '(');
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

static const char *head(const struct walk *w, size_t i)
{
    return i < w->n && w->tokens[i].kind == T_WORD ? w->tokens[i].name : "";
}

static bool begins(const struct walk *w, const char *word) { return strcmp(head(w, 0), word) == 0; }

static bool has_word_before(const struct walk *w, size_t i, const char *word)
{
    for (size_t k = 0; k < i; k++) {
        if (is_word(&w->tokens[k], word))
            return true;
    }
    return false;
}

/* ON belongs to a join, or names the table of an index, a trigger, a policy, a grant, a comment. */
static void take_on(struct walk *w, struct frame *f)
{
    bool grants = begins(w, "grant") || begins(w, "revoke");
    if (w->i + 1 < w->n && is_word(&w->tokens[w->i + 1], "conflict"))
        return;
    if (f->clause == C_FROM) {
        f->clause = C_JOIN;
        f->expect = E_ANY;
        for (size_t i = 0; i < w->n_sources; i++)
            w->sources[i].r.joined = w->sources[i].r.joined && w->sources[i].frame != w->now;
        if (w->n_sources && w->sources[w->n_sources - 1].frame == w->now)
            w->sources[w->n_sources - 1].r.joined = true;
    } else if (grants || begins(w, "create") || begins(w, "drop") || begins(w, "alter")) {
        f->clause = C_FROM;
        f->expect = E_RELATION;
        f->target = has_word_before(w, w->i, "index");
    }
}

/* A word that starts a clause; false: it does not. */
static bool take_clause(struct walk *w, struct frame *f, const struct token *t)
{
    const struct token *prev = before(w, w->i, 1);
    if (is_word(t, "on")) {
        take_on(w, f);
        return true;
    }
    if (is_word(t, "using") && f->clause == C_FROM && (begins(w, "delete") || begins(w, "merge"))) {
        f->expect = E_RELATION;
        f->target = false;
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(clause_words); i++) {
        const struct clause_word *c = &clause_words[i];
        if (!is_word(t, c->word))
            continue;
        const char *opener = f->opener ? w->tokens[f->opener - 1].name : "";
        bool inside_call = strcmp(opener, "extract") == 0 || strcmp(opener, "substring") == 0 || strcmp(opener, "trim") == 0 ||
                           strcmp(opener, "overlay") == 0;
        if (is_word(t, "from") && (inside_call || is_word(prev, "distinct") || begins(w, "revoke")))
            return true;
        if (is_word(t, "update") && (is_word(prev, "for") || is_word(prev, "key") || is_word(prev, "do") || is_word(prev, "then") ||
                                     is_word(prev, "or") || is_word(prev, "on")))
            return true;
        if (is_word(t, "with") && w->i > 0 && !is_sign(prev, '(') && !is_sign(prev, ')') && !is_word(prev, "as"))
            return true;
        if (is_word(t, "if") || (is_word(t, "analyze") && begins(w, "explain")) || (is_word(t, "set") && is_word(prev, "on")))
            return true;
        end_output(w, f);
        if (!(f->clause == C_TABLE && is_word(t, "references")))
            f->clause = c->clause;
        f->expect = c->relation ? E_RELATION : E_ANY;
        f->target = c->target;
        f->select = f->select || c->clause == C_OUTPUT || is_word(t, "returning") || is_word(t, "values");
        if (is_word(t, "table") && begins(w, "create"))
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
        if (t->kind == T_WORD && (begins(w, "grant") || begins(w, "revoke")) &&
            is_one_of(t->name, objects, ARRAY_LEN(objects))) {
            f->expect = E_ANY;
            return;
        }
        if (t->kind == T_WORD && is_one_of(t->name, passed, ARRAY_LEN(passed)) &&
            !(w->i + 1 < w->n && is_sign(&w->tokens[w->i + 1], '.')))
            return;
        if (is_name(t)) {
            take_relation(w);
            return;
        }
    } else if (f->expect == E_ALIAS) {
        if (is_word(t, "as") && f->clause != C_TABLE)
            return;
        if (is_name(t) && f->clause == C_FROM && !is_word(t, "add") && !is_word(t, "drop") && !is_word(t, "alter") &&
            !is_word(t, "rename") && !is_word(t, "owner")) {
            if (w->last)
                w->sources[w->last - 1].r.alias = t->name;
            f->expect = E_ANY;
            return;
        }
        f->expect = E_ANY;
    }
    if (take_clause(w, f, t))
        return;
    if (f->clause == C_WITH && is_name(t) && !is_word(t, "recursive") && !is_word(t, "materialized"))
        f->with = t->name;
    if (f->clause == C_OUTPUT && !is_sign(before(w, w->i, 1), ':'))
        f->output = is_name(t) && !is_word(t, "end") ? t->name : NULL;
    if (begins(w, "alter") && has_word_before(w, w->i, "table") && f->clause == C_FROM) {
        f->clause = C_TABLE;
        f->expect = E_ANY;
    }
}

static void take_sign(struct walk *w, struct frame *f, const struct token *t)
{
    if (is_sign(t, '(')) {
        open_frame(w);
    } else if (is_sign(t, ')')) {
        close_frame(w);
    } else if (is_sign(t, ',')) {
        end_output(w, f);
        f->items = 0;
        f->expect = E_ANY;
        if ((f->clause == C_FROM || f->clause == C_JOIN) && !f->target) {
            f->clause = C_FROM;
            f->expect = E_RELATION;
        }
        return;
    } else if (is_sign(t, '*') && f->clause == C_OUTPUT) {
        const struct token *prev = before(w, w->i, 1);
        f->star = f->star || is_word(prev, "select") || is_sign(prev, ',') || is_sign(prev, '.');
        f->output = NULL;
    } else if (f->clause == C_OUTPUT && !is_sign(t, '.') && !is_sign(t, ':')) {
        f->output = NULL;
    }
    if (!is_sign(t, '(') && !is_sign(t, ')') && !is_sign(t, '.') && f->expect == E_ALIAS)
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

/* ---- what is wanted ---- */

/* Tokens before the place and its qualifier, nearest first, IF [NOT] EXISTS and the like left out. */
static size_t words_before(const struct walk *w, size_t from, const struct token *out[WORDS_BACK])
{
    static const char *const noise[] = {"if", "not", "exists", "concurrently", "only"};
    static const struct token none = {.name = ""};
    size_t n = 0;
    for (size_t i = from; i-- > 0 && n < WORDS_BACK;) {
        if (!(w->tokens[i].kind == T_WORD && is_one_of(w->tokens[i].name, noise, ARRAY_LEN(noise))))
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
    bool alone = begins(w, "set") || begins(w, "show") || begins(w, "reset");
    bool alters = begins(w, "alter") && (strcmp(head(w, 1), "role") == 0 || strcmp(head(w, 1), "database") == 0 ||
                                         strcmp(head(w, 1), "user") == 0 || strcmp(head(w, 1), "system") == 0);
    bool word = is_word(p[0], "set") || is_word(p[0], "show") || is_word(p[0], "reset");
    if ((alone && from == 1) || (alters && word) ||
        (begins(w, "set") && from == 2 && (is_word(p[0], "local") || is_word(p[0], "session"))))
        return SQL_WANT_SETTING;
    if ((begins(w, "set") || alters) && (is_sign(p[0], '=') || is_word(p[0], "to")) && p[1]->kind == T_WORD &&
        (is_word(p[2], "set") || is_word(p[2], "local") || is_word(p[2], "session"))) {
        out->subject = p[1]->name;
        return SQL_WANT_VALUE;
    }
    return alone && from > 2 && !is_word(p[0], "role") ? SQL_WANT_KEYWORD : 0;
}

static bool is_operand(const struct token *t)
{
    return is_name(t) || t->kind == T_STRING || t->kind == T_NUMBER || is_sign(t, ')') || is_sign(t, ']');
}

static enum sql_want clause_wanted(const struct walk *w, const struct token *const *p)
{
    const struct frame *f = &w->at;
    bool star = is_sign(p[0], '*') && (is_word(p[1], "select") || is_sign(p[1], ',') || is_sign(p[1], '.'));
    bool operand = star || is_operand(p[0]);
    switch (f->clause) {
    case C_COLUMNS: return is_sign(p[0], '(') || is_sign(p[0], ',') ? SQL_WANT_COLUMN : SQL_WANT_EXPR;
    case C_SET:
        if (begins(w, "alter"))
            return SQL_WANT_KEYWORD;
        return is_word(p[0], "set") || is_sign(p[0], ',') ? SQL_WANT_COLUMN : operand ? SQL_WANT_KEYWORD : SQL_WANT_EXPR;
    case C_TABLE:
        if (w->at_frame == 0)
            return SQL_WANT_KEYWORD;
        return f->items == 2 ? SQL_WANT_TYPE : is_word(p[0], "default") ? SQL_WANT_EXPR : SQL_WANT_KEYWORD;
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
    if (is_sign(p[0], ':') && is_sign(p[1], ':') && p[1]->at + 1 == p[0]->at)
        return SQL_WANT_TYPE;
    if (is_sign(p[0], ':') && p[0]->at + 1 == out->start && !is_operand(p[1]))
        return SQL_WANT_VARIABLE;
    if (is_word(p[0], "as") && strcmp(opener, "cast") == 0)
        return SQL_WANT_TYPE;
    enum sql_want setting = setting_wanted(w, from, p, out);
    if (setting)
        return setting;
    bool grants = begins(w, "grant") || begins(w, "revoke");
    if ((is_word(p[0], "to") && (is_word(p[1], "owner") || begins(w, "grant") || begins(w, "create"))) ||
        (begins(w, "revoke") && is_word(p[0], "from")))
        return SQL_WANT_ROLE;
    if (grants && is_sign(p[0], ',') && (has_word_before(w, from, "to") || has_word_before(w, from, "from")))
        return SQL_WANT_ROLE;
    bool alters = begins(w, "alter") && has_word_before(w, from, "table");
    if (is_word(p[0], "type") && alters)
        return SQL_WANT_TYPE;
    if (alters && w->at_frame == 0 && is_name(p[0]) && !is_word(p[0], "column") && !is_word(p[0], "constraint") &&
        (is_word(p[1], "add") || (is_word(p[1], "column") && is_word(p[2], "add"))))
        return SQL_WANT_TYPE;
    for (size_t i = 0; i < ARRAY_LEN(object_words); i++) {
        if (!is_word(p[0], object_words[i].word))
            continue;
        bool made = begins(w, "create") && from <= 5 && object_words[i].want != SQL_WANT_EXTENSION;
        bool added = is_word(p[0], "column") && is_word(p[1], "add");
        return made || added ? SQL_WANT_KEYWORD : object_words[i].want;
    }
    if (alters && (is_word(p[0], "drop") || is_word(p[0], "alter") || is_word(p[0], "rename")))
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
    if (!read_tokens(&w, len, at, whole, out))
        return;
    size_t opened = 1;
    for (size_t i = 0; i < w.n; i++)
        opened += is_sign(&w.tokens[i], '(');
    w.frames = arena_alloc(a, opened * sizeof *w.frames);
    w.sources = arena_alloc(a, SQL_SCOPE_RELATIONS * sizeof *w.sources);
    w.ctes = arena_alloc(a, CTES_MAX * sizeof *w.ctes);
    w.frames[0] = (struct frame){0};
    w.n_frames = 1;
    for (w.i = 0; w.i < w.n; w.i++)
        take(&w);
    end_output(&w, &w.frames[0]);
    out->word = sql_fold(a, text + out->start, out->end - out->start);
    size_t from = w.place;
    for (size_t part = 2; part-- > 0 && from >= 2 && is_sign(&w.tokens[from - 1], '.') &&
                          (is_name(&w.tokens[from - 2]) || is_reserved(&w.tokens[from - 2]));
         from -= 2)
        out->qualifier[part] = w.tokens[from - 2].name;
    out->want = wanted(&w, from, out);
    if (out->qualifier[1] && out->want == SQL_WANT_KEYWORD)
        out->want = SQL_WANT_EXPR;
    gather(&w, out);
}
