/* The worker's calls about volumes (see lake_catalog.h). */
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "workspace/grants.h"
#include "workspace/lake_catalog_parts.h"
#include "workspace/securable.h"
#include "workspace/volumes.h"
#include "workspace/workspace.h"

bool lake_call_open_volume(struct lake_session *s, const json_t *args, json_t **answer, struct err *e)
{
    struct volume_path p;
    if (!volume_path_open(s->ws, s->principal, jx_get_str(args, "path", ""), "READ_VOLUME", &p, e))
        return false;
    *answer = json_pack("{s:s, s:s, s:o, s:o}", "location", p.row.location, "volume_id", p.row.id, "volume_path", jx_str(p.shown),
                        "path", jx_str(p.rest));
    volume_path_release(&p);
    return true;
}

bool lake_call_create_volume(struct lake_session *s, const json_t *args, json_t **answer, struct err *e)
{
    (void)answer;
    struct lake_name n;
    struct err why = {0};
    if (!lake_name_take(s, args, "name", 3, &n, e))
        return false;
    bool ok = securable_create_volume(s->ws, s->principal, n.part[0], n.part[1], n.part[2], jx_get_str(args, "comment", NULL), NULL, &why) ||
              (why.code == ERR_VOLUME_EXISTS && jx_get_bool(args, "if_not_exists", false));
    lake_name_release(&n);
    if (!ok)
        *e = why;
    return ok;
}

bool lake_call_drop_volume(struct lake_session *s, const json_t *args, json_t **answer, struct err *e)
{
    (void)answer;
    struct lake_name n;
    struct err why = {0};
    if (!lake_name_take(s, args, "name", 3, &n, e))
        return false;
    bool ok = securable_drop(s->ws, s->principal, SECURABLE_VOLUME, n.full, false, &why) ||
              (why.code == ERR_VOLUME_NOT_FOUND && jx_get_bool(args, "if_exists", false));
    lake_name_release(&n);
    if (!ok)
        *e = why;
    return ok;
}

bool lake_call_list_volumes(struct lake_session *s, const json_t *args, json_t **answer, struct err *e)
{
    struct lake_name in;
    struct securable_rows rows = {0};
    if (!lake_name_take(s, args, "in", 2, &in, e))
        return false;
    bool ok = lake_need_container(s, &in, e) && store_securables(s->ws->store, SECURABLE_VOLUME, in.full, NULL, 0, &rows, e);
    json_t *items = json_array();
    for (size_t i = 0; i < rows.count; i++)
        if (lake_like(jx_get_str(args, "like", NULL), rows.rows[i].name) &&
            grants_sees(s->ws, s->principal, SECURABLE_VOLUME, rows.rows[i].full_name))
            json_array_append_new(items, json_pack("{s:o}", "name", jx_str(rows.rows[i].name)));
    *answer = json_pack("{s:o}", "items", items);
    securable_rows_release(&rows);
    lake_name_release(&in);
    return ok;
}

bool lake_call_describe_volume(struct lake_session *s, const json_t *args, json_t **answer, struct err *e)
{
    struct lake_name n;
    struct securable_row row;
    struct volume_info info = {0};
    struct err why = {0};
    if (!lake_name_take(s, args, "name", 3, &n, e))
        return false;
    bool ok = grants_need_sight(s->ws, s->principal, SECURABLE_VOLUME, n.full, e);
    if (ok && !store_securable(s->ws->store, SECURABLE_VOLUME, n.full, &row, &why))
        ok = why.code == ERR_NOT_FOUND ? securable_missing(SECURABLE_VOLUME, n.full, e) : (*e = why, false);
    if (ok) {
        volume_put(s->ws, &row, &info);
        *answer = model_encode(&model_volume_info, MODEL_SERVER, &info);
        model_release(&model_volume_info, &info);
        securable_row_release(&row);
    }
    lake_name_release(&n);
    return ok;
}
