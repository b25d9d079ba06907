/*
 * A filter of the engine, as its plan spells it, in PostgreSQL's SQL. What is said there may let more rows through than the engine
 * will (it filters again), never fewer: what has no sure counterpart is left out.
 *
 *   (CAST(f3_0 AS BIGINT) = 5)   ((a) AND (b))   ((a) OR (b))   (NOT (a))   (f3_1 IS NULL)   (CAST(f3_2 AS DATE) BETWEEN '…'::DATE AND '…'::DATE)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lakehouse/lake_parts.h"

enum { WHERE_DEPTH_MAX = 50 };

struct text {
    const char *at;
    size_t len;
};

struct where {
    const struct lake_object *table;
    int64_t id;
    struct buf *out;
};

/* ---- pieces of text ---- */
static struct text trimmed(struct text t)
{
    while (t.len && t.at[0] == ' ')
        t.at++, t.len--;
    while (t.len && t.at[t.len - 1] == ' ')
        t.len--;
    return t;
}

static bool starts(struct text t, const char *with)
{
    return t.len >= strlen(with) && memcmp(t.at, with, strlen(with)) == 0;
}

/* Where `word` stands outside of brackets and quotes, from `from` on; t.len: nowhere. */
static size_t find(struct text t, size_t from, const char *word)
{
    int depth = 0;
    for (size_t i = 0; i < t.len; i++) {
        if (t.at[i] == '\'' || t.at[i] == '"') { /* a doubled one ends and begins again, which is as good */
            const char *end = memchr(t.at + i + 1, t.at[i], t.len - i - 1);
            if (!end)
                return t.len;
            i = (size_t)(end - t.at);
            continue;
        }
        depth += t.at[i] == '(';
        depth -= t.at[i] == ')';
        if (depth == 0 && i >= from && starts((struct text){t.at + i, t.len - i}, word))
            return i;
    }
    return t.len;
}

/* "(…)" as a whole, without the brackets. */
static bool unwrap(struct text *t)
{
    if (t->len < 2 || t->at[0] != '(' || find(*t, 0, ")") != t->len - 1)
        return false;
    *t = trimmed((struct text){t->at + 1, t->len - 2});
    return true;
}

/* ---- one comparison ---- */
/* f<id>_<n>, perhaps in CAST(… AS …). */
static const struct lake_column *column_of(const struct where *w, struct text t)
{
    char name[64], expected[64];
    struct text inner = trimmed(t);
    if (starts(inner, "CAST(") && inner.at[inner.len - 1] == ')') {
        inner = (struct text){inner.at + 5, inner.len - 6};
        inner.len = find(inner, 0, " AS ");
    }
    if (inner.len == 0 || inner.len >= sizeof name)
        return NULL;
    snprintf(name, sizeof name, "%.*s", (int)inner.len, inner.at);
    for (size_t i = 0; i < w->table->n_columns; i++) {
        snprintf(expected, sizeof expected, LAKE_FOREIGN_COLUMN, (long long)w->id, i);
        if (strcmp(name, expected) == 0)
            return &w->table->columns[i];
    }
    return NULL;
}

static bool is_number(struct text t)
{
    size_t i = t.len && t.at[0] == '-', digits = 0, points = 0;
    for (; i < t.len; i++) {
        digits += t.at[i] >= '0' && t.at[i] <= '9';
        points += t.at[i] == '.';
        if (t.at[i] != '.' && (t.at[i] < '0' || t.at[i] > '9'))
            return false;
    }
    return digits > 0 && digits <= 38 && points <= 1;
}

/* '…' and nothing behind it but `type`; *literal: with its quotes. */
static bool is_literal(struct text t, const char *type, struct text *literal)
{
    size_t end = 1;
    if (t.len < 2 || t.at[0] != '\'')
        return false;
    for (; end < t.len; end++) {
        if (t.at[end] == '\\' || (unsigned char)t.at[end] < ' ')
            return false;
        if (t.at[end] == '\'' && !(end + 1 < t.len && t.at[end + 1] == '\''))
            break;
        end += t.at[end] == '\'';
    }
    if (end >= t.len || t.len - end - 1 != strlen(type) || memcmp(t.at + end + 1, type, strlen(type)) != 0)
        return false;
    *literal = (struct text){t.at, end + 1};
    return true;
}

static bool is_integer_type(enum delta_type t)
{
    return t == DELTA_BYTE || t == DELTA_SHORT || t == DELTA_INTEGER || t == DELTA_LONG;
}

/* The type that the engine compares in, when it is not the column's own ("…"): NULL when there is no CAST. */
static bool casts_to_number(struct text operand)
{
    struct text t = trimmed(operand);
    static const char *const types[] = {"TINYINT)", "SMALLINT)", "INTEGER)", "BIGINT)", "DECIMAL("};
    size_t as = starts(t, "CAST(") ? find((struct text){t.at + 5, t.len - 5}, 0, " AS ") + 5 + 4 : t.len;
    for (size_t i = 0; as < t.len && i < sizeof types / sizeof *types; i++)
        if (starts((struct text){t.at + as, t.len - as}, types[i]))
            return true;
    return false;
}

