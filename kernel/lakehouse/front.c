/* The SQL front's door: a statement is recognised by its first words and given to its handler. Walking over tokens. */
#include "lakehouse/front_files.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jx.h"
#include "base/utf8.h"
#include "base/xalloc.h"

static const struct statement {
    const char *word;
    front_handler *run;
} statements[] = {
    {"select", front_select}, {"with", front_select},     {"values", front_select}, {"from", front_select},
    {"create", front_create}, {"drop", front_drop},       {"alter", front_alter},   {"insert", front_insert},
    {"update", front_update}, {"delete", front_delete},   {"merge", front_merge},   {"describe", front_describe},
    {"desc", front_describe}, {"show", front_show},       {"use", front_use},       {"grant", front_grant},
    {"revoke", front_grant},  {"truncate", front_truncate}, {"optimize", front_optimize}, {"restore", front_restore},
    {"vacuum", front_vacuum}, {"explain", front_explain}, {"copy", front_copy},     {"list", front_list},
};
static const char supported[] =
    "SELECT, WITH, VALUES, EXPLAIN, INSERT INTO, UPDATE, DELETE FROM, TRUNCATE TABLE, MERGE INTO, COPY INTO, LIST, CREATE and DROP CATALOG, SCHEMA, TABLE and VOLUME, "
    "ALTER TABLE (SET TBLPROPERTIES, ADD COLUMN), OPTIMIZE, RESTORE TABLE, VACUUM, DESCRIBE, SHOW, USE, GRANT, REVOKE";

/* ---- errors ---- */
bool front_error(struct front *f, const struct token *at, const char *class, const char *sqlstate, struct err *e,
                 const char *fmt, ...)
{
    char text[900];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return front_error_at(f->s->sql, at->start, class, sqlstate, e, "%s", text);
}

bool front_expected(struct front *f, const char *what, struct err *e)
{
    const struct token *t = front_now(f);
    if (t->kind == TOKEN_END)
        return front_error(f, t, "PARSE_SYNTAX_ERROR", "42601", e, "the statement ends where %s is expected", what);
    return front_error(f, t, "PARSE_SYNTAX_ERROR", "42601", e, "%s is expected, not '%.60s'", what, t->text);
}

void front_hide(struct front *f, const char *folder, const char *shown)
{
    lake_aliases_add(&f->aliases, folder, shown);
}

/* ---- walking ---- */
bool front_take(struct front *f, const char *words)
{
    size_t at = f->at;
    while (*words) {
        size_t n = strcspn(words, " ");
        const struct token *t = front_token(f, at++);
        if (t->kind != TOKEN_WORD || strlen(t->text) != n || strncasecmp(t->text, words, n) != 0)
            return false;
        words += n + (words[n] == ' ');
    }
    f->at = at;
    return true;
}

bool front_take_symbol(struct front *f, const char *symbol)
{
    bool here = token_symbol(front_now(f), symbol);
    f->at += here;
    return here;
}

bool front_need(struct front *f, const char *words, struct err *e)
{
    return front_take(f, words) || front_expected(f, words, e);
}

bool front_need_symbol(struct front *f, const char *symbol, struct err *e)
{
    char what[16];
    snprintf(what, sizeof what, "'%s'", symbol);
    return front_take_symbol(f, symbol) || front_expected(f, what, e);
}

bool front_need_end(struct front *f, struct err *e)
{
    return front_now(f)->kind == TOKEN_END || front_expected(f, "the end of the statement", e);
}

bool front_take_name(struct front *f, size_t want, struct front_name *out, struct err *e)
{
    const char *written[4];
    size_t n = 0;
    *out = (struct front_name){.n = want, .token = front_now(f)};
    do {
        const struct token *t = front_now(f);
        if (!token_names(t))
            return front_expected(f, "a name", e);
        if (n == want)
            return front_error(f, t, "PARSE_SYNTAX_ERROR", "42601", e, "the name has more than %zu parts", want);
        if (!*t->text || strlen(t->text) > 255)
            return front_error(f, t, "INVALID_IDENTIFIER", "42602", e, "a name has 1 to 255 bytes");
        written[n++] = t->text;
        f->at++;
    } while (front_take_symbol(f, "."));
    out->written = n;
    const char *current[2] = {f->s->catalog, f->s->schema};
    for (size_t i = 0; i < want; i++) {
        bool given = i + n >= want;
        out->parts[i] = given ? written[i + n - want] : current[i];
        if (!given && (!current[i] || !*current[i]))
            return front_error(f, out->token, "MISSING_CATALOG_OR_SCHEMA", "42602", e,
                               "there is no current %s: write the name with all its parts", i ? "schema" : "catalog");
    }
    return true;
}

