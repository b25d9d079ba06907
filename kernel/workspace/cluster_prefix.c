/*
 * The private PostgreSQL prefix. PostgreSQL finds share/ and lib/ relative to its program file, so a copy of the programs
 * and of share/ under the same paths, with lib/ linked, runs from our state folder and sees our extension files there,
 * without root. Of the installed extensions only those stay that the service offers and that an owner who is no superuser
 * can create; what reaches files or other servers (file_fdw, dblink, adminpack, ...) is not even known.
 * Source of the list: Databricks, "Postgres extensions" of Lakebase, as in facts of the service's PostgreSQL 16.
 */
#include "workspace/cluster_parts.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/ids.h"
#include "base/xalloc.h"
#include "workspace/sql.h"

enum { OLDEST = 14, /* pg_read_all_data; passwords of more than 1,000 bytes */ FORMAT = 2 };

static const char extension_control[] =
    "comment = 'Roles for Databricks identities: databricks_create_role and companions'\n"
    "default_version = '1.0'\n"
    "trusted = true\n"
    "relocatable = false\n";

static const char *const offered[] = {
    "address_standardizer", "address_standardizer_data_us", "bloom", "btree_gin", "btree_gist", "citext", "cube",
    "dict_int", "earthdistance", "fuzzystrmatch", "hll", "hstore", "intagg", "intarray", "isn", "lo", "ltree", "pg_graphql",
    "pg_stat_statements", "pg_trgm", "pgcrypto", "pgrouting", "plpgsql", "postgis", "postgis_raster", "postgis_sfcgal",
    "postgis_tiger_geocoder", "postgis_topology", "seg", "tablefunc", "tcn", "tsm_system_rows", "tsm_system_time",
    "unaccent", "uuid-ossp", "vector",
};

/* ---- what is installed -------------------------------------------------------------------------------------- */

/* Run a program and keep the first line of what it prints; "" on failure. */
static void first_line(const char *path, const char *arg, char out[512])
{
    const char *argv[] = {path, arg, NULL}, *envp[] = {"LC_ALL=C", "PATH=/usr/bin:/bin", NULL};
    static const struct server_user nobody_else;
    struct err ignored;
    err_init(&ignored);
    out[0] = '\0';
    int fd = memfd_create("output", MFD_CLOEXEC);
    struct spawn s = {.argv = argv, .envp = envp, .cwd = "/", .out = fd, .keep = {-1, -1}, .tied = true, .user = &nobody_else};
    if (fd >= 0 && spawn_wait(&s, NULL, NULL, &ignored)) {
        ssize_t n = pread(fd, out, 511, 0);
        out[n > 0 ? n : 0] = '\0';
        out[strcspn(out, "\n")] = '\0';
    }
    if (fd >= 0)
        close(fd);
}

/* "postgres (PostgreSQL) 15.20 (Debian ...)": 15 and "15.20"; 0: no PostgreSQL server */
static int version_of(const char *bin, char version[32])
{
    char *program = xasprintf("%s/postgres", bin), line[512] = "";
    if (access(program, X_OK) == 0)
        first_line(program, "--version", line);
    free(program);
    const char *at = strstr(line, "(PostgreSQL) ");
    version[0] = '\0';
    if (!at)
        return 0;
    at += strlen("(PostgreSQL) ");
    snprintf(version, 32, "%.*s", (int)strcspn(at, " "), at);
    return (int)strtol(version, NULL, 10);
}

/* Keep bin when its server is newer than the one known. */
static void consider(struct prefix *p, const char *bin)
{
    char version[32], *real = realpath(bin, NULL);
    bool known = !real || (p->bin && strcmp(p->bin, real) == 0);
    int major = known ? 0 : version_of(real, version);
    if (major > p->major) {
        free(p->bin);
        p->bin = xstrdup(real);
        p->major = major;
        snprintf(p->version, sizeof p->version, "%s", version);
    }
    free(real);
}

