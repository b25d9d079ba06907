/* Names of types for the headings of results: the built-in ones from a table, the others asked from the server once. */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "pg/exec.h"
#include "pg/internal.h"

/* As format_type(oid, NULL) says; oids of pg_type.dat never change. */
static const struct pg_type builtin[] = {
    {16, -1, "boolean"}, {17, -1, "bytea"}, {18, -1, "\"char\""}, {19, -1, "name"}, {20, -1, "bigint"},
    {21, -1, "smallint"}, {22, -1, "int2vector"}, {23, -1, "integer"}, {24, -1, "regproc"}, {25, -1, "text"},
    {26, -1, "oid"}, {27, -1, "tid"}, {28, -1, "xid"}, {29, -1, "cid"}, {114, -1, "json"}, {142, -1, "xml"},
    {600, -1, "point"}, {650, -1, "cidr"}, {700, -1, "real"}, {701, -1, "double precision"}, {705, -1, "unknown"},
    {790, -1, "money"}, {829, -1, "macaddr"}, {869, -1, "inet"}, {1000, -1, "boolean[]"}, {1001, -1, "bytea[]"},
    {1003, -1, "name[]"}, {1005, -1, "smallint[]"}, {1007, -1, "integer[]"}, {1009, -1, "text[]"},
    {1015, -1, "character varying[]"}, {1016, -1, "bigint[]"}, {1021, -1, "real[]"},
    {1022, -1, "double precision[]"}, {1028, -1, "oid[]"}, {1034, -1, "aclitem[]"}, {1043, -1, "character varying"},
    {1082, -1, "date"}, {1083, -1, "time without time zone"}, {1114, -1, "timestamp without time zone"},
    {1115, -1, "timestamp without time zone[]"}, {1182, -1, "date[]"}, {1184, -1, "timestamp with time zone"},
    {1185, -1, "timestamp with time zone[]"}, {1186, -1, "interval"}, {1231, -1, "numeric[]"},
    {1266, -1, "time with time zone"}, {1562, -1, "bit varying"}, {1700, -1, "numeric"},
    {2205, -1, "regclass"}, {2206, -1, "regtype"}, {2249, -1, "record"}, {2278, -1, "void"}, {2950, -1, "uuid"},
    {2951, -1, "uuid[]"}, {3220, -1, "pg_lsn"}, {3614, -1, "tsvector"}, {3615, -1, "tsquery"}, {3802, -1, "jsonb"},
    {3807, -1, "jsonb[]"}, {4089, -1, "regnamespace"}, {4096, -1, "regrole"}, {5069, -1, "xid8"},
};

enum { CACHE_MAX = 4096, SILENCE_MS = 10000 };

static int by_oid(const void *key, const void *row)
{
    unsigned a = ((const struct pg_type *)key)->oid, b = ((const struct pg_type *)row)->oid;
    return (a > b) - (a < b);
}

static const char *remember(struct pg_conn *conn, unsigned oid, int mod, const char *name)
{
    if (conn->n_types == CACHE_MAX) {
        err_copy(conn->type_text, sizeof conn->type_text, name, strlen(name));
        return conn->type_text;
    }
    if (conn->n_types == conn->types_cap) {
        conn->types_cap = conn->types_cap ? conn->types_cap * 2 : 16;
        conn->types = xreallocarray(conn->types, conn->types_cap, sizeof *conn->types);
    }
    const char *kept = arena_strdup(&conn->arena, name);
    conn->types[conn->n_types++] = (struct pg_type){oid, mod, kept};
    return kept;
}

static const char *ask(struct pg_conn *conn, unsigned oid, int mod)
{
    char oid_text[16], mod_text[16], *name = NULL;
    snprintf(oid_text, sizeof oid_text, "%u", oid);
    snprintf(mod_text, sizeof mod_text, "%d", mod);
    const char *params[] = {oid_text, mod_text};
    struct err e;
    err_init(&e);
    enum pg_tx tx = pg_tx_state(conn);
    const char *kept;
    static const char question[] = "SELECT pg_catalog.format_type($1::pg_catalog.oid, $2::pg_catalog.int4)";
    if ((tx == PG_TX_IDLE || tx == PG_TX_IN_BLOCK) &&
        pg_scalar_within(conn, question, params, 2, SILENCE_MS, &name, &e) && name) {
        kept = remember(conn, oid, mod, name);
    } else {
        snprintf(conn->type_text, sizeof conn->type_text, "oid %u", oid);
        kept = conn->type_text;
    }
    free(name);
    return kept;
}

const char *pg_type_name(struct pg_conn *conn, unsigned oid, int mod)
{
    struct pg_type key = {oid, mod, NULL};
    const struct pg_type *known =
        mod == -1 ? bsearch(&key, builtin, ARRAY_LEN(builtin), sizeof *builtin, by_oid) : NULL;
    if (known)
        return known->name;
    for (size_t i = 0; i < conn->n_types; i++) {
        if (conn->types[i].oid == oid && conn->types[i].mod == mod)
            return conn->types[i].name;
    }
    /* The two modifiers that nearly every table has; layout as in varchar.c and numeric.c. */
    char text[64];
    int m = mod - 4;
    if (m >= 0 && (oid == 1042 || oid == 1043)) {
        snprintf(text, sizeof text, "character%s(%d)", oid == 1043 ? " varying" : "", m);
        return remember(conn, oid, mod, text);
    }
    if (m >= 0 && oid == 1700) {
        snprintf(text, sizeof text, "numeric(%d,%d)", (m >> 16) & 0xffff, ((m & 0x7ff) ^ 1024) - 1024);
        return remember(conn, oid, mod, text);
    }
    return ask(conn, oid, mod);
}
