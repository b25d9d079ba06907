/*
 * Connection parameters: conninfo and fields merged into libpq's arrays, and the report on a login that failed.
 * Nothing that may hold a password is ever copied into an error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/xalloc.h"
#include "pg/internal.h"

enum { DEFAULT_TIMEOUT_MS = 15000 };

/* In the start-up packet: no round trip, and RESET goes back to them. Results must not depend on the server's taste. */
static const char session_options[] =
    "-c DateStyle=ISO -c IntervalStyle=postgres -c TimeZone=UTC -c bytea_output=hex";

static void put(struct pg_keywords *k, const char *name, const char *value)
{
    for (size_t i = 0; i < k->n; i++) {
        if (strcmp(k->names[i], name) == 0) {
            k->values[i] = value;
            return;
        }
    }
    if (k->n == PG_KEYWORDS_MAX)
        bug("more than %d connection keywords", PG_KEYWORDS_MAX);
    k->names[k->n] = name;
    k->values[k->n++] = value;
}

static const char *get(const struct pg_keywords *k, const char *name)
{
    for (size_t i = 0; i < k->n; i++) {
        if (strcmp(k->names[i], name) == 0)
            return k->values[i];
    }
    return NULL;
}

/* A server that went away without a word (a cable, a sleeping laptop, a firewall that forgets) is noticed after a minute instead of
 * never; the questions also keep such a firewall from forgetting. tcp_user_timeout is in ms, the others are in seconds. */
static const struct {
    const char *name, *value;
} keepalive[] = {{"keepalives_idle", "30"}, {"keepalives_interval", "10"}, {"keepalives_count", "3"}, {"tcp_user_timeout", "60000"}};

static void note_secrets(struct pg_keywords *k)
{
    const char *all[] = {get(k, "password"), get(k, "sslpassword"), getenv("PGPASSWORD")};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i] && strlen(all[i]) >= 3)
            k->secrets[n++] = all[i];
    }
    k->secrets[n] = NULL;
}

bool pg_keywords_init(struct pg_keywords *k, const struct pg_params *p, struct err *e)
{
    *k = (struct pg_keywords){0};
    if (!pg_library(e))
        return false;
    if (p->conninfo) {
        char *why = NULL;
        k->parsed = PQconninfoParse(p->conninfo, &why);
        PQfreemem(why); /* it quotes what it could not read, and that may be the password */
        if (!k->parsed) {
            err_set(e, ERR_CONFIG, "the connection string cannot be read");
            err_hint(e, "write postgresql://user@host:5432/database or host=... dbname=... user=...; "
                        "quote values with blanks, and write %% in a URI as %%25");
            return false;
        }
        for (PQconninfoOption *o = k->parsed; o->keyword; o++) {
            if (o->val)
                put(k, o->keyword, o->val);
        }
    }
    const struct {
        const char *name, *value;
    } own[] = {{"host", p->host}, {"port", p->port}, {"dbname", p->dbname}, {"user", p->user},
               {"password", p->password}, {"sslmode", p->sslmode}, {"sslrootcert", p->sslrootcert},
               {"application_name", p->application_name}};
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        if (own[i].value)
            put(k, own[i].name, own[i].value);
    }
    if (p->host && get(k, "hostaddr"))
        put(k, "hostaddr", "");
    if (!get(k, "application_name"))
        put(k, "application_name", "lakebase");
    /* Kerberos is asked first by default, and libpq does that blocking. */
    if (!get(k, "gssencmode") && !getenv("PGGSSENCMODE"))
        put(k, "gssencmode", "disable");
    for (size_t i = 0; i < ARRAY_LEN(keepalive); i++) {
        if (!get(k, keepalive[i].name))
            put(k, keepalive[i].name, keepalive[i].value);
    }
    const char *theirs = get(k, "options");
    if (!theirs)
        theirs = getenv("PGOPTIONS");
    k->options_are_ours = !theirs || !*theirs;
    k->options = xasprintf("%s%s%s", session_options, theirs ? " " : "", theirs ? theirs : "");
    put(k, "options", k->options);
    put(k, "client_encoding", "UTF8");
    note_secrets(k);
    const char *limit = get(k, "connect_timeout");
    long seconds = limit ? strtol(limit, NULL, 10) : 0;
    k->timeout_ms = p->connect_timeout_ms > 0 ? p->connect_timeout_ms
                    : seconds > 0 && seconds < 86400 ? (int)seconds * 1000 : DEFAULT_TIMEOUT_MS;
    return true;
}

