/*
 * A PostgreSQL cluster as an instance: its folder, its loopback address, its certificate, its server process, and the
 * roles inside. Knows nothing of HTTP, of the store or of instance states (workspace/instances.c decides when).
 *
 * Folders, under the state folder (design.md §2, §5):
 *   prefix/<version>/          private copy of bin/ and share/, lib/ linked; finds extension files of ours
 *   template/<version>/        prepared cluster: initdb done, databricks_postgres, system roles, extensions
 *   instances/<uid>/           0700, owned by the server user: data/, server.pem (certificate and key), log
 * As root the servers run as an unprivileged user (the Debian package's `postgres`); otherwise as the caller.
 */
#ifndef WORKSPACE_CLUSTER_H
#define WORKSPACE_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/err.h"

struct pg_conn;
struct clusters; /* what all clusters of a workspace share: folders, CA, prefix, template, ldaps responder */

/* Decides a login: true, or false with the reason in *e (never shown to the client, logged without the token). Called on
 * responder threads, at once by several. */
typedef bool cluster_login_fn(void *self, const char *user, const char *token, size_t token_len, const char *instance_uid,
                              struct err *e);

struct cluster_options {
    const char *state_dir;
    cluster_login_fn *login;
    void *login_self;
    int ldaps_port; /* the one used before; 0: choose. Another is taken (and the servers' pg_hba rewritten) when it is busy */
};

/* Make or open the shared things: CA, private prefix, ldaps responder (listening when this returns). The template is
 * prepared in a background thread; cluster_create waits for it. ERR_CONFIG when no PostgreSQL server is installed. */
struct clusters *clusters_open(const struct cluster_options *o, struct err *e);
void clusters_close(struct clusters *all); /* responder ends; servers go on */
int clusters_ldaps_port(const struct clusters *all);
const char *clusters_ca_path(const struct clusters *all);    /* PEM, world-readable */
const char *clusters_pg_version(const struct clusters *all); /* "PG_VERSION_15" */

struct cluster_spec {
    const char *uid;      /* folder name */
    const char *name;     /* instance name, for logs */
    const char *owner;    /* e-mail: role that owns databricks_postgres */
    const char *capacity; /* CU_1 … CU_8: memory settings, scaled */
    char address[46];     /* in: "" to choose a free loopback address; out: the one used */
    int port;             /* 5432, another only when no address has it free */
};

/* Create and start: folder from the template (or a warm copy), certificate for the address, configuration, server up and
 * answering, owner role and databases in place. Idempotent: called again after a crash it completes what is there. */
bool cluster_create(struct clusters *all, struct cluster_spec *spec, struct cancel *c, struct err *e);
/* Start a stopped one (or do nothing if it runs); rewrites the configuration from spec first. */
bool cluster_start(struct clusters *all, struct cluster_spec *spec, struct cancel *c, struct err *e);
/* Fast shutdown, SIGQUIT after 20 s; nothing running is success. */
bool cluster_stop(struct clusters *all, const char *uid, struct err *e);
/* Stop (immediate) and remove the folder; nothing there is success. */
bool cluster_delete(struct clusters *all, const char *uid, struct err *e);
/* Logs of servers that grew too large while they ran are cut; called now and then. */
void clusters_trim_logs(struct clusters *all);
/* The server's pid when it runs out of this folder and answers, else 0. Used for adoption and for watching. */
pid_t cluster_pid(struct clusters *all, const char *uid);
/* No server runs, and the last one did not end by itself: it was killed, or the machine went down. */
bool cluster_crashed(struct clusters *all, const char *uid);
/* What lies in instances/: the folders of clusters, and what is none of ours (another name, another owner). */
struct cluster_folders {
    char **uids; /* sorted */
    size_t count;
    struct buf foreign; /* names, with commas, at most about 1000 bytes */
};
bool clusters_folders(struct clusters *all, struct cluster_folders *out, struct err *e);
/* The same without opening anything; no folder there is an empty list. */
bool cluster_folders_list(const char *state_dir, struct cluster_folders *out, struct err *e);
void cluster_folders_release(struct cluster_folders *f);
/* Stop and remove every cluster, whatever the store says: for a reset. One that fails does not keep the others; the first
 * error is reported. What is not ours is left alone. */
bool clusters_delete_all(struct clusters *all, struct err *e);

/* A connection for the workspace's own use (catalog reads, role changes), as the internal superuser over the unix socket
 * inside the folder; never handed to users. NULL on failure; close with pg_close. */
struct pg_conn *cluster_connect(struct clusters *all, const char *uid, const char *dbname, struct cancel *c, struct err *e);
/* Databases by name exist / are created, owned by `owner`. */
bool cluster_database_exists(struct clusters *all, const char *uid, const char *dbname, bool *exists, struct err *e);
bool cluster_create_database(struct clusters *all, const char *uid, const char *dbname, const char *owner, struct err *e);

/* What capacity means on the service and here, for `status`. Bytes. */
struct cluster_memory {
    int64_t service_ram, local_shared_buffers, local_effective_cache;
    int max_connections; /* as documented for the service, the same for every capacity */
};
bool cluster_memory_of(const char *capacity, struct cluster_memory *out);

#endif