const char *front_full_name(struct front *f, const struct front_name *name)
{
    if (name->n == 1)
        return name->parts[0];
    if (name->n == 2)
        return arena_printf(&f->arena, "%s.%s", name->parts[0], name->parts[1]);
    return arena_printf(&f->arena, "%s.%s.%s", name->parts[0], name->parts[1], name->parts[2]);
}

json_t *front_name_json(const struct front_name *name)
{
    json_t *list = json_array();
    for (size_t i = 0; i < name->n; i++)
        json_array_append_new(list, jx_str(name->parts[i]));
    return list;
}

const char *front_quoted_name(struct front *f, const char *const *parts, size_t n)
{
    const char *text = "";
    for (size_t i = 0; i < n; i++)
        text = arena_printf(&f->arena, "%s%s`%s`", text, i ? "." : "", parts[i]);
    return text;
}

bool front_take_string(struct front *f, const char **out, struct err *e)
{
    const struct token *t = front_now(f);
    if (t->kind != TOKEN_STRING)
        return front_expected(f, "a string", e);
    *out = t->text;
    f->at++;
    return true;
}

size_t front_after_bracket(struct front *f, size_t open, struct err *e)
{
    size_t depth = 0;
    for (size_t i = open; i < f->t.count; i++) {
        const struct token *t = &f->t.list[i];
        depth += token_symbol(t, "(");
        if (token_symbol(t, ")") && --depth == 0)
            return i + 1;
    }
    front_error(f, front_token(f, open), "PARSE_SYNTAX_ERROR", "42601", e, "the bracket is not closed");
    return 0;
}

/* ---- the door ---- */
static front_handler *recognise(struct front *f, struct err *e)
{
    const struct token *t = &f->t.list[0];
    if (token_symbol(t, "("))
        return front_select;
    for (size_t i = 0; i < ARRAY_LEN(statements); i++)
        if (token_is(t, statements[i].word))
            return statements[i].run;
    char word[40];
    size_t n = 0;
    for (; t->text[n] && n + 1 < sizeof word; n++)
        word[n] = (char)(t->text[n] >= 'a' && t->text[n] <= 'z' ? t->text[n] - 32 : t->text[n]);
    word[utf8_floor(word, n, n)] = '\0';
    front_error(f, t, "UNSUPPORTED_STATEMENT", "0A000", e, "the statement %s is not supported by this workspace", word);
    err_hint(e, "supported: %s", supported);
    return NULL;
}

static bool begin(struct front *f, struct err *e)
{
    if (!front_lex(f->s->sql, &f->arena, &f->t, e))
        return false;
    f->tables = arena_alloc(&f->arena, FRONT_TABLES_MAX * sizeof *f->tables);
    f->table_at = arena_alloc(&f->arena, (f->t.count + 1) * sizeof *f->table_at);
    f->conn = duck_connect(f->lake->db, e);
    return f->conn != NULL;
}

/* Errors so far, and those to come. */
static void end_names(struct front *f, struct lake_stream *stream, struct err *e)
{
    lake_aliases_apply(f->aliases, e);
    if (stream)
        lake_stream_aliases(stream, f->aliases);
    else
        lake_aliases_free(f->aliases);
}

struct lake_stream *lake_execute(struct lake *l, const struct lake_catalog *catalog, const struct lake_statement *s,
                                 struct lake_outcome *outcome, struct cancel *cancel, struct err *e)
{
    struct front f = {.lake = l, .catalog = catalog, .s = s, .outcome = outcome, .cancel = cancel,
                      .queue_fd = -1};
    *outcome = (struct lake_outcome){.sources = json_array()};
    arena_init(&f.arena);
    struct lake_stream *stream = NULL;
    front_handler *run = begin(&f, e) ? recognise(&f, e) : NULL;
    if (run)
        stream = run(&f, e);
    front_close_sources(&f);
    duck_disconnect(f.conn);
    for (size_t i = 0; i < f.n_tables; i++)
        if (f.tables[i].files != f.copied)
            front_files_free(f.tables[i].files);
    end_names(&f, stream, e);
    if (stream && f.handles)
        lake_stream_on_close(stream, lake_handles_free, f.handles);
    else
        lake_handles_free(f.handles);
    arena_release(&f.arena);
    if (!stream)
        lake_outcome_release(outcome);
    return stream;
}
