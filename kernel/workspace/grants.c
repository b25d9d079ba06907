/* Unity Catalog's privileges (see grants.h): the questions. Changing and listing them: grants_change.c. */
#include "workspace/grants.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "workspace/access.h"
#include "workspace/workspace.h"

static const char *const kind_names[] = {[SECURABLE_METASTORE] = "METASTORE", [SECURABLE_CATALOG] = "CATALOG",
                                         [SECURABLE_SCHEMA] = "SCHEMA", [SECURABLE_TABLE] = "TABLE",
                                         [SECURABLE_VOLUME] = "VOLUME"};
static const char *const kind_titles[] = {[SECURABLE_METASTORE] = "Metastore", [SECURABLE_CATALOG] = "Catalog",
                                          [SECURABLE_SCHEMA] = "Schema", [SECURABLE_TABLE] = "Table",
                                          [SECURABLE_VOLUME] = "Volume"};

const char *securable_kind_name(enum securable_kind kind) { return kind_names[kind]; }

enum securable_kind securable_kind_of(const char *name)
{
    for (size_t i = SECURABLE_METASTORE; i < ARRAY_LEN(kind_names); i++) {
        if (strcasecmp(name, kind_names[i]) == 0)
            return (enum securable_kind)i;
    }
    return strcasecmp(name, "database") == 0 ? SECURABLE_SCHEMA : strcasecmp(name, "view") == 0 ? SECURABLE_TABLE : 0;
}

/* ---- privileges by kind ---- */

/* on: the kinds it can be granted on (a bit each). Those of lower kinds may be granted higher up, for all below. */
enum { ON_M = 1 << SECURABLE_METASTORE, ON_C = 1 << SECURABLE_CATALOG, ON_S = 1 << SECURABLE_SCHEMA, ON_T = 1 << SECURABLE_TABLE,
       ON_V = 1 << SECURABLE_VOLUME };
static const struct {
    const char *name;
    unsigned on;
} privileges[] = {
    {"ALL_PRIVILEGES", ON_C | ON_S | ON_T | ON_V}, {"BROWSE", ON_C},
    {"CREATE_CATALOG", ON_M},               {"CREATE_SCHEMA", ON_C},
    {"CREATE_TABLE", ON_C | ON_S},          {"CREATE_VOLUME", ON_C | ON_S},
    {"MANAGE", ON_C | ON_S | ON_T | ON_V},  {"MODIFY", ON_C | ON_S | ON_T},
    {"READ_VOLUME", ON_C | ON_S | ON_V},    {"SELECT", ON_C | ON_S | ON_T},
    {"USE_CATALOG", ON_C},                  {"USE_SCHEMA", ON_C | ON_S},
    {"WRITE_VOLUME", ON_C | ON_S | ON_V},
};

bool grants_privilege(enum securable_kind kind, const char *text, char out[PRIVILEGE_MAX], struct err *e)
{
    size_t n = 0;
    for (const char *p = text; *p && n + 1 < PRIVILEGE_MAX; p++)
        out[n++] = *p == ' ' ? '_' : (char)toupper((unsigned char)*p);
    out[n] = '\0';
    char possible[256] = "";
    for (size_t i = 0; i < ARRAY_LEN(privileges); i++) {
        if (!(privileges[i].on & (1u << kind)))
            continue;
        if (strcmp(out, privileges[i].name) == 0)
            return true;
        size_t used = strlen(possible);
        snprintf(possible + used, sizeof possible - used, "%s%s", used ? ", " : "", privileges[i].name);
    }
    return err_set(e, ERR_INVALID_PARAMETER, "Privilege %.60s is not applicable to a %s in this workspace; possible: %s",
                   out, kind_names[kind], possible);
}

/* ---- walking up ---- */

char *grants_owner(struct workspace *ws, enum securable_kind kind, const char *full_name)
{
    struct securable_row row;
    struct catalog_row registered;
    struct err none = {0};
    if (kind == SECURABLE_METASTORE)
        return xstrdup(ACCESS_USER);
    if (store_securable(ws->store, kind, full_name, &row, &none)) {
        char *owner = xstrdup(row.owner);
        securable_row_release(&row);
        return owner;
    }
    err_init(&none);
    return kind == SECURABLE_CATALOG && store_catalog(ws->store, full_name, &registered, &none)
               ? xstrdup(registered.owner) : NULL;
}

/* One step up: the name is cut in place. false: it was the metastore. */
static bool step_up(enum securable_kind *kind, char *name)
{
    if (*kind == SECURABLE_METASTORE)
        return false;
    /* Names of registered databases may hold dots: cut by the count of parts from the front. */
    char *dot = strchr(name, '.');
    if (*kind >= SECURABLE_TABLE && dot)
        dot = strchr(dot + 1, '.');
    if (*kind == SECURABLE_CATALOG || !dot)
        name[0] = '\0';
    else
        *dot = '\0';
    *kind = securable_above(*kind);
    return true;
}

