/* GET SCIM Me: who the caller is. Source: SCIM 2.0 (RFC 7643 §4.1) as the Databricks SDKs read it. */
#include "base/xalloc.h"
#include "workspace/request.h"

static void add_text(struct model_list *list, const char *text)
{
    char **items = xreallocarray(list->items, list->count + 1, sizeof *items);
    items[list->count++] = xstrdup(text);
    list->items = items;
}

bool api_me(struct request *r, const void *in, void *out, struct err *e)
{
    (void)in;
    (void)e;
    struct scim_me *me = out;
    bool user = r->caller.kind == PRINCIPAL_USER;
    me->id = xstrdup(r->caller.id);
    me->user_name = xstrdup(r->caller.name);
    me->display_name = xstrdup(r->caller.display);
    me->active = TRI_TRUE;
    add_text(&me->schemas, user ? "urn:ietf:params:scim:schemas:core:2.0:User"
                                : "urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal");
    if (user) {
        me->name = xcalloc(1, sizeof *me->name);
        me->name->given_name = xstrdup(r->caller.display);
        struct scim_email *mail = xcalloc(1, sizeof *mail);
        mail->value = xstrdup(r->caller.name);
        mail->type = xstrdup("work");
        mail->primary = TRI_TRUE;
        me->emails = (struct model_list){mail, 1};
    }
    return true;
}
