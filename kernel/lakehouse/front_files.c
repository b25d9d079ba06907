/* Options of readers, and which files of a volume a statement means (see front_files.h). */
#include "lakehouse/front_files.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jx.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "lakehouse/front_table.h"

enum { CSV = 1, JSON = 2, PARQUET = 4, ALL = 7 };
enum option_kind { OPTION_FLAG = 1, OPTION_TEXT, OPTION_CHARACTER, OPTION_COUNT, OPTION_MODE, OPTION_ENCODING };

/* Options of the service that are kept to. also: another name of the same. */
static const struct known_option {
    const char *name, *also;
    unsigned formats;
    enum option_kind kind;
} known_options[] = {
    {"header", NULL, CSV, OPTION_FLAG},          {"inferSchema", "inferColumnTypes", CSV | JSON, OPTION_FLAG},
    {"delimiter", "sep", CSV, OPTION_TEXT},      {"quote", NULL, CSV, OPTION_CHARACTER},
    {"escape", NULL, CSV, OPTION_CHARACTER},     {"comment", NULL, CSV, OPTION_CHARACTER},
    {"nullValue", NULL, CSV, OPTION_TEXT},       {"skipRows", NULL, CSV, OPTION_COUNT},
    {"multiLine", NULL, CSV | JSON, OPTION_FLAG}, {"mode", NULL, CSV | JSON, OPTION_MODE},
    {"encoding", "charset", CSV | JSON, OPTION_ENCODING}, {"mergeSchema", NULL, ALL, OPTION_FLAG},
    {"pathGlobFilter", "fileNamePattern", ALL, OPTION_TEXT}, {"ignoreCorruptFiles", NULL, ALL, OPTION_FLAG},
};

/* ---- options ---- */
static bool is_named(const struct known_option *k, const char *name)
{
    return !strcasecmp(k->name, name) || (k->also && !strcasecmp(k->also, name));
}

static const struct known_option *find_known(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(known_options); i++)
        if (is_named(&known_options[i], name))
            return &known_options[i];
    return NULL;
}

const char *front_files_text(const struct front_files *x, const char *name)
{
    const struct known_option *k = find_known(name);
    for (size_t i = 0; k && i < x->n_options; i++)
        if (is_named(k, x->options[i].name))
            return x->options[i].value;
    return NULL;
}

bool front_files_flag(const struct front_files *x, const char *name, bool otherwise)
{
    const char *text = front_files_text(x, name);
    return text ? !strcasecmp(text, "true") : otherwise;
}

bool front_files_option(struct front *f, struct front_files *x, const struct front_option *o, struct err *e)
{
    const struct known_option *k = find_known(o->name);
    if (x->n_options == FRONT_OPTIONS_MAX)
        return front_error(f, o->at, "INVALID_PARAMETER_VALUE", "22023", e, "there are more than %d options", FRONT_OPTIONS_MAX);
    for (size_t i = 0; i < x->n_options; i++)
        if (!strcasecmp(x->options[i].name, o->name) || (k && is_named(k, x->options[i].name)))
            return front_error(f, o->at, "DUPLICATE_KEY", "23505", e, "the option '%s' is set twice", o->name);
    x->options[x->n_options++] = *o;
    return true;
}

bool front_take_option_value(struct front *f, const char **out, struct err *e)
{
    const struct token *t = front_now(f);
    *out = t->kind == TOKEN_STRING || t->kind == TOKEN_NUMBER || token_is(t, "true") || token_is(t, "false") ? t->text : NULL;
    for (size_t i = 0; t->kind == TOKEN_PARAMETER && i < f->s->n_parameters; i++)
        if (!strcmp(f->s->parameters[i].name, t->text))
            *out = f->s->parameters[i].value;
    if (!*out)
        return front_expected(f, "a string, a number, true or false", e);
    f->at++;
    return true;
}

static unsigned format_bit(const char *format)
{
    return !strcmp(format, "csv") ? CSV : !strcmp(format, "json") ? JSON : PARQUET;
}

static bool value_ok(const struct known_option *k, const char *value, const char **want)
{
    switch (k->kind) {
    case OPTION_FLAG:
        *want = "true or false";
        return !strcasecmp(value, "true") || !strcasecmp(value, "false");
    case OPTION_CHARACTER:
        *want = "one character of ASCII, or empty";
        return strlen(value) <= 1 && !(value[0] & 0x80);
    case OPTION_COUNT:
        *want = "a number";
        return *value && strlen(value) < 10 && strspn(value, "0123456789") == strlen(value);
    case OPTION_MODE: /* PERMISSIVE, the service's default, would set aside what does not fit */
        *want = "FAILFAST (a bad line is an error; the default here) or DROPMALFORMED";
        return !strcasecmp(value, "failfast") || !strcasecmp(value, "dropmalformed");
    case OPTION_ENCODING:
        *want = "UTF-8";
        return !strcasecmp(value, "utf-8") || !strcasecmp(value, "utf8");
    case OPTION_TEXT:
        *want = "1 to 100 bytes";
        return strcasecmp(k->name, "nullValue") == 0 ? strlen(value) <= 100 : *value && strlen(value) <= 100;
    }
    return false;
}

