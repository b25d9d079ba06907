/* Arguments of magics against their rows (see args.h). Usage text and suggestions are in args_help.c. */
#include "cell/args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

struct value {
    const struct arg_row *row;
    const char *text;
    long long number;
    struct value *next;
};

struct args {
    const struct arg_row *rows;
    struct value *first, **last; /* in the order they were given */
    const struct value **of_row; /* the first value of each row, NULL: none */
};

struct word {
    size_t start, end;  /* raw bytes in the text */
    const char *text;   /* without quotes and escapes */
    bool quoted;        /* some of it was quoted or escaped */
};

struct parser {
    struct arena *arena;
    const struct arg_row *rows;
    const char *text;
    size_t len, at;
    int line, column;
    struct args *out;
    char *spare;           /* room for the words without their quotes; len + 1 bytes in all */
    bool only_positionals; /* after "--" */
    struct err *e;
};

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* Put the place of bytes [start, end) into the error, and the usage into its hint. Returns false. */
static bool fail_at(struct parser *p, size_t start, size_t end)
{
    int column = p->column, line = p->line;
    size_t from = 0;
    for (size_t i = 0; i < start; i++) {
        if (p->text[i] == '\n') {
            line++;
            column = 1;
            from = i + 1;
        }
    }
    p->e->line = line;
    p->e->column = column + (int)utf8_count(p->text + from, start - from);
    p->e->width = end > start ? (int)utf8_count(p->text + start, end - start) : 1;
    struct buf usage;
    buf_init(&usage, sizeof p->e->hint);
    args_usage(p->rows, &usage);
    if (usage.len > 0)
        err_hint(p->e, "usage: %s", buf_str(&usage));
    buf_release(&usage);
    return false;
}

/* One shell word at p->at. 1: read, 0: the text ended, -1: failed. */
static int next_word(struct parser *p, struct word *w)
{
    while (p->at < p->len && is_blank(p->text[p->at]))
        p->at++;
    if (p->at == p->len)
        return 0;
    char *copy = p->spare;
    size_t n = 0, opened = 0;
    char quote = 0;
    *w = (struct word){.start = p->at, .text = copy};
    for (; p->at < p->len && (quote || !is_blank(p->text[p->at])); p->at++) {
        char c = p->text[p->at];
        bool more = p->at + 1 < p->len;
        if (quote ? c == quote : (c == '\'' || c == '"')) {
            w->quoted = true;
            opened = p->at;
            quote = quote ? 0 : c;
        } else if (c == '\\' && more && (!quote || (quote == '"' && strchr("\"\\", p->text[p->at + 1])))) {
            w->quoted = true;
            copy[n++] = p->text[++p->at];
        } else {
            copy[n++] = c;
        }
    }
    w->end = p->at;
    copy[n] = '\0';
    p->spare += n + 1;
    if (!quote)
        return 1;
    err_set(p->e, ERR_USAGE, "a quote (%c) is not closed", quote);
    fail_at(p, opened, opened + 1);
    return -1;
}

static const struct value *find(const struct args *a, const struct arg_row *row) { return a->of_row[row - a->rows]; }

/* How the row is called in messages: "--capacity" or "NAME". */
static const char *label(struct parser *p, const struct arg_row *row)
{
    if (!row->positional)
        return arena_printf(p->arena, "--%s", row->name);
    if (row->placeholder)
        return row->placeholder;
    char *upper = arena_strdup(p->arena, row->name);
    for (char *c = upper; *c; c++)
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
    return upper;
}

static bool parse_int(const char *text, long long *out)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return end != text && *end == '\0' && errno == 0 && !is_blank(*text);
}

/* "500ms", "3s", "2m", "1h" */
static bool parse_duration(const char *text, long long *ms)
{
    static const struct {
        const char *unit;
        long long ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (end == text || errno || n < 0 || *text < '0' || *text > '9')
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(end, units[i].unit) == 0)
            return !__builtin_mul_overflow(n, units[i].ms, ms);
    }
    return false;
}

static const char *choice_of(const struct arg_row *row, const char *text)
{
    for (const char *const *c = row->choices; c && *c; c++) {
        if (strcasecmp(*c, text) == 0)
            return *c;
    }
    return NULL;
}

