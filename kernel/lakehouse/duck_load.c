/*
 * Find and load libduckdb. It mostly comes as the extension module of the Python package `duckdb`, which exports the whole
 * C API but wants a few symbols of libpython: that is opened before it, globally, and never initialised.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/xalloc.h"
#include "lakehouse/duck.h"

struct duck_api duck_functions;

static const char *const names[] = {
#define DUCK_NAME(result, name, args) "duckdb_" #name,
    DUCK_FUNCTIONS(DUCK_NAME)
#undef DUCK_NAME
};

/* ---- where it is ---- */
/* The first file that matches, or NULL. */
static char *first_match(const char *pattern)
{
    glob_t found;
    char *path = NULL;
    if (glob(pattern, 0, NULL, &found) == 0) {
        path = xstrdup(found.gl_pathv[found.gl_pathc - 1]); /* sorted: the newest Python */
        globfree(&found);
    }
    return path;
}

/* The module of the package `duckdb` in a Python environment. */
static char *in_environment(const char *prefix)
{
    static const char *const places[] = {"lib/python3*/site-packages", "lib/python3*/dist-packages",
                                         "lib/python3/dist-packages"};
    static const char *const modules[] = {"_duckdb.cpython-*.so", "duckdb/duckdb.cpython-*.so"};
    char *path = NULL;
    for (size_t i = 0; !path && i < ARRAY_LEN(places); i++)
        for (size_t m = 0; !path && m < ARRAY_LEN(modules); m++) {
            char *pattern = xasprintf("%s/%s/%s", prefix, places[i], modules[m]);
            path = first_match(pattern);
            free(pattern);
        }
    return path;
}

static char *beside_program(const char *dir)
{
    static const char *const plain[] = {"libduckdb.so", "../lib/lakebase/libduckdb.so", "../lib/libduckdb.so"};
    static const char *const venvs[] = {"../../.venv", "../../../.venv"};
    char *path = NULL;
    for (size_t i = 0; !path && i < ARRAY_LEN(plain); i++) {
        char *file = xasprintf("%s/%s", dir, plain[i]);
        path = first_match(file);
        free(file);
    }
    for (size_t i = 0; !path && i < ARRAY_LEN(venvs); i++) {
        char *prefix = xasprintf("%s/%s", dir, venvs[i]);
        path = in_environment(prefix);
        free(prefix);
    }
    return path;
}

/* Environments whose bin/ stands in $PATH. */
static char *in_path(void)
{
    const char *list = getenv("PATH");
    char *copy = xstrdup(list ? list : ""), *state = NULL, *path = NULL;
    for (char *dir = strtok_r(copy, ":", &state); dir && !path; dir = strtok_r(NULL, ":", &state)) {
        char *python = xasprintf("%s/python3", dir), *prefix = xasprintf("%s/..", dir);
        path = fs_exists(python) ? in_environment(prefix) : NULL;
        free(python);
        free(prefix);
    }
    free(copy);
    return path;
}

char *duck_find_library(const char *library, struct err *e)
{
    const char *named = library ? library : getenv("LAKEBASE_DUCKDB");
    if (named && *named) {
        if (fs_exists(named))
            return xstrdup(named);
        err_set(e, ERR_CONFIG, "there is no libduckdb at '%s'%s", named, library ? "" : " (LAKEBASE_DUCKDB)");
        return NULL;
    }
    struct err ignored;
    err_init(&ignored);
    char *dir = fs_program_dir(&ignored), *path = dir ? beside_program(dir) : NULL;
    free(dir);
    const char *venv = getenv("VIRTUAL_ENV"), *home = getenv("HOME");
    if (!path && venv && *venv)
        path = in_environment(venv);
    if (!path)
        path = in_path();
    char *local = home ? xasprintf("%s/.local", home) : NULL;
    const char *const prefixes[] = {local, "/usr/local", "/usr"};
    for (size_t i = 0; !path && i < ARRAY_LEN(prefixes); i++)
        path = prefixes[i] ? in_environment(prefixes[i]) : NULL;
    free(local);
    if (!path)
        path = first_match("/usr/l*/libduckdb.so");
    if (!path) {
        err_set(e, ERR_CONFIG, "the lakehouse engine (libduckdb) is not installed");
        err_hint(e, "pip install duckdb in the environment of the lab, or name the file in LAKEBASE_DUCKDB");
    }
    return path;
}

