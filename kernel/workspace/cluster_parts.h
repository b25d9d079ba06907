/* What the files of the cluster part share. Private to workspace/cluster*.c. */
#ifndef WORKSPACE_CLUSTER_PARTS_H
#define WORKSPACE_CLUSTER_PARTS_H

#include <pthread.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "workspace/cluster.h"

struct ca;
struct ldaps;

/* ---- cluster_user.c: the operating system user the servers run as ---------------------------------------- */

struct server_user {
    bool switched; /* we are root and the servers are not */
    uid_t uid;
    gid_t gid;
    char name[64];   /* of the server's user */
    char caller[64]; /* of our own user, for peer authentication; "" when it has no name */
};
bool server_user_find(struct server_user *u, struct err *e);
/* File operations of this thread count as the server user's (fsuid, Linux only): what is made belongs to it, and nothing
 * in a folder of its own can lead root elsewhere. Do not nest. */
void server_user_enter(const struct server_user *u);
void server_user_leave(const struct server_user *u);
/* The server user can reach the folder. ERR_CONFIG with what to do. */
bool server_user_reaches(const struct server_user *u, const char *dir, struct err *e);

/* ---- cluster_spawn.c: programs as that user --------------------------------------------------------------- */

struct spawn {
    const char *const *argv; /* argv[0] is the path, unless `path` is set */
    const char *path;        /* NULL: argv[0] */
    const char *const *envp;
    const char *cwd;
    int out;       /* standard output and error */
    int keep[2];   /* inherited by the program and its children; -1: nothing */
    bool tied;     /* dies with the thread that started it */
    const struct server_user *user;
};
/* Start in a session of its own; the exec has happened when this returns. The caller reaps. */
bool spawn_start(const struct spawn *s, pid_t *pid, struct err *e);
/* Start and wait; ERR_IO with the last line of `log_path` when the exit status is not 0. A cancel kills it. */
bool spawn_wait(const struct spawn *s, const char *log_path, struct cancel *c, struct err *e);
/* Readable once the process has ended; -1 when it is gone already. */
int spawn_pidfd(pid_t pid);
/* The last line of a log that has "FATAL:" or "error:" in it, else the last; "" when there is none. */
void spawn_log_tail(const char *path, char out[512]);

/* ---- cluster_prefix.c: PostgreSQL itself ------------------------------------------------------------------ */

struct prefix {
    char *bin, *share, *lib; /* what is installed */
    char *postgres, *initdb; /* in the private copy */
    char *own_bin, *own_share;
    int major;
    char version[32];     /* "15.20" */
    char version_name[24]; /* "PG_VERSION_15" */
    bool statements;      /* pg_stat_statements is there */
};
bool prefix_find(struct prefix *p, struct err *e);
bool prefix_make(struct prefix *p, const char *state_dir, struct err *e);
void prefix_release(struct prefix *p);

/* ---- cluster_template.c ----------------------------------------------------------------------------------- */

enum template_state { TEMPLATE_WANTED, TEMPLATE_BUSY, TEMPLATE_READY, TEMPLATE_FAILED };
struct template_part {
    pthread_t thread;
    bool started, ending;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    enum template_state state;
    struct err why;      /* TEMPLATE_FAILED */
    bool warm;           /* the warm copy is there */
    int creating;        /* creates under way: the copy waits for them */
    struct cancel stop;
    char *dir;           /* template/<version> */
    char *warm_dir;
    char *stamp;         /* what the template was made of */
};
bool template_start(struct clusters *all, struct err *e);
void template_stop(struct clusters *all);
/* Put a fresh cluster folder at `target` (not there yet), waiting for the template. */
bool template_take(struct clusters *all, const char *target, struct cancel *c, struct err *e);
/* Creates are announced, so that copying does not compete with them. */
void template_creating(struct clusters *all, int change);

/* ---- cluster_tree.c --------------------------------------------------------------------------------------- */

/* Copy a tree of folders, files and links (as the server user, when entered); modes kept. Not synced. */
bool tree_copy(const char *from, const char *to, struct cancel *c, struct err *e);
/* Everything written to the file system of `path` is on disk. */
bool tree_sync(const char *path, struct err *e);

/* A folder of the server user, 0700, in one of ours; and its removal with all that is inside (not there: success). */
bool own_dir_make(const struct server_user *u, const char *dir, struct err *e);
bool own_dir_remove(const struct server_user *u, const char *dir, struct err *e);
bool own_dir_has(const struct server_user *u, const char *dir, const char *name);

