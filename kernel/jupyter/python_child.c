/* The child of %%python as a process (see python_child.h). */
#include "jupyter/python_child.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/ids.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "jupyter/py.h"

enum { MAX_FOLDER = 60, MAX_PROFILE = 1 << 20 };

#define PREFIX "lakebase-py-"

extern char **environ;

static const char databricks[] = "DATABRICKS_";

/* ---- the interpreter ---- */

static char *in_folder(const char *folder, const char *rest)
{
    char *path = xasprintf("%s/%s", folder, rest);
    if (access(path, X_OK) == 0)
        return path;
    free(path);
    return NULL;
}

/* build/bin or build/VARIANT/bin: two or three folders up. */
static char *of_source_tree(void)
{
    struct err none;
    err_init(&none);
    char *folder = fs_program_dir(&none), *found = NULL;
    for (int up = 1; folder && !found && up <= 3 && strrchr(folder, '/'); up++) {
        *strrchr(folder, '/') = '\0';
        found = up > 1 ? in_folder(folder, ".venv/bin/python") : NULL;
    }
    free(folder);
    return found;
}

char *python_program(void)
{
    const char *told = getenv("LAKEBASE_PYTHON"), *venv = getenv("VIRTUAL_ENV");
    if (told && *told)
        return xstrdup(told);
    char *found = venv && *venv ? in_folder(venv, "bin/python") : NULL;
    if (!found)
        found = of_source_tree();
    return found ? found : xstrdup("python3");
}

/* ---- the folder ---- */

/* Short, because the paths of Unix sockets end at 107 bytes. */
static const char *temp_folder(void)
{
    const char *told = getenv("TMPDIR");
    return told && *told == '/' && strlen(told) < MAX_FOLDER ? told : "/tmp";
}

/* A file of that name in a folder is locked from the moment it is seen: it gets its name when the lock is held. */
static bool lock_folder(struct python_child *c, struct err *e)
{
    char *early = xasprintf("%s/lock.new", c->folder), *path = xasprintf("%s/lock", c->folder);
    c->lock_fd = open(early, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = c->lock_fd >= 0 && flock(c->lock_fd, LOCK_EX | LOCK_NB) == 0 && rename(early, path) == 0;
    if (!ok)
        err_errno(e, errno, "cannot lock '%s'", path);
    free(path);
    free(early);
    return ok;
}

static bool make_folder(struct python_child *c, struct err *e)
{
    c->folder = xasprintf("%s/" PREFIX "XXXXXX", temp_folder());
    if (mkdtemp(c->folder))
        return lock_folder(c, e);
    err_errno(e, errno, "cannot make a private folder '%s'", c->folder);
    free(c->folder);
    c->folder = NULL;
    return false;
}

/* Ours, and its lock is free: its kernel was killed. (A number of a process would not do: it may be one of another
 * container.) */
static bool is_orphan(const char *folder)
{
    struct stat s;
    bool orphan = false;
    if (lstat(folder, &s) != 0 || !S_ISDIR(s.st_mode) || s.st_uid != geteuid())
        return false;
    char *path = xasprintf("%s/lock", folder);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0) {
        orphan = flock(fd, LOCK_EX | LOCK_NB) == 0;
        close(fd);
    }
    free(path);
    return orphan;
}

static void remove_orphans(void)
{
    DIR *all = opendir(temp_folder());
    for (struct dirent *d; all && (d = readdir(all)) != NULL;) {
        if (strncmp(d->d_name, PREFIX, sizeof PREFIX - 1) != 0)
            continue;
        struct err none;
        err_init(&none);
        char *folder = xasprintf("%s/%s", temp_folder(), d->d_name);
        if (is_orphan(folder))
            fs_remove_tree(folder, &none);
        free(folder);
    }
    if (all)
        closedir(all);
}

static bool put_file(struct python_child *c, const char *name, const char *text, struct err *e)
{
    char *path = xasprintf("%s/%s", c->folder, name);
    bool ok = fs_write_atomic(path, text, strlen(text), 0600, e);
    free(path);
    return ok;
}

static bool put_connfile(struct python_child *c, struct err *e)
{
    char key[65];
    ids_hex(key, 32);
    char *ip = xasprintf("%s/k", c->folder);
    json_t *o = json_pack("{ss so ss ss si si si si si}", "transport", "ipc", "ip", jx_str(ip), "key", key,
                          "signature_scheme", "hmac-sha256", "shell_port", 1, "iopub_port", 2, "stdin_port", 3,
                          "control_port", 4, "hb_port", 5);
    char *text = jx_dump(o);
    bool ok = connfile_parse(&c->conn, text, strlen(text), e) && put_file(c, "kernel.json", text, e);
    explicit_bzero(key, sizeof key);
    xfree_secret(text);
    json_decref(o);
    free(ip);
    return ok;
}

static bool is_databricks(const char *variable)
{
    return strncmp(variable, databricks, sizeof databricks - 1) == 0;
}

static bool is_config(const char *variable)
{
    return strncmp(variable, "DATABRICKS_CONFIG_", 18) == 0;
}

/* DATABRICKS_HOST, DATABRICKS_TOKEN and their like as a profile: a child's environment can be read by every process
 * of the user, a file with mode 0600 in our folder is at least not listed by ps. */