int lake_open_library(struct err *e)
{
    char *path = duck_find_library(NULL, e);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (path && fd < 0)
        err_errno(e, errno, "cannot open the lakehouse engine '%s'", path);
    free(path);
    return fd;
}

/* ---- loading ---- */
/* Where an open file lies, when the path is one ("/proc/self/fd/7"): the name tells which Python the module is for. */
static char *real_path(const char *path)
{
    char real[4096];
    ssize_t n = strncmp(path, "/proc/self/fd/", strlen("/proc/self/fd/")) == 0 ? readlink(path, real, sizeof real) : -1;
    return n > 0 && (size_t)n < sizeof real ? xstrndup(real, (size_t)n) : xstrdup(path);
}

static bool open_named(const char *path)
{
    return dlopen(path, RTLD_NOW | RTLD_GLOBAL) != NULL;
}

/* "home = /usr/bin" of the environment that the module lies in: prefix/lib/python3.x/site-packages/module. */
static char *environment_home(const char *module)
{
    const char *lib = strstr(module, "/lib/python3");
    if (!lib)
        return NULL;
    char *config = xasprintf("%.*s/pyvenv.cfg", (int)(lib - module), module), *home = NULL;
    struct buf text;
    struct err ignored;
    err_init(&ignored);
    buf_init(&text, 64 << 10);
    if (fs_read(config, &text, &ignored)) {
        const char *line = strstr(buf_str(&text), "home = ");
        if (line)
            home = xstrndup(line + 7, strcspn(line + 7, "\r\n"));
    }
    buf_release(&text);
    free(config);
    return home;
}

/* "…/_duckdb.cpython-311-x86_64-linux-gnu.so" wants libpython3.11.so.1.0. */
static bool open_python(const char *module, struct err *e)
{
    const char *tag = strstr(module, ".cpython-3");
    if (!tag)
        return true;
    int minor = (int)strtol(tag + strlen(".cpython-3"), NULL, 10);
    char name[64];
    snprintf(name, sizeof name, "libpython3.%d.so.1.0", minor);
    bool ok = open_named(name);
    char *home = ok ? NULL : environment_home(module);
    if (home) {
        char *path = xasprintf("%s/../lib/%s", home, name);
        ok = open_named(path);
        free(path);
    }
    free(home);
    if (!ok) {
        err_set(e, ERR_CONFIG, "%s, which the lakehouse engine '%s' needs, is not installed", name, module);
        err_hint(e, "install the package libpython3.%d (Debian, Ubuntu)", minor);
    }
    return ok;
}

static bool fetch_functions(void *lib, const char *path, struct err *e)
{
    void **slots = (void **)(void *)&duck_functions;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        slots[i] = dlsym(lib, names[i]);
        if (!slots[i])
            return err_set(e, ERR_CONFIG, "'%s' has no function %s: it is too old or no libduckdb", path, names[i]);
    }
    int major = 0, minor = 0;
    const char *version = duck->library_version();
    if (sscanf(version, "v%d.%d", &major, &minor) != 2 || major * 100 + minor < 105) {
        err_set(e, ERR_CONFIG, "libduckdb %s at '%s' is too old: 1.5 or newer is needed", version, path);
        err_hint(e, "pip install --upgrade duckdb");
        return false;
    }
    return true;
}

static bool load(const char *library, struct err *e)
{
    char *path = duck_find_library(library, e);
    char *real = path ? real_path(path) : NULL;
    bool ok = path && open_python(real, e);
    void *lib = ok ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (ok && !lib)
        ok = err_set(e, ERR_CONFIG, "cannot load the lakehouse engine: %s", dlerror());
    ok = ok && fetch_functions(lib, real, e);
    free(real);
    free(path);
    return ok;
}

bool duck_load(const char *library, struct err *e)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool loaded;
    pthread_mutex_lock(&lock);
    loaded = loaded || load(library, e);
    bool ok = loaded;
    pthread_mutex_unlock(&lock);
    return ok;
}
