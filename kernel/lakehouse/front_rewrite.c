/*
 * The user's tokens in DuckDB's SQL: names and strings quoted its way, tables replaced by what stands for them, types and
 * functions under its names. Every string is written anew with a space before it, so no prefix of the engine's (E'…', U&'…')
 * can come about. Parameters stay parameters.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "lakehouse/front.h"

enum call { CALL_NONE, CALL_CAST, CALL_CONCAT, CALL_DATE_FORMAT, CALL_NAMED_STRUCT };
struct writer {
    struct front *f;
    struct buf *out;
    struct front_map *map;
    size_t at, to;
    unsigned char calls[FRONT_DEPTH_MAX]; /* what each open bracket belongs to */
    size_t depth;
    size_t value_at; /* the token behind the newest name of named_struct */
    struct err *e;
};

static const struct token *now(const struct writer *w)
{
    return front_token(w->f, w->at);
}

static void mark(struct writer *w, const struct token *t)
{
    struct front_map *m = w->map;
    if (!m)
        return;
    if (m->count == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 256;
        m->places = xreallocarray(m->places, m->cap, sizeof *m->places);
    }
    m->places[m->count++] = (struct front_place){w->out->len, t->start};
}

void front_map_error(const struct front *f, const struct front_map *map, struct err *e)
{
    if (e->position <= 0)
        return;
    size_t at = (size_t)e->position - 1, in = 0;
    bool found = false;
    for (size_t i = 0; map && i < map->count && map->places[i].out <= at; i++) {
        in = map->places[i].in;
        found = true;
    }
    e->position = found ? (int)utf8_count(f->s->sql, in) + 1 : 0;
}

/* ---- functions ---- */
static const struct function_name {
    const char *spark, *duck;
} function_names[] = {
    {"current_timestamp", "now"}, {"getdate", "now"}, {"nvl", "coalesce"}, {"size", "len"}, {"array_size", "len"},
    {"cardinality", "len"}, {"array", "list_value"}, {"map", "spark_map"}, {"map_from_arrays", "map"},
    {"named_struct", "struct_pack"}, {"collect_list", "spark_collect_list"},
    {"collect_set", "spark_collect_set"}, {"explode", "unnest"}, {"date_add", "spark_date_add"},
    {"date_sub", "spark_date_sub"}, {"datediff", "spark_datediff"}, {"to_date", "spark_to_date"},
    {"to_timestamp", "spark_to_timestamp"}, {"date_format", "strftime"}, {"rand", "random"},
    {"isnull", "spark_isnull"}, {"isnotnull", "spark_isnotnull"}, {"nvl2", "spark_nvl2"},
    {"dayofweek", "spark_dayofweek"}, {"unix_timestamp", "spark_unix_timestamp"}, {"sha2", "spark_sha2"},
    {"split", "string_split_regex"}, {"regexp_replace", "spark_regexp_replace"}, {"log", "ln"},
    {"get_json_object", "json_extract_string"}, {"add_months", "spark_add_months"}, {"sequence", "generate_series"},
    {"approx_percentile", "approx_quantile"}, {"percentile_approx", "approx_quantile"}, {"percentile", "quantile_cont"},
    {"pmod", "spark_pmod"}, {"array_join", "array_to_string"}, {"char_length", "length"},
    {"timestampadd", "date_add"}, {"range", "spark_range"}, {"any", "bool_or"}, {"every", "bool_and"},
    {"from_unixtime", "spark_from_unixtime"}, {"element_at", "list_extract"}, {"ucase", "upper"}, {"lcase", "lower"},
};

/* current_user() and its like: what the session says, as a literal. */
static const char *session_value(const struct front *f, const char *name)
{
    const struct lake_statement *s = f->s;
    if (!strcasecmp(name, "current_user") || !strcasecmp(name, "session_user") || !strcasecmp(name, "user"))
        return s->principal ? s->principal : "";
    if (!strcasecmp(name, "current_catalog"))
        return s->catalog ? s->catalog : "";
    if (!strcasecmp(name, "current_schema") || !strcasecmp(name, "current_database"))
        return s->schema ? s->schema : "";
    return NULL;
}

static bool is_call(const struct token *t)
{
    return token_symbol(&t[1], "(");
}

