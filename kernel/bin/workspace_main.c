/*
 * lakebase-workspace: options and exit status, nothing else. Exit status: 0 done, 1 it failed, 2 wrong usage,
 * 3 (status) no workspace runs.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/jx.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "pg/conn.h"
#include "workspace/control.h"
#include "workspace/ephemeral.h"
#include "workspace/status.h"
#include "workspace/worker.h"

enum { EXIT_USAGE = 2, EXIT_NOT_RUNNING = 3 };
#define WORKER_DATA_MAX ((rlim_t)4 << 30) /* beyond its own limit for queries, so that only a fault meets it */

struct options {
    int port, ready_fd, owner_fd, listen_fd;
    bool keep_servers, json, app, yes, ephemeral, with_parent, help;
    char **command; /* NULL, or what follows the options */
};

typedef int command_fn(const char *state_dir, const struct options *o, struct err *e);

static int do_start(const char *state_dir, const struct options *o, struct err *e)
{
    struct running now;
    bool started;
    if (!control_start(state_dir, o->port, &started, &now, e))
        return EXIT_FAILURE;
    printf("%s %s (pid %d)\n", started ? "started" : "running", now.url, (int)now.pid);
    return EXIT_SUCCESS;
}

static int do_stop(const char *state_dir, const struct options *o, struct err *e)
{
    bool was_running;
    if (!control_stop(state_dir, o->keep_servers, &was_running, e))
        return EXIT_FAILURE;
    printf("%s\n", was_running ? "stopped" : "not running");
    return EXIT_SUCCESS;
}

static int do_status(const char *state_dir, const struct options *o, struct err *e)
{
    struct running now;
    if (!control_find(state_dir, &now, e) || !status_print(stdout, state_dir, &now, o->json, e))
        return EXIT_FAILURE;
    return now.ready ? EXIT_SUCCESS : EXIT_NOT_RUNNING;
}

