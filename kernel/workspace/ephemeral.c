/* A workspace for one run (see ephemeral.h). */
#include "workspace/ephemeral.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/xalloc.h"
#include "workspace/cluster_parts.h"
#include "workspace/control.h"
#include "workspace/launch.h"
#include "workspace/status.h"
#include "workspace/workspace.h"

enum { NOT_RUN = 127 /* as a shell says it */, END_LIMIT_MS = 90000 };
enum { UNLOCKED_SECONDS = 60 }; /* for which an empty folder may be one that is about to be locked */

#define EPHEMERAL_PREFIX "lakebase-ephemeral-"

struct ephemeral {
    char *dir;
    int lock;           /* flock of the folder: a watcher lives */
    pid_t child;        /* the workspace; 0: none */
    int child_fd, owner; /* its pidfd; our end of the pipe that tells it that we live */
    int parent_fd, signals;
    pid_t command;      /* 0: none */
    int command_fd;
    sigset_t before;    /* the signal mask of who started us */
};

static const char *temp_dir(void)
{
    const char *given = getenv("TMPDIR");
    return given && *given == '/' ? given : "/tmp";
}

/* The folder, locked; -1: a watcher has it. */
static int lock_folder(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool remove_state(const char *dir, struct err *e)
{
    struct buf left;
    buf_init(&left, 65536);
    bool ok = control_reset(dir, &left, e) && fs_remove_tree(dir, e); /* nobody else keeps things in a folder of ours */
    buf_release(&left);
    return ok;
}

/* A folder of this user's that was locked once (it has a file), or should be by now. */
static bool was_locked(const char *dir)
{
    struct stat st;
    char *file = xasprintf("%s/workspace.log", dir);
    bool used = fs_exists(file);
    free(file);
    return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (used || time(NULL) - st.st_ctime > UNLOCKED_SECONDS);
}

/* Folders of watchers that were killed. One that cannot be removed does not keep a new one from starting. */
static void sweep(const char *temp)
{
    struct fs_names found = {0};
    struct err none = {0};
    fs_list(temp, EPHEMERAL_PREFIX "*", &found, &none);
    for (size_t i = 0; i < found.count; i++) {
        char *dir = xasprintf("%s/%s", temp, found.names[i]);
        int lock = was_locked(dir) ? lock_folder(dir) : -1;
        if (lock >= 0) {
            none = (struct err){0};
            remove_state(dir, &none);
            close(lock);
        }
        free(dir);
    }
    fs_names_release(&found);
}

static bool make_folder(struct ephemeral *x, struct err *e)
{
    char *path = realpath(temp_dir(), NULL);
    if (!path)
        return err_errno(e, errno, "cannot find '%s'", temp_dir());
    sweep(path);
    char *dir = xasprintf("%s/" EPHEMERAL_PREFIX "XXXXXX", path);
    free(path);
    if (!mkdtemp(dir)) {
        err_errno(e, errno, "cannot make a folder in '%s'", temp_dir());
        free(dir);
        return false;
    }
    x->dir = dir;
    x->lock = lock_folder(dir);
    return x->lock >= 0 ? workspace_make_state_dir(dir, e) : err_errno(e, errno, "cannot lock '%s'", dir);
}

static bool launch(struct ephemeral *x, int port, struct err *e)
{
    int ready[2] = {-1, -1}, owner[2] = {-1, -1}, log_fd = launch_log(x->dir, e);
    if (log_fd < 0)
        return false;
    bool ok = (pipe2(ready, O_CLOEXEC) == 0 && pipe2(owner, O_CLOEXEC) == 0) || err_errno(e, errno, "cannot make a pipe");
    fflush(NULL);
    pid_t child = ok ? fork() : -1;
    if (child == 0) {
        setsid(); /* Ctrl-C is the watcher's */
        launch_become(x->dir, port, log_fd, ready[1], owner[0]);
    }
    if (ok && child < 0)
        ok = err_errno(e, errno, "cannot start a process");
    if (ok) {
        x->child = child;
        x->child_fd = spawn_pidfd(child);
        x->owner = owner[1];
        owner[1] = -1;
    }
    close(log_fd);
    const int done[] = {ready[1], owner[0], owner[1]};
    for (size_t i = 0; i < ARRAY_LEN(done); i++)
        if (done[i] >= 0)
            close(done[i]);
    ok = ok && (x->child_fd >= 0 || err_errno(e, errno, "cannot watch a process")) && launch_hear(ready[0], e);
    if (ready[0] >= 0)
        close(ready[0]);
    return ok;
}

static bool say_ready(const struct ephemeral *x, bool json, struct err *e)
{
    struct running now;
    if (!control_find(x->dir, &now, e) || (json && !env_print(stdout, x->dir, &now, ENV_JSON | ENV_STATE_DIR, e)))
        return false;
    if (!json)
        printf("lakebase-workspace serves on %s until it is ended (Ctrl-C), and leaves nothing\n"
               "its token and what else a client needs: LAKEBASE_STATE_DIR=%s lakebase-workspace env\n", now.url, x->dir);
    return (fflush(stdout) == 0 && !ferror(stdout)) || err_set(e, ERR_IO, "nobody reads the output");
}

/* ---- the command ---- */

/* In its process. */
static _Noreturn void become_command(const struct ephemeral *x, char **command)
{
    struct running now;
    struct err e = {0};
    if (control_find(x->dir, &now, &e) && env_enter(x->dir, &now, ENV_STATE_DIR, &e)) {
        signal(SIGPIPE, SIG_DFL);
        sigprocmask(SIG_SETMASK, &x->before, NULL);
        execvp(command[0], command);
        err_errno(&e, errno, "cannot run '%s'", command[0]);
    }
    fprintf(stderr, "lakebase-workspace: %s\n", e.text);
    _exit(NOT_RUN);
}

static bool start_command(struct ephemeral *x, char **command, struct err *e)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        become_command(x, command);
    if (child < 0)
        return err_errno(e, errno, "cannot start a process");
    x->command = child;
    x->command_fd = spawn_pidfd(child);
    return x->command_fd >= 0 || err_errno(e, errno, "cannot watch a process");
}

