/*
 * The files that tell a server how to run: postgresql.conf, pg_hba.conf, pg_ident.conf, its certificate, its environment.
 * Written whole at each start, so they always follow the spec; nothing of them is edited in place.
 *
 * Memory: the service gives a CU 16 GB; here everything that follows from memory is 1/128 of it (CU_1: 128 MB of which a
 * quarter is shared_buffers). max_connections is the service's for every capacity.
 */
#include "workspace/cluster_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/xalloc.h"
#include "workspace/ca.h"
#include "workspace/ldap.h"
#include "workspace/netaddr.h"

enum { SCALE = 128, MAX_CONNECTIONS = 1000 };
static const int64_t MB = 1024 * 1024;

bool cluster_memory_of(const char *capacity, struct cluster_memory *out)
{
    static const struct {
        const char *name;
        int units;
    } known[] = {{"CU_1", 1}, {"CU_2", 2}, {"CU_4", 4}, {"CU_8", 8}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(capacity, known[i].name) != 0)
            continue;
        int64_t ram = known[i].units * 16 * 1024 * MB, local = ram / SCALE;
        *out = (struct cluster_memory){.service_ram = ram,
                                       .local_shared_buffers = local / 4,
                                       .local_effective_cache = local / 4 * 3,
                                       .max_connections = MAX_CONNECTIONS};
        return true;
    }
    return false;
}

/* As the server user: a file of its folder, readable by it alone. */
static bool put(struct clusters *all, const char *dir, const char *name, const char *text, struct err *e)
{
    char *path = xasprintf("%s/%s", dir, name);
    server_user_enter(&all->user);
    bool ok = fs_write_atomic(path, text, strlen(text), 0600, e);
    server_user_leave(&all->user);
    free(path);
    return ok;
}

static bool put_buf(struct clusters *all, const char *dir, const char *name, struct buf *b, struct err *e)
{
    bool ok = buf_ok(b, name, e) && put(all, dir, name, buf_str(b), e);
    buf_release(b);
    return ok;
}

/* A string of postgresql.conf: '' for ', no control characters. */
static void add_setting(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, "%s = '", name);
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\')
            buf_putc(b, *value);
        buf_putc(b, (unsigned char)*value < 32 ? ' ' : *value);
    }
    buf_puts(b, "'\n");
}

/* The same for every server of ours. */
static const char settings_common[] =
    "# Written by lakebase-workspace at each start; changes here are lost.\n"
    "unix_socket_directories = '..'\n"
    "unix_socket_permissions = 0700\n"
    "huge_pages = off\n"
    /* files in the folder: /dev/shm is small in containers, and keeps what a killed server had there for ever */
    "dynamic_shared_memory_type = mmap\n"
    /* room for 1,000 connections, without the memory that the default of 64 locks for each would take */
    "max_locks_per_transaction = 16\n"
    "max_pred_locks_per_transaction = 16\n"
    "max_wal_senders = 0\n"
    "max_replication_slots = 0\n"
    "max_logical_replication_workers = 0\n"
    "max_wal_size = 256MB\n"
    "min_wal_size = 48MB\n"
    "timezone = 'UTC'\n"
    "log_timezone = 'UTC'\n"
    "datestyle = 'ISO, MDY'\n"
    "lc_messages = 'C'\n"
    "lc_monetary = 'C'\n"
    "lc_numeric = 'C'\n"
    "lc_time = 'C'\n"
    "default_text_search_config = 'pg_catalog.english'\n"
    "jit = off\n"
    "password_encryption = 'scram-sha-256'\n"
    /* To the server's standard error, which is dir/log. Statements may hold passwords: none is logged. */
    "logging_collector = off\n"
    "log_destination = 'stderr'\n"
    "log_line_prefix = '%m [%p] %q%u@%d '\n"
    "log_statement = 'none'\n"
    "log_min_error_statement = 'panic'\n"
    "log_min_duration_statement = -1\n"
    "log_checkpoints = off\n";

static void add_libraries(struct clusters *all, struct buf *b)
{
    if (!all->prefix.statements)
        return;
    buf_puts(b, "shared_preload_libraries = 'pg_stat_statements'\n"
                "pg_stat_statements.track_utility = off\n"); /* CREATE ROLE ... PASSWORD would be kept */
}

static bool write_settings(struct clusters *all, const char *dir, const struct cluster_spec *spec, struct err *e)
{
    struct cluster_memory m;
    struct buf b;
    if (!cluster_memory_of(spec->capacity, &m))
        return err_set(e, ERR_INVALID_PARAMETER, "capacity '%s' is not one of CU_1, CU_2, CU_4, CU_8", spec->capacity);
    buf_init(&b, 65536);
    buf_puts(&b, settings_common);
    add_libraries(all, &b);
    add_setting(&b, "cluster_name", spec->name);
    add_setting(&b, "listen_addresses", spec->address);
    buf_printf(&b, "port = %d\nmax_connections = %d\n", spec->port, m.max_connections);
    buf_printf(&b, "shared_buffers = %lldMB\neffective_cache_size = %lldMB\nmaintenance_work_mem = %lldMB\n",
               (long long)(m.local_shared_buffers / MB), (long long)(m.local_effective_cache / MB),
               (long long)(m.local_shared_buffers / MB / 2));
    buf_puts(&b, "ssl = on\n"
                 "ssl_cert_file = '../server.pem'\n"
                 "ssl_key_file = '../server.pem'\n"
                 "ssl_min_protocol_version = 'TLSv1.2'\n");
    return put_buf(all, dir, "data/postgresql.conf", &b, e);
}

/* ---- who may log in --------------------------------------------------------------------------------------------- */