static bool granted(struct workspace *ws, const char *principal, enum securable_kind kind, const char *name,
                    const char *privilege)
{
    const char *const who[] = {principal, GRANTS_EVERYBODY};
    bool found = false;
    for (size_t w = 0; w < ARRAY_LEN(who) && !found; w++) {
        struct grant_rows rows;
        struct err none = {0};
        if (!store_grants(ws->store, kind, name, who[w], &rows, &none))
            return false;
        for (size_t i = 0; i < rows.count && !found; i++) {
            const char *p = rows.rows[i].privilege;
            /* privilege NULL: any at all. MANAGE is not part of ALL PRIVILEGES. */
            found = !privilege || strcmp(p, privilege) == 0 ||
                    (strcmp(p, "ALL_PRIVILEGES") == 0 && strcmp(privilege, "MANAGE") != 0);
        }
        grant_rows_release(&rows);
    }
    return found;
}

static bool owns(struct workspace *ws, const char *principal, enum securable_kind kind, const char *name)
{
    char *owner = grants_owner(ws, kind, name);
    bool mine = owner && strcmp(owner, principal) == 0;
    free(owner);
    return mine;
}

bool grants_has(struct workspace *ws, const char *principal, enum securable_kind kind, const char *full_name,
                const char *privilege)
{
    char *name = xstrdup(full_name);
    bool has = false;
    do
        has = owns(ws, principal, kind, name) || granted(ws, principal, kind, name, privilege);
    while (!has && step_up(&kind, name));
    free(name);
    return has;
}

bool grants_manages(struct workspace *ws, const char *principal, enum securable_kind kind, const char *full_name)
{
    return grants_has(ws, principal, kind, full_name, "MANAGE");
}

/* ---- as errors ---- */

static bool refuse(enum securable_kind kind, const char *name, const char *privilege, struct err *e)
{
    char spelled[PRIVILEGE_MAX];
    size_t n = 0;
    for (const char *p = privilege; *p && n + 1 < sizeof spelled; p++)
        spelled[n++] = *p == '_' ? ' ' : *p;
    spelled[n] = '\0';
    err_set(e, ERR_PERMISSION, "User does not have %s on %s%s%s%s.", spelled, kind_titles[kind], *name ? " '" : "", name,
            *name ? "'" : "");
    memcpy(e->sqlstate, "42501", 6);
    return false;
}

/* USE of everything above it. */
static bool reaches(struct workspace *ws, const char *principal, enum securable_kind kind, const char *full_name,
                    struct err *e)
{
    char *name = xstrdup(full_name);
    enum securable_kind at = kind;
    char *catalog = NULL, *schema = NULL;
    while (step_up(&at, name) && at > SECURABLE_METASTORE) {
        char **keep = at == SECURABLE_SCHEMA ? &schema : &catalog;
        *keep = xstrdup(name);
    }
    bool ok = (!catalog || grants_has(ws, principal, SECURABLE_CATALOG, catalog, "USE_CATALOG") ||
               refuse(SECURABLE_CATALOG, catalog, "USE_CATALOG", e)) &&
              (!schema || grants_has(ws, principal, SECURABLE_SCHEMA, schema, "USE_SCHEMA") ||
               refuse(SECURABLE_SCHEMA, schema, "USE_SCHEMA", e));
    free(catalog);
    free(schema);
    free(name);
    return ok;
}

bool grants_need(struct workspace *ws, const char *principal, enum securable_kind kind, const char *full_name,
                 const char *privilege, struct err *e)
{
    const char *use = kind == SECURABLE_CATALOG ? "USE_CATALOG" : kind == SECURABLE_SCHEMA ? "USE_SCHEMA" : NULL;
    return reaches(ws, principal, kind, full_name, e) &&
           (!use || grants_has(ws, principal, kind, full_name, use) || refuse(kind, full_name, use, e)) &&
           (grants_has(ws, principal, kind, full_name, privilege) || refuse(kind, full_name, privilege, e));
}

bool grants_need_owner(struct workspace *ws, const char *principal, enum securable_kind kind, const char *full_name,
                       struct err *e)
{
    return reaches(ws, principal, kind, full_name, e) &&
           (grants_manages(ws, principal, kind, full_name) || refuse(kind, full_name, "MANAGE", e));
}

bool grants_need_sight(struct workspace *ws, const char *principal, enum securable_kind kind, const char *full_name,
                       struct err *e)
{
    static const char *const key[] = {[SECURABLE_METASTORE] = "BROWSE", [SECURABLE_CATALOG] = "USE_CATALOG",
                                      [SECURABLE_SCHEMA] = "USE_SCHEMA", [SECURABLE_TABLE] = "SELECT",
                                      [SECURABLE_VOLUME] = "READ_VOLUME"};
    if (grants_has(ws, principal, kind, full_name, "BROWSE"))
        return true;
    if (!reaches(ws, principal, kind, full_name, e))
        return false;
    return grants_has(ws, principal, kind, full_name, key[kind]) || granted(ws, principal, kind, full_name, NULL) ||
           grants_manages(ws, principal, kind, full_name) || refuse(kind, full_name, key[kind], e);
}

bool grants_sees(struct workspace *ws, const char *principal, enum securable_kind kind, const char *full_name)
{
    struct err none = {0};
    return grants_need_sight(ws, principal, kind, full_name, &none);
}