/* Keywords of the engine that are plain names in Databricks SQL. */
static bool only_theirs(const char *word)
{
    static const char *const words[] = {
        "to", "summarize", "create", "do", "initially", "returning", "analyse", "analyze", "pivot_longer", "pivot_wider", "primary",
        "lambda", "references", "show", "concurrently", "collation", "at", "binary", "overlaps", "notnull", "isnull", "unpack",
        "positional", "asof", "variadic", "table", "symmetric", "asymmetric", "describe", "default", "column", "constraint",
        "placing", "check", "only", "foreign", "unique", "deferrable", "verbose", "freeze", "authorization", "glob"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (!strcasecmp(words[i], word))
            return true;
    return false;
}

static bool write_word(struct writer *w, const struct token *t)
{
    const struct token *before = w->at ? &t[-1] : NULL;
    bool member = before && token_symbol(before, "."), owner = token_symbol(&t[1], ".");
    const char *value = member || owner ? NULL : session_value(w->f, t->text);
    if (value && (!strcasecmp(t->text, "user") || !strcasecmp(t->text, "session_user")) && !is_call(t))
        value = NULL; /* may be a column */
    if (value) {
        buf_putc(w->out, ' ');
        lake_quote_text(w->out, value);
        if (is_call(t) && token_symbol(&t[2], ")"))
            w->at += 2;
        return true;
    }
    if (is_call(t) && !member)
        for (size_t i = 0; i < ARRAY_LEN(function_names); i++)
            if (!strcasecmp(function_names[i].spark, t->text)) {
                buf_puts(w->out, function_names[i].duck);
                return true;
            }
    if (!is_call(t) && only_theirs(t->text))
        lake_quote_name(w->out, t->text);
    else
        buf_puts(w->out, t->text);
    return true;
}

/* ---- other tokens ---- */
/* 10L, 5S, 1.5D, 2BD */
static void write_number(struct writer *w, const char *text)
{
    static const char *const suffixes[][2] = {{"bd", "DECIMAL(38,18)"}, {"l", "BIGINT"}, {"s", "SMALLINT"},
                                              {"y", "TINYINT"}, {"d", "DOUBLE"}, {"f", "FLOAT"}};
    size_t n = strlen(text);
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        size_t k = strlen(suffixes[i][0]);
        if (n > k && !strcasecmp(text + n - k, suffixes[i][0])) {
            buf_printf(w->out, "CAST(%.*s AS %s)", (int)(n - k), text, suffixes[i][1]);
            return;
        }
    }
    buf_puts(w->out, text);
}

/* A parameter is text with a type: the cast is ours, the value is bound. */
static bool write_parameter(struct writer *w, const struct token *t)
{
    const struct lake_statement *s = w->f->s;
    for (size_t i = 0; i < s->n_parameters; i++) {
        if (strcmp(s->parameters[i].name, t->text) != 0)
            continue;
        struct tokens type, outer = w->f->t;
        const char *text = s->parameters[i].type ? s->parameters[i].type : "STRING";
        size_t at = 0;
        if (!front_lex(text, &w->f->arena, &type, w->e))
            return false;
        buf_printf(w->out, " CAST($%s AS ", t->text);
        w->f->t = type;
        bool ok = front_rewrite_type(w->f, &at, w->out, NULL, w->e) && at == type.count;
        w->f->t = outer;
        buf_putc(w->out, ')');
        return ok || err_set(w->e, ERR_INVALID_PARAMETER, "parameter '%s' has no known type: '%s'", t->text, text);
    }
    return front_error(w->f, t, "UNBOUND_SQL_PARAMETER", "42P02", w->e, "there is no value for the parameter :%s", t->text);
}

