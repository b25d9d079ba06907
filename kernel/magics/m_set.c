/* %set: show and change the settings and the variables of this notebook's session. */
#include <string.h>

#include "base/utf8.h"
#include "magics/settings.h"
#include "magics/statement.h"

enum { VALUE_SHOWN = 200 };

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

static bool assign(struct magic_ctx *ctx, size_t name_len, size_t value, struct err *e)
{
    const char *name = arena_strndup(ctx->arena, ctx->args, name_len);
    size_t bad = 0;
    if (is_setting(name)) {
        err_set(e, ERR_USAGE, "'%s' is a setting, so no variable can have that name", name);
        err_hint(e, "change the setting with %%set %s VALUE, or choose another name", name);
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
     .help = "the setting's new value, or = and the variable's: 42, 4.2, 'text', True, None, [1, 2], {\"a\": 1}"},
    {.name = NULL}};

const struct magic magic_set = {
    .name = "set",
    .kinds = MAGIC_LINE,
    .group = "kernel",
    .summary = "show or change a setting or a variable of this notebook",
    .help = "SQL takes a variable as :name, which binds its value: it is sent beside the statement and can never become part of "
            "it. :'name' puts it in as a quoted literal and :\"name\" as a quoted identifier, where nothing can be bound. "
            "A date is a text, '2026-01-31'; a list is an array: WHERE id = ANY(:ids). "
            "%%sql --into NAME keeps a result. For settings of the server use SQL: SET, SHOW.",
    .examples = "%set\n%set rows 200\n%set timeout 30s\n%set timing on\n%set city = 'Oslo'\n%set ids = [1, 2, 3]",
    .args = rows,
    .run = run,
};