static bool check_options(struct front *f, const struct front_files *x, struct err *e)
{
    for (size_t i = 0; i < x->n_options; i++) {
        const struct front_option *o = &x->options[i];
        const struct known_option *k = find_known(o->name);
        const char *want = "";
        if (!k || !(k->formats & format_bit(x->format))) {
            char list[400] = "";
            for (size_t n = 0; n < ARRAY_LEN(known_options); n++)
                if (known_options[n].formats & format_bit(x->format))
                    snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", *list ? ", " : "", known_options[n].name);
            front_error(f, o->at, "UNSUPPORTED_FEATURE.OPTION", "0A000", e, "the option '%.60s' is not supported for %s files", o->name, x->format);
            err_hint(e, "supported: %s", list);
            return false;
        }
        if (!value_ok(k, o->value, &want))
            return front_error(f, o->at, "INVALID_PARAMETER_VALUE", "22023", e, "the option %s is %s, not '%.60s'", k->name, want, o->value);
    }
    return true;
}

/* ---- read_files ---- */
/* schema => 'id INT, name STRING' */
static bool take_schema(struct front *f, const char *text, const struct token *at, struct front_files *x, struct err *e)
{
    struct tokens outer = f->t, inner;
    size_t saved = f->at;
    if (!front_lex(text, &f->arena, &inner, e))
        return front_error(f, at, "PARSE_SYNTAX_ERROR", "42601", e, "the schema cannot be read");
    struct table_definition d = {0};
    f->t = inner;
    f->at = 0;
    bool ok;
    do
        ok = front_parse_column(f, &d, false, e);
    while (ok && front_take_symbol(f, ","));
    ok = ok && front_need_end(f, e);
    f->t = outer;
    f->at = saved;
    if (ok)
        delta_schema_copy(&x->schema, &d.schema);
    else /* the place is the string, not a place in it */
        e->position = (int)utf8_count(f->s->sql, at->start) + 1;
    table_definition_release(&d);
    return ok;
}

bool front_files_format(struct front *f, const char *text, const struct token *at, const char **out, struct err *e)
{
    static const char *const formats[] = {"csv", "json", "parquet"};
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (!strcasecmp(text, formats[i])) {
            *out = formats[i];
            return true;
        }
    return front_error(f, at, "UNSUPPORTED_FEATURE.FILE_FORMAT", "0A000", e, "files of the format '%.40s' are not read here: CSV, JSON and PARQUET are", text);
}

static bool take_argument(struct front *f, struct front_files *x, struct err *e)
{
    struct front_option o = {.at = front_now(f), .name = front_now(f)->text};
    if (!token_names(o.at))
        return front_expected(f, "the name of an option", e);
    f->at++;
    if (!front_need_symbol(f, "=>", e) || !front_take_option_value(f, &o.value, e))
        return false;
    if (!strcasecmp(o.name, "format"))
        return front_files_format(f, o.value, o.at, &x->format, e);
    if (!strcasecmp(o.name, "schema"))
        return take_schema(f, o.value, o.at, x, e);
    return front_files_option(f, x, &o, e);
}

struct front_files *front_parse_read_files(struct front *f, size_t open, struct err *e)
{
    struct front_files *x = xcalloc(1, sizeof *x);
    size_t saved = f->at;
    f->at = open + 1;
    x->at = front_now(f);
    bool ok = front_take_option_value(f, &x->path, e);
    while (ok && front_take_symbol(f, ","))
        ok = take_argument(f, x, e);
    ok = ok && front_need_symbol(f, ")", e);
    f->at = saved;
    if (ok)
        return x;
    front_files_free(x);
    return NULL;
}

void front_files_free(struct front_files *x)
{
    if (x)
        delta_schema_release(&x->schema);
    free(x);
}

