/* %set: show and change the settings and the variables of this notebook's session. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/jx.h"
#include "base/utf8.h"
#include "magics/python_run.h"
#include "magics/settings.h"
#include "magics/statement.h"

enum { VALUE_SHOWN = 200, VALUE_FILE_MAX = 64 << 20 /* as JSON, whose escapes take up to six times the room */ };

static void show_settings(struct magic_ctx *ctx, const char *only)
{
    struct table t;
    table_init(&t);
    table_add_column(&t, "setting", NULL, TABLE_LEFT);
    table_add_column(&t, "value", NULL, TABLE_LEFT);
    table_add_column(&t, "meaning", NULL, TABLE_LEFT);
    for (const struct setting *row = settings_table(); row->name; row++) {
        struct buf value;
        if (only && strcmp(only, row->name) != 0)
            continue;
        buf_init(&value, 100);
        settings_show(&ctx->session->settings, row, &value);
        table_add_texts(&t, (const char *const[]){row->name, buf_str(&value), row->help});
        buf_release(&value);
    }
    table_set_footer(&t, "");
    statement_show(ctx, &t);
    table_release(&t);
}

static void show_variables(struct magic_ctx *ctx, const char *only)
{
    struct table t;
    table_init(&t);
    table_add_column(&t, "variable", NULL, TABLE_LEFT);
    table_add_column(&t, "value", NULL, TABLE_LEFT);
    table_add_column(&t, "type", NULL, TABLE_LEFT);
    for (const struct variable *x = ctx->session->variables.first; x; x = x->next) {
        if (only && strcmp(only, x->name) != 0)
            continue;
        const char *text = x->text;
        size_t len = text ? strlen(text) : 0;
        if (len > VALUE_SHOWN)
            text = arena_printf(ctx->arena, "%.*s… (%zu bytes)", (int)utf8_floor(text, len, VALUE_SHOWN), text, len);
        table_add_texts(&t, (const char *const[]){x->name, text, variables_type_name(x->type)});
    }
    table_set_footer(&t, "");
    statement_show(ctx, &t);
    table_release(&t);
}

static bool is_setting(const char *name)
{
    for (const struct setting *row = settings_table(); row->name; row++) {
        if (strcmp(row->name, name) == 0)
            return true;
    }
    return false;
}

static size_t blanks(const char *text, size_t len, size_t at)
{
    while (at < len && (text[at] == ' ' || text[at] == '\t'))
        at++;
    return at;
}

/* "NAME = LITERAL"; *value: the byte behind the sign. false: it is not of this form. */
static bool is_assignment(const struct magic_ctx *ctx, size_t *name_len, size_t *value)
{
    const char *text = ctx->args;
    size_t len = ctx->args_len, end = 0;
    while (end < len && !strchr(" \t=", text[end]))
        end++;
    size_t at = blanks(text, len, end);
    *name_len = end;
    *value = at + 1;
    return end > 0 && at < len && text[at] == '=';
}

/* What lakebase.py's _give wrote. */
static bool put_given(struct magic_ctx *ctx, const char *name, const char *path, struct err *e)
{
    struct buf file;
    buf_init(&file, VALUE_FILE_MAX);
    json_t *given = fs_read(path, &file, e) ? json_loadb(buf_str(&file), file.len, 0, NULL) : NULL;
    const char *error = jx_get_str(given, "error", NULL);
    unsigned oid = (unsigned)jx_get_int(given, "oid", 0);
    bool ok = false;
    unlink(path);
    if (!given && !e->code)
        err_set(e, ERR_CHILD, "Python gave no value");
    else if (error)
        err_set(e, ERR_USAGE, "'%s' was left as it was: %s", name, error);
    else if (given)
        ok = variables_put(&ctx->session->variables, name, jx_get_str(given, "text", NULL),
                           jx_get_bool(given, "list", false) ? variables_array_of(oid) : oid, e);
    json_decref(given);
    buf_release(&file);
    return ok;
}

