/*
 * What is shown while a statement takes long: the rows that have come, how far the server is, or who holds the lock that it
 * waits for; that is asked on the side connection. Gone when the statement ends; nothing where updates are not drawn.
 */
#ifndef MAGICS_WAITING_H
#define MAGICS_WAITING_H

#include "magics/session.h"
#include "render/sink.h"

struct waiting {
    struct progress progress;
    int pid;       /* of the session; 0: not one that the side connection can see */
    long long rows;
    char label[64];
};

void waiting_begin(struct waiting *w, struct sink *out, const struct connection *c);
/* A row has come. Cheap. */
void waiting_row(struct waiting *w);
/* Nothing has come for half a second (struct pg_rows, tick). */
void waiting_tick(struct waiting *w);
void waiting_end(struct waiting *w);

#endif
