/* %set: show and change the settings of this notebook's session. */
#include <string.h>

#include "magics/settings.h"
#include "magics/statement.h"

static void show(struct magic_ctx *ctx, const char *only)
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

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *name = args_get(args, "name"), *value = args_get(args, "value");
    struct settings probe = ctx->session->settings;
    if (name && !value) {
        bool known = false;
        for (const struct setting *row = settings_table(); row->name; row++)
            known = known || strcmp(row->name, name) == 0;
        if (!known)
            return settings_put(&probe, name, "", e);
    }
    if (value && !settings_put(&ctx->session->settings, name, value, e))
        return false;
    show(ctx, name);
    return true;
}

static const struct arg_row rows[] = {
    {.name = "name", .positional = true, .type = ARG_WORD, .complete = "setting",
     .help = "the setting; without it all are shown"},
    {.name = "value", .positional = true, .type = ARG_WORD, .help = "its new value"},
    {.name = NULL}};

const struct magic magic_set = {
    .name = "set",
    .kinds = MAGIC_LINE,
    .group = "kernel",
    .summary = "show or change a setting of this notebook",
    .help = "For settings of the server use SQL: SET, SHOW.",
    .examples = "%set\n%set rows 200\n%set timeout 30s\n%set timing on",
    .args = rows,
    .run = run,
};