/* ---- which files ---- */
bool front_files_error(struct front *f, const struct front_files *x, const struct volume_file *file, struct err *e,
                       const char *fmt, ...)
{
    char why[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return front_error(f, x->at, "FAILED_READ_FILE.NO_HINT", "KD001", e, "Error while reading file %s/%s: %s", x->volume_path, file->name, why);
}

static bool no_path(struct front *f, const struct front_files *x, const char *path, struct err *e)
{
    front_error(f, x->at, "PATH_NOT_FOUND", "42K03", e, "Path does not exist: %s%s%s", x->volume_path, *path ? "/" : "", path);
    err_hint(e, "LIST '%s' shows what is there; files come with the Files API (w.files.upload) or PUT", x->volume_path);
    return false;
}

static bool list_one(struct front *f, const struct front_files *x, const char *path, bool deep, struct volume_files *out, struct err *e)
{
    if (volume_list(x->folder, path, deep, &f->arena, out, e))
        return out->count > 0 || !deep || no_path(f, x, path, e);
    char text[sizeof e->text];
    memcpy(text, e->text, sizeof text);
    if (e->code == ERR_NOT_FOUND || e->code == ERR_INVALID_PARAMETER) {
        bool missing = e->code == ERR_NOT_FOUND;
        e->code = ERR_NONE;
        return missing ? no_path(f, x, path, e)
                       : front_error(f, x->at, "INVALID_PARAMETER_VALUE", "22023", e, "%s/%s: %s", x->volume_path, path, text);
    }
    return err_wrap(e, "%s/%s", x->volume_path, path);
}

static void keep(struct front *f, struct volume_files *into, const struct volume_files *more)
{
    struct volume_file *list = arena_alloc(&f->arena, (into->count + more->count + 1) * sizeof *list);
    if (into->count)
        memcpy(list, into->list, into->count * sizeof *list);
    if (more->count)
        memcpy(list + into->count, more->list, more->count * sizeof *list);
    *into = (struct volume_files){list, into->count + more->count, into->count + more->count};
}

/* FILES = ('a.csv', …): each must be there. */
static bool list_names(struct front *f, struct front_files *x, const char *base, struct err *e)
{
    for (size_t i = 0; i < x->n_names; i++) {
        struct volume_files one;
        const char *path = arena_printf(&f->arena, "%s%s%s", base, *base ? "/" : "", x->names[i]);
        if (strpbrk(x->names[i], "*?[{"))
            return front_error(f, x->at, "INVALID_PARAMETER_VALUE", "22023", e, "FILES takes names, not patterns: PATTERN does");
        if (!list_one(f, x, path, true, &one, e))
            return false;
        keep(f, &x->files, &one);
    }
    return true;
}

static void filter(struct front_files *x, const char *base)
{
    const char *glob = front_files_text(x, "pathGlobFilter");
    size_t skip = *base && !strpbrk(base, "*?[{") ? strlen(base) + 1 : 0, kept = 0;
    for (size_t i = 0; i < x->files.count; i++) {
        const char *name = x->files.list[i].name, *slash = strrchr(name, '/');
        const char *below = strlen(name) > skip ? name + skip : name;
        if ((!glob || volume_match(glob, slash ? slash + 1 : name)) && (!x->pattern || volume_match(x->pattern, below)))
            x->files.list[kept++] = x->files.list[i];
    }
    x->files.count = kept;
}

/* The volume of the path, and the rest of it. */
static bool open_volume(struct front *f, struct front_files *x, const char **base, struct err *e)
{
    json_t *answer = front_call(f, x->at, "open_volume", json_pack("{s:o}", "path", jx_str(x->path)), e);
    if (!answer)
        return false;
    x->folder = arena_strdup(&f->arena, jx_get_str(answer, "location", ""));
    x->volume_id = arena_strdup(&f->arena, jx_get_str(answer, "volume_id", ""));
    x->volume_path = arena_strdup(&f->arena, jx_get_str(answer, "volume_path", ""));
    *base = arena_strdup(&f->arena, jx_get_str(answer, "path", ""));
    json_decref(answer);
    front_hide(f, x->folder, x->volume_path);
    return true;
}

bool front_files_look(struct front *f, struct front_files *x, struct err *e)
{
    const char *base;
    return open_volume(f, x, &base, e) && list_one(f, x, base, false, &x->files, e);
}

bool front_files_find(struct front *f, struct front_files *x, struct err *e)
{
    const char *base;
    x->files = (struct volume_files){0};
    if (!open_volume(f, x, &base, e) || !(x->n_names ? list_names(f, x, base, e) : list_one(f, x, base, true, &x->files, e)))
        return false;
    filter(x, base);
    if (x->files.count == 0)
        return front_error(f, x->at, "PATH_NOT_FOUND", "42K03", e, "no file in %s%s%s fits the pattern", x->volume_path, *base ? "/" : "", base);
    if (!x->format) {
        const char *dot = strrchr(x->files.list[0].name, '.');
        if (!front_files_format(f, dot ? dot + 1 : x->files.list[0].name, x->at, &x->format, e)) {
            err_hint(e, "say which it is: format => 'csv'");
            return false;
        }
    }
    return check_options(f, x, e);
}