/* %set NAME = python EXPRESSION. The expression travels as a text, and is an expression only there. */
static bool assign_python(struct magic_ctx *ctx, const char *name, const char *text, size_t len, struct err *e)
{
    struct python_answer python = {0};
    if (!variables_name_ok(name, strlen(name)))
        return variables_put(&ctx->session->variables, name, NULL, 0, e); /* says why */
    if (!python_offered(ctx, e))
        return false;
    bool ok = python_start(ctx, &python, e);
    if (ok) {
        const char *path = arena_printf(ctx->arena, "%s/value.json", python.folder);
        json_t *both[] = {jx_text(text, len), jx_str(path)};
        char *words[2];
        for (size_t i = 0; i < 2; i++) { /* a JSON text is one of Python too */
            words[i] = json_dumps(both[i], JSON_ENCODE_ANY);
            json_decref(both[i]);
        }
        ok = python_run(ctx, &python, arena_printf(ctx->arena, "__import__('lakebase')._give(%s, %s)", words[0], words[1]), e) &&
             put_given(ctx, name, path, e);
        free(words[0]);
        free(words[1]);
    }
    python_answer_release(&python);
    return ok;
}

/* "python EXPRESSION": the bytes before the expression; 0: it is another value. */
static size_t python_prefix(const char *text, size_t len)
{
    static const char word[] = "python";
    size_t at = blanks(text, len, 0), n = sizeof word - 1;
    return len - at > n && memcmp(text + at, word, n) == 0 && (text[at + n] == ' ' || text[at + n] == '\t') ? at + n + 1 : 0;
}

static bool assign(struct magic_ctx *ctx, size_t name_len, size_t value, struct err *e)
{
    const char *name = arena_strndup(ctx->arena, ctx->args, name_len);
    size_t bad = 0, prefix = python_prefix(ctx->args + value, ctx->args_len - value);
    if (is_setting(name)) {
        err_set(e, ERR_USAGE, "'%s' is a setting, so no variable can have that name", name);
        err_hint(e, "change the setting with %%set %s VALUE, or choose another name", name);
    } else if (prefix) {
        return assign_python(ctx, name, ctx->args + value + prefix, ctx->args_len - value - prefix, e);
    } else if (variables_put_literal(&ctx->session->variables, name, ctx->args + value, ctx->args_len - value, &bad, e)) {
        return true;
    } else {
        value += bad;
        e->column = ctx->column + (int)utf8_count(ctx->args, value > ctx->args_len ? ctx->args_len : value);
        e->line = ctx->line;
    }
    return false;
}

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *name = args_get(args, "name"), *value = args_get(args, "value");
    struct settings probe = ctx->session->settings;
    size_t name_len, at;
    if (is_assignment(ctx, &name_len, &at))
        return assign(ctx, name_len, at, e);
    bool is_variable = name && !is_setting(name) && variables_find(&ctx->session->variables, name, strlen(name));
    if (is_variable && value) {
        err_set(e, ERR_USAGE, "'%s' is a variable", name);
        err_hint(e, "%%set %s = VALUE", name);
        return false;
    }
    if (name && !value && !is_variable && !is_setting(name))
        return settings_put(&probe, name, "", e);
    if (value && !settings_put(&ctx->session->settings, name, value, e))
        return false;
    bool last = ctx->last;
    ctx->last = last && (is_variable || name || ctx->session->variables.count == 0);
    if (!is_variable)
        show_settings(ctx, name);
    ctx->last = last;
    if (is_variable || (!name && ctx->session->variables.count > 0))
        show_variables(ctx, name);
    return true;
}

static const struct arg_row rows[] = {
    {.name = "name", .positional = true, .type = ARG_WORD, .complete = "setting",
     .help = "a setting or a variable; without it all are shown"},
    {.name = "value", .positional = true, .type = ARG_REST, .placeholder = "VALUE",
     .help = "the setting's new value, or = and the variable's: 42, 4.2, 'text', True, None, [1, 2], {\"a\": 1}, python EXPRESSION"},
    {.name = NULL}};

const struct magic magic_set = {
    .name = "set",
    .kinds = MAGIC_LINE,
    .group = "kernel",
    .summary = "show or change a setting or a variable of this notebook",
    .help = "SQL takes a variable as :name, which binds its value: it is sent beside the statement and can never become part of "
            "it. :'name' puts it in as a quoted literal and :\"name\" as a quoted identifier, where nothing can be bound. "
            "A date is a text, '2026-01-31'; a list is an array: WHERE id = ANY(:ids). "
            "%%sql --into NAME keeps a result, %set NAME = python EXPRESSION a value of the notebook's Python. For settings of the server use SQL: SET, SHOW.",
    .examples = "%set\n%set rows 200\n%set timeout 30s\n%set timing on\n%set city = 'Oslo'\n%set ids = [1, 2, 3]\n%set ids = python [row[0] for row in found]",
    .args = rows,
    .run = run,
};
