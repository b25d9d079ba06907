/* How the files models*.c write their field tables. Private to them. */
#ifndef DATABRICKS_MODEL_FIELDS_H
#define DATABRICKS_MODEL_FIELDS_H

#include "databricks/model.h"

#define FIELD(s, member, type, flags, of) {#member, type, flags, offsetof(struct s, member), of}
#define STR(s, member) FIELD(s, member, FIELD_STR, 0, NULL)
#define INT(s, member) FIELD(s, member, FIELD_INT, 0, NULL)
#define BOOL(s, member) FIELD(s, member, FIELD_BOOL, 0, NULL)
#define STRS(s, member) FIELD(s, member, FIELD_STRS, 0, NULL)
#define JSON(s, member) FIELD(s, member, FIELD_JSON, 0, NULL)
#define LIST(s, member, of) FIELD(s, member, FIELD_LIST, 0, of)
#define OUT(s, member, type) FIELD(s, member, type, FIELD_OUTPUT, NULL)
#define IN(s, member, type) FIELD(s, member, type, FIELD_INPUT, NULL)
#define NEED(s, member) FIELD(s, member, FIELD_STR, FIELD_REQUIRED, NULL)
#define END {NULL, FIELD_STR, 0, 0, NULL}
/* A model whose table is the list of rows given. */
#define MODEL(s, linkage, title, ...)                       \
    static const struct field fields_##s[] = {__VA_ARGS__, END}; \
    linkage const struct model model_##s = {title, sizeof(struct s), fields_##s}

#endif
