/*
 * The store's Unity Catalog: managed catalogs, schemas and tables as one kind of row, grants, and lineage. Names are full
 * names in lower case ("main", "main.shop", "main.shop.orders"); whoever writes them has checked them. Catalogs
 * registered over a database are rows of their own (store.h); grants and lineage name their objects all the same.
 * Every function may be called from any thread.
 */
#ifndef WORKSPACE_STORE_LAKE_H
#define WORKSPACE_STORE_LAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "workspace/store.h"

enum securable_kind { SECURABLE_METASTORE = 1, SECURABLE_CATALOG, SECURABLE_SCHEMA, SECURABLE_TABLE, SECURABLE_VOLUME };
/* What it lies in; a table and a volume of one name may be side by side in a schema. */
static inline enum securable_kind securable_above(enum securable_kind kind)
{
    return kind == SECURABLE_VOLUME ? SECURABLE_SCHEMA : (enum securable_kind)(kind - 1);
}
/* Parts of its full name. */
static inline int securable_parts(enum securable_kind kind)
{
    return kind == SECURABLE_VOLUME ? 3 : (int)kind - 1;
}

/* Texts are owned, never NULL after reading; "" for what is not there. */
struct securable_row {
    enum securable_kind kind;
    char *full_name, *parent, *name; /* parent: "" for a catalog */
    char *id, *comment, *owner;
    char *location;   /* of a table or volume: its folder, absolute */
    char *columns;    /* of a table: JSON list of ColumnInfo */
    char *properties; /* JSON object or "" */
    int64_t created_ms, updated_ms;
    char *created_by, *updated_by;
};
struct securable_rows {
    struct securable_row *rows;
    size_t count;
};
void securable_row_release(struct securable_row *row);
void securable_rows_release(struct securable_rows *rows);

/* ERR_ALREADY_EXISTS for a taken name; ERR_NOT_FOUND when the parent is not there (any more). */
bool store_add_securable(struct store *s, const struct securable_row *row, struct err *e);
/* ERR_NOT_FOUND. */
bool store_securable(struct store *s, enum securable_kind kind, const char *full_name, struct securable_row *out,
                     struct err *e);
/* Children of `parent` ("" for catalogs) by name, after `after`, at most limit (0: all). */
bool store_securables(struct store *s, enum securable_kind kind, const char *parent, const char *after, size_t limit,
                      struct securable_rows *out, struct err *e);
/* Every table or every volume, for finding folders without one. */
bool store_all(struct store *s, enum securable_kind kind, struct securable_rows *out, struct err *e);
/* Write comment, owner, columns, properties, updated_ms and updated_by of the row. ERR_NOT_FOUND. */
bool store_update_securable(struct store *s, const struct securable_row *row, struct err *e);
/* Remove it with all below it, their grants and lineage, in one transaction. cascade false: ERR_INVALID_STATE when something
 * is below. *tables (may be NULL) gets the tables and volumes that went. ERR_NOT_FOUND. */
bool store_remove_securable(struct store *s, enum securable_kind kind, const char *full_name, bool cascade,
                            struct securable_rows *tables, struct err *e);

/* ---- grants ---- */
enum { PRIVILEGE_MAX = 64 };
struct grant_row {
    enum securable_kind kind;
    char *full_name, *principal;
    char privilege[PRIVILEGE_MAX]; /* "USE_CATALOG" */
};
struct grant_rows {
    struct grant_row *rows;
    size_t count;
};
void grant_rows_release(struct grant_rows *rows);
/* One transaction: `add` rows are put (again is fine), `remove` rows go (none there is fine). */
bool store_change_grants(struct store *s, const struct grant_row *add, size_t n_add, const struct grant_row *remove,
                         size_t n_remove, struct err *e);
/* Of one object; principal NULL: of all. In the order of principal and privilege. */
bool store_grants(struct store *s, enum securable_kind kind, const char *full_name, const char *principal,
                  struct grant_rows *out, struct err *e);
/* Grants of an object that was not a securable row (a registered catalog) and of all below it go. */
bool store_forget_grants(struct store *s, const char *catalog, struct err *e);

/* ---- lineage ---- */
struct lineage_row {
    char *source, *target;
    char *by;       /* who wrote last */
    int64_t at_ms;  /* last seen */
};
struct lineage_rows {
    struct lineage_row *rows;
    size_t count;
};
void lineage_rows_release(struct lineage_rows *rows);
bool store_put_lineage(struct store *s, const struct lineage_row *row, struct err *e);
/* All edges of a table that is gone. */
bool store_forget_lineage(struct store *s, const char *table, struct err *e);
/* Edges that end (upstream true) or begin at the table, by the other end's name. */
bool store_lineage(struct store *s, const char *table, bool upstream, struct lineage_rows *out, struct err *e);

#endif
