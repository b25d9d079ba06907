/*
 * The workspace as a whole: opens its parts in order, wires them, closes them. One per state folder; the caller holds the
 * lock of the folder (workspace/control.h).
 *
 * Files, under the state folder: databrickscfg (0600; profiles DEFAULT, local and app for clients), private/ (0700: store,
 * signing key); the folders of the clusters: workspace/cluster.h.
 */
#ifndef WORKSPACE_WORKSPACE_H
#define WORKSPACE_WORKSPACE_H

#include <stdbool.h>

#include "base/err.h"
#include "workspace/store.h"
#include "workspace/tokens.h"

struct clusters;
struct instances;
struct statements;
struct synced;
struct worker;
struct server;

struct workspace {
    char *state_dir, *private_dir;
    char org_id[24];       /* workspace id, digits */
    char metastore_id[37];
    struct store *store;
    struct tokens *tokens;
    struct clusters *clusters;
    struct instances *instances;
    struct worker *worker;
    struct statements *statements;
    struct synced *synced;
    struct server *server; /* NULL: not serving */
};

/* Open everything but the HTTP server; instances of the store are brought to their state in the background. */
struct workspace *workspace_open(const char *state_dir, struct err *e);
/* Listen and write databrickscfg. port 0: the remembered one, or another when it is taken. */
bool workspace_serve(struct workspace *ws, int port, struct err *e);
/* Stop serving and working, then stop the PostgreSQL servers; the next open starts them again. */
bool workspace_stop_servers(struct workspace *ws, struct err *e);
/* End the server and all work under way; PostgreSQL servers go on. NULL is fine. */
void workspace_close(struct workspace *ws);

/* The address of the HTTP server, "http://127.0.0.1:41234". */
const char *workspace_url(const struct workspace *ws);

/* The folder with its modes: 0700, as root 0711 so that the server user reaches its own folders inside. */
bool workspace_make_state_dir(const char *state_dir, struct err *e);

#endif
