/* %%bash: the cell as a script of a real bash. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "magics/child.h"
#include "magics/magic.h"

static void show(void *self, bool is_stderr, const char *text, size_t len)
{
    struct sink *out = self;
    out->stream(out->self, is_stderr, text, len);
}

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    (void)args;
    /* Not on standard input, where a program of the script could eat the rest of the script, and not in an
     * argument, which everybody can read. */
    const char *argv[] = {"bash", "/dev/fd/3", NULL};
    struct child child = {.argv = argv, .input = ctx->body, .input_len = ctx->body_len, .self = ctx->out,
                          .output = show};
    int status = 0;
    if (!child_run(&child, &status, ctx->cancel, e))
        return false;
    if (status == 0)
        return true;
    if (WIFSIGNALED(status))
        return err_set(e, ERR_SCRIPT, "bash was ended by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    return err_set(e, ERR_SCRIPT, "bash ended with exit status %d", WEXITSTATUS(status));
}

const struct magic magic_bash = {
    .name = "bash",
    .kinds = MAGIC_CELL,
    .group = "kernel",
    .summary = "run the cell in bash",
    .help = "The script runs in the notebook's folder, without standard input. An exit status that is not 0 is an error. "
            "Variables whose names look like secrets (TOKEN, PASSWORD, …) are not in its environment, and it does not know the "
            "connection: psql from %%python does, as !psql.",
    .examples = "%%bash\nls -l",
    .run = run,
};
