/*
 * Unified authentication (see config.h): an attribute table, three sources, one validation. No network.
 */
#include "databricks/config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/xalloc.h"

enum { MAX_FILE = 1 << 20 };

#define DOCS "https://docs.databricks.com/en/dev-tools/auth.html#databricks-client-unified-authentication"

/* auth: the method that an attribute belongs to; two methods at once need an auth_type. */
struct attribute {
    const char *key, *env, *auth;
    size_t offset;
};
#define ROW(key, env, auth) {#key, env, auth, offsetof(struct dbx_config, key)}
static const struct attribute attributes[] = {
    ROW(host, "DATABRICKS_HOST", NULL),
    ROW(token, "DATABRICKS_TOKEN", "pat"),
    ROW(client_id, "DATABRICKS_CLIENT_ID", "oauth"),
    ROW(client_secret, "DATABRICKS_CLIENT_SECRET", "oauth"),
    ROW(username, "DATABRICKS_USERNAME", "basic"),
    ROW(password, "DATABRICKS_PASSWORD", "basic"),
    ROW(auth_type, "DATABRICKS_AUTH_TYPE", NULL),
};

static char **slot(struct dbx_config *c, const struct attribute *a) { return (char **)(void *)((char *)c + a->offset); }

static const char *env_text(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

static void from_env(struct dbx_config *c)
{
    for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
        *slot(c, &attributes[i]) = xstrdup(env_text(attributes[i].env));
    c->profile = xstrdup(env_text("DATABRICKS_CONFIG_PROFILE"));
}

static bool any_credential(struct dbx_config *c)
{
    for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
        if (attributes[i].auth && *slot(c, &attributes[i]))
            return true;
    }
    return false;
}

/* ---- the INI file ---- */

static char *trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    char *end = s + strlen(s);
    while (end > s && isspace((unsigned char)end[-1]))
        *--end = '\0';
    return s;
}

/* Calls `seen` with every key of the section; returns whether the section is there. text is changed. */
typedef void ini_fn(void *self, const char *key, const char *value);
static bool ini_section(char *text, const char *section, ini_fn *seen, void *self)
{
    bool found = false, inside = false;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        line = trim(line);
        size_t len = strlen(line);
        if (*line == '#' || *line == ';' || len == 0)
            continue;
        if (*line == '[' && line[len - 1] == ']') {
            line[len - 1] = '\0';
            inside = strcmp(line + 1, section) == 0;
            found = found || inside;
            continue;
        }
        char *eq = line + strcspn(line, "=:");
        if (!inside || !*eq)
            continue;
        *eq = '\0';
        /* " #" starts a comment (Go's parser). */
        char *note = strstr(eq + 1, " #");
        if (note)
            *note = '\0';
        if (seen)
            seen(self, trim(line), trim(eq + 1));
    }
    return found;
}

static void take_key(void *self, const char *key, const char *value)
{
    struct dbx_config *c = self;
    for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
        if (strcasecmp(attributes[i].key, key) == 0 && !*slot(c, &attributes[i]) && *value)
            *slot(c, &attributes[i]) = xstrdup(value);
    }
}

static void take_default_profile(void *self, const char *key, const char *value)
{
    struct dbx_config *c = self;
    if (strcasecmp(key, "default_profile") == 0 && *value && !c->profile)
        c->profile = xstrdup(value);
}

static bool with_copy(const struct buf *file, const char *section, ini_fn *seen, void *self)
{
    char *copy = xstrdup(buf_str(file));
    bool found = ini_section(copy, section, seen, self);
    xfree_secret(copy);
    return found;
}

static bool from_file(struct dbx_config *c, struct err *e)
{
    struct buf file;
    struct err why = {0};
    buf_init(&file, MAX_FILE);
    if (!fs_read(c->config_file, &file, &why)) {
        buf_release_secret(&file);
        if (!err_is(&why, ERR_NOT_FOUND)) {
            err_set(e, ERR_CONFIG, "%s", why.text);
            return false;
        }
        return !c->profile || err_set(e, ERR_CONFIG, "resolve: %s has no %s profile configured", c->config_file,
                                      c->profile);
    }
    if (!c->profile)
        with_copy(&file, "__settings__", take_default_profile, c);
    bool asked = c->profile != NULL;
    const char *section = asked ? c->profile : "DEFAULT";
    bool found = with_copy(&file, section, take_key, c);
    if (found && !asked)
        c->profile = xstrdup("DEFAULT");
    buf_release_secret(&file);
    return found || !asked ||
           err_set(e, ERR_CONFIG, "resolve: %s has no %s profile configured", c->config_file, section);
}