static bool put_profile(struct python_child *c, struct err *e)
{
    struct buf text;
    bool ok = true;
    buf_init(&text, MAX_PROFILE);
    for (char **v = environ; *v; v++) {
        const char *eq = strchr(*v, '=');
        if (!eq || !eq[1] || !is_databricks(*v) || is_config(*v) || strchr(eq, '\n'))
            continue;
        if (text.len == 0)
            buf_puts(&text, "[env]\n");
        for (const char *n = *v + sizeof databricks - 1; n < eq; n++)
            buf_putc(&text, (char)tolower((unsigned char)*n));
        buf_puts(&text, " = ");
        for (const char *t = eq + 1; *t; t++) /* % is special to Python's parser */
            buf_puts(&text, *t == '%' ? "%%" : (const char[]){*t, '\0'});
        buf_putc(&text, '\n');
    }
    if (text.len > 0)
        ok = c->env_profile = buf_ok(&text, "the environment", e) && put_file(c, "databrickscfg", buf_str(&text), e);
    buf_release_secret(&text);
    return ok;
}

/* ---- the start ---- */

/* Ours, without secrets, and with our number as the one whose end ends it (ipykernel's own watch; ours is the guard of
 * magics/child.h). An array to free, of texts to free. */
static char **make_environment(void)
{
    size_t n = 0, kept = 0;
    while (environ[n])
        n++;
    char **out = xcalloc(n + 2, sizeof *out);
    for (size_t i = 0; i < n; i++) {
        bool ours = strncmp(environ[i], "JPY_PARENT_PID=", 15) == 0;
        bool secret = child_is_secret(environ[i], strcspn(environ[i], "="));
        if (!ours && !secret && (!is_databricks(environ[i]) || is_config(environ[i])))
            out[kept++] = xstrdup(environ[i]);
    }
    out[kept] = xasprintf("JPY_PARENT_PID=%ld", (long)getpid());
    return out;
}

static bool start(struct python_child *c, struct err *e)
{
    int said[2];
    if (pipe2(said, O_CLOEXEC | O_NONBLOCK) != 0)
        return err_errno(e, errno, "cannot make a pipe");
    fcntl(said[1], F_SETFL, 0); /* blocking for the child */
    char *script = xasprintf("%s/lakebase.py", c->folder), *file = xasprintf("%s/kernel.json", c->folder);
    const char *argv[] = {c->program, script, "-f", file, NULL};
    char **env = make_environment();
    struct child_start how = {.argv = argv, .env = (const char *const *)env, .fds = (int[]){-1, said[1], said[1]},
                              .n_fds = 3};
    bool ok = child_start(&c->process, &how, e);
    for (char **v = env; *v; v++)
        free(*v);
    free(env);
    free(file);
    free(script);
    close(said[1]);
    c->said_fd = said[0];
    return ok;
}

bool python_child_start(struct python_child *c, struct err *e)
{
    *c = (struct python_child){.said_fd = -1, .lock_fd = -1, .process = {.pid = -1, .pidfd = -1, .guard = -1, .life = -1}};
    c->program = python_program();
    remove_orphans();
    bool ok = make_folder(c, e) && put_connfile(c, e) && put_profile(c, e) &&
              put_file(c, "lakebase.py", py_lakebase, e) && start(c, e);
    if (!ok) {
        err_hint(e, "$LAKEBASE_PYTHON names the interpreter to use; it needs the package ipykernel");
        python_child_release(c, NULL);
    }
    return ok;
}

void python_child_interrupt(const struct python_child *c)
{
    kill(-c->process.pid, SIGINT);
}

void python_child_wake(const struct python_child *c)
{
    syscall(SYS_tgkill, c->process.pid, c->process.pid, SIGURG);
}

/* ---- the end ---- */

void python_child_listen(struct python_child *c)
{
    char chunk[PYTHON_TAIL];
    ssize_t n = -1;
    while (c->said_fd >= 0 && (n = read(c->said_fd, chunk, sizeof chunk)) > 0) {
        size_t len = (size_t)n, keep = PYTHON_TAIL - len < c->tail_len ? PYTHON_TAIL - len : c->tail_len;
        memmove(c->tail, c->tail + c->tail_len - keep, keep);
        memcpy(c->tail + keep, chunk, len);
        c->tail_len = keep + len;
    }
    if (n == 0 && c->said_fd >= 0) {
        close(c->said_fd);
        c->said_fd = -1;
    }
}

const char *python_child_last_line(struct python_child *c)
{
    size_t len = c->tail_len;
    while (len > 0 && isspace((unsigned char)c->tail[len - 1]))
        len--;
    c->tail[len] = '\0';
    const char *line = strrchr(c->tail, '\n');
    return line ? line + 1 : c->tail;
}

void python_child_release(struct python_child *c, int *status)
{
    struct err none;
    err_init(&none);
    if (c->process.pid > 0) {
        kill(-c->process.pid, SIGKILL);
        child_release(&c->process, status);
    }
    if (c->said_fd >= 0)
        close(c->said_fd);
    if (c->folder)
        fs_remove_tree(c->folder, &none);
    if (c->lock_fd >= 0)
        close(c->lock_fd);
    connfile_release(&c->conn);
    free(c->folder);
    free(c->program);
    *c = (struct python_child){.said_fd = -1, .lock_fd = -1, .process = {.pid = -1, .pidfd = -1, .guard = -1, .life = -1}};
}
