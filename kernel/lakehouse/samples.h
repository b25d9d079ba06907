/*
 * The tables of the catalog `samples`: their names, columns and how their rows are made. Column names and types are those of the
 * service's samples.nyctaxi and samples.tpch; the rows are ours, made by arithmetic alone from the row's number, so every workspace has the
 * same ones. tpch keeps TPC-H's rules (keys, order totals that are the sum of their lines, dates in order) at a tenth of scale factor 1.
 */
#ifndef LAKEHOUSE_SAMPLES_H
#define LAKEHOUSE_SAMPLES_H

#include <stddef.h>

#include "base/cancel.h"
#include "lakehouse/lake.h"

struct sample_table {
    const char *schema, *name, *comment;
    const char *columns; /* "a BIGINT, b STRING" */
    const char *sql;     /* their values, in DuckDB's SQL, with the macros of samples.c */
};
const struct sample_table *sample_tables(size_t *count);
/* NULL: there is none of that name ("nyctaxi.trips"). */
const struct sample_table *sample_find(const char *name);
bool sample_schema(const struct sample_table *t, struct delta_schema *out, struct err *e);
/* Fill the folder with the table, unless it is there; two at once are fine. */
bool sample_make(struct lake *l, const char *name, const char *location, struct cancel *cancel, struct err *e);

#endif
