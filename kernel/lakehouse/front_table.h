/* A table's definition as CREATE TABLE and ALTER TABLE write it. */
#ifndef LAKEHOUSE_FRONT_TABLE_H
#define LAKEHOUSE_FRONT_TABLE_H

#include "lakehouse/front.h"

struct table_definition {
    struct delta_schema schema;
    char **partitions;       /* copies of the schema's names */
    size_t n_partitions;
    json_t *primary_key;     /* array of column names, or NULL: it informs, nobody checks it */
    const char *key_name;
    const char *comment;
    json_t *properties;      /* object of strings */
};

void table_definition_release(struct table_definition *d);
/* (a BIGINT NOT NULL COMMENT '…', …, PRIMARY KEY (a)) at f->at. constraints: whether keys may stand there. */
bool front_parse_columns(struct front *f, struct table_definition *d, bool constraints, struct err *e);
/* One column, without brackets. */
bool front_parse_column(struct front *f, struct table_definition *d, bool constraints, struct err *e);
/* USING DELTA, PARTITIONED BY, COMMENT, TBLPROPERTIES in any order; *partition_at: token of the PARTITIONED BY list, for
 * after the schema is known. */
bool front_parse_options(struct front *f, struct table_definition *d, size_t *partition_at, struct err *e);
bool front_parse_partitions(struct front *f, struct table_definition *d, size_t at, struct err *e);
/* ('a' = 'b', c.d = 1) into an object of strings. values false: ('a', 'b'), each becomes "". */
bool front_parse_properties(struct front *f, json_t *into, bool values, struct err *e);
/* CREATE [OR REPLACE] TABLE, from after that word on (front_create.c). */
struct lake_stream *front_create_table(struct front *f, bool replace, struct err *e);
/* The columns as the API's column_info objects. */
json_t *front_column_infos(const struct delta_schema *schema, char *const *partitions, size_t n_partitions);
/* Unity Catalog learns what the table is like now. */
bool front_tell_catalog(struct front *f, const struct front_name *name, const struct delta_schema *schema, char *const *partitions,
                        size_t n_partitions, json_t *configuration, struct err *e);

#endif