static void end_command(const struct ephemeral *x, int sig)
{
    syscall(SYS_pidfd_send_signal, x->command_fd, sig, NULL, 0U);
}

static int command_status(struct ephemeral *x)
{
    int how = 0;
    while (waitpid(x->command, &how, 0) < 0 && errno == EINTR)
        continue;
    return WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
}

/* Until the command, or without one anything, ends. */
static bool watch(struct ephemeral *x, int *status, struct err *e)
{
    enum { SIGNALS, PARENT, CHILD, COMMAND };
    struct pollfd p[] = {{.fd = x->signals, .events = POLLIN}, {.fd = x->parent_fd, .events = POLLIN}, {.fd = x->child_fd, .events = POLLIN},
                         {.fd = x->command ? x->command_fd : -1, .events = POLLIN}};
    struct signalfd_siginfo came;
    for (;;) {
        while (poll(p, ARRAY_LEN(p), -1) <= 0)
            continue;
        if (p[CHILD].revents)
            err_set(e, ERR_UNAVAILABLE, "the workspace ended by itself");
        if (!x->command)
            return !p[CHILD].revents;
        if (p[COMMAND].revents) {
            *status = command_status(x);
            return e->code == ERR_NONE;
        }
        if (p[SIGNALS].revents && read(x->signals, &came, sizeof came) == sizeof came && came.ssi_code != SI_KERNEL) /* a terminal tells both */
            end_command(x, (int)came.ssi_signo);
        if (p[PARENT].revents || p[CHILD].revents)
            end_command(x, SIGTERM);
        p[PARENT].fd = p[PARENT].revents ? -1 : p[PARENT].fd; /* each is said once */
        p[CHILD].fd = p[CHILD].revents ? -1 : p[CHILD].fd;
    }
}

/* ---- the end ---- */

/* The pipe tells it to end; reset waits for that, ends what it may have left running, and deletes. */
static bool end(struct ephemeral *x, struct err *e)
{
    if (x->owner >= 0)
        close(x->owner);
    struct pollfd p = {.fd = x->child_fd, .events = POLLIN};
    if (x->child && x->child_fd >= 0 && poll(&p, 1, END_LIMIT_MS) == 0) /* reset repairs what it leaves */
        syscall(SYS_pidfd_send_signal, x->child_fd, SIGKILL, NULL, 0U);
    while (x->child && waitpid(x->child, NULL, 0) < 0 && errno == EINTR)
        continue;
    bool ok = !x->dir || remove_state(x->dir, e);
    const int fds[] = {x->child_fd, x->parent_fd, x->signals, x->command_fd, x->lock};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(x->dir);
    return ok;
}

static bool take_signals(struct ephemeral *x, bool with_parent, struct err *e)
{
    static const int ending[] = {SIGTERM, SIGINT, SIGHUP};
    sigset_t mask;
    sigemptyset(&mask);
    for (size_t i = 0; i < ARRAY_LEN(ending); i++)
        sigaddset(&mask, ending[i]);
    sigprocmask(SIG_BLOCK, &mask, &x->before);
    signal(SIGPIPE, SIG_IGN);
    x->signals = signalfd(-1, &mask, SFD_CLOEXEC);
    if (x->signals < 0)
        return err_errno(e, errno, "cannot wait for signals");
    if (!with_parent)
        return true;
    pid_t parent = getppid();
    x->parent_fd = spawn_pidfd(parent);
    return (x->parent_fd >= 0 && getppid() == parent) || err_set(e, ERR_UNAVAILABLE, "the process that started this one has ended");
}

bool ephemeral_run(const struct ephemeral_options *o, int *status, struct err *e)
{
    struct ephemeral x = {.lock = -1, .child_fd = -1, .owner = -1, .parent_fd = -1, .signals = -1, .command_fd = -1};
    struct err later = {0};
    *status = 0;
    bool ok = take_signals(&x, o->with_parent, e) && make_folder(&x, e) && launch(&x, o->port, e) &&
              (o->command ? start_command(&x, o->command, e) : say_ready(&x, o->json, e)) && watch(&x, status, e);
    bool gone = end(&x, &later);
    if (ok && !gone)
        *e = later;
    return ok && gone;
}
