/* Finding, reading and validating the files of lab checks (see check.h). The format's reference:
 * notebooks/checks/README.md. */
#include <dirent.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "cell/args.h"
#include "magics/check.h"

enum { NAMES_MAX = 200, LEVELS_MAX = 64 };

/* ---- finding ---- */

/* `folder`/checks or `folder`/notebooks/checks, when it is there. */
static char *below(const char *folder)
{
    static const char *const places[] = {"checks", "notebooks/checks"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        char *path = xasprintf("%s/%s/README.md", folder, places[i]);
        bool there = fs_exists(path);
        path[strlen(path) - strlen("/README.md")] = '\0';
        if (there)
            return path;
        free(path);
    }
    return NULL;
}

char *check_folder(void)
{
    const char *told = getenv("LAKEBASE_NOTEBOOKS");
    if (told && *told)
        return xasprintf("%s/checks", told);
    char *at = getcwd(NULL, 0), *found = NULL;
    for (int i = 0; at && i < LEVELS_MAX; i++) {
        char *slash = strrchr(at, '/');
        found = below(at);
        if (found || !slash || !*at)
            break;
        *slash = '\0';
    }
    free(at);
    return found;
}

void check_place(struct buf *out)
{
    const char *told = getenv("LAKEBASE_NOTEBOOKS");
    char *folder = check_folder(), *at = getcwd(NULL, 0);
    if (folder)
        buf_printf(out, "in %s%s", folder, told && *told ? ", which LAKEBASE_NOTEBOOKS names" : "");
    else
        buf_printf(out, "in a folder checks or notebooks/checks of %s, and of the folders above it",
                   at ? at : "the notebook's folder");
    free(folder);
    free(at);
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

void check_names(void (*add)(void *self, const char *id), void *self)
{
    char *folder = check_folder(), *names[NAMES_MAX];
    DIR *dir = folder ? opendir(folder) : NULL;
    size_t n = 0;
    for (struct dirent *d; dir && n < NAMES_MAX && (d = readdir(dir));) {
        size_t len = strlen(d->d_name);
        if (len > 5 && d->d_name[0] != '.' && strcmp(d->d_name + len - 5, ".json") == 0)
            names[n++] = xstrndup(d->d_name, len - 5);
    }
    if (dir)
        closedir(dir);
    free(folder);
    qsort(names, n, sizeof *names, by_text);
    for (size_t i = 0; i < n; i++) {
        add(self, names[i]);
        free(names[i]);
    }
}

struct known {
    char *names[NAMES_MAX + 1];
    size_t n;
};

static void keep_name(void *self, const char *id)
{
    struct known *k = self;
    k->names[k->n++] = xstrdup(id);
}

static void hint_at_place(struct err *e)
{
    struct buf place;
    buf_init(&place, 1 << 16);
    check_place(&place);
    err_hint(e, "there are no checks %s; open the workshop's notebooks, or name their folder in LAKEBASE_NOTEBOOKS",
             buf_str(&place));
    buf_release(&place);
}

static bool no_such_check(const char *name, struct err *e)
{
    struct known k = {.n = 0};
    struct buf list;
    buf_init(&list, 400);
    check_names(keep_name, &k);
    k.names[k.n] = NULL;
    err_set(e, ERR_NOT_FOUND, "there is no check '%.100s'", name);
    const char *near = args_nearest(name, strlen(name), (const char *const *)k.names);
    for (size_t i = 0; i < k.n; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", k.names[i]);
    if (k.n == 0)
        hint_at_place(e);
    else if (near)
        err_hint(e, "did you mean %s?", near);
    else
        err_hint(e, "there are: %s", buf_str(&list));
    buf_release(&list);
    for (size_t i = 0; i < k.n; i++)
        free(k.names[i]);
    return false;
}

/* ---- validating: bad(path, what is wrong) ---- */

struct reading {
    const char *file;
    struct err *e;
};

static bool bad(struct reading *r, const char *path, const char *what)
{
    return err_set(r->e, ERR_MALFORMED, "%s: %s%s%s", r->file, path, *path ? ": " : "", what);
}

static bool only_keys(struct reading *r, const char *path, const json_t *object, const char *const *allowed)
{
    const char *key;
    json_t *value;
    if (!json_is_object(object))
        return bad(r, path, "must be an object");
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        bool known = false;
        for (const char *const *a = allowed; *a; a++)
            known = known || strcmp(*a, key) == 0;
        if (known)
            continue;
        const char *near = args_nearest(key, strlen(key), allowed);
        err_set(r->e, ERR_MALFORMED, "%s: %s%sunknown key '%.60s'", r->file, path, *path ? ": " : "", key);
        if (near)
            err_hint(r->e, "did you mean '%s'?", near);
        return false;
    }
    return true;
}

static bool is_text(const json_t *v) { return json_is_string(v) && *json_string_value(v); }

/* A string, or a list of 1 to 20 strings. */
static bool is_texts(const json_t *v)
{
    size_t i;
    json_t *item;
    if (is_text(v))
        return true;
    if (!json_is_array(v) || json_array_size(v) < 1 || json_array_size(v) > 20)
        return false;
    json_array_foreach((json_t *)(uintptr_t)v, i, item) {
        if (!is_text(item))
            return false;
    }
    return true;
}

static bool is_value(const json_t *v)
{
    return json_is_string(v) || json_is_number(v) || json_is_boolean(v) || json_is_null(v);
}

static bool check_regex(struct reading *r, const char *path, const json_t *v)
{
    regex_t re;
    if (!is_text(v))
        return bad(r, path, "must be a regular expression");
    if (regcomp(&re, json_string_value(v), REG_EXTENDED | REG_NOSUB) != 0)
        return bad(r, path, "is not a POSIX extended regular expression");
    regfree(&re);
    return true;
}

static bool check_range(struct reading *r, const char *path, const json_t *expect, const char *low, const char *high)
{
    const json_t *a = json_object_get(expect, low), *b = json_object_get(expect, high);
    if ((a && !json_is_number(a)) || (b && !json_is_number(b)))
        return bad(r, path, "a bound must be a number");
    if (a && b && json_number_value(a) > json_number_value(b))
        return bad(r, path, "the lower bound is above the upper one");
    return true;
}

static bool check_rows(struct reading *r, const char *path, const json_t *rows)
{
    size_t i, j;
    json_t *row, *value;
    if (!json_is_array(rows))
        return bad(r, path, "rows must be a list of rows");
    json_array_foreach((json_t *)(uintptr_t)rows, i, row) {
        if (!json_is_array(row))
            return bad(r, path, "each row must be a list of values");
        json_array_foreach(row, j, value) {
            if (!is_value(value))
                return bad(r, path, "a value must be a string, a number, true, false or null");
        }
    }
    return true;
}

/* Which keys of an expectation are there: at most one kind. */
static const char *kind_of(const json_t *expect, size_t *kinds)
{
    static const char *const keys[] = {"value", "rows", "matches", "error", "exists", "fields"};
    const char *kind = NULL;
    *kinds = 0;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (json_object_get(expect, keys[i])) {
            kind = keys[i];
            (*kinds)++;
        }
    }
    if (json_object_get(expect, "min") || json_object_get(expect, "max")) {
        kind = "min";
        (*kinds)++;
    }
    if (json_object_get(expect, "min_rows") || json_object_get(expect, "max_rows")) {
        kind = "min_rows";
        (*kinds)++;
    }
    return kind;
}

