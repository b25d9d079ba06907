/* MERGE INTO target USING source ON condition WHEN …: which tokens are what. */
#include <string.h>

#include "lakehouse/dml_merge.h"

/* The first token at bracket depth 0, and outside of CASE … END, that is one of the words; or the end. */
static size_t until(const struct front *f, size_t from, const char *const *words)
{
    int depth = 0;
    for (size_t i = from; i < f->t.count; i++) {
        const struct token *t = &f->t.list[i];
        for (size_t k = 0; depth == 0 && words[k]; k++)
            if (token_is(t, words[k]) || token_symbol(t, words[k]))
                return i;
        depth += token_symbol(t, "(") || token_symbol(t, "[") || token_is(t, "case");
        depth -= token_symbol(t, ")") || token_symbol(t, "]") || token_is(t, "end");
    }
    return f->t.count;
}

static bool parse_alias(struct front *f, const char *otherwise, const char **out, struct err *e)
{
    bool as = front_take(f, "as");
    *out = otherwise;
    if (!as && (front_ends_table(front_now(f)) || front_now(f)->kind == TOKEN_END))
        return true;
    if (!token_names(front_now(f)))
        return front_expected(f, "an alias", e);
    *out = front_now(f)->text;
    f->at++;
    return true;
}

/* name [travel] | (query), then [AS] alias [(columns)] up to ON */
static bool parse_source(struct front *f, struct merge *m, struct err *e)
{
    static const char *const ends[] = {"on", NULL};
    m->source_from = f->at;
    m->source_to = until(f, f->at, ends);
    const char *name = NULL;
    if (token_symbol(front_now(f), "(")) {
        f->at = front_after_bracket(f, f->at, e);
        if (!f->at)
            return false;
    } else if (token_is(front_now(f), "values")) {
        f->at++;
        while (token_symbol(front_now(f), "(")) {
            f->at = front_after_bracket(f, f->at, e);
            if (!f->at)
                return false;
            front_take_symbol(f, ",");
        }
    } else {
        struct front_name table;
        if (!front_take_name(f, 3, &table, e))
            return false;
        name = table.parts[2];
        if (token_symbol(front_now(f), "(")) { /* table_changes(…) */
            f->at = front_after_bracket(f, f->at, e);
            if (!f->at)
                return false;
        } else if (token_is(&front_now(f)[1], "as") && token_is(&front_now(f)[2], "of")) {
            f->at += 4;
        }
    }
    if (!parse_alias(f, name, &m->source, e))
        return false;
    m->source_unnamed = !m->source;
    if (!m->source)
        m->source = "__lake_source";
    if (token_symbol(front_now(f), "(")) {
        f->at = front_after_bracket(f, f->at, e);
        if (!f->at)
            return false;
    }
    if (f->at != m->source_to)
        return front_expected(f, "ON", e);
    return front_find_tables(f, m->source_from, m->source_to, true, e);
}

static bool too_many(struct err *e)
{
    return err_set(e, ERR_TOO_BIG, "a clause of MERGE sets more than %d columns", MERGE_SETS_MAX);
}

static bool parse_sets(struct front *f, struct merge_clause *c, struct err *e)
{
    static const char *const ends[] = {",", "when", NULL};
    if (front_take_symbol(f, "*"))
        return c->star = true;
    c->sets = arena_alloc(&f->arena, MERGE_SETS_MAX * sizeof *c->sets);
    do {
        while (token_names(front_now(f)) && token_symbol(&front_now(f)[1], "."))
            f->at += 2;
        const struct token *column = front_now(f);
        if (!token_names(column))
            return front_expected(f, "a column", e);
        f->at++;
        if (!front_take_symbol(f, "=") && !front_take_symbol(f, "=="))
            return front_expected(f, "'='", e);
        size_t to = until(f, f->at, ends);
        if (to == f->at)
            return front_expected(f, "a value", e);
        if (c->n_sets == MERGE_SETS_MAX)
            return too_many(e);
        c->sets[c->n_sets++] = (struct merge_set){column, f->at, to};
        f->at = to;
    } while (front_take_symbol(f, ","));
    return true;
}