/* "column operator constant", with a type on one of them so that PostgreSQL compares as the engine does. */
static bool add_comparison(struct where *w, struct text operand, const char *operator, struct text constant)
{
    static const struct {
        enum delta_type type;
        const char *written, *cast;
    } times[] = {{DELTA_DATE, "::DATE", "::date"},
                 {DELTA_TIMESTAMP, "::TIMESTAMP WITH TIME ZONE", "::timestamptz"},
                 {DELTA_TIMESTAMP_NTZ, "::TIMESTAMP", "::timestamp"}};
    const struct lake_column *c = column_of(w, operand);
    struct text literal;
    constant = trimmed(constant);
    if (!c)
        return false;
    if ((is_integer_type(c->type) || c->type == DELTA_DECIMAL) && is_number(constant) && casts_to_number(operand)) {
        bool rounds = c->type == DELTA_DECIMAL && c->precision == 38; /* numeric without a scale: the engine has rounded it */
        buf_puts(w->out, rounds ? "round(" : "");
        lake_quote_name(w->out, c->name);
        if (rounds)
            buf_printf(w->out, ", %d)", c->scale);
        buf_printf(w->out, " %s (%.*s)%s", operator, (int)constant.len, constant.at,
                   memchr(constant.at, '.', constant.len) || constant.len > 18 ? "::numeric" : "::bigint");
        return true;
    }
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (c->type == times[i].type && is_literal(constant, times[i].written, &literal)) {
            lake_quote_name(w->out, c->name);
            buf_printf(w->out, " %s %.*s%s", operator, (int)literal.len, literal.at, times[i].cast);
            return true;
        }
    /* Of texts, only equality means the same everywhere. PostgreSQL's character(n) drops blanks at the end. */
    if (c->type != DELTA_STRING || strcmp(operator, "=") != 0 || !is_literal(constant, "", &literal) ||
        (literal.len > 2 && literal.at[literal.len - 2] == ' '))
        return false;
    lake_quote_name(w->out, c->name);
    buf_printf(w->out, "::text = %.*s", (int)literal.len, literal.at);
    return true;
}

static bool add_null_test(struct where *w, struct text t, const char *words)
{
    size_t n = strlen(words);
    if (t.len <= n || memcmp(t.at + t.len - n, words, n) != 0)
        return false;
    const struct lake_column *c = column_of(w, (struct text){t.at, t.len - n});
    if (!c)
        return false;
    lake_quote_name(w->out, c->name);
    buf_puts(w->out, words);
    return true;
}

/* inside_not: what lets more rows through would let fewer through. */
static bool add_atom(struct where *w, struct text t, bool inside_not)
{
    static const char *const operators[][2] = {{" != ", "<>"}, {" <= ", "<="}, {" >= ", ">="}, {" = ", "="}, {" < ", "<"}, {" > ", ">"}};
    if (add_null_test(w, t, " IS NULL") || add_null_test(w, t, " IS NOT NULL"))
        return true;
    size_t between = find(t, 0, " BETWEEN ");
    if (between < t.len) { /* the plan does not say whether the ends belong to it */
        size_t low = between + strlen(" BETWEEN "), and = find(t, low, " AND "), high = and + strlen(" AND ");
        struct text operand = {t.at, between};
        if (inside_not || and >= t.len || !add_comparison(w, operand, ">=", (struct text){t.at + low, and - low}))
            return false;
        buf_puts(w->out, " AND ");
        return add_comparison(w, operand, "<=", (struct text){t.at + high, t.len - high});
    }
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        size_t at = find(t, 0, operators[i][0]), n = strlen(operators[i][0]);
        if (at < t.len) {
            const struct lake_column *c = column_of(w, (struct text){t.at, at});
            return !(inside_not && c && c->type == DELTA_STRING) && /* a collation may take more for equal */
                   add_comparison(w, (struct text){t.at, at}, operators[i][1], (struct text){t.at + at + n, t.len - at - n});
        }
    }
    return false;
}

static bool add(struct where *w, struct text t, bool inside_not, int depth);

/* Parts between `word`. all: without one of them the others say nothing. */
static bool add_parts(struct where *w, struct text t, const char *word, bool all, bool inside_not, int depth)
{
    bool any = false;
    buf_puts(w->out, "(");
    for (size_t at = 0, end; at <= t.len; at = end + strlen(word)) {
        size_t before = w->out->len;
        end = find(t, at, word);
        if (any)
            buf_puts(w->out, word);
        if (add(w, (struct text){t.at + at, end - at}, inside_not, depth + 1)) {
            any = true;
        } else {
            buf_cut(w->out, before);
            if (all)
                return false;
        }
        if (end == t.len)
            break;
    }
    buf_puts(w->out, ")");
    return any;
}

/* What failed may have left text: the caller cuts it off. */
static bool add(struct where *w, struct text t, bool inside_not, int depth)
{
    t = trimmed(t);
    while (unwrap(&t))
        continue;
    if (depth > WHERE_DEPTH_MAX || t.len == 0)
        return false;
    if (find(t, 0, " OR ") < t.len)
        return add_parts(w, t, " OR ", true, inside_not, depth);
    if (find(t, 0, " BETWEEN ") == t.len && find(t, 0, " AND ") < t.len)
        return add_parts(w, t, " AND ", inside_not, inside_not, depth);
    buf_puts(w->out, "(");
    bool ok;
    if (starts(t, "NOT ")) {
        buf_puts(w->out, "NOT ");
        ok = add(w, (struct text){t.at + 4, t.len - 4}, true, depth + 1);
    } else {
        ok = add_atom(w, t, inside_not);
    }
    buf_puts(w->out, ")");
    return ok;
}

void lake_foreign_where(const struct lake_object *table, int64_t id, const char *filter, struct buf *out)
{
    struct where w = {table, id, out};
    size_t before = out->len;
    if (!add(&w, (struct text){filter, strlen(filter)}, false, 0))
        buf_cut(out, before);
}
