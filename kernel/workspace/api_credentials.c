/*
 * POST /api/2.0/database/credentials: a signed token as the password of a PostgreSQL login, for an hour.
 * Sources: SDKs (GenerateDatabaseCredentialRequest); lifetime and scope: Databricks "OAuth to an instance".
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "workspace/instances.h"
#include "workspace/permissions.h"
#include "workspace/request.h"
#include "workspace/workspace.h"

static bool check(const struct credential_request *in, struct err *e)
{
    if (in->claims.count > 0) {
        /* PostgreSQL asks only whether a login is right; it cannot be told to narrow the session. */
        return err_set(e, ERR_NOT_IMPLEMENTED, "Credentials with claims (READ_ONLY) are not offered by this local "
                                               "workspace; ask for one without claims");
    }
    if (in->instance_names.count == 0)
        return err_set(e, ERR_INVALID_PARAMETER,
                       "At least one of instance_names and claims is required: name the instances that the token is for");
    return in->instance_names.count <= INSTANCES_MAX ||
           err_set(e, ERR_INVALID_PARAMETER, "instance_names has %zu names; at most %d are taken",
                   in->instance_names.count, INSTANCES_MAX);
}

bool api_generate_database_credential(struct request *r, const void *in_, void *out_, struct err *e)
{
    const struct credential_request *in = in_;
    struct database_credential *out = out_;
    struct instance_row rows[INSTANCES_MAX];
    struct token_instance named[INSTANCES_MAX];
    if (!check(in, e))
        return false;
    for (size_t i = 0; i < in->instance_names.count; i++) {
        const char *name = ((char *const *)in->instance_names.items)[i];
        if (!store_instance(r->ws->store, name, &rows[i], e))
            return false;
        if (rows[i].state == INST_DELETING)
            return err_set(e, ERR_NOT_FOUND, "Database instance is not found.");
        if (!permission_need(r->ws, r->caller.name, &rows[i], ACCESS_USE, e))
            return false;
        named[i] = (struct token_instance){rows[i].name, rows[i].uid};
    }
    int64_t now = clock_wall_s();
    char until[32];
    clock_rfc3339(now + tokens_life_s(r->ws->tokens), until);
    out->token = tokens_database(r->ws->tokens, r->caller.name, named, in->instance_names.count, now);
    out->expiration_time = xstrdup(until);
    return true;
}