/* "--limit takes a whole number, not 'x'"; a secret is not repeated. Returns false. */
static bool refuse(struct parser *p, const struct arg_row *row, const char *text, const char *what)
{
    bool secret = row->flags & ARG_SECRET;
    return err_set(p->e, ERR_USAGE, "%s %s, not %s%s%s", label(p, row), what, secret ? "" : "'",
                   secret ? "the value given" : text, secret ? "" : "'");
}

/* "a, b or c", in the arena */
static const char *choices(struct parser *p, const struct arg_row *row)
{
    struct buf all;
    buf_init(&all, 400);
    for (const char *const *c = row->choices; *c; c++)
        buf_printf(&all, "%s%s", c == row->choices ? "" : c[1] ? ", " : " or ", *c);
    const char *text = arena_strndup(p->arena, buf_str(&all), all.len);
    buf_release(&all);
    return text;
}

static bool check_value(struct parser *p, const struct arg_row *row, const char **text, long long *number)
{
    const char *choice;
    switch (row->type) {
    case ARG_INT:
        if (!parse_int(*text, number))
            return refuse(p, row, *text, "takes a whole number");
        break;
    case ARG_DURATION:
        if (!parse_duration(*text, number))
            return refuse(p, row, *text, "takes a duration such as 500ms, 3s, 2m or 1h");
        break;
    case ARG_CHOICE:
        choice = choice_of(row, *text);
        if (!choice)
            return refuse(p, row, *text, arena_printf(p->arena, "is %s", choices(p, row)));
        *text = choice;
        return true;
    case ARG_WORD: case ARG_FLAG: case ARG_REST:
        return true;
    }
    if ((row->min || row->max) && (*number < row->min || *number > row->max))
        return refuse(p, row, *text, arena_printf(p->arena, row->type == ARG_DURATION ? "is between %lld and %lld ms"
                                                                                      : "is between %lld and %lld",
                                                  row->min, row->max));
    return true;
}

/* text: the value; [start, end): its bytes, for the place of an error. */
static bool add_value(struct parser *p, const struct arg_row *row, const char *text, size_t start, size_t end)
{
    if (find(p->out, row) && !(row->flags & ARG_REPEAT)) {
        err_set(p->e, ERR_USAGE, "%s is given twice", label(p, row));
        return fail_at(p, start, end);
    }
    long long number = 0;
    if (!check_value(p, row, &text, &number))
        return fail_at(p, start, end);
    struct value *v = arena_alloc(p->arena, sizeof *v);
    *v = (struct value){.row = row, .text = text, .number = number};
    if (!find(p->out, row))
        p->out->of_row[row - p->rows] = v;
    *p->out->last = v;
    p->out->last = &v->next;
    return true;
}

static const struct arg_row *option_row(struct parser *p, const char *name, size_t len)
{
    for (const struct arg_row *r = p->rows; r->name; r++) {
        if (!r->positional && strlen(r->name) == len && memcmp(r->name, name, len) == 0)
            return r;
    }
    return NULL;
}

static bool unknown_option(struct parser *p, const struct word *w, size_t len)
{
    const char *names[64];
    size_t n = 0;
    for (const struct arg_row *r = p->rows; r->name && n + 1 < sizeof names / sizeof *names; r++) {
        if (!r->positional)
            names[n++] = r->name;
    }
    names[n] = NULL;
    bool is_long = w->text[1] == '-';
    const char *near = is_long ? args_nearest(w->text + 2, len - 2, names) : NULL;
    err_set(p->e, ERR_USAGE, "unknown option %.*s", (int)len, w->text);
    if (near)
        err_hint(p->e, "did you mean --%s?", near);
    else if (n == 0)
        err_hint(p->e, "there are no options here");
    return fail_at(p, w->start, w->end);
}

/* An option without a value of its own (ARG_BARE): the next word, if that is a choice. */
static bool parse_bare(struct parser *p, const struct arg_row *row, const struct word *w)
{
    struct parser before = *p;
    struct word v;
    int got = next_word(p, &v);
    if (got < 0)
        return false;
    if (got == 1 && choice_of(row, v.text))
        return add_value(p, row, v.text, v.start, v.end);
    p->at = before.at;
    p->spare = before.spare;
    return add_value(p, row, row->choices[0], w->start, w->end);
}