static bool check_fields(struct reading *r, const char *path, const json_t *fields)
{
    const char *key;
    json_t *value;
    if (!json_is_object(fields) || json_object_size(fields) == 0)
        return bad(r, path, "fields must be an object with at least one field");
    json_object_foreach((json_t *)(uintptr_t)fields, key, value) {
        if (json_is_object(value)) {
            if (!only_keys(r, path, value, (const char *const[]){"matches", NULL}) ||
                !check_regex(r, path, json_object_get(value, "matches")))
                return false;
        } else if (json_is_array(value) ? json_array_size(value) == 0 : !is_value(value)) {
            return bad(r, path, "a field is a value, a list of values, or {\"matches\": …}");
        }
    }
    return true;
}

static bool check_expect(struct reading *r, const char *path, const json_t *expect, bool api)
{
    static const char *const of_sql[] = {"value", "rows", "matches", "error", "min", "max", "min_rows", "max_rows",
                                         NULL};
    static const char *const of_api[] = {"exists", "fields", NULL};
    size_t kinds;
    if (!expect)
        return bad(r, path, "is missing");
    if (!only_keys(r, path, expect, api ? of_api : of_sql))
        return false;
    const char *kind = kind_of(expect, &kinds);
    if (kinds != 1)
        return bad(r, path, "must say exactly one thing");
    const json_t *v = json_object_get(expect, kind);
    if (strcmp(kind, "value") == 0)
        return is_value(v) || bad(r, path, "value must be a string, a number, true, false or null");
    if (strcmp(kind, "rows") == 0)
        return check_rows(r, path, v);
    if (strcmp(kind, "matches") == 0)
        return check_regex(r, path, v);
    if (strcmp(kind, "error") == 0)
        return is_texts(v) || bad(r, path, "error must be a SQLSTATE or a list of them");
    if (strcmp(kind, "exists") == 0)
        return json_is_boolean(v) || bad(r, path, "exists must be true or false");
    if (strcmp(kind, "fields") == 0)
        return check_fields(r, path, v);
    return check_range(r, path, expect, "min", "max") && check_range(r, path, expect, "min_rows", "max_rows");
}