static int do_env(const char *state_dir, const struct options *o, struct err *e)
{
    struct running now;
    bool started;
    bool ok = control_start(state_dir, 0, &started, &now, e) && env_print(stdout, state_dir, &now, (o->app ? ENV_APP : 0) | (o->json ? ENV_JSON : 0), e);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int do_reset(const char *state_dir, const struct options *o, struct err *e)
{
    if (!o->yes) {
        err_set(e, ERR_USAGE, "reset deletes all instances and their data in %s", state_dir);
        err_hint(e, "say so: lakebase-workspace reset --yes");
        return EXIT_USAGE;
    }
    struct buf left;
    buf_init(&left, 65536);
    bool ok = control_reset(state_dir, &left, e);
    if (ok && left.len)
        printf("reset: all that the workspace kept in %s is deleted; not of the workspace, and still there: %s\n", state_dir,
               buf_str(&left));
    else if (ok)
        printf("reset: nothing is left in %s\n", state_dir);
    buf_release(&left);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int do_run(const char *state_dir, const struct options *o, struct err *e)
{
#ifndef __SANITIZE_ADDRESS__
    prctl(PR_SET_DUMPABLE, 0); /* no core dump with keys and tokens; LeakSanitizer needs the contrary */
#endif
    return control_run(state_dir, o->port, o->ready_fd, o->owner_fd, e) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* `run` of a workspace that has no state folder yet, or of the one of this user. */
static int do_run_either(const char *none, const struct options *o, struct err *e)
{
    (void)none;
    if (o->ephemeral) {
        const struct ephemeral_options x = {.port = o->port, .json = o->json, .with_parent = o->with_parent, .command = o->command};
        int status = EXIT_SUCCESS;
        if (o->json && o->command) {
            err_set(e, ERR_USAGE, "run: the output is the command's, so --json has no place there");
            return EXIT_USAGE;
        }
        return ephemeral_run(&x, &status, e) || status ? status : EXIT_FAILURE;
    }
    if (o->json || o->with_parent || o->command) {
        err_set(e, ERR_USAGE, "run: %s goes with --ephemeral", o->json ? "--json" : o->with_parent ? "--with-parent" : "a command");
        return EXIT_USAGE;
    }
    char *state_dir = control_state_dir(e);
    int status = state_dir ? do_run(state_dir, o, e) : EXIT_FAILURE;
    free(state_dir);
    return status;
}

/* Started by the server only, see workspace/worker.c. The state folder is taken as it is: it is the server's. */
static int do_worker(const char *state_dir, const struct options *o, struct err *e)
{
    (void)state_dir;
    if (o->listen_fd < 0) {
        err_set(e, ERR_USAGE, "worker: the workspace starts its worker by itself");
        return EXIT_USAGE;
    }
    prctl(PR_SET_NAME, "lakebase-worker");
#ifndef __SANITIZE_ADDRESS__
    const struct rlimit most = {WORKER_DATA_MAX, WORKER_DATA_MAX};
    setrlimit(RLIMIT_DATA, &most);
    prctl(PR_SET_DUMPABLE, 0);
#endif
    char *dir = fs_state_dir(e);
    int status = dir ? worker_main(o->listen_fd, dir) : EXIT_FAILURE;
    free(dir);
    return status;
}

enum {
    OPT_PORT = 'p', OPT_KEEP = 'k', OPT_ALL = 'A', OPT_JSON = 'j', OPT_APP = 'a', OPT_YES = 'y', OPT_HELP = 'h',
    OPT_EPHEMERAL = 'e', OPT_PARENT = 'w',
    OPT_OWNER = 'o',  /* ours: it ends with the other end of this pipe */
    OPT_READY = 'r',  /* ours: how `start` hears that its server is up */
    OPT_LISTEN = 'l', /* ours: the socket of a worker */
};

static const struct {
    char letter;
    const char *name, *help;
} option_help[] = {
    {OPT_PORT, "--port N", "the port on 127.0.0.1; else the one it had before, or any free one"},
    {OPT_KEEP, "--keep-servers", "the PostgreSQL servers go on, for sessions that are open; the next start takes them over"},
    {OPT_ALL, "--all", "the PostgreSQL servers too, as without an option"},
    {OPT_JSON, "--json", "for programs: an object on one line"},
    {OPT_APP, "--app", "the client id and secret of the service principal instead of the token"},
    {OPT_EPHEMERAL, "--ephemeral", "a state folder of its own under $TMPDIR; at the end its servers are stopped and all is deleted"},
    {OPT_PARENT, "--with-parent", "end when the process that started it ends, however that comes"},
    {OPT_YES, "--yes", "really: instances and their data cannot be brought back"},
};

static command_fn do_help;

/* options: the letters (above) that the command takes. */
static const struct command {
    const char *name, *options;
    bool bare; /* needs no state folder */
    command_fn *run;
    const char *synopsis, *summary; /* NULL: of our own use */
} commands[] = {
    {"start", "p", false, do_start, "start [--port N]", "start it in the background, unless it runs; wait until it answers"},
    {"stop", "kA", false, do_stop, "stop [--keep-servers]", "stop it and its PostgreSQL servers (data stays)"},
    {"status", "j", false, do_status, "status [--json]", "address, instances, and what differs from the service"},
    {"env", "aj", false, do_env, "env [--app] [--json]",
     "lines for eval: DATABRICKS_HOST, DATABRICKS_TOKEN, CA; starts it if need be"},
    {"reset", "y", false, do_reset, "reset --yes", "stop it and delete all instances, data, tokens and settings"},
    {"run", "prowej", true, do_run_either, "run [--port N]", "run it in the foreground"}, /* two rows: two things to do with one command */
    {"run", "prowej", true, do_run_either, "run --ephemeral [-- CMD…]",
     "run a new one, with CMD if given in its environment; at the end nothing is left"},
    {"worker", "l", true, do_worker, NULL, NULL},
    {"help", "", true, do_help, "help, --version", "this text; COMMAND --help explains one"},
};

static int do_help(const char *state_dir, const struct options *o, struct err *e)
{
    (void)state_dir;
    (void)o;
    (void)e;
    puts("usage: lakebase-workspace COMMAND [options]\n\n"
         "A local Databricks workspace for Lakebase: the REST API on 127.0.0.1 in front of real PostgreSQL servers.\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (commands[i].summary)
            printf("  %-25s  %s\n", commands[i].synopsis, commands[i].summary);
    }
    puts("\nState: $LAKEBASE_STATE_DIR, as root /var/lib/lakebase, else ~/.local/state/lakebase. Log level: LAKEBASE_LOG.\n"
         "Tokens end after an hour, or after LAKEBASE_TOKEN_SECONDS (5 to 3600).");
    return EXIT_SUCCESS;
}

static int help_of(const struct command *c)
{
    if (!c->summary)
        return do_help(NULL, NULL, NULL);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, c->name) == 0)
            printf("usage: lakebase-workspace %s\n\n  %s\n", commands[i].synopsis, commands[i].summary);
    }
    for (size_t i = 0, n = 0; i < ARRAY_LEN(option_help); i++) {
        if (strchr(c->options, option_help[i].letter))
            printf("%s  %-15s  %s\n", n++ ? "" : "\n", option_help[i].name, option_help[i].help);
    }
    return EXIT_SUCCESS;
}