/* 'yyyy-MM-dd HH:mm:ss' as strftime's pattern; other letters are refused. */
static bool write_date_pattern(struct writer *w, const struct token *t)
{
    static const char *const pieces[][2] = {{"yyyy", "%Y"}, {"yy", "%y"}, {"MMMM", "%B"}, {"MMM", "%b"}, {"MM", "%m"},
                                            {"M", "%-m"}, {"dd", "%d"}, {"d", "%-d"}, {"HH", "%H"}, {"H", "%-H"},
                                            {"hh", "%I"}, {"mm", "%M"}, {"ss", "%S"}, {"SSSSSS", "%f"}, {"SSS", "%g"},
                                            {"EEEE", "%A"}, {"E", "%a"}, {"a", "%p"}, {"DDD", "%j"}};
    buf_puts(w->out, " '");
    for (const char *p = t->text; *p;) {
        size_t i = 0;
        while (i < ARRAY_LEN(pieces) && strncmp(p, pieces[i][0], strlen(pieces[i][0])) != 0)
            i++;
        if (i < ARRAY_LEN(pieces)) {
            buf_puts(w->out, pieces[i][1]);
            p += strlen(pieces[i][0]);
        } else if (strchr("-/:., T", *p)) {
            buf_putc(w->out, *p++);
        } else {
            return front_error(w->f, t, "INVALID_DATETIME_PATTERN", "22007", w->e,
                               "'%s' is no date pattern that this workspace knows (yyyy MM dd HH mm ss …)", t->text);
        }
    }
    buf_putc(w->out, '\'');
    return true;
}

/* named_struct('a', 1, 'b', 2): a literal where a name stands, not the value of the one before. */
static bool names_a_field(const struct writer *w, const struct token *t)
{
    return w->calls[w->depth] == CALL_NAMED_STRUCT && token_symbol(&t[1], ",") && w->at &&
           (token_symbol(&t[-1], "(") || token_symbol(&t[-1], ",")) && w->at != w->value_at;
}

static bool write_symbol(struct writer *w, const struct token *t)
{
    if (token_symbol(t, "(")) {
        const struct token *before = w->at ? &t[-1] : t;
        if (w->depth + 1 == FRONT_DEPTH_MAX)
            return front_error(w->f, t, "PARSE_SYNTAX_ERROR", "42601", w->e, "brackets are nested too deep");
        enum call call = token_is(before, "cast") || token_is(before, "try_cast") ? CALL_CAST
                         : token_is(before, "concat")                            ? CALL_CONCAT
                         : token_is(before, "date_format")                       ? CALL_DATE_FORMAT
                         : token_is(before, "named_struct")                      ? CALL_NAMED_STRUCT
                                                                                  : CALL_NONE;
        w->calls[++w->depth] = (unsigned char)call;
    } else if (token_symbol(t, ")")) {
        w->depth -= w->depth > 0;
    }
    if (token_symbol(t, "<=>"))
        buf_puts(w->out, " IS NOT DISTINCT FROM ");
    else if (token_symbol(t, ",") && w->calls[w->depth] == CALL_CONCAT)
        buf_puts(w->out, " || ");
    else
        buf_puts(w->out, t->text);
    if (token_symbol(t, "::")) {
        size_t at = w->at + 1;
        if (!front_rewrite_type(w->f, &at, w->out, NULL, w->e))
            return false;
        w->at = at - 1;
    }
    return true;
}

/* Words that mean something to us; false: an ordinary one. */
static bool write_keyword(struct writer *w, const struct token *t, bool *ok)
{
    const struct token *before = w->at ? &t[-1] : NULL;
    *ok = true;
    if (t[1].kind == TOKEN_STRING && !strncasecmp(t->text, "timestamp", 9)) {
        buf_puts(w->out, token_is(t, "timestamp_ntz") ? "TIMESTAMP" : "TIMESTAMPTZ");
    } else if (token_is(t, "as") && w->depth && w->calls[w->depth] == CALL_CAST) {
        size_t at = w->at + 1;
        buf_puts(w->out, "AS ");
        *ok = front_rewrite_type(w->f, &at, w->out, NULL, w->e);
        w->at = at - 1;
    } else if (token_is(t, "concat") && is_call(t)) {
        ; /* (a || b) */
    } else if (token_is(t, "left") && (token_is(&t[1], "semi") || token_is(&t[1], "anti"))) {
        ;
    } else if (token_is(t, "minus") && before && !token_symbol(before, ".") &&
               (token_is(&t[1], "select") || token_is(&t[1], "all") || token_symbol(&t[1], "("))) {
        buf_puts(w->out, "EXCEPT");
    } else if (token_is(t, "except") && before && token_symbol(before, "*") && token_symbol(&t[1], "(")) {
        buf_puts(w->out, "EXCLUDE");
    } else if (token_is(t, "div") && before && t[1].kind != TOKEN_END && !token_symbol(before, ".")) {
        buf_puts(w->out, "//");
    } else if ((token_is(t, "rlike") || token_is(t, "regexp")) && t[1].kind == TOKEN_STRING) {
        char *pattern = xasprintf("(?s).*(?:%s).*", t[1].text);
        buf_puts(w->out, "SIMILAR TO ");
        lake_quote_text(w->out, pattern);
        free(pattern);
        w->at++;
    } else {
        return false;
    }
    return true;
}