/* (a, b) VALUES (x, y) */
static bool parse_insert(struct front *f, struct merge_clause *c, struct err *e)
{
    static const char *const ends[] = {",", ")", NULL};
    if (front_take_symbol(f, "*"))
        return c->star = true;
    c->sets = arena_alloc(&f->arena, MERGE_SETS_MAX * sizeof *c->sets);
    if (!front_need_symbol(f, "(", e))
        return false;
    do {
        while (token_names(front_now(f)) && token_symbol(&front_now(f)[1], "."))
            f->at += 2;
        if (!token_names(front_now(f)))
            return front_expected(f, "a column", e);
        if (c->n_sets == MERGE_SETS_MAX)
            return too_many(e);
        c->sets[c->n_sets++].column = front_now(f);
        f->at++;
    } while (front_take_symbol(f, ","));
    if (!front_need_symbol(f, ")", e) || !front_need(f, "values", e) || !front_need_symbol(f, "(", e))
        return false;
    size_t n = 0;
    do {
        size_t to = until(f, f->at, ends);
        if (to == f->at)
            return front_expected(f, "a value", e);
        if (n < c->n_sets) {
            c->sets[n].from = f->at;
            c->sets[n].to = to;
        }
        n++;
        f->at = to;
    } while (front_take_symbol(f, ","));
    if (n != c->n_sets)
        return front_error(f, front_now(f), "INSERT_COLUMN_ARITY_MISMATCH", "21S01", e,
                           "%zu columns are to be filled with %zu values", c->n_sets, n);
    return front_need_symbol(f, ")", e);
}

static bool parse_action(struct front *f, struct merge_clause *c, struct err *e)
{
    if (c->when != MERGE_NOT_MATCHED && front_take(f, "update set")) {
        c->action = MERGE_UPDATE;
        if (c->when == MERGE_NOT_BY_SOURCE && token_symbol(front_now(f), "*"))
            return front_expected(f, "an assignment", e);
        return parse_sets(f, c, e);
    }
    if (c->when != MERGE_NOT_MATCHED && front_take(f, "delete")) {
        c->action = MERGE_DELETE;
        return true;
    }
    if (c->when == MERGE_NOT_MATCHED && front_take(f, "insert")) {
        c->action = MERGE_INSERT;
        return parse_insert(f, c, e);
    }
    return front_expected(f, c->when == MERGE_NOT_MATCHED ? "INSERT" : "UPDATE SET or DELETE", e);
}

static bool parse_clause(struct front *f, struct merge *m, struct err *e)
{
    static const char *const then[] = {"then", NULL};
    if (m->n == MERGE_CLAUSES_MAX)
        return err_set(e, ERR_TOO_BIG, "MERGE has more than %d clauses", MERGE_CLAUSES_MAX);
    struct merge_clause *c = &m->clauses[m->n++];
    if (front_take(f, "not matched by source"))
        c->when = MERGE_NOT_BY_SOURCE;
    else if (front_take(f, "not matched by target") || front_take(f, "not matched"))
        c->when = MERGE_NOT_MATCHED;
    else if (front_take(f, "matched"))
        c->when = MERGE_MATCHED;
    else
        return front_expected(f, "MATCHED or NOT MATCHED", e);
    if (front_take(f, "and")) {
        c->condition = f->at;
        f->at = c->condition_end = until(f, f->at, then);
        if (c->condition == c->condition_end)
            return front_expected(f, "a condition", e);
    }
    return front_need(f, "then", e) && parse_action(f, c, e);
}

bool merge_parse(struct front *f, struct merge *m, struct err *e)
{
    static const char *const when[] = {"when", NULL};
    f->at = 1;
    if (front_take(f, "with schema evolution"))
        return front_error(f, front_token(f, 1), "UNSUPPORTED_FEATURE.SCHEMA_EVOLUTION", "0A000", e,
                           "MERGE WITH SCHEMA EVOLUTION is not supported: add the columns with ALTER TABLE first");
    if (!front_need(f, "into", e) || !front_take_name(f, 3, &m->table, e) ||
        !parse_alias(f, m->table.parts[2], &m->target, e) || !front_need(f, "using", e) || !parse_source(f, m, e) ||
        !front_need(f, "on", e))
        return false;
    m->on = f->at;
    f->at = m->on_end = until(f, f->at, when);
    if (m->on == m->on_end)
        return front_expected(f, "a condition", e);
    size_t clauses = f->at;
    while (front_take(f, "when"))
        if (!parse_clause(f, m, e))
            return false;
    if (m->n == 0)
        return front_expected(f, "WHEN", e);
    return front_need_end(f, e) && front_find_tables(f, m->on, clauses, false, e) &&
           front_find_tables(f, clauses, f->t.count, false, e);
}
