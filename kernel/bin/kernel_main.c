/* lakebase-kernel: options, start-up settings, exit code. The kernel itself is jupyter/kernel.h. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/jx.h"
#include "base/log.h"
#include "jupyter/kernel.h"
#include "magics/interp.h"
#include "pg/conn.h"

static const char usage[] =
    "usage: lakebase-kernel -f CONNECTION_FILE\n"
    "\n"
    "The Jupyter kernel of Lakebase Core Concepts. A front end such as JupyterLab starts it.\n"
    "\n"
    "  -f FILE       the connection file; a port that is 0 is chosen and written back\n"
    "  --print-docs  print the reference of all magics as Markdown\n"
    "  --version     print the version\n"
    "  --help        print this text\n"
    "\n"
    "Environment:\n"
    "  LAKEBASE_LOG         error, warn (the default), info or debug; to standard error\n"
    "  LAKEBASE_STATE_DIR   where the input history is (history.sqlite)\n"
    "  LAKEBASE_DEBUGGABLE  1: let a debugger attach, and dump core\n"
    "  PGHOSTADDR, PGSERVICE, PGREQUIREPEER  dropped: a login goes where a cell says\n";

static void print_docs(void)
{
    struct buf text;
    buf_init(&text, 16 << 20);
    interp_docs(&text);
    fwrite(buf_str(&text), 1, text.len, stdout);
    buf_release(&text);
}

/* Front ends append options of their own kind (nbconvert does): what is not known is ignored. */
static const char *connection_file(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {"print-docs", no_argument, NULL, 'd'},
                                            {0}};
    const char *file = NULL;
    int c;
    opterr = 0;
    while ((c = getopt_long(argc, argv, "f:", options, NULL)) != -1) {
        if (c == 'f') {
            file = optarg;
        } else if (c == 'h') {
            fputs(usage, stdout);
            exit(0);
        } else if (c == 'v') {
            puts("lakebase-kernel " LAKEBASE_VERSION);
            exit(0);
        } else if (c == 'd') {
            print_docs();
            exit(0);
        }
    }
    return file;
}

int main(int argc, char **argv)
{
    pg_forget_redirects();
    const char *file = connection_file(argc, argv);
    if (!file) {
        fputs("lakebase-kernel: no connection file\n", stderr);
        fputs(usage, stderr);
        return 2;
    }
    /* Tokens and passwords live in this memory: no core dump, and no look from another process of
     * the user. */
    const char *debuggable = getenv("LAKEBASE_DEBUGGABLE");
    if (!debuggable || !*debuggable)
        prctl(PR_SET_DUMPABLE, 0);
    log_setup();
    jx_setup();
    struct err e;
    err_init(&e);
    if (kernel_serve(file, &e))
        return 0;
    fprintf(stderr, "lakebase-kernel: %s%s%s%s\n", e.text, e.hint[0] ? " (" : "", e.hint,
            e.hint[0] ? ")" : "");
    return 1;
}