/* Where packages put it, then what a pg_config in PATH knows of. */
static void consider_all(struct prefix *p)
{
    char line[512], *seen = NULL;
    glob_t g = {0};
    glob("/usr/lib/postgresql/*/bin", 0, NULL, &g);
    glob("/usr/pgsql-*/bin", GLOB_APPEND, NULL, &g);
    for (size_t i = g.gl_pathc; i > 0; i--)
        consider(p, g.gl_pathv[i - 1]);
    globfree(&g);
    const char *path = getenv("PATH");
    for (const char *at = path; at && *at;) {
        size_t len = strcspn(at, ":");
        char *program = xasprintf("%.*s/pg_config", (int)len, at), *real = realpath(program, NULL);
        if (real && access(real, X_OK) == 0 && (!seen || strcmp(seen, real) != 0)) {
            first_line(program, "--bindir", line);
            if (line[0] == '/')
                consider(p, line);
            free(seen);
            seen = xstrdup(real);
        }
        free(real);
        free(program);
        at += len + (at[len] == ':');
    }
    free(seen);
}

static char *pg_config(const char *bin, const char *what)
{
    char *program = xasprintf("%s/pg_config", bin), line[512];
    first_line(program, what, line);
    free(program);
    return line[0] == '/' ? xstrdup(line) : NULL;
}

static bool has(const char *dir, const char *name)
{
    char *path = xasprintf("%s/%s", dir, name);
    bool there = fs_exists(path);
    free(path);
    return there;
}

bool prefix_find(struct prefix *p, struct err *e)
{
    *p = (struct prefix){0};
    consider_all(p);
    if (!p->bin || p->major < OLDEST) {
        if (p->bin)
            err_set(e, ERR_CONFIG, "PostgreSQL %s is too old: %d or newer is needed", p->version, OLDEST);
        else
            err_set(e, ERR_CONFIG, "no PostgreSQL server is installed");
        err_hint(e, "install one: apt-get install postgresql (make packages does it)");
        return false;
    }
    p->share = xasprintf("/usr/share/postgresql/%d", p->major);
    p->lib = xasprintf("/usr/lib/postgresql/%d/lib", p->major);
    if (strncmp(p->bin, "/usr/lib/postgresql/", 20) != 0 || !has(p->share, "postgres.bki")) {
        free(p->share);
        free(p->lib);
        p->share = pg_config(p->bin, "--sharedir");
        p->lib = pg_config(p->bin, "--pkglibdir");
    }
    if (!p->share || !p->lib || !has(p->share, "postgres.bki") || !has(p->bin, "initdb"))
        return err_set(e, ERR_CONFIG, "the PostgreSQL installation in '%s' is incomplete", p->bin);
    snprintf(p->version_name, sizeof p->version_name, "PG_VERSION_%d", p->major);
    p->statements = has(p->lib, "pg_stat_statements.so");
    return true;
}

void prefix_release(struct prefix *p)
{
    char *all[] = {p->bin, p->share, p->lib, p->postgres, p->initdb, p->own_bin, p->own_share};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        free(all[i]);
    *p = (struct prefix){0};
}

/* ---- the private copy --------------------------------------------------------------------------------------- */

static bool is_offered(const char *dir, const char *name)
{
    bool listed = false;
    for (size_t i = 0; i < ARRAY_LEN(offered) && !listed; i++)
        listed = strcmp(offered[i], name) == 0;
    if (!listed)
        return false;
    if (strcmp(name, "plpgsql") == 0 || strcmp(name, "pg_stat_statements") == 0)
        return true; /* in every database; made trusted by trust_statements */
    char *path = xasprintf("%s/%s.control", dir, name);
    struct buf text;
    struct err ignored;
    err_init(&ignored);
    buf_init(&text, 65536);
    bool trusted = fs_read(path, &text, &ignored) && strstr(buf_str(&text), "\ntrusted = true");
    buf_release(&text);
    free(path);
    return trusted;
}

