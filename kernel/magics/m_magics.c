/* %magics: the list of magics, one line each. */
#include "magics/help.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    (void)args;
    (void)e;
    struct buf plain, markdown;
    buf_init(&plain, 1 << 20);
    buf_init(&markdown, 1 << 20);
    help_list(HELP_PLAIN, &plain);
    help_list(HELP_MARKDOWN, &markdown);
    sink_markdown(ctx->out, buf_str(&markdown), buf_str(&plain));
    buf_release(&plain);
    buf_release(&markdown);
    return true;
}

const struct magic magic_magics = {
    .name = "magics",
    .kinds = MAGIC_LINE,
    .group = "kernel",
    .summary = "list the magics",
    .examples = "%magics",
    .run = run,
};
