/*
 * The HTTP server (libmicrohttpd): 127.0.0.1 only, one thread a connection, caps on everything that comes in. Turns HTTP
 * into requests for the handlers, and their answers into HTTP; decides nothing about instances or catalogs.
 */
#ifndef WORKSPACE_SERVER_H
#define WORKSPACE_SERVER_H

#include "base/err.h"
#include "workspace/workspace.h"

enum {
    SERVER_MAX_BODY = 4 << 20,
    SERVER_MAX_URI = 8 << 10,
    SERVER_MAX_HEADERS = 64 << 10,
    SERVER_MAX_CONNECTIONS = 1000, /* a pool of an SDK keeps some open */
    SERVER_IDLE_S = 120, /* longer than clients keep a connection between two calls */
};

struct server;

/* Listen on port (0: any free one). ERR_IO when the port is taken. */
struct server *server_open(struct workspace *ws, int port, struct err *e);
/* Answers what is under way, then ends. */
void server_close(struct server *s);
int server_port(const struct server *s);
const char *server_url(const struct server *s);

#endif