/* Take away the control files of all others: without one, an extension does not exist. */
static bool filter_extensions(const char *dir, struct err *e)
{
    struct fs_names files;
    bool ok = fs_list(dir, "*.control", &files, e);
    for (size_t i = 0; ok && i < files.count; i++) {
        char *path = xasprintf("%s/%s", dir, files.names[i]);
        char *name = xstrndup(files.names[i], strlen(files.names[i]) - strlen(".control"));
        if (!is_offered(dir, name))
            ok = unlink(path) == 0 || err_errno(e, errno, "cannot remove '%s'", path);
        free(name);
        free(path);
    }
    fs_names_release(&files);
    return ok;
}

static bool write_in(const char *dir, const char *name, const char *text, struct err *e)
{
    char *path = xasprintf("%s/%s", dir, name);
    bool ok = fs_write_atomic(path, text, strlen(text), 0644, e);
    free(path);
    return ok;
}

static bool append(const char *path, const char *text, struct err *e)
{
    struct buf all;
    buf_init(&all, 1 << 20);
    bool ok = fs_read(path, &all, e);
    buf_puts(&all, text);
    ok = ok && buf_ok(&all, path, e) && fs_write_atomic(path, buf_str(&all), all.len, 0644, e);
    buf_release(&all);
    return ok;
}

/* On the service the owner of a database makes pg_stat_statements and databricks_superuser may reset it. PostgreSQL lets
 * only a superuser make it, so our copy is marked as trusted, and each of its scripts ends with the grant. */
static bool trust_statements(const char *dir, struct err *e)
{
    struct fs_names scripts = {0};
    char *control = xasprintf("%s/pg_stat_statements.control", dir);
    bool ok = !fs_exists(control) || append(control, "\ntrusted = true\n", e);
    ok = ok && fs_list(dir, "pg_stat_statements--*.sql", &scripts, e);
    for (size_t i = 0; ok && i < scripts.count; i++) {
        char *path = xasprintf("%s/%s", dir, scripts.names[i]);
        ok = append(path, sql_cluster_statements, e);
        free(path);
    }
    fs_names_release(&scripts);
    free(control);
    return ok;
}

static bool write_extension(const char *share, struct err *e)
{
    char *dir = xasprintf("%s/extension", share);
    bool ok = filter_extensions(dir, e) && trust_statements(dir, e) && write_in(dir, "databricks_auth.control", extension_control, e) &&
              write_in(dir, "databricks_auth--1.0.sql", sql_databricks_auth__1_0, e);
    free(dir);
    return ok;
}

static bool copy_program(const struct prefix *p, const char *own_bin, const char *name, struct err *e)
{
    char *from = xasprintf("%s/%s", p->bin, name), *real = realpath(from, NULL), *to = xasprintf("%s/%s", own_bin, name);
    bool ok = real ? tree_copy(real, to, NULL, e) : err_errno(e, errno, "cannot read '%s'", from);
    free(from);
    free(real);
    free(to);
    return ok;
}

/* Make the folder; it and all above it up to `root` are for everybody, whatever our umask is. */
static bool make_public(const char *root, const char *path, struct err *e)
{
    bool ok = fs_mkdirs(path, 0755, e);
    for (char *p = xstrdup(path), *at = p; at; *at = '\0') {
        if (ok && chmod(p, 0755) != 0)
            ok = err_errno(e, errno, "cannot open '%s' for reading", p);
        at = strcmp(p, root) == 0 ? NULL : strrchr(p, '/');
        if (!at) {
            free(p);
            break;
        }
    }
    return ok;
}

/* Same folders as installed, under `root`. */
static bool build(const struct prefix *p, const char *root, struct err *e)
{
    char *bin = xasprintf("%s%s", root, p->bin), *share = xasprintf("%s%s", root, p->share);
    char *lib = xasprintf("%s%s", root, p->lib), *above = xstrdup(share), *above_lib = xstrdup(lib);
    *strrchr(above, '/') = '\0';
    *strrchr(above_lib, '/') = '\0';
    bool ok = make_public(root, bin, e) && make_public(root, above, e) && make_public(root, above_lib, e) &&
              tree_copy(p->share, share, NULL, e) && write_extension(share, e) && copy_program(p, bin, "postgres", e) &&
              copy_program(p, bin, "initdb", e) &&
              (symlink(p->lib, lib) == 0 || err_errno(e, errno, "cannot link '%s'", lib));
    free(bin);
    free(share);
    free(lib);
    free(above);
    free(above_lib);
    return ok;
}

