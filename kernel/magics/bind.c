/* Binding variables into a statement (see bind.h). Where references are is cell/binding.c's. */
#include "magics/bind.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "cell/binding.h"
#include "cell/sqlword.h"

enum { BOUND_MAX_BYTES = 64 << 20 };

struct binder {
    struct arena *arena;
    const struct variables *variables;
    const char *text;
    size_t len;
    struct bound *out;
    const struct variable **bound; /* of each parameter */
    size_t room;
    struct buf sql;
    struct err *e;
};

/* Puts the reference's place into the error. */
static bool fail_at(struct binder *b, const struct sql_ref *ref)
{
    b->e->position = (int)utf8_count(b->text, ref->at) + 1;
    b->e->width = (int)utf8_count(b->text + ref->at, ref->len);
    return false;
}

static void say_no_parameters(const char *text, size_t len, const char *name, int name_len, struct err *e)
{
    struct sql_word word = {0};
    sql_words(text, len, &word, 1);
    err_set(e, ERR_USAGE, "%.*s takes no bound value, so :%.*s cannot stand here",
            word.len ? (int)word.len : 14, word.len ? text + word.at : "this statement", name_len, name);
    err_hint(e, "write :'%.*s' for its value as a quoted literal, with a cast where it is no text (:'%.*s'::integer), or :\"%.*s\" for "
                "a name", name_len, name, name_len, name, name_len, name);
}

/* $n of a variable: the same for each time it occurs. */
static size_t parameter(struct binder *b, const struct variable *x)
{
    for (size_t i = 0; i < b->out->n_params; i++) {
        if (b->bound[i] == x)
            return i + 1;
    }
    b->bound[b->out->n_params] = x;
    b->out->params[b->out->n_params++] = (struct pg_param){x->text, x->type};
    return b->out->n_params;
}

static bool put(struct binder *b, const struct sql_ref *ref, const struct variable *x)
{
    const char *name = b->text + ref->name_at;
    if (ref->kind == SQL_REF_VALUE) {
        if (!sql_takes_parameters(b->text, b->len)) {
            say_no_parameters(b->text, b->len, name, (int)ref->name_len, b->e);
            return fail_at(b, ref);
        }
        if (!x->text && x->type == 0) {
            buf_puts(&b->sql, " NULL "); /* a parameter would need a type, which NULL does without */
            return true;
        }
        /* A blank, so that it never sticks to what stands before or behind it. */
        buf_printf(&b->sql, " $%zu ", parameter(b, x));
        return true;
    }
    if (!x->text && ref->kind == SQL_REF_IDENT) {
        err_set(b->e, ERR_USAGE, "the variable '%s' is NULL, which is no name", x->name);
        return fail_at(b, ref);
    }
    if (!x->text)
        buf_puts(&b->sql, " NULL ");
    else if (ref->kind == SQL_REF_LITERAL)
        pg_quote_literal(&b->sql, x->text);
    else
        pg_quote_ident(&b->sql, x->text);
    return true;
}

static void add_place(struct binder *b, const struct sql_ref *ref, size_t to)
{
    b->out->places[b->out->n_places++] =
        (struct bind_place){.from = ref->at, .from_len = ref->len, .to = to, .to_len = b->sql.len - to};
}

/* Room for one more parameter and place. */
static bool grow(struct binder *b)
{
    if (b->out->n_places < b->room)
        return true;
    if (b->room >= BIND_REFS_MAX)
        return err_set(b->e, ERR_TOO_BIG, "a statement has at most %d references to variables", BIND_REFS_MAX);
    size_t room = b->room ? b->room * 5 : 16;
    room = room > BIND_REFS_MAX ? BIND_REFS_MAX : room;
    struct pg_param *params = arena_alloc(b->arena, room * sizeof *params);
    struct bind_place *places = arena_alloc(b->arena, room * sizeof *places);
    const struct variable **bound = arena_alloc(b->arena, room * sizeof *bound);
    if (b->room) {
        memcpy(params, b->out->params, b->out->n_params * sizeof *params);
        memcpy(places, b->out->places, b->out->n_places * sizeof *places);
        memcpy(bound, b->bound, b->out->n_params * sizeof *bound);
    }
    b->out->params = params;
    b->out->places = places;
    b->bound = bound;
    b->room = room;
    return true;
}

static bool bind_all(struct binder *b)
{
    struct sql_refs state = {0};
    struct sql_ref ref;
    size_t done = 0;
    while (sql_next_ref(b->text, b->len, &state, &ref)) {
        const struct variable *x = variables_find(b->variables, b->text + ref.name_at, ref.name_len);
        if (!x) {
            variables_unknown(b->variables, b->text + ref.name_at, ref.name_len, b->e);
            return fail_at(b, &ref);
        }
        if (!grow(b))
            return fail_at(b, &ref);
        buf_add(&b->sql, b->text + done, ref.at - done);
        size_t to = b->sql.len;
        if (!put(b, &ref, x))
            return false;
        add_place(b, &ref, to);
        done = ref.at + ref.len;
    }
    buf_add(&b->sql, b->text + done, b->len - done);
    return buf_ok(&b->sql, "the statement with its variables", b->e);
}

