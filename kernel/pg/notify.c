/* NOTIFY messages (see exec.h and conn.h). LISTEN is a statement like any other. */
#include "pg/exec.h"

#include <poll.h>

#include "base/clock.h"
#include "pg/internal.h"

void pg_hand_out_notifications(struct pg_conn *conn)
{
    for (PGnotify *m; (m = PQnotifies(conn->pg)); PQfreemem(m), conn->notified++) {
        if (conn->notice)
            conn->notice(conn->notice_self, "NOTIFY", m->relname, *m->extra ? m->extra : NULL, NULL);
    }
}

long long pg_notified(const struct pg_conn *conn) { return conn->notified; }

bool pg_await_notifications(struct pg_conn *conn, long long total, long long ms, struct cancel *c, struct err *e)
{
    int64_t end = clock_mono_ms() + ms;
    for (;;) {
        if (PQstatus(conn->pg) != CONNECTION_OK || !PQconsumeInput(conn->pg))
            return pg_lost(conn, e);
        pg_hand_out_notifications(conn);
        int64_t left = ms > 0 ? end - clock_mono_ms() : -1;
        if (conn->notified >= total || (ms > 0 && left <= 0))
            return true;
        struct err why;
        err_init(&why);
        if (!cancel_poll(c, PQsocket(conn->pg), POLLIN, (int)left, &why) && why.code != ERR_TIMEOUT) {
            *e = why;
            return false;
        }
    }
}
