/*
 * Which tokens name tables: a walk with a stack of brackets. It knows where SQL wants a table (FROM, JOIN, a comma in FROM)
 * and nothing more of the grammar; the engine's parser judges the rest. What the engine could read by itself (files,
 * its own catalogs, other databases) is refused here by name, and front_check looks at the engine's own opinion afterwards.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "lakehouse/front_files.h"

enum frame_kind { FRAME_QUERY = 1, FRAME_EXPRESSION, FRAME_KEYWORD_CALL };
struct frame {
    enum frame_kind kind;
    bool in_from, want_table;
};
struct walk {
    struct front *f;
    size_t at, to;
    struct frame frames[FRONT_DEPTH_MAX];
    size_t depth;
    struct err *e;
};

static struct frame *top(struct walk *w)
{
    return &w->frames[w->depth];
}

static bool one_of(const struct token *t, const char *const *words)
{
    if (t->kind != TOKEN_WORD)
        return false;
    for (; *words; words++)
        if (!strcasecmp(t->text, *words))
            return true;
    return false;
}

/* Words that end a FROM clause. */
static bool ends_from(const struct token *t)
{
    static const char *const words[] = {"where", "group", "having", "order", "limit", "window", "qualify", "union", "except",
                                        "intersect", "minus", "select", "set", "when", "offset", "returning", "sort",
                                        "cluster", "distribute", NULL};
    return one_of(t, words);
}

bool front_ends_table(const struct token *t)
{
    static const char *const words[] = {"on", "using", "join", "left", "right", "inner", "cross", "full", "natural",
                                        "semi", "anti", "asof", "positional", "tablesample", "pivot", "unpivot", "lateral",
                                        "values", "fetch", "for", "outer", NULL};
    return !token_names(t) || ends_from(t) || one_of(t, words);
}

/* Functions through which the engine would read files, other databases, or its own state. */
static bool refused_function(const char *name)
{
    static const char *const prefixes[] = {"read_", "duckdb_", "pragma_", "parquet_", "sniff_", "json_execute", "__lake",
                                           "postgres_", "sqlite_", "mysql_", "iceberg_", "delta_", "arrow_", "ducklake_", NULL};
    static const char *const names[] = {"glob", "query", "query_table", "getenv", "current_setting", "getvariable", "nextval",
                                        "currval", "which_secret", "checkpoint", "force_checkpoint", "seq_scan", "summary",
                                        "write_log", "from_substrait", "from_substrait_json", "get_substrait", "set_config",
                                        "test_all_types", "sql_auto_complete", "icu_calendar_names", "current_query",
                                        "in_search_path", "txid_current", "json_serialize_plan", "json_deserialize_sql", NULL};
    for (size_t i = 0; prefixes[i]; i++)
        if (!strncasecmp(name, prefixes[i], strlen(prefixes[i])))
            return true;
    for (size_t i = 0; names[i]; i++)
        if (!strcasecmp(name, names[i]))
            return true;
    return false;
}

static bool table_function(const char *name)
{
    static const char *const known[] = {"range", "generate_series", "unnest", "explode", "json_each", NULL};
    for (size_t i = 0; known[i]; i++)
        if (!strcasecmp(name, known[i]))
            return true;
    return false;
}

static bool is_cte(const struct front *f, const char *name)
{
    for (size_t i = 0; i < f->n_ctes; i++)
        if (!strcasecmp(f->ctes[i], name))
            return true;
    return false;
}

static void add_cte(struct front *f, const char *name)
{
    const char **list = arena_alloc(&f->arena, (f->n_ctes + 1) * sizeof *list);
    if (f->n_ctes)
        memcpy(list, f->ctes, f->n_ctes * sizeof *list);
    list[f->n_ctes++] = name;
    f->ctes = list;
}

/* Names of the whole WITH list, before the walk: each "name [(columns)] AS [NOT MATERIALIZED] (". A query may use a name
 * that another place defines; then the engine says that it does not know it. */
