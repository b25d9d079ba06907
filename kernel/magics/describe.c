/* psql's \d family (see describe.h): patterns, lists, and the description of one relation. The queries are in sql/. */
#include "magics/describe.h"

#include <ctype.h>
#include <string.h>

#include "base/xalloc.h"
#include "magics/sql.h"
#include "magics/statement.h"

enum { PATTERN_MAX = 4096, RELATIONS_MAX = 20 };

const struct arg_row describe_rows[] = {
    {.name = "pattern", .positional = true, .type = ARG_REST, .help = "a name, SCHEMA.NAME; * and ? are wildcards"}, {.name = NULL}};

/* ---- patterns ---- */

static void put_literal(struct buf *out, char c)
{
    if (strchr("\\^$.[]|()*+?{}", c) && c)
        buf_putc(out, '\\');
    buf_putc(out, c);
}

bool describe_pattern(struct arena *a, const char *pattern, const char **schema, const char **name, struct err *e)
{
    struct buf parts[2];
    size_t part = 0;
    bool quoted = false;
    *schema = *name = NULL;
    if (strlen(pattern) > PATTERN_MAX)
        return err_set(e, ERR_TOO_BIG, "a pattern has at most %d bytes", PATTERN_MAX);
    for (size_t i = 0; i < 2; i++) {
        buf_init(&parts[i], (size_t)PATTERN_MAX * 3);
        buf_puts(&parts[i], "^(");
    }
    bool too_many = false;
    for (const char *p = pattern; *p && !too_many; p++) {
        struct buf *b = &parts[part];
        if (*p == '"') {
            if (quoted && p[1] == '"')
                put_literal(b, *++p);
            else
                quoted = !quoted;
        } else if (!quoted && *p == '.') {
            too_many = ++part == 2;
        } else if (!quoted && *p == '*') {
            buf_puts(b, ".*");
        } else if (!quoted && *p == '?') {
            buf_putc(b, '.');
        } else {
            put_literal(b, quoted ? *p : (char)tolower((unsigned char)*p));
        }
    }
    for (size_t i = 0; i < 2; i++)
        buf_puts(&parts[i], ")$");
    if (part == 1)
        *schema = arena_strdup(a, buf_str(&parts[0]));
    if (!too_many)
        *name = arena_strdup(a, buf_str(&parts[part]));
    buf_release(&parts[0]);
    buf_release(&parts[1]);
    if (too_many)
        return err_set(e, ERR_USAGE, "'%.100s' has too many dots: a name is SCHEMA.NAME; one session sees one database", pattern);
    return !quoted || err_set(e, ERR_USAGE, "a quote (\") is not closed");
}

/* ---- lists ---- */

static bool nothing(struct magic_ctx *ctx, const char *what, const char *pattern, struct err *e)
{
    if (!pattern) {
        sink_printf(ctx->out, "Did not find any %ss.\n", what);
        return true;
    }
    err_set(e, ERR_NOT_FOUND, "did not find any %s named \"%.200s\"", what, pattern);
    err_hint(e, "only what the search path reaches is found by its name alone; else write SCHEMA.NAME");
    return false;
}

static struct connection *current(struct magic_ctx *ctx, struct err *e) { return session_connection(ctx->session, NULL, e); }

static bool query(struct magic_ctx *ctx, const char *sql, const char *const *params, size_t n, struct table *t, struct err *e)
{
    struct connection *c = current(ctx, e);
    if (!c || !statement_query(ctx, c, sql, params, n, t, e))
        return false;
    return true;
}

bool describe_list(struct magic_ctx *ctx, const struct args *args, const struct listing *l, struct err *e)
{
    const char *pattern = args_get(args, "pattern"), *schema = NULL, *name = NULL, *params[8];
    bool plus = strchr(ctx->name, '+') != NULL, system = pattern || strchr(ctx->name, 'S');
    struct table t;
    if (pattern && !describe_pattern(ctx->arena, pattern, &schema, &name, e))
        return false;
    size_t n = strlen(l->params);
    for (size_t i = 0; i < n; i++) {
        char p = l->params[i];
        params[i] = p == 's' ? schema : p == 'n' ? name : p == 'k' ? l->kinds : system ? "true" : "false";
    }
    if (!query(ctx, plus && l->plus ? l->plus : l->sql, params, n, &t, e))
        return false;
    bool ok = true;
    if (t.seen == 0 && l->what) {
        ok = nothing(ctx, l->what, pattern, e);
    } else {
        table_set_title(&t, l->title);
        statement_show(ctx, &t);
    }
    table_release(&t);
    return ok;
}