/* "--name", "--name=value", "-n", "-nvalue", with the value in the next word if need be. */
static bool parse_option(struct parser *p, const struct word *w)
{
    bool is_long = w->text[1] == '-';
    const char *eq = is_long ? strchr(w->text, '=') : NULL;
    size_t len = eq ? (size_t)(eq - w->text) : is_long ? strlen(w->text) : 2;
    const struct arg_row *row = NULL;
    if (is_long)
        row = option_row(p, w->text + 2, len - 2);
    for (const struct arg_row *r = p->rows; !is_long && r->name && !row; r++) {
        if (!r->positional && r->letter && r->letter == w->text[1]) /* -"" has none */
            row = r;
    }
    if (!row)
        return unknown_option(p, w, len);
    const char *value = eq ? eq + 1 : !is_long && w->text[2] ? w->text + 2 : NULL;
    if (row->type == ARG_FLAG) {
        if (!value)
            return add_value(p, row, "", w->start, w->end);
        err_set(p->e, ERR_USAGE, "--%s takes no value", row->name);
        return fail_at(p, w->start, w->end);
    }
    if (value)
        return add_value(p, row, value, w->start, w->end);
    if (row->flags & ARG_BARE)
        return parse_bare(p, row, w);
    struct word v;
    int got = next_word(p, &v);
    if (got < 0)
        return false;
    if (got == 0 || (!v.quoted && strncmp(v.text, "--", 2) == 0)) {
        err_set(p->e, ERR_USAGE, "--%s needs a value", row->name);
        return fail_at(p, w->start, w->end);
    }
    return add_value(p, row, v.text, v.start, v.end);
}

/* The row that a positional word fills: the first free one. A keyword ("as") announces its row once the required
 * ones before it are filled. *after_keyword: the value is the next word. */
static const struct arg_row *positional_row(struct parser *p, const struct word *w, bool *after_keyword)
{
    const struct arg_row *free_row = NULL;
    *after_keyword = false;
    for (const struct arg_row *r = p->rows; r->name; r++) {
        if (!r->positional || (find(p->out, r) && !(r->flags & ARG_REPEAT)))
            continue;
        if (r->keyword) {
            if (w->quoted || strcasecmp(w->text, r->keyword) != 0)
                continue;
            *after_keyword = true;
            return r;
        }
        if (!free_row)
            free_row = r;
        if (r->flags & ARG_REQUIRED && !find(p->out, r))
            break;
    }
    return free_row;
}

/* The word may have been meant as the value of an option that can do without one. */
static void hint_bare(struct parser *p)
{
    for (const struct arg_row *r = p->rows; r->name; r++) {
        if (r->flags & ARG_BARE && find(p->out, r))
            err_hint(p->e, "--%s takes %s", r->name, choices(p, r));
    }
}

static bool parse_positional(struct parser *p, const struct word *w)
{
    bool after_keyword;
    const struct arg_row *row = positional_row(p, w, &after_keyword);
    if (!row) {
        bool secret = false; /* the word may be one in the wrong place */
        for (const struct arg_row *r = p->rows; r->name; r++)
            secret |= (r->flags & ARG_SECRET) != 0;
        err_set(p->e, ERR_USAGE, "%s is one word too many",
                secret ? "this" : arena_printf(p->arena, "'%s'", w->text));
        hint_bare(p);
        return fail_at(p, w->start, w->end);
    }
    struct word v = *w;
    if (after_keyword) {
        int got = next_word(p, &v);
        if (got < 0)
            return false;
        if (got == 0) {
            err_set(p->e, ERR_USAGE, "%s is missing after '%s'", label(p, row), w->text);
            return fail_at(p, w->start, w->end);
        }
    }
    if (row->type != ARG_REST)
        return add_value(p, row, v.text, v.start, v.end);
    size_t end = p->len;
    while (end > v.start && is_blank(p->text[end - 1]))
        end--;
    p->at = p->len;
    return add_value(p, row, arena_strndup(p->arena, p->text + v.start, end - v.start), v.start, end);
}