static void collect_ctes(struct front *f, size_t from, size_t to)
{
    for (size_t i = from; i + 2 < to; i++) {
        const struct token *t = &f->t.list[i];
        bool begins = token_is(t, "with") || token_symbol(t, ",") || token_is(t, "recursive");
        if (!begins || !token_names(&t[1]))
            continue;
        size_t k = i + 2;
        struct err ignored;
        err_init(&ignored);
        if (token_symbol(&f->t.list[k], "(")) {
            k = front_after_bracket(f, k, &ignored);
            if (!k)
                continue;
        }
        if (token_is(front_token(f, k), "as") &&
            (token_symbol(front_token(f, k + 1), "(") || token_is(front_token(f, k + 1), "materialized") ||
             token_is(front_token(f, k + 1), "not")))
            add_cte(f, t[1].text);
    }
}

/* VERSION AS OF 3, TIMESTAMP AS OF '2026-01-01', FOR before either; @v3 is not taken. */
static size_t travel_end(struct walk *w, size_t at)
{
    const struct token *t = front_token(w->f, at);
    if (token_is(t, "for") && token_is(&t[1], "system_version"))
        t++, at++;
    else if (token_is(t, "for") && (token_is(&t[1], "version") || token_is(&t[1], "timestamp")))
        t++, at++;
    if (!token_is(t, "version") && !token_is(t, "timestamp") && !token_is(t, "system_version"))
        return 0;
    if (!token_is(&t[1], "as") || !token_is(&t[2], "of") || t[3].kind == TOKEN_END)
        return 0;
    struct err ignored;
    err_init(&ignored);
    size_t end = at + 4; /* a literal, or a call or bracket, perhaps with an interval after it */
    if (token_symbol(&t[3], "(") || token_symbol(&t[4], "("))
        end = front_after_bracket(w->f, at + (token_symbol(&t[3], "(") ? 3 : 4), &ignored);
    if (end && (token_symbol(front_token(w->f, end), "-") || token_symbol(front_token(w->f, end), "+")) &&
        token_is(front_token(w->f, end + 1), "interval"))
        end += 4;
    return end <= w->f->t.count ? end : 0;
}

static bool add_table(struct walk *w, struct front_name *name, size_t first, size_t travel, bool changes)
{
    struct front *f = w->f;
    if (f->n_tables == FRONT_TABLES_MAX)
        return err_set(w->e, ERR_TOO_BIG, "the statement names more than %d tables", FRONT_TABLES_MAX);
    struct front_table *t = &f->tables[f->n_tables++];
    f->table_at[first] = (unsigned short)f->n_tables;
    *t = (struct front_table){.first = first, .last = f->at - 1, .n_parts = name->written, .changes = changes};
    memcpy(t->parts, name->parts, sizeof t->parts);
    size_t end = changes ? 0 : travel_end(w, f->at);
    if (changes) {
        t->travel = travel;
        t->travel_end = f->at - 1;
    } else if (end) {
        t->travel = f->at;
        t->travel_end = end;
        f->at = end;
    }
    const struct token *after = front_now(f);
    t->aliased = f->at < w->to && (token_is(after, "as") || !front_ends_table(after));
    return true;
}

/* An error about a name inside a string: the place is the string. */
static void e_at(const struct front *f, const struct token *t, struct err *e)
{
    e->position = (int)utf8_count(f->s->sql, t->start) + 1;
}

