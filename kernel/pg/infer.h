/* For loading text: which type the values of a column have. */
#ifndef PG_INFER_H
#define PG_INFER_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/cancel.h"
#include "base/err.h"
#include "pg/conn.h"

/* The narrowest type that all values of a column of pg_temp.lakebase_load fit (sql/infer_type.sql). In the arena. */
bool pg_infer_type(struct pg_conn *conn, struct arena *a, const char *column, const char **type, struct cancel *c, struct err *e);

#endif