const char pg_bare_sql[] = "SET DateStyle = 'ISO'; SET TimeZone = 'UTC'";

bool pg_keywords_strip(struct pg_keywords *k, const struct err *e)
{
    if (!k->options_are_ours || strcmp(e->sqlstate, "08P01") != 0 || !strstr(e->text, "startup parameter"))
        return false;
    put(k, "options", "");
    return true;
}

void pg_keywords_release(struct pg_keywords *k)
{
    for (PQconninfoOption *o = k->parsed; o && o->keyword; o++) {
        if (o->val && strstr(o->keyword, "password"))
            explicit_bzero(o->val, strlen(o->val));
    }
    if (k->parsed)
        PQconninfoFree(k->parsed);
    free(k->options);
}

const char *pg_system_roots(struct err *e)
{
    /* Debian and Ubuntu, Fedora, openSUSE, Alpine and macOS: as curl's configure looks for them. */
    static const char *const files[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
    if (!pg_library(e))
        return NULL;
    if (PQlibVersion() >= 160000)
        return "system";
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (fs_exists(files[i]))
            return files[i];
    }
    err_set(e, ERR_CONFIG, "this system has no certificates to check a server with");
    err_hint(e, "install the package ca-certificates");
    return NULL;
}

/* Replace every secret in text; it is made no longer than it was, or cut. */
static void scrub(char *text, const char *const *secrets)
{
    for (; *secrets; secrets++) {
        size_t len = strlen(*secrets);
        for (char *p = text; (p = strstr(p, *secrets)); p += 3) {
            memcpy(p, "***", 3);
            memmove(p + 3, p + len, strlen(p + len) + 1);
        }
    }
}

/* "FATAL:  28P01: password authentication …": libpq's verbose form. Points at the code of the last such line. */
static const char *find_state(const char *text)
{
    const char *found = NULL;
    for (const char *p = text; (p = strstr(p, ":  ")); p += 3) {
        if (strspn(p + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && strncmp(p + 8, ": ", 2) == 0)
            found = p + 3;
    }
    return found;
}

/* What follows `label` at the start of a line behind `text`; copied into an error field. */
static void copy_field(const char *text, const char *label, char *to, size_t size)
{
    const char *p = strstr(text, label);
    if (p && p > text && p[-1] == '\n') {
        p += strlen(label);
        err_copy(to, size, p, strcspn(p, "\n"));
    }
}

static bool refused_by_server(const char *message, const char *state, struct err *e)
{
    bool login = strncmp(state, "28", 2) == 0;
    const char *text = state + 7;
    err_set(e, login ? ERR_LOGIN : ERR_CONNECT, "%.*s", (int)strcspn(text, "\n"), text);
    memcpy(e->sqlstate, state, 5);
    e->sqlstate[5] = '\0';
    copy_field(text, "DETAIL:  ", e->detail, sizeof e->detail);
    copy_field(text, "HINT:  ", e->hint, sizeof e->hint);
    if (strncmp(message, "connection to server", 20) == 0) {
        const char *failed = strstr(message, " failed: ");
        if (failed)
            err_detail(e, "%.*s", (int)(failed - message), message);
    }
    return false;
}

bool pg_connect_err(PGconn *pg, const struct pg_keywords *k, struct err *e)
{
    char *message = xstrdup(PQerrorMessage(pg));
    scrub(message, k->secrets);
    size_t len = strlen(message);
    while (len > 0 && message[len - 1] == '\n')
        message[--len] = '\0';
    const char *state = find_state(message), *failed = strstr(message, " failed: ");
    if (state) {
        refused_by_server(message, state, e);
    } else if (PQconnectionNeedsPassword(pg)) {
        err_set(e, ERR_LOGIN, "the server asks for a password or token, and none was given");
    } else if (!failed && strstr(message, "could not") == NULL) {
        /* Found before anything was sent: "invalid port number", "root certificate file … does not exist". */
        err_set(e, ERR_CONFIG, "%.*s", (int)strcspn(message, "\n"), message);
    } else {
        const char *why = failed ? failed + 9 : message;
        err_set(e, ERR_CONNECT, "cannot connect: %.*s", (int)strcspn(why, "\n"), why);
        if (failed)
            err_detail(e, "%.*s", (int)(failed - message), message);
    }
    free(message);
    return false;
}
