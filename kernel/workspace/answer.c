/* JSON answers (see answer.h). */
#include "workspace/answer.h"

#include <stdlib.h>
#include <unistd.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"

void answer_json(struct answer *a, int status, json_t *doc)
{
    a->status = status;
    a->body = jx_dump(doc);
    json_decref(doc);
}

/* Codes of ours that would say something wrong to a caller: a login or a configuration of the workspace itself failed. */
static enum err_code outside(enum err_code code)
{
    switch (code) {
    case ERR_LOGIN:
    case ERR_REMOTE:
    case ERR_SQL:
        return ERR_INTERNAL;
    case ERR_CANCELLED:
        return ERR_UNAVAILABLE; /* the workspace is being stopped */
    default:
        return code;
    }
}

void answer_error(struct answer *a, const struct err *e)
{
    const struct err_info *info = err_info(outside(e->code));
    char *message = xasprintf("%s%s%s%s%s", e->text, e->detail[0] ? ": " : "", e->detail, e->hint[0] ? "; " : "", e->hint);
    json_t *doc = json_object();
    json_object_set_new(doc, "error_code", json_string(info->wire));
    json_object_set_new(doc, "message", jx_str(message));
    free(message);
    answer_json(a, info->http, doc);
}

void answer_release(struct answer *a)
{
    if (a->is_file)
        close(a->fd);
    xfree_secret(a->body); /* may hold a credential */
    *a = (struct answer){0};
}
