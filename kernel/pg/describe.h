/* One relation in detail, as psql's \d NAME. Internal to pg/; callers use pg_describe (pg/catalog.h). */
#ifndef PG_DESCRIBE_H
#define PG_DESCRIBE_H

#include "pg/catalog.h"

/* Every relation that fits the pattern; ERR_NOT_FOUND when none does. shown: the pattern as it was typed. */
bool pg_describe_relations(struct pg_conn *conn, const char *shown, const struct pg_pattern *p, bool plus,
                           const struct pg_listing *out, struct cancel *c, struct err *e);

#endif
