/* \timing: how long each statement took, on or off. */
#include <string.h>

#include "magics/session.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    (void)e;
    const char *mode = args_get(args, "mode");
    bool *on = &ctx->session->settings.timing;
    *on = mode ? strcmp(mode, "on") == 0 : !*on;
    sink_printf(ctx->out, "Timing is %s.\n", *on ? "on" : "off");
    return true;
}

static const char *const modes[] = {"on", "off", NULL};
static const struct arg_row rows[] = {
    {.name = "mode", .positional = true, .type = ARG_CHOICE, .choices = modes, .help = "without it: the other one"},
    {.name = NULL}};

const struct magic magic_timing = {
    .name = "timing",
    .kinds = MAGIC_BACKSLASH,
    .group = "SQL",
    .summary = "show how long each statement took",
    .examples = "\\timing\n\\timing on",
    .args = rows,
    .run = run,
};