static const struct option longs[] = {
    {"port", required_argument, NULL, OPT_PORT}, {"keep-servers", no_argument, NULL, OPT_KEEP},
    {"all", no_argument, NULL, OPT_ALL},         {"json", no_argument, NULL, OPT_JSON},
    {"app", no_argument, NULL, OPT_APP},         {"yes", no_argument, NULL, OPT_YES},
    {"help", no_argument, NULL, OPT_HELP},       {"ready-fd", required_argument, NULL, OPT_READY},
    {"ephemeral", no_argument, NULL, OPT_EPHEMERAL}, {"with-parent", no_argument, NULL, OPT_PARENT},
    {"owner-fd", required_argument, NULL, OPT_OWNER}, {"listen-fd", required_argument, NULL, OPT_LISTEN},
    {NULL, 0, NULL, 0},
};

static bool take_number(const char *text, int least, int most, int *out)
{
    char *end;
    long n = strtol(text, &end, 10);
    *out = (int)n;
    return *text && !*end && n >= least && n <= most;
}

static bool parse(int argc, char **argv, const struct command *c, struct options *o, struct err *e)
{
    int letter;
    opterr = 0;
    while ((letter = getopt_long(argc, argv, "+h", longs, NULL)) != -1) {
        o->help = o->help || letter == OPT_HELP;
        if (letter == OPT_HELP)
            continue;
        if (letter == '?' || !strchr(c->options, letter))
            return err_set(e, ERR_USAGE, "%s: option '%s' is not understood", c->name, argv[optind - 1]);
        o->keep_servers = o->keep_servers || letter == OPT_KEEP;
        o->json = o->json || letter == OPT_JSON;
        o->app = o->app || letter == OPT_APP;
        o->yes = o->yes || letter == OPT_YES;
        o->ephemeral = o->ephemeral || letter == OPT_EPHEMERAL;
        o->with_parent = o->with_parent || letter == OPT_PARENT;
        if (letter == OPT_PORT && !take_number(optarg, 0, 65535, &o->port))
            return err_set(e, ERR_USAGE, "%s: --port takes a number up to 65535", c->name);
        if (letter == OPT_LISTEN && !take_number(optarg, 3, 65535, &o->listen_fd))
            return err_set(e, ERR_USAGE, "%s: --listen-fd takes a file descriptor", c->name);
        if (letter == OPT_READY && !take_number(optarg, 3, 1023, &o->ready_fd))
            return err_set(e, ERR_USAGE, "%s: --ready-fd takes a file descriptor", c->name);
        if (letter == OPT_OWNER && !take_number(optarg, 3, 1023, &o->owner_fd))
            return err_set(e, ERR_USAGE, "%s: --owner-fd takes a file descriptor", c->name);
    }
    if (strchr(c->options, OPT_EPHEMERAL) && optind < argc) {
        o->command = argv + optind;
        return true;
    }
    return optind == argc || err_set(e, ERR_USAGE, "%s: '%s' is not expected", c->name, argv[optind]);
}

static int run(const struct command *c, const struct options *o, struct err *e)
{
    if (o->help)
        return help_of(c);
    if (c->bare)
        return c->run(NULL, o, e);
    char *state_dir = control_state_dir(e);
    int status = state_dir ? c->run(state_dir, o, e) : EXIT_FAILURE;
    free(state_dir);
    return status;
}

int main(int argc, char **argv)
{
    pg_forget_redirects();
    jx_setup();
    log_setup();
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--version") == 0) {
        puts("lakebase-workspace " LAKEBASE_VERSION);
        return EXIT_SUCCESS;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    const struct command *c = NULL;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, name) == 0)
            c = &commands[i];
    }
    struct options o = {.ready_fd = -1, .owner_fd = -1, .listen_fd = -1};
    struct err e = {0};
    int status = EXIT_USAGE;
    if (!c) {
        err_set(&e, ERR_USAGE, *name ? "no command '%s'" : "a command is needed%s", name);
        err_hint(&e, "lakebase-workspace help lists them");
    } else if (parse(argc - 1, argv + 1, c, &o, &e)) {
        status = run(c, &o, &e);
    } else {
        err_hint(&e, "lakebase-workspace %s --help lists the options", c->name);
    }
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == EXIT_SUCCESS) { /* `env >FILE` on a full disk */
        err_set(&e, ERR_IO, "the output cannot be written");
        status = EXIT_FAILURE;
    }
    if (e.code)
        fprintf(stderr, "lakebase-workspace: %s%s%s%s\n", e.text, e.hint[0] ? " (" : "", e.hint, e.hint[0] ? ")" : "");
    return status;
}