static void stamp_file(struct buf *out, const char *path)
{
    struct stat st = {0};
    stat(path, &st); /* not there: zeros */
    buf_printf(out, "%s %lld %lld\n", path, (long long)st.st_size, (long long)st.st_mtime);
}

/* What the copy was made of: another text here makes a new one. That is the server, the extensions that are installed of
 * those offered (their packages come, go and are upgraded by themselves), and what we add. */
static char *stamp_of(const struct prefix *p)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    buf_printf(&out, "%d %s\n", FORMAT, p->version);
    char *program = xasprintf("%s/postgres", p->bin);
    stamp_file(&out, program);
    free(program);
    for (size_t i = 0; i < ARRAY_LEN(offered); i++) {
        char *control = xasprintf("%s/extension/%s.control", p->share, offered[i]);
        stamp_file(&out, control);
        free(control);
    }
    buf_printf(&out, "%s%s%s", extension_control, sql_databricks_auth__1_0, sql_cluster_statements);
    return buf_detach(&out);
}

static bool is_current(const char *root, const char *stamp)
{
    char *path = xasprintf("%s/stamp", root);
    struct buf text;
    struct err ignored;
    err_init(&ignored);
    buf_init(&text, 1 << 20);
    bool same = fs_read(path, &text, &ignored) && strcmp(buf_str(&text), stamp) == 0;
    buf_release(&text);
    free(path);
    return same;
}

/* Built beside its place and moved: a crash leaves the old one, none, or the new one. */
static bool replace(const struct prefix *p, const char *root, const char *stamp, struct err *e)
{
    char id[17], *fresh, *old;
    ids_hex(id, 8);
    fresh = xasprintf("%s.new-%s", root, id);
    old = xasprintf("%s.old-%s", root, id);
    bool ok = build(p, fresh, e) && write_in(fresh, "stamp", stamp, e) && tree_sync(fresh, e);
    if (ok && rename(root, old) != 0 && errno != ENOENT)
        ok = err_errno(e, errno, "cannot replace '%s'", root);
    if (ok && rename(fresh, root) != 0)
        ok = err_errno(e, errno, "cannot make '%s'", root);
    struct err ignored;
    err_init(&ignored);
    fs_remove_tree(old, &ignored); /* servers that run from it keep their program file */
    fs_remove_tree(fresh, &ignored);
    free(fresh);
    free(old);
    return ok;
}

/* Of a replace that did not come to its end. */
static void remove_leftovers(const char *above)
{
    struct fs_names left;
    struct err ignored;
    err_init(&ignored);
    fs_list(above, "*.*-*", &left, &ignored);
    for (size_t i = 0; i < left.count; i++) {
        char *path = xasprintf("%s/%s", above, left.names[i]);
        err_init(&ignored);
        fs_remove_tree(path, &ignored);
        free(path);
    }
    fs_names_release(&left);
}

bool prefix_make(struct prefix *p, const char *state_dir, struct err *e)
{
    char *root = xasprintf("%s/prefix/%d", state_dir, p->major), *stamp = stamp_of(p);
    char *above = xasprintf("%s/prefix", state_dir);
    p->own_bin = xasprintf("%s%s", root, p->bin);
    p->own_share = xasprintf("%s%s", root, p->share);
    p->postgres = xasprintf("%s/postgres", p->own_bin);
    p->initdb = xasprintf("%s/initdb", p->own_bin);
    remove_leftovers(above);
    bool ok = is_current(root, stamp) || (fs_mkdirs(above, 0755, e) && replace(p, root, stamp, e));
    free(above);
    free(root);
    free(stamp);
    return ok || err_wrap(e, "private PostgreSQL prefix");
}