bool bind_variables(struct arena *a, const struct variables *v, const char *text, size_t len, struct bound *out,
                    struct err *e)
{
    struct binder b = {.arena = a, .variables = v, .text = text, .len = len, .out = out, .e = e};
    *out = (struct bound){0};
    if (!memchr(text, ':', len)) {
        out->sql = arena_strndup(a, text, len);
        return true;
    }
    buf_init(&b.sql, BOUND_MAX_BYTES);
    bool ok = bind_all(&b);
    if (ok)
        out->sql = arena_strndup(a, buf_str(&b.sql), b.sql.len);
    buf_release(&b.sql);
    return ok;
}

/* From a byte of what was sent to one of what was written; *ref: the reference it is in, NULL: none. */
static size_t written_at(const struct bound *b, size_t at, const struct bind_place **ref)
{
    const struct bind_place *before = NULL;
    *ref = NULL;
    for (size_t i = 0; i < b->n_places && b->places[i].to <= at; i++)
        before = &b->places[i];
    if (!before)
        return at;
    if (at >= before->to + before->to_len)
        return before->from + before->from_len + (at - before->to - before->to_len);
    *ref = before;
    return before->from;
}

/* Where the variable stands first that a message names as "$n"; NULL: it names none. */
static const struct bind_place *named_in(const struct bound *b, const char *message)
{
    char name[16];
    const char *dollar = strchr(message, '$');
    unsigned long n = dollar ? strtoul(dollar + 1, NULL, 10) : 0;
    if (n == 0 || n > b->n_params)
        return NULL;
    int len = snprintf(name, sizeof name, " $%lu ", n);
    for (size_t i = 0; i < b->n_places; i++) {
        const struct bind_place *p = &b->places[i];
        if (p->to_len == (size_t)len && memcmp(b->sql + p->to, name, p->to_len) == 0)
            return p;
    }
    return NULL;
}

/* The server knows parameters as $n. */
static void name_variable(const struct bound *b, const char *text, struct err *e)
{
    bool untyped = strcmp(e->sqlstate, "42P18") == 0;
    const struct bind_place *p = named_in(b, untyped ? e->text : e->context);
    if (!p)
        return;
    if (untyped)
        err_hint(e, "nothing says which type :%.*s has here; cast it: %.*s::text", (int)p->from_len - 1,
                 text + p->from + 1, (int)p->from_len, text + p->from);
    else
        err_hint(e, "the parameter is the variable %.*s; a cast (%.*s::TYPE) says what it is meant as", (int)p->from_len,
                 text + p->from, (int)p->from_len, text + p->from);
    e->position = (int)utf8_count(b->sql, p->to) + 1;
}

/* "IN :l", "= :l", "IN (:l)": a list is one value, an array. */
static void explain_list(const struct bound *b, const char *text, const struct bind_place *ref, struct err *e)
{
    bool compared = strcmp(e->sqlstate, "42883") == 0 && strstr(e->text, "[]");
    bool in = ref && strcmp(e->sqlstate, "42601") == 0 && strstr(e->text, "\"$");
    if (!ref && b->n_places == 1)
        ref = &b->places[0];
    if (in)
        snprintf(e->text, sizeof e->text, "syntax error at or near \"%.*s\"", (int)ref->from_len, text + ref->from);
    if ((compared || in) && ref && !*e->hint)
        err_hint(e, "one of a list is asked for with = ANY (%.*s)", (int)ref->from_len, text + ref->from);
    else if (compared && ref)
        snprintf(e->hint, sizeof e->hint, "one of a list is asked for with = ANY (%.*s)", (int)ref->from_len, text + ref->from);
}

/* "x[:n]" is a slice of PostgreSQL's, whose end is the column n. */
static void explain_slice(const char *text, size_t len, size_t at, struct err *e)
{
    if (strcmp(e->sqlstate, "42703") != 0 || at == 0 || at >= len || text[at - 1] != ':' || (at > 1 && text[at - 2] == ':') || *e->hint)
        return;
    size_t n = 0;
    while (at + n < len && (text[at + n] == '_' || isalnum((unsigned char)text[at + n])))
        n++;
    err_hint(e, "between brackets a colon is that of a slice; a variable there stands in parentheses: (:%.*s)", (int)n, text + at);
}

void bind_explain(const struct bound *b, const char *text, size_t len, struct err *e)
{
    const struct bind_place *ref;
    if (e->position < 1)
        name_variable(b, text, e);
    if (e->position >= 1 && b->n_places == 0)
        explain_slice(text, len, utf8_offset(text, len, (size_t)e->position - 1), e);
    if (e->position < 1 || b->n_places == 0)
        return;
    size_t at = written_at(b, utf8_offset(b->sql, strlen(b->sql), (size_t)e->position - 1), &ref);
    if (ref && text[ref->from + 1] != '\'' && text[ref->from + 1] != '"' && strcmp(e->sqlstate, "42P02") == 0) {
        *e = (struct err){0};
        say_no_parameters(text, len, text + ref->from + 1, (int)ref->from_len - 1, e);
    }
    explain_list(b, text, ref, e);
    explain_slice(text, len, at, e);
    if (ref)
        e->width = (int)utf8_count(text + ref->from, ref->from_len);
    e->position = (int)utf8_count(text, at) + 1;
}