/* ---- what was found ---- */

/* "oauth and pat": the methods configured, in order of the alphabet. */
static size_t methods(struct dbx_config *c, struct buf *names)
{
    static const char *const all[] = {"basic", "oauth", "pat"};
    size_t n = 0;
    for (size_t m = 0; m < ARRAY_LEN(all); m++) {
        bool used = false;
        for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
            used = used || (attributes[i].auth && strcmp(attributes[i].auth, all[m]) == 0 && *slot(c, &attributes[i]));
        if (used)
            buf_printf(names, "%s%s", n++ ? " and " : "", all[m]);
    }
    return n;
}

static bool choose(struct dbx_config *c, struct err *e)
{
    const char *want = c->auth_type;
    if (want && strcmp(want, "pat") != 0 && strcmp(want, "oauth-m2m") != 0)
        return err_set(e, ERR_CONFIG, "auth_type '%s' is not supported here: pat and oauth-m2m are", want);
    struct buf names;
    buf_init(&names, 64);
    size_t n = methods(c, &names);
    if (n > 1 && !want)
        err_set(e, ERR_CONFIG, "validate: more than one authorization method configured: %s", buf_str(&names));
    buf_release(&names);
    if (e->code)
        return false;
    if (c->host && c->token && (!want || strcmp(want, "pat") == 0))
        c->auth = DBX_AUTH_PAT;
    else if (c->host && c->client_id && c->client_secret && (!want || strcmp(want, "oauth-m2m") == 0))
        c->auth = DBX_AUTH_M2M;
    else if (want)
        return err_set(e, ERR_CONFIG, "%s auth: cannot configure credentials, please check " DOCS, want);
    else
        return err_set(e, ERR_CONFIG,
                       "default auth: cannot configure default credentials, please check " DOCS
                       " to configure credentials for your preferred authentication method");
    return true;
}

/* A scheme in front, nothing after the port. */
static bool fix_host(struct dbx_config *c, struct err *e)
{
    if (!c->host)
        return true;
    char *full = strstr(c->host, "://") ? xstrdup(c->host) : xasprintf("https://%s", c->host);
    free(c->host);
    c->host = full;
    if (strncasecmp(full, "https://", 8) != 0 && strncasecmp(full, "http://", 7) != 0)
        return err_set(e, ERR_CONFIG, "host '%s' is not an http or https address", full);
    char *authority = strstr(full, "://") + 3;
    authority[strcspn(authority, "/?#")] = '\0';
    if (!*authority || strpbrk(authority, "@ \t"))
        return err_set(e, ERR_CONFIG, "host has no valid server name");
    return true;
}

static void find_file(struct dbx_config *c, const struct dbx_options *o)
{
    const char *path = o && o->config_file ? o->config_file : env_text("DATABRICKS_CONFIG_FILE");
    const char *home = getenv("HOME");
    if (!path)
        path = "~/.databrickscfg";
    if (path[0] == '~' && path[1] == '/' && home)
        c->config_file = xasprintf("%s%s", home, path + 1);
    else
        c->config_file = xstrdup(path);
}

bool dbx_config_resolve(struct dbx_config *c, const struct dbx_options *o, struct err *e)
{
    memset(c, 0, sizeof *c);
    find_file(c, o);
    if (o && o->profile)
        c->profile = xstrdup(o->profile);
    else
        from_env(c);
    bool skip_file = !c->profile && (c->host || any_credential(c));
    bool ok = (skip_file || from_file(c, e)) && fix_host(c, e) && choose(c, e);
    if (!ok) {
        err_hint(e, "set DATABRICKS_HOST and DATABRICKS_TOKEN, or a profile in %s", c->config_file);
        dbx_config_release(c);
    }
    return ok;
}

void dbx_config_release(struct dbx_config *c)
{
    for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
        xfree_secret(*slot(c, &attributes[i]));
    free(c->profile);
    free(c->config_file);
    memset(c, 0, sizeof *c);
}

bool dbx_host_is_loopback(const char *host)
{
    const char *name = strstr(host, "://");
    name = name ? name + 3 : host;
    size_t len = *name == '[' ? strcspn(name, "]") + 1 : strcspn(name, ":/");
    if (strncmp(name, "127.", 4) == 0)
        return strspn(name, "0123456789.") == len;
    return (len == 9 && strncasecmp(name, "localhost", 9) == 0) || (len == 5 && strncmp(name, "[::1]", 5) == 0);
}