static bool check_api(struct reading *r, const char *path, const json_t *api)
{
    static const char *const kinds[] = {"instance", "catalog", "schema", "table", "synced_table", NULL};
    const char *key;
    json_t *value;
    if (!only_keys(r, path, api, kinds))
        return false;
    if (json_object_size(api) != 1)
        return bad(r, path, "names exactly one object");
    json_object_foreach((json_t *)(uintptr_t)api, key, value) {
        if (!is_text(value))
            return bad(r, path, "the name must be a text");
    }
    return true;
}

/* A warehouse undoes nothing, so a check may only read there. */
static bool only_looks(const json_t *sql)
{
    static const char *const heads[] = {"SELECT ", "WITH ", "SHOW ", "DESCRIBE "};
    const char *text = is_text(sql) ? json_string_value(sql) : "";
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        if (strncasecmp(text, heads[i], strlen(heads[i])) == 0)
            return true;
    }
    return false;
}

static bool check_one(struct reading *r, const char *path, const json_t *check)
{
    static const char *const keys[] = {"title", "sql", "on", "api", "warehouse", "expect", "message", NULL};
    char below_path[64];
    const json_t *sql = json_object_get(check, "sql"), *api = json_object_get(check, "api");
    const json_t *on = json_object_get(check, "on");
    if (!only_keys(r, path, check, keys))
        return false;
    if (!is_text(json_object_get(check, "title")))
        return bad(r, path, "needs a title");
    if (!is_text(json_object_get(check, "message")))
        return bad(r, path, "needs a message");
    const json_t *warehouse = json_object_get(check, "warehouse");
    if ((sql != NULL) + (api != NULL) + (warehouse != NULL) != 1)
        return bad(r, path, "needs either sql or api or warehouse");
    if (warehouse && !only_looks(warehouse))
        return bad(r, path, "warehouse must be one statement that begins with SELECT, WITH, SHOW or DESCRIBE");
    if (sql && !is_texts(sql))
        return bad(r, path, "sql must be a statement or a list of at most 20");
    if (on && (!sql || !is_text(on)))
        return bad(r, path, "on goes with sql and is INSTANCE or INSTANCE/DATABASE");
    snprintf(below_path, sizeof below_path, "%s.api", path);
    if (api && !check_api(r, below_path, api))
        return false;
    snprintf(below_path, sizeof below_path, "%s.expect", path);
    return check_expect(r, below_path, json_object_get(check, "expect"), api != NULL);
}

static bool check_file(struct reading *r, const json_t *file, const char *name)
{
    static const char *const keys[] = {"id", "title", "on", "checks", "hints", NULL};
    const json_t *checks = json_object_get(file, "checks"), *hints = json_object_get(file, "hints");
    const json_t *on = json_object_get(file, "on");
    size_t i;
    json_t *item;
    if (!only_keys(r, "", file, keys))
        return false;
    if (strcmp(jx_get_str(file, "id", ""), name) != 0)
        return bad(r, "id", "must be the file's name without .json");
    if (!is_text(json_object_get(file, "title")))
        return bad(r, "title", "is missing");
    if (on && !is_text(on))
        return bad(r, "on", "must be INSTANCE or INSTANCE/DATABASE");
    if (!json_is_array(checks) || json_array_size(checks) < 1 || json_array_size(checks) > CHECKS_MAX)
        return bad(r, "checks", "must be a list of 1 to 50 checks");
    json_array_foreach((json_t *)(uintptr_t)checks, i, item) {
        char path[32];
        snprintf(path, sizeof path, "checks[%zu]", i);
        if (!check_one(r, path, item))
            return false;
    }
    if (hints && (!json_is_array(hints) || json_array_size(hints) > HINTS_MAX))
        return bad(r, "hints", "must be a list of at most 10 texts");
    json_array_foreach((json_t *)(uintptr_t)hints, i, item) {
        if (!is_text(item))
            return bad(r, "hints", "must be a list of at most 10 texts");
    }
    return true;
}

static bool is_name(const char *name)
{
    return *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name) && strlen(name) <= 100;
}

json_t *check_load(const char *name, struct err *e)
{
    char *folder = is_name(name) ? check_folder() : NULL;
    char *path = folder ? xasprintf("%s/%s.json", folder, name) : NULL;
    struct buf text;
    json_t *file = NULL;
    buf_init(&text, CHECK_FILE_MAX);
    if (!path || !fs_exists(path)) {
        no_such_check(name, e);
    } else if (fs_read(path, &text, e)) {
        char *shown = xasprintf("%s.json", name);
        struct reading r = {.file = shown, .e = e};
        file = jx_parse(buf_str(&text), text.len, CHECK_FILE_MAX, e);
        if (!file) {
            err_wrap(e, "%s", shown);
        } else if (!check_file(&r, file, name)) {
            json_decref(file);
            file = NULL;
        }
        free(shown);
    }
    buf_release(&text);
    free(path);
    free(folder);
    return file;
}