/* ---- tables ---- */
static void write_table(struct writer *w, const struct front_table *t)
{
    buf_printf(w->out, " (%s)", t->sql);
    if (!t->aliased) {
        buf_puts(w->out, " AS ");
        lake_quote_name(w->out, t->changes ? "table_changes" : t->parts[2]);
    }
    buf_putc(w->out, ' ');
    w->at = t->travel > t->last ? t->travel_end : t->last + 1;
    w->at--;
}

/* schema.table.column and catalog.schema.table.column: the qualifiers go, as the table is known by its last name. */
static size_t qualifiers(const struct writer *w)
{
    const struct token *t = now(w);
    if (w->at && token_symbol(&t[-1], "."))
        return 0;
    size_t n = 1;
    while (n < 4 && token_symbol(&t[n * 2 - 1], ".") && (token_names(&t[n * 2]) || token_symbol(&t[n * 2], "*")))
        n++;
    for (size_t i = 0; n >= 3 && i < w->f->n_tables; i++) {
        const struct front_table *table = &w->f->tables[i];
        for (size_t k = n - 1; k >= 2 && !table->aliased; k--) {
            size_t same = 0;
            while (same < k && !strcasecmp(t[same * 2].text, table->parts[3 - k + same]))
                same++;
            if (same == k)
                return (k - 1) * 2;
        }
    }
    return 0;
}

static bool write_token(struct writer *w)
{
    const struct token *t = now(w);
    bool ok = true;
    unsigned short table = w->f->table_at[w->at];
    mark(w, t);
    if (table && w->f->tables[table - 1].sql) {
        write_table(w, &w->f->tables[table - 1]);
        return true;
    }
    switch (t->kind) {
    case TOKEN_WORD:
        w->at += qualifiers(w);
        t = now(w);
        if (t->kind != TOKEN_WORD)
            return lake_quote_name(w->out, t->text), true;
        return write_keyword(w, t, &ok) ? ok : write_word(w, t);
    case TOKEN_NAME:
        w->at += qualifiers(w);
        lake_quote_name(w->out, now(w)->text);
        return true;
    case TOKEN_STRING:
        if (names_a_field(w, t)) {
            lake_quote_name(w->out, t->text);
            buf_puts(w->out, " := ");
            w->at++;
            w->value_at = w->at + 1;
            return true;
        }
        if (w->calls[w->depth] == CALL_DATE_FORMAT && token_symbol(&t[1], ")"))
            return write_date_pattern(w, t);
        buf_putc(w->out, ' ');
        lake_quote_text(w->out, t->text);
        return true;
    case TOKEN_HEX:
        buf_puts(w->out, " from_hex(");
        lake_quote_text(w->out, t->text);
        buf_putc(w->out, ')');
        return true;
    case TOKEN_NUMBER:
        write_number(w, t->text);
        return true;
    case TOKEN_PARAMETER:
        return write_parameter(w, t);
    default:
        return write_symbol(w, t);
    }
}

bool front_rewrite(struct front *f, size_t from, size_t to, struct buf *out, struct front_map *map, struct err *e)
{
    struct writer *w = xcalloc(1, sizeof *w);
    *w = (struct writer){.f = f, .out = out, .map = map, .at = from, .to = to, .e = e};
    bool ok = true;
    for (; ok && w->at < to; w->at++) {
        const struct token *t = now(w), *before = w->at > from ? &t[-1] : NULL;
        bool wordy = t->kind != TOKEN_SYMBOL && before && before->kind != TOKEN_SYMBOL;
        if (t->spaced || wordy)
            buf_putc(out, ' ');
        ok = write_token(w);
    }
    free(w);
    return ok && buf_ok(out, "the statement", e);
}
