/* %help: the list of magics, or one of them in full. */
#include <string.h>

#include "magics/help.h"

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *name = args_get(args, "name"), *sub_name = args_get(args, "sub");
    const struct magic *m = NULL;
    const struct magic_sub *sub = NULL;
    if (name) {
        size_t signs = strspn(name, "%\\");
        unsigned asked = signs == 2 ? MAGIC_CELL : MAGIC_LINE | MAGIC_BACKSLASH; /* %pool and %%pool are two */
        name += signs;
        m = magic_find(name, strlen(name), asked);
        if (!m)
            m = magic_find(name, strlen(name), MAGIC_LINE | MAGIC_CELL | MAGIC_BACKSLASH);
        if (!m) {
            err_set(e, ERR_USAGE, "there is no magic called '%.100s'", name);
            err_hint(e, "%%help lists them all");
            return false;
        }
        sub = sub_name ? help_sub(m, sub_name, strlen(sub_name)) : NULL;
        if (sub_name && !sub)
            return err_set(e, ERR_USAGE, "%%%s has no '%.100s'", m->name, sub_name);
    }
    struct buf plain, markdown;
    buf_init(&plain, 1 << 20);
    buf_init(&markdown, 1 << 20);
    if (m) {
        help_magic(m, sub, HELP_PLAIN, 3, &plain);
        help_magic(m, sub, HELP_MARKDOWN, 3, &markdown);
    } else {
        static const char intro[] =
            "Plain text in a cell is SQL, run on the current connection. A line that starts with % or \\ is a magic; a first "
            "line with %% takes the rest of the cell. Tab completes, Shift-Tab explains, and %help NAME tells all about one.\n";
        buf_puts(&plain, intro);
        buf_puts(&markdown, intro);
        help_list(HELP_PLAIN, &plain);
        help_list(HELP_MARKDOWN, &markdown);
    }
    sink_markdown(ctx->out, buf_str(&markdown), buf_str(&plain));
    buf_release(&plain);
    buf_release(&markdown);
    return true;
}

static const struct arg_row rows[] = {
    {.name = "name", .positional = true, .type = ARG_WORD, .complete = "magic",
     .help = "a magic, with or without its sign"},
    {.name = "sub", .positional = true, .type = ARG_WORD, .help = "one of its sub-commands"},
    {.name = NULL}};

const struct magic magic_help = {
    .name = "help",
    .kinds = MAGIC_LINE,
    .group = "kernel",
    .summary = "explain the magics, or one of them",
    .examples = "%help\n%help connect\n%help instance create",
    .args = rows,
    .run = run,
};
