/*
 * The waiter for instances (see client.h). Differs from the SDKs' on purpose: it knows states from which the wanted one
 * is not reached and stops there, where theirs run into the time-out.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "databricks/client.h"

enum { WAIT_LIMIT_MS = 20 * 60 * 1000, FIRST_PAUSE_MS = 100, LAST_PAUSE_MS = 5000, HELD_MS = 500 };

/* Can `want` still come after `now`? moved: another state was seen before, so this is not the old state that the service
 * still shows for a moment. */
static bool reachable(const char *want, const char *now, bool moved)
{
    if (strcmp(now, "DELETING") == 0)
        return *want == '\0';
    if (strcmp(want, "AVAILABLE") == 0)
        return strcmp(now, "STOPPED") != 0;
    if (strcmp(want, "STOPPED") == 0)
        return !moved || strcmp(now, "AVAILABLE") != 0;
    return true;
}

struct waiting {
    char last[32]; /* state seen last; "" before the first */
    bool moved;
    int64_t start;
};

/* Look once. *done: the wanted state (or the end of the instance) was seen. */
static bool look(struct dbx_client *c, const char *name, const char *want, struct waiting *w,
                 struct database_instance *seen, bool *done, struct cancel *cancel, struct err *e)
{
    struct dbx_param params[] = {{"name", name}, {NULL, NULL}};
    if (!dbx_call(c, DBX_get_database_instance, params, NULL, seen, cancel, e)) {
        *done = *want == '\0' && (e->http == 404);
        if (*done)
            err_init(e);
        return *done;
    }
    const char *state = seen->state ? seen->state : "";
    w->moved = w->moved || (w->last[0] && strcmp(w->last, state) != 0);
    err_copy(w->last, sizeof w->last, state, strlen(state));
    *done = *want && strcmp(state, want) == 0;
    if (!*done && !reachable(want, state, w->moved))
        return err_set(e, ERR_INVALID_STATE, "instance '%s' is %s and will not become %s by itself", name, state,
                       *want ? want : "deleted");
    return true;
}

bool dbx_wait_instance(struct dbx_client *c, const char *name, const char *want, dbx_progress_fn *progress, void *self,
                       struct database_instance *out, struct cancel *cancel, struct err *e)
{
    struct waiting w = {.start = clock_mono_ms()};
    for (int pause = FIRST_PAUSE_MS;; pause = pause * 3 / 2 < LAST_PAUSE_MS ? pause * 3 / 2 : LAST_PAUSE_MS) {
        struct database_instance seen = {0};
        bool done = false;
        int64_t asked = clock_mono_ms();
        if (!look(c, name, want, &w, &seen, &done, cancel, e)) {
            model_release(&model_database_instance, &seen);
            return false;
        }
        int64_t now = clock_mono_ms();
        if (progress && seen.state)
            progress(self, seen.state, now - w.start);
        if (done && out)
            *out = seen;
        else
            model_release(&model_database_instance, &seen);
        if (done)
            return true;
        if (now - w.start > WAIT_LIMIT_MS)
            return err_set(e, ERR_TIMEOUT, "instance '%s' was still %s after 20 minutes", name, w.last);
        /* A server that held the answer (the local workspace does) has done the waiting already. */
        if (now - asked < HELD_MS && !cancel_poll(cancel, -1, 0, pause, e))
            return false;
    }
}
