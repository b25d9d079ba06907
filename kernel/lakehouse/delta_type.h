/* Types inside lakehouse/delta_*.c: what the log says of one, and the SQL spelling parsed (delta_type.c, delta_type_sql.c). */
#ifndef LAKEHOUSE_DELTA_TYPE_H
#define LAKEHOUSE_DELTA_TYPE_H

#include "lakehouse/delta_log.h"

struct delta_type_facts {
    enum delta_type type;
    int precision, scale;
};
/* The error's text goes on from "column 'x' ". depth: how deep the type stands in others. */
bool delta_type_parse(const json_t *type, int depth, struct delta_type_facts *out, struct err *e);
/* "BIGINT" → "long"; "DECIMAL" → "decimal" (its digits follow); NULL: no plain type. */
const char *delta_type_of_word(const char *word, size_t len);
/* "ARRAY<DECIMAL(12,2)>" as the log has it. NULL on failure; the error's text goes on from "column 'x' ". */
json_t *delta_type_from_sql(const char *text, struct err *e);

#endif
