/* Changing and listing grants (see grants.h). */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "workspace/access.h"
#include "workspace/grants.h"
#include "workspace/samples.h"
#include "workspace/workspace.h"

enum { CHANGES_MAX = 1000 };

bool grants_principal(struct workspace *ws, const char *name, struct err *e)
{
    struct principal p;
    struct err none = {0};
    if (strcmp(name, GRANTS_EVERYBODY) == 0 || store_principal(ws->store, name, &p, &none))
        return true;
    err_set(e, ERR_PRINCIPAL_NOT_FOUND, "Could not find principal with name %.200s.", name);
    err_hint(e, "principals of this workspace: " ACCESS_USER ", the client id of profile app, and the group '"
             GRANTS_EVERYBODY "'");
    return false;
}

/* ---- changing ---- */

struct changes {
    struct grant_row *add, *remove;
    size_t n_add, n_remove;
};

static bool collect(enum securable_kind kind, const char *full_name, const char *principal,
                    const struct model_list *privileges, struct grant_row **rows, size_t *n, struct err *e)
{
    char *const *names = privileges->items;
    for (size_t i = 0; i < privileges->count; i++) {
        if (*n == CHANGES_MAX)
            return err_set(e, ERR_TOO_BIG, "a change of permissions has more than %d privileges", CHANGES_MAX);
        struct grant_row row = {.kind = kind, .full_name = (char *)(uintptr_t)full_name,
                                .principal = (char *)(uintptr_t)principal};
        if (!grants_privilege(kind, names[i], row.privilege, e))
            return false;
        *rows = xreallocarray(*rows, *n + 1, sizeof **rows);
        (*rows)[(*n)++] = row;
    }
    return true;
}

/* REVOKE ALL PRIVILEGES takes every single one. */
static bool expand_all(struct workspace *ws, struct changes *c, struct grant_rows *kept, struct err *e)
{
    for (size_t i = 0, n = c->n_remove; i < n; i++) {
        struct grant_row *row = &c->remove[i];
        struct grant_rows have;
        if (strcmp(row->privilege, "ALL_PRIVILEGES") != 0)
            continue;
        if (!store_grants(ws->store, row->kind, row->full_name, row->principal, &have, e))
            return false;
        for (size_t k = 0; k < have.count; k++) {
            c->remove = xreallocarray(c->remove, c->n_remove + 1, sizeof *c->remove);
            c->remove[c->n_remove++] = have.rows[k];
            kept->rows = xreallocarray(kept->rows, kept->count + 1, sizeof *kept->rows);
            kept->rows[kept->count++] = have.rows[k];
        }
        free(have.rows); /* their texts are kept's */
    }
    return true;
}

bool grants_change(struct workspace *ws, const char *caller, enum securable_kind kind, const char *full_name,
                   const struct permissions_update *update, struct err *e)
{
    struct changes c = {0};
    struct grant_rows kept = {0};
    bool ok = samples_refuse(ws, full_name, e) && grants_need_owner(ws, caller, kind, full_name, e);
    const struct permissions_change *changes = update->changes.items;
    for (size_t i = 0; ok && i < update->changes.count; i++) {
        const char *principal = changes[i].principal;
        ok = (principal && *principal) || err_set(e, ERR_INVALID_PARAMETER, "changes[%zu]: 'principal' is required", i);
        ok = ok && (changes[i].add.count == 0 || grants_principal(ws, principal, e)) &&
             collect(kind, full_name, principal, &changes[i].add, &c.add, &c.n_add, e) &&
             collect(kind, full_name, principal, &changes[i].remove, &c.remove, &c.n_remove, e);
    }
    ok = ok && expand_all(ws, &c, &kept, e) &&
         store_change_grants(ws->store, c.add, c.n_add, c.remove, c.n_remove, e);
    free(c.add);
    free(c.remove);
    grant_rows_release(&kept);
    return ok;
}

/* ---- listing ---- */

static bool shows(const char *caller, bool manages, const char *principal)
{
    return manages || strcmp(principal, caller) == 0 || strcmp(principal, GRANTS_EVERYBODY) == 0;
}

static void add_text(struct model_list *list, const char *text)
{
    list->items = xreallocarray(list->items, list->count + 1, sizeof(char *));
    ((char **)list->items)[list->count++] = xstrdup(text);
}

bool grants_list(struct workspace *ws, const char *caller, enum securable_kind kind, const char *full_name,
                 const char *principal, struct permissions_list *out, struct err *e)
{
    struct grant_rows rows;
    bool manages = grants_manages(ws, caller, kind, full_name);
    if (!store_grants(ws->store, kind, full_name, principal, &rows, e))
        return false;
    struct privilege_assignment *last = NULL;
    for (size_t i = 0; i < rows.count; i++) {
        const struct grant_row *row = &rows.rows[i];
        if (!shows(caller, manages, row->principal))
            continue;
        if (!last || strcmp(last->principal, row->principal) != 0) {
            last = model_list_add(&model_privilege_assignment, &out->privilege_assignments);
            last->principal = xstrdup(row->principal);
        }
        add_text(&last->privileges, row->privilege);
    }
    grant_rows_release(&rows);
    return true;
}

static struct effective_assignment *assignment_of(struct effective_permissions_list *out, const char *principal)
{
    struct effective_assignment *all = out->privilege_assignments.items;
    for (size_t i = 0; i < out->privilege_assignments.count; i++) {
        if (strcmp(all[i].principal, principal) == 0)
            return &all[i];
    }
    struct effective_assignment *one = model_list_add(&model_effective_assignment, &out->privilege_assignments);
    one->principal = xstrdup(principal);
    return one;
}

static bool add_level(struct workspace *ws, const char *caller, bool manages, enum securable_kind at, const char *name,
                      bool inherited, const char *principal, struct effective_permissions_list *out, struct err *e)
{
    struct grant_rows rows;
    if (!store_grants(ws->store, at, name, principal, &rows, e))
        return false;
    for (size_t i = 0; i < rows.count; i++) {
        if (!shows(caller, manages, rows.rows[i].principal))
            continue;
        struct effective_privilege *p = model_list_add(
            &model_effective_privilege, &assignment_of(out, rows.rows[i].principal)->privileges);
        p->privilege = xstrdup(rows.rows[i].privilege);
        if (inherited) {
            p->inherited_from_name = xstrdup(name);
            p->inherited_from_type = xstrdup(securable_kind_name(at));
        }
    }
    grant_rows_release(&rows);
    return true;
}

bool grants_effective(struct workspace *ws, const char *caller, enum securable_kind kind, const char *full_name,
                      const char *principal, struct effective_permissions_list *out, struct err *e)
{
    bool manages = grants_manages(ws, caller, kind, full_name), ok = true;
    char *name = xstrdup(full_name);
    for (enum securable_kind at = kind; ok && at >= SECURABLE_CATALOG; at = securable_above(at)) {
        ok = add_level(ws, caller, manages, at, name, at != kind, principal, out, e);
        char *dot = strchr(name, '.');
        if (at >= SECURABLE_TABLE && dot)
            dot = strchr(dot + 1, '.');
        if (dot)
            *dot = '\0';
    }
    if (ok && kind == SECURABLE_METASTORE)
        ok = add_level(ws, caller, manages, kind, full_name, false, principal, out, e);
    free(name);
    return ok;
}