/* ---- cluster_conf.c --------------------------------------------------------------------------------------- */

/* postgresql.conf, pg_hba.conf, pg_ident.conf, certificate: into `dir` for `spec`. address and port are set. */
bool conf_write(struct clusters *all, const char *dir, const struct cluster_spec *spec, struct err *e);
/* For a server without network, while the template is made. */
bool conf_write_private(struct clusters *all, const char *dir, struct err *e);
/* pg_hba.conf anew. *changed: it was another. */
bool conf_write_hba(struct clusters *all, const char *dir, const char *uid, bool *changed, struct err *e);
/* The environment of a server; free with conf_env_free. */
char **conf_env(const struct clusters *all);
void conf_env_free(char **env);

/* ---- cluster_find.c --------------------------------------------------------------------------------------- */

struct server {
    pid_t pid; /* 0: none */
    int port;
    char address[46];
    bool ready;
    unsigned long shm_key; /* of the System V segment that guards the data folder */
    int shm_id;
};
/* What postmaster.pid says, true or not. Lines, as PostgreSQL writes them: pid, data folder, start time, port, socket
 * folder, address, shared memory key and id, status. false: no file. */
bool process_read_pid_file(struct clusters *all, const char *dir, struct server *out);
/* The server that runs out of dir/data, verified; pid 0 when there is none. */
void process_find(struct clusters *all, const char *dir, struct server *out);
/* A server that this process started: reaped by process_find once it has ended. */
void process_remember(struct clusters *all, pid_t pid);
/* A signal ended this child of ours (kill -9, the kernel out of memory): not PostgreSQL's own decision. */
bool process_was_killed(struct clusters *all, pid_t pid);
/* The lock on dir/alive, which every process of a cluster holds. The descriptor; -1: held (*e unset), or an error. */
int process_try_alive(struct clusters *all, const char *dir, struct err *e);
/* Wait until nothing of the cluster runs; what is left after a moment gets `sig`. Then the lock is in *fd. */
bool process_wait_dead(struct clusters *all, const char *dir, int sig, int *fd, struct err *e);

/* ---- cluster_process.c ------------------------------------------------------------------------------------ */

/* Start, or adopt the one that runs; ready when this returns. ERR_CONFLICT: the address was taken. */
bool process_start(struct clusters *all, const char *dir, struct server *out, struct cancel *c, struct err *e);
/* immediate: no shutdown checkpoint. When this returns nothing of the cluster runs. */
bool process_stop(struct clusters *all, const char *dir, bool immediate, struct err *e);

/* ---- cluster_open.c --------------------------------------------------------------------------------------- */

struct clusters {
    char *state_dir; /* absolute, without links */
    char *instances_dir, *ca_path;
    int state_fd; /* of state_dir: keeps socket paths short */
    struct server_user user;
    struct prefix prefix;
    struct ca *ca;
    struct ldaps *ldaps;
    struct template_part template;
    pthread_mutex_t lock; /* busy, children */
    pthread_cond_t changed;
    char (*busy)[64];     /* uids with an operation under way */
    size_t n_busy;
    pid_t *children;      /* servers started by this process, to be reaped */
    size_t n_children;
    pid_t killed[16];     /* the last of them that a signal ended */
    size_t n_killed;
};

/* ---- cluster_dirs.c --------------------------------------------------------------------------------------- */

bool clusters_valid_uid(const char *uid);
char *clusters_dir(const struct clusters *all, const char *uid); /* instances/<uid>; caller frees */
/* A cluster is in the folder, not what is left of one. */
bool cluster_dir_whole(struct clusters *all, const char *dir);
/* Renamed first: no crash leaves half a cluster under the name of a whole one. */
bool cluster_dir_remove(struct clusters *all, const char *dir, struct err *e);
/* Finish removals that a crash cut short. Failures are logged. */
void cluster_dirs_clear(struct clusters *all);

/* ---- cluster_connect.c ------------------------------------------------------------------------------------ */

enum { PG_NAME_MAX = 63 }; /* bytes of a role's or database's name */
struct pg_conn *clusters_connect_dir(struct clusters *all, const char *dir, const char *dbname, struct cancel *c,
                                     struct err *e);

#endif