/* table_changes('name', from [, to]) */
static bool take_changes(struct walk *w, size_t first)
{
    struct front *f = w->f;
    struct front_name name = {.written = 1};
    f->at = first + 2;
    const struct token *t = front_now(f);
    size_t close = front_after_bracket(f, first + 1, w->e);
    if (!close)
        return false;
    if (t->kind != TOKEN_STRING)
        return front_error(f, t, "PARSE_SYNTAX_ERROR", "42601", w->e,
                           "table_changes wants the table's name as a string: table_changes('t', 0)");
    struct tokens inner;
    if (!front_lex(t->text, &f->arena, &inner, w->e))
        return front_error(f, t, "PARSE_SYNTAX_ERROR", "42601", w->e, "'%s' is no table name", t->text);
    struct tokens outer = f->t;
    f->t = inner;
    f->at = 0;
    bool ok = front_take_name(f, 3, &name, w->e) && front_need_end(f, w->e);
    f->t = outer;
    f->at = close;
    if (!ok)
        e_at(f, t, w->e);
    return ok && add_table(w, &name, first, first + 3, true);
}

/* read_files(…), or a path in COPY INTO: tokens [first, end) */
static bool add_files(struct walk *w, struct front_files *x, size_t first, size_t end)
{
    struct front *f = w->f;
    struct front_name name = {.written = 1, .parts = {"", "", "read_files"}};
    f->at = end;
    if (add_table(w, &name, first, 0, false)) {
        f->tables[f->n_tables - 1].files = x;
        w->at = f->at;
        return true;
    }
    if (x != f->copied)
        front_files_free(x);
    return false;
}

static bool take_read_files(struct walk *w)
{
    size_t close = front_after_bracket(w->f, w->at + 1, w->e);
    struct front_files *x = close ? front_parse_read_files(w->f, w->at + 1, w->e) : NULL;
    return x && add_files(w, x, w->at, close);
}

/* A name where a table is wanted. */
static bool take_table(struct walk *w)
{
    struct front *f = w->f;
    size_t first = w->at;
    const struct token *t = front_token(f, first);
    f->at = first;
    if (token_symbol(&t[1], "(") && t->kind == TOKEN_WORD) {
        if (!strcasecmp(t->text, "table_changes")) {
            bool ok = take_changes(w, first);
            w->at = f->at;
            return ok;
        }
        if (!strcasecmp(t->text, "read_files"))
            return take_read_files(w);
        if (table_function(t->text))
            return true; /* walked as an expression */
        return front_error(f, t, "UNSUPPORTED_TABLE_VALUED_FUNCTION", "0A000", w->e,
                           "the table function %s is not supported: range, explode, table_changes and read_files are", t->text);
    }
    struct front_name name;
    if (!front_take_name(f, 3, &name, w->e))
        return false;
    if (name.written == 1 && is_cte(f, name.parts[2])) {
        w->at = f->at;
        return true;
    }
    bool ok = add_table(w, &name, first, 0, false);
    w->at = f->at;
    return ok;
}

static bool push(struct walk *w, struct frame frame)
{
    if (w->depth + 1 == FRONT_DEPTH_MAX)
        return front_error(w->f, front_token(w->f, w->at), "PARSE_SYNTAX_ERROR", "42601", w->e,
                           "brackets are nested deeper than %d", FRONT_DEPTH_MAX);
    w->frames[++w->depth] = frame;
    return true;
}

/* FROM inside these calls belongs to the call: EXTRACT(YEAR FROM d). */
static bool keyword_call(const struct token *t)
{
    static const char *const words[] = {"extract", "trim", "substring", "substr", "overlay", "position", "ltrim", "rtrim", NULL};
    return one_of(t, words);
}

static bool open_bracket(struct walk *w, const struct token *t, const struct token *before)
{
    bool query = token_is(&t[1], "select") || token_is(&t[1], "with") || token_is(&t[1], "values") ||
                 token_is(&t[1], "from") || token_is(&t[1], "table");
    struct frame frame = {.kind = query ? FRAME_QUERY : FRAME_EXPRESSION};
    if (before && keyword_call(before) && !query)
        frame.kind = FRAME_KEYWORD_CALL;
    if (top(w)->want_table && !query)
        frame = (struct frame){FRAME_QUERY, true, true}; /* (a JOIN b) */
    top(w)->want_table = false;
    return push(w, frame);
}

