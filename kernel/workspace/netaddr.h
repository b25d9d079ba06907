/* Loopback addresses: finding one with the wanted port free. */
#ifndef WORKSPACE_NETADDR_H
#define WORKSPACE_NETADDR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { NETADDR_LEN = 46 };

/* Nobody listens on address:port right now. Others may take it before the caller does. */
bool netaddr_free(const char *address, int port);
/*
 * Choose where a server of ours listens. `address` as given is kept when it has `*port` free ("" : none was given);
 * else one of 127.64.0.0/10 with port 5432 free, in an order that `seed` fixes, so that workspaces of several users do
 * not walk the same way; else an address with any free port (a server bound to 0.0.0.0:5432 takes 5432 everywhere).
 * ERR_UNAVAILABLE when the machine gives nothing.
 */
bool netaddr_choose(char address[NETADDR_LEN], int *port, const char *seed, struct err *e);

#endif