/* The internal superuser, over the socket in the 0700 folder: by the operating system's word for who asks, where it has
 * a name for us (a container may run us under a number alone). */
static void add_local(struct clusters *all, struct buf *b)
{
    if (all->user.caller[0])
        buf_puts(b, "local all cloud_admin peer map=workspace\n");
    else
        buf_puts(b, "local all cloud_admin trust\n");
    buf_puts(b, "local all all reject\n");
}

static void add_network(struct clusters *all, const char *uid, struct buf *b)
{
    buf_printf(b,
               "# TLS or nothing\n"
               "hostnossl all all 0.0.0.0/0 reject\n"
               "# roles of the service itself never come over the network\n"
               "hostssl all cloud_admin,databricks_superuser,databricks_control_plane,databricks_monitor,databricks_gateway,"
               "databricks_replicator 0.0.0.0/0 reject\n"
               "# roles with a password of their own\n"
               "hostssl all +databricks_native 0.0.0.0/0 scram-sha-256\n"
               "# everybody else: a token, which the workspace checks\n"
               "hostssl all all 0.0.0.0/0 ldap ldapserver=\"127.0.0.1\" ldapport=%d ldapscheme=\"ldaps\" "
               "ldapprefix=\"%s:\" ldapsuffix=\"\"\n",
               ldaps_port(all->ldaps), uid);
}

static bool write_ident(struct clusters *all, const char *dir, struct err *e)
{
    struct buf b;
    buf_init(&b, 4096);
    if (all->user.caller[0])
        buf_printf(&b, "workspace \"%s\" cloud_admin\n", all->user.caller);
    return put_buf(all, dir, "data/pg_ident.conf", &b, e);
}

bool conf_write_hba(struct clusters *all, const char *dir, const char *uid, bool *changed, struct err *e)
{
    struct buf b, was;
    struct err ignored;
    err_init(&ignored);
    buf_init(&b, 8192);
    buf_init(&was, 8192);
    add_local(all, &b);
    add_network(all, uid, &b);
    char *path = xasprintf("%s/data/pg_hba.conf", dir);
    server_user_enter(&all->user);
    *changed = !fs_read(path, &was, &ignored) || strcmp(buf_str(&was), buf_str(&b)) != 0;
    server_user_leave(&all->user);
    free(path);
    buf_release(&was);
    if (*changed)
        return put_buf(all, dir, "data/pg_hba.conf", &b, e);
    buf_release(&b);
    return true;
}

/* ---- certificate ------------------------------------------------------------------------------------------------ */

/* Certificate and key are one file, so that no crash can leave one without the other. */
static bool write_certificate(struct clusters *all, const char *dir, const struct cluster_spec *spec, struct err *e)
{
    char *path = xasprintf("%s/server.pem", dir);
    struct buf pem;
    struct err ignored;
    struct ca_pair pair;
    /* With a space in it: some clients take the common name for a host name. */
    char *name = xasprintf("Lakebase instance %s", spec->name);
    err_init(&ignored);
    buf_init(&pem, 65536);
    server_user_enter(&all->user);
    bool good = fs_read(path, &pem, &ignored) && ca_signed(all->ca, buf_str(&pem), spec->address);
    server_user_leave(&all->user);
    free(path);
    buf_clear(&pem);
    bool ok = good || ca_issue(all->ca, name, spec->address, true, &pair, e);
    if (ok && !good) {
        buf_puts(&pem, pair.cert);
        buf_puts(&pem, pair.key);
        ca_pair_release(&pair);
        ok = buf_ok(&pem, "certificate", e) && put(all, dir, "server.pem", buf_str(&pem), e);
    }
    buf_release_secret(&pem);
    free(name);
    return ok;
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

bool conf_write(struct clusters *all, const char *dir, const struct cluster_spec *spec, struct err *e)
{
    bool changed;
    return (write_certificate(all, dir, spec, e) && write_settings(all, dir, spec, e) && write_ident(all, dir, e) &&
            conf_write_hba(all, dir, spec->uid, &changed, e)) ||
           err_wrap(e, "configuration of instance '%s'", spec->name);
}

bool conf_write_private(struct clusters *all, const char *dir, struct err *e)
{
    struct buf b, hba;
    buf_init(&b, 65536);
    buf_init(&hba, 4096);
    buf_puts(&b, settings_common);
    add_libraries(all, &b);
    buf_puts(&b, "listen_addresses = ''\nport = 5432\nfsync = off\nautovacuum = off\n"); /* synced as a whole afterwards */
    add_local(all, &hba);
    bool ok = put_buf(all, dir, "data/postgresql.conf", &b, e);
    ok = put_buf(all, dir, "data/pg_hba.conf", &hba, e) && ok;
    return ok && write_ident(all, dir, e);
}

/* Nothing of ours is inherited, tokens least of all. LDAPTLS_*: a backend that checks a password talks to nobody but a
 * responder with a certificate of this workspace for 127.0.0.1; the two times bound a login while the responder hangs. */
char **conf_env(const struct clusters *all)
{
    const char *const fixed[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC", "HOME=/", "LDAPTLS_REQCERT=demand",
                                 "LDAPNETWORK_TIMEOUT=5", "LDAPTIMEOUT=15"};
    char **env = xcalloc(ARRAY_LEN(fixed) + 2, sizeof *env);
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        env[i] = xstrdup(fixed[i]);
    env[ARRAY_LEN(fixed)] = xasprintf("LDAPTLS_CACERT=%s", all->ca_path);
    return env;
}

void conf_env_free(char **env)
{
    for (size_t i = 0; env && env[i]; i++)
        free(env[i]);
    free(env);
}