/* The raw rest takes its text unread, so a quote in it is its own business. */
static bool rest_is_next(struct parser *p)
{
    const struct arg_row *row = NULL;
    for (const struct arg_row *r = p->rows; r->name && !row; r++) {
        if (r->positional && !r->keyword && (!find(p->out, r) || r->flags & ARG_REPEAT))
            row = r;
    }
    return row && row->type == ARG_REST;
}

static bool take_rest(struct parser *p)
{
    struct word w = {.start = p->at, .end = p->at, .text = "", .quoted = true};
    return parse_positional(p, &w);
}

static bool check_required(struct parser *p)
{
    for (const struct arg_row *r = p->rows; r->name; r++) {
        if (r->flags & ARG_REQUIRED && !find(p->out, r)) {
            err_set(p->e, ERR_USAGE, "%s is missing%s%s", label(p, r), r->help ? ": " : "", r->help ? r->help : "");
            size_t end = p->len;
            while (end > 0 && is_blank(p->text[end - 1]))
                end--;
            return fail_at(p, end, end);
        }
    }
    return true;
}

/* An option is a '-' and a letter or another '-'; "-5" and "-" are words. */
static bool looks_like_option(const char *text, size_t len)
{
    return len >= 2 && text[0] == '-' && !(text[1] >= '0' && text[1] <= '9') && !is_blank(text[1]);
}

static bool parse_all(struct parser *p)
{
    for (;;) {
        while (p->at < p->len && is_blank(p->text[p->at]))
            p->at++;
        if (p->at == p->len)
            return check_required(p);
        bool option = !p->only_positionals && looks_like_option(p->text + p->at, p->len - p->at);
        if (!option && rest_is_next(p)) {
            if (!take_rest(p))
                return false;
            continue;
        }
        struct word w;
        if (next_word(p, &w) < 0)
            return false;
        if (option && strcmp(w.text, "--") == 0)
            p->only_positionals = true;
        else if (!(option ? parse_option(p, &w) : parse_positional(p, &w)))
            return false;
    }
}

const struct args *args_parse(struct arena *a, const struct arg_row *rows, const char *text, size_t len, int line,
                              int column, struct err *e)
{
    static const struct arg_row none[] = {{.name = NULL}};
    struct args *out = arena_alloc(a, sizeof *out);
    out->rows = rows ? rows : none;
    out->last = &out->first;
    size_t n_rows = 0;
    while (out->rows[n_rows].name)
        n_rows++;
    out->of_row = arena_alloc(a, (n_rows + 1) * sizeof *out->of_row);
    struct parser p = {.arena = a, .rows = out->rows, .text = text, .len = len, .line = line, .column = column,
                       .out = out, .e = e};
    p.spare = arena_alloc(a, len + 2);
    if (len && memchr(text, '\0', len)) {
        err_set(e, ERR_USAGE, "the arguments contain a NUL character");
        fail_at(&p, 0, 0);
        return NULL;
    }
    return parse_all(&p) ? out : NULL;
}

static const struct value *value_of(const struct args *a, const char *name, size_t n)
{
    bool known = false;
    for (const struct arg_row *r = a->rows; r->name && !known; r++)
        known = strcmp(r->name, name) == 0;
    if (!known)
        bug("no argument row is called '%s'", name);
    for (const struct value *v = a->first; v; v = v->next) {
        if (strcmp(v->row->name, name) == 0 && n-- == 0)
            return v;
    }
    return NULL;
}

const char *args_get(const struct args *a, const char *name) { return args_get_nth(a, name, 0); }

const char *args_get_nth(const struct args *a, const char *name, size_t n)
{
    const struct value *v = value_of(a, name, n);
    return v ? v->text : NULL;
}

bool args_flag(const struct args *a, const char *name) { return value_of(a, name, 0) != NULL; }

long long args_int(const struct args *a, const char *name, long long otherwise)
{
    const struct value *v = value_of(a, name, 0);
    return v ? v->number : otherwise;
}
