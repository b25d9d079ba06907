/*
 * Fuzz target: a type as Databricks SQL spells it (kernel/lakehouse/delta_type_sql.c). What is accepted must be spelled and
 * read again as the same type. Replayed by tests/unit/test_lakehouse_delta_fuzz.c; for a long run see fuzz_delta.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "lakehouse/delta_type.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Comments are no part of the spelling. */
static void drop_comments(json_t *type)
{
    const char *key;
    json_t *value;
    json_object_foreach(type, key, value)
        drop_comments(value);
    for (size_t i = 0; i < json_array_size(type); i++)
        drop_comments(json_array_get(type, i));
    json_object_del(type, "comment");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e;
    char *text = xstrndup((const char *)data, size);
    err_init(&e);
    json_t *type = delta_type_from_sql(text, &e);
    if (!type && (e.code == ERR_NONE || !e.text[0]))
        abort();
    struct delta_type_facts facts;
    if (type && delta_type_parse(type, 0, &facts, &e)) {
        struct delta_column c = {.type = facts.type, .type_json = type};
        char *spelled = delta_type_text(&c);
        json_t *again = delta_type_from_sql(spelled, &e);
        drop_comments(type);
        if (!json_equal(type, again))
            abort();
        json_decref(again);
        free(spelled);
    }
    json_decref(type);
    free(text);
    return 0;
}
