/* The variables of a notebook (see variables.h). How a literal is read is literal.c's. */
#include "magics/variables.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cell/args.h"
#include "magics/literal.h"

bool variables_name_ok(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
        if (!letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return len > 0 && len <= VARIABLE_NAME_MAX;
}

/* Where the name stands, or where it belongs. */
static struct variable **place_of(const struct variables *v, const char *name, size_t len)
{
    struct variable *const *at = &v->first;
    for (; *at; at = (struct variable *const *)&(*at)->next) {
        int order = strncmp((*at)->name, name, len);
        if (order > 0 || (order == 0 && strlen((*at)->name) >= len))
            break;
    }
    return (struct variable **)(uintptr_t)at;
}

const struct variable *variables_find(const struct variables *v, const char *name, size_t len)
{
    const struct variable *found = *place_of(v, name, len);
    return found && strlen(found->name) == len && memcmp(found->name, name, len) == 0 ? found : NULL;
}

bool variables_unknown(const struct variables *v, const char *name, size_t len, struct err *e)
{
    const char *names[VARIABLES_MAX + 1];
    size_t n = 0;
    for (const struct variable *x = v->first; x; x = x->next)
        names[n++] = x->name;
    names[n] = NULL;
    const char *near = args_nearest(name, len, names);
    err_set(e, ERR_USAGE, "there is no variable '%.*s'", (int)len, name);
    if (near)
        err_hint(e, "did you mean :%s? %%set lists the variables", near);
    else
        err_hint(e, "set it first: %%set %.*s = 42, or %%%%sql --into %.*s", (int)len, name, (int)len, name);
    return false;
}

bool variables_put(struct variables *v, const char *name, const char *text, unsigned type, struct err *e)
{
    size_t len = strlen(name);
    if (!variables_name_ok(name, len)) {
        err_set(e, ERR_USAGE, "'%.100s' is no name for a variable", name);
        err_hint(e, "a letter or _, then letters, digits and _; at most %d bytes", VARIABLE_NAME_MAX);
        return false;
    }
    if (text && strlen(text) > VARIABLE_BYTES_MAX)
        return err_set(e, ERR_TOO_BIG, "a variable holds at most %d bytes", VARIABLE_BYTES_MAX);
    struct variable **at = place_of(v, name, len);
    if (!*at || strcmp((*at)->name, name) != 0) {
        if (v->count == VARIABLES_MAX)
            return err_set(e, ERR_TOO_BIG, "there are %d variables already", VARIABLES_MAX);
        struct variable *made = xcalloc(1, sizeof *made);
        made->name = xstrdup(name);
        made->next = *at;
        *at = made;
        v->count++;
    }
    char *copy = xstrdup(text);
    free((*at)->text);
    (*at)->text = copy;
    (*at)->type = type;
    return true;
}

bool variables_put_literal(struct variables *v, const char *name, const char *text, size_t len, size_t *at,
                           struct err *e)
{
    struct literal value;
    *at = 0;
    if (!literal_read(text, len, &value, at, e))
        return false;
    bool ok = variables_put(v, name, value.null ? NULL : buf_str(&value.text), value.type, e);
    literal_release(&value);
    return ok;
}

/* ---- results ---- */

static const struct {
    unsigned type, array;
    const char *name;
} types[] = {{16, 1000, "boolean"}, {17, 1001, "bytea"}, {18, 1002, "\"char\""}, {19, 1003, "name"},
             {20, 1016, "bigint"}, {21, 1005, "smallint"}, {23, 1007, "integer"}, {25, 1009, "text"},
             {26, 1028, "oid"}, {114, 199, "json"}, {700, 1021, "real"}, {701, 1022, "double precision"},
             {869, 1041, "inet"}, {1042, 1014, "character"}, {1043, 1015, "character varying"}, {1082, 1182, "date"},
             {1083, 1183, "time"}, {1114, 1115, "timestamp"}, {1184, 1185, "timestamp with time zone"},
             {1186, 1187, "interval"}, {1700, 1231, "numeric"}, {2950, 2951, "uuid"}, {3802, 3807, "jsonb"}};

enum { TEXT_ARRAY = 1009, FIRST_USER_OID = 16384 };

const char *variables_type_name(unsigned type)
{
    static char other[32];
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (types[i].type == type)
            return types[i].name;
        if (types[i].array == type) {
            snprintf(other, sizeof other, "%s[]", types[i].name);
            return other;
        }
    }
    if (type == 0)
        return "from the statement";
    snprintf(other, sizeof other, "oid %u", type);
    return other;
}

unsigned variables_array_of(unsigned type)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (types[i].type == type)
            return types[i].array;
    }
    return TEXT_ARRAY;
}

/* The next value of a result; NULL: SQL NULL. */
static const char *take(const char **at, int *len)
{
    memcpy(len, *at, sizeof *len);
    const char *value = *at + sizeof *len;
    *at = value + (*len > 0 ? *len : 0);
    return *len < 0 ? NULL : value;
}

static unsigned common_type(const struct result_copy *r)
{
    for (size_t i = 1; i < r->n_columns; i++) {
        if (r->oids[i] != r->oids[0])
            return TEXT_ARRAY;
    }
    return variables_array_of(r->oids[0]);
}

static bool put_array(struct variables *v, const char *name, const struct result_copy *r, struct err *e)
{
    const char *at = r->values.data;
    struct buf text;
    buf_init(&text, VARIABLE_BYTES_MAX);
    buf_putc(&text, '{');
    for (size_t i = 0; i < r->n_rows * r->n_columns; i++) {
        int len;
        const char *value = take(&at, &len);
        if (i > 0)
            buf_putc(&text, ',');
        literal_array_element(&text, value, value ? (size_t)len : 0);
    }
    buf_putc(&text, '}');
    bool ok = buf_ok(&text, "the variable", e) && variables_put(v, name, buf_str(&text), common_type(r), e);
    buf_release(&text);
    return ok;
}

bool variables_put_result(struct variables *v, const char *name, const struct result_copy *r, struct err *e)
{
    if (r->truncated) {
        err_set(e, ERR_TOO_BIG, "the result is too big for a variable, so '%s' was left as it was", name);
        err_hint(e, "a variable takes at most %d rows and %d MiB", LAST_RESULT_ROWS, LAST_RESULT_BYTES >> 20);
        return false;
    }
    if (r->n_rows != 1 && r->n_columns != 1) {
        err_set(e, ERR_INVALID_STATE, "%zu rows of %zu columns do not fit into the variable '%s'", r->n_rows,
                r->n_columns, name);
        err_hint(e, "one value, one row or one column does; Python cells find the whole last result in _sqldf");
        return false;
    }
    if (r->n_rows != 1 || r->n_columns != 1)
        return put_array(v, name, r, e);
    const char *at = r->values.data;
    int len;
    const char *value = take(&at, &len);
    char *text = value ? xstrndup(value, (size_t)len) : NULL;
    bool ok = variables_put(v, name, text, r->oids[0] < FIRST_USER_OID ? r->oids[0] : 0, e);
    free(text);
    return ok;
}

void variables_release(struct variables *v)
{
    for (struct variable *next, *x = v->first; x; x = next) {
        next = x->next;
        free(x->name);
        free(x->text);
        free(x);
    }
    *v = (struct variables){0};
}