bool describe_relations(struct magic_ctx *ctx, const struct args *args, const char *kinds, struct err *e)
{
    const struct listing l = {.title = "List of relations", .what = "relation", .sql = sql_relations,
                              .plus = sql_relations_plus, .params = "snka", .kinds = kinds};
    return describe_list(ctx, args, &l, e);
}

/* ---- one relation ---- */

static const char *title_of(struct magic_ctx *ctx, char kind, const char *name)
{
    static const struct {
        char kind;
        const char *what;
    } titles[] = {{'r', "Table"},    {'v', "View"},          {'m', "Materialized view"},  {'i', "Index"},
                  {'I', "Partitioned index"}, {'S', "Sequence"}, {'t', "TOAST table"}, {'f', "Foreign table"},
                  {'p', "Partitioned table"}, {'c', "Composite type"}};
    for (size_t i = 0; i < ARRAY_LEN(titles); i++) {
        if (titles[i].kind == kind)
            return arena_printf(ctx->arena, "%s \"%s\"", titles[i].what, name);
    }
    return name;
}

/* Lines of a query with one column, joined. */
static bool add_lines(struct magic_ctx *ctx, const char *sql, const char *const *params, size_t n, struct buf *out, struct err *e)
{
    struct table t;
    if (!query(ctx, sql, params, n, &t, e))
        return false;
    for (size_t i = 0; i < t.n_rows; i++) {
        const struct table_cell *c = table_cell_at(&t, i, 0);
        if (c->text)
            buf_printf(out, "%s%s", out->len ? "\n" : "", c->text);
    }
    if (t.n_rows < t.seen)
        buf_printf(out, "\n    … and %llu more lines", t.seen - t.n_rows);
    table_release(&t);
    return true;
}

static bool describe_one(struct magic_ctx *ctx, const char *oid, char kind, const char *name, bool plus, struct err *e)
{
    const char *sql = kind == 'S'                ? sql_sequence
                      : kind == 'i' || kind == 'I' ? sql_index_columns
                      : plus                       ? sql_columns_plus
                                                   : sql_columns;
    struct table t;
    struct buf footer;
    if (!query(ctx, sql, &oid, 1, &t, e))
        return false;
    buf_init(&footer, 1 << 20);
    const char *params[] = {oid, plus ? "true" : "false"};
    bool ok = add_lines(ctx, sql_relation_footer, params, 2, &footer, e);
    if (ok && plus && (kind == 'v' || kind == 'm'))
        ok = add_lines(ctx, sql_view_definition, params, 1, &footer, e);
    if (ok && (ok = buf_ok(&footer, "the description", e))) {
        table_set_title(&t, title_of(ctx, kind, name));
        if (t.n_rows < t.seen) /* the footer takes the place of the line that would say so */
            buf_printf(&footer, "%s(%zu of %llu columns shown)", footer.len ? "\n" : "", t.n_rows, t.seen);
        table_set_footer(&t, buf_str(&footer));
        t.expanded = false;
        statement_show(ctx, &t);
    }
    buf_release(&footer);
    table_release(&t);
    return ok;
}

bool describe_named(struct magic_ctx *ctx, const char *pattern, struct err *e)
{
    const char *params[2];
    struct table t;
    bool plus = strchr(ctx->name, '+') != NULL, ok = true, last = ctx->last;
    if (!describe_pattern(ctx->arena, pattern, &params[0], &params[1], e) ||
        !query(ctx, sql_relations_named, params, 2, &t, e))
        return false;
    if (t.seen == 0)
        ok = nothing(ctx, "relation", pattern, e);
    size_t n = t.n_rows < RELATIONS_MAX ? t.n_rows : RELATIONS_MAX;
    for (size_t i = 0; ok && i < n; i++) {
        ctx->last = last && i + 1 == t.seen;
        ok = describe_one(ctx, table_cell_at(&t, i, 0)->text, *table_cell_at(&t, i, 1)->text,
                          table_cell_at(&t, i, 2)->text, plus, e);
    }
    if (ok && n < t.seen)
        sink_printf(ctx->out, "(%zu of %llu relations shown)\n", n, t.seen);
    ctx->last = last;
    table_release(&t);
    return ok;
}