static bool refuse_call(struct walk *w, const struct token *t)
{
    return front_error(w->f, t, "UNSUPPORTED_FUNCTION", "0A000", w->e,
                       "the function %s is not available in this workspace's SQL", t->text);
}

/* x IS [NOT] DISTINCT FROM y */
static bool distinct_from(const struct walk *w)
{
    const struct token *t = front_token(w->f, w->at);
    return w->at >= 2 && token_is(&t[-1], "distinct") && (token_is(&t[-2], "is") || token_is(&t[-2], "not"));
}

/* One token outside of table names. */
static bool step(struct walk *w)
{
    const struct token *t = front_token(w->f, w->at), *before = w->at ? &t[-1] : NULL;
    struct frame *frame = top(w);
    w->at++;
    if (token_symbol(t, "("))
        return open_bracket(w, t, before);
    if (token_symbol(t, ")")) {
        w->depth -= w->depth > 0;
        return true;
    }
    if (token_symbol(t, ",")) {
        frame->want_table = frame->in_from;
        return true;
    }
    if (!token_names(t))
        return true;
    if (token_symbol(&t[1], "(") && refused_function(t->text))
        return refuse_call(w, t);
    if (before && token_symbol(before, "."))
        return true;
    w->at--;
    bool from = token_is(t, "from") && frame->kind != FRAME_KEYWORD_CALL && !distinct_from(w);
    w->at++;
    if (from || (token_is(t, "join") && frame->in_from))
        frame->in_from = frame->want_table = true;
    else if (ends_from(t))
        frame->in_from = frame->want_table = false;
    return true;
}

static bool walk_wanted(struct walk *w)
{
    const struct token *t = front_token(w->f, w->at);
    if (t->kind == TOKEN_STRING && w->f->copied) {
        if (w->f->copied->path)
            return front_error(w->f, t, "UNSUPPORTED_FEATURE.PATH_IN_FROM", "0A000", w->e, "COPY INTO reads one path");
        w->f->copied->at = t;
        w->f->copied->path = t->text;
        top(w)->want_table = false;
        return add_files(w, w->f->copied, w->at, w->at + 1);
    }
    if (t->kind == TOKEN_STRING)
        return front_error(w->f, t, "UNSUPPORTED_FEATURE.PATH_IN_FROM", "0A000", w->e,
                           "files are not read by path alone: name a table of Unity Catalog, or read_files('/Volumes/…')");
    if (token_is(t, "lateral") && token_is(&t[1], "view"))
        return front_error(w->f, t, "UNSUPPORTED_FEATURE.LATERAL_VIEW", "0A000", w->e,
                           "LATERAL VIEW is not supported: write FROM t, LATERAL (SELECT explode(…))");
    if (token_is(t, "lateral") || token_is(t, "only"))
        return w->at++, true;
    if (token_is(t, "values")) { /* rows up to the alias */
        top(w)->want_table = false;
        w->at++;
        while (token_symbol(front_token(w->f, w->at), "(")) {
            size_t after = front_after_bracket(w->f, w->at, w->e);
            if (!after)
                return false;
            w->at = token_symbol(front_token(w->f, after), ",") &&
                    token_symbol(front_token(w->f, after + 1), "(") ? after + 1 : after;
        }
        return true;
    }
    if (!token_names(t) || ends_from(t))
        return step(w);
    top(w)->want_table = false;
    size_t at = w->at;
    return take_table(w) && (w->at > at || step(w));
}

bool front_find_tables(struct front *f, size_t from, size_t to, bool in_from, struct err *e)
{
    struct walk *w = xcalloc(1, sizeof *w);
    *w = (struct walk){.f = f, .at = from, .to = to, .e = e};
    w->frames[0] = (struct frame){FRAME_QUERY, in_from, in_from};
    size_t saved = f->at;
    collect_ctes(f, from, to);
    bool ok = true;
    while (ok && w->at < to)
        ok = top(w)->want_table ? walk_wanted(w) : step(w);
    f->at = saved;
    free(w);
    return ok;
}
