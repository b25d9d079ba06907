/*
 * The codec: JSON object ↔ C struct, driven by field tables (models.c). Knows nothing of HTTP, and of no single object.
 */
#include "databricks/model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"

static void *at(const struct field *f, void *base) { return (char *)base + f->offset; }
static const void *at_const(const struct field *f, const void *base) { return (const char *)base + f->offset; }
static void *item(const struct model *of, const struct model_list *list, size_t i)
{
    return (char *)list->items + i * of->size;
}

static const char *const type_names[] = {
    [FIELD_STR] = "string", [FIELD_INT] = "integer", [FIELD_BOOL] = "boolean", [FIELD_OBJECT] = "object",
    [FIELD_LIST] = "list",  [FIELD_STRS] = "list of strings", [FIELD_JSON] = "value",
};

static const char *json_type_name(const json_t *v)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "object", [JSON_ARRAY] = "list",  [JSON_STRING] = "string", [JSON_INTEGER] = "integer",
        [JSON_REAL] = "number",   [JSON_TRUE] = "boolean", [JSON_FALSE] = "boolean", [JSON_NULL] = "null",
    };
    return names[json_typeof(v)];
}

static bool wrong_type(const struct model *m, const struct field *f, const json_t *v, struct err *e)
{
    return err_set(e, ERR_INVALID_PARAMETER, "Field '%s' of %s must be of type %s, not %s", f->name, m->name,
                   type_names[f->type], json_type_name(v));
}

static bool read_int(const json_t *v, int64_t *out)
{
    if (json_is_integer(v)) {
        *out = json_integer_value(v);
        return true;
    }
    if (json_is_real(v)) {
        double d = json_real_value(v);
        *out = fabs(d) < 9e15 ? (int64_t)d : 0;
        return (double)*out == d;
    }
    const char *s = json_string_value(v);
    if (!s || !*s)
        return false;
    char *end;
    errno = 0;
    *out = strtoll(s, &end, 10);
    return *end == '\0' && errno == 0;
}

static bool decode_list(const struct field *f, enum model_side reader, const json_t *v, struct model_list *list,
                        struct err *e)
{
    size_t i;
    json_t *one;
    json_array_foreach(v, i, one)
    {
        struct err inner = {0};
        void *to = xcalloc(1, f->of->size);
        bool ok = json_is_object(one) ? model_decode(f->of, reader, one, to, &inner)
                                      : err_set(&inner, ERR_INVALID_PARAMETER, "not an object");
        if (!ok) {
            free(to);
            *e = inner;
            return err_wrap(e, "%s[%zu]", f->name, i);
        }
        memcpy(model_list_add(f->of, list), to, f->of->size);
        free(to);
    }
    return true;
}

static bool decode_strings(const struct model *m, const struct field *f, const json_t *v, struct model_list *list,
                           struct err *e)
{
    size_t n = json_array_size(v);
    char **items = n ? xcalloc(n, sizeof *items) : NULL;
    list->items = items;
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(v, i);
        if (!json_is_string(one))
            return wrong_type(m, f, one, e);
        items[list->count++] = xstrdup(json_string_value(one));
    }
    return true;
}

static bool decode_field(const struct model *m, const struct field *f, enum model_side reader, const json_t *v, void *to,
                         struct err *e)
{
    switch (f->type) {
    case FIELD_STR:
        if (!json_is_string(v))
            return wrong_type(m, f, v, e);
        *(char **)to = xstrdup(json_string_value(v));
        return true;
    case FIELD_INT: {
        struct opt_int *n = to;
        n->has = read_int(v, &n->value);
        return n->has || wrong_type(m, f, v, e);
    }
    case FIELD_BOOL:
        if (!json_is_boolean(v))
            return wrong_type(m, f, v, e);
        *(enum tri *)to = tri_of(json_is_true(v));
        return true;
    case FIELD_OBJECT: {
        if (!json_is_object(v))
            return wrong_type(m, f, v, e);
        void *object = xcalloc(1, f->of->size);
        if (!model_decode(f->of, reader, v, object, e)) {
            free(object);
            return err_wrap(e, "%s", f->name);
        }
        *(void **)to = object;
        return true;
    }
    case FIELD_LIST:
        return json_is_array(v) ? decode_list(f, reader, v, to, e) : wrong_type(m, f, v, e);
    case FIELD_STRS:
        return json_is_array(v) ? decode_strings(m, f, v, to, e) : wrong_type(m, f, v, e);
    case FIELD_JSON:
        *(json_t **)to = json_deep_copy(v);
        return true;
    }
    bug("field '%s' has type %d", f->name, (int)f->type);
}

bool model_decode(const struct model *m, enum model_side reader, const json_t *object, void *out, struct err *e)
{
    memset(out, 0, m->size);
    if (!json_is_object(object))
        return err_set(e, ERR_INVALID_PARAMETER, "%s must be an object, not a %s", m->name,
                       object ? json_type_name(object) : "missing value");
    for (const struct field *f = m->fields; f->name; f++) {
        if (reader == MODEL_SERVER && (f->flags & FIELD_OUTPUT))
            continue;
        const json_t *v = json_object_get(object, f->name);
        bool ok = true;
        if (v && !json_is_null(v))
            ok = decode_field(m, f, reader, v, at(f, out), e);
        /* The wording is the service's own. */
        if (ok && reader == MODEL_SERVER && (f->flags & FIELD_REQUIRED)) {
            const char *text = *(char **)at(f, out);
            ok = (text && *text) || err_set(e, ERR_INVALID_PARAMETER,
                                            "Field '%s' is required, expected non-default value (not \"\")!", f->name);
        }
        if (!ok) {
            model_release(m, out);
            return false;
        }
    }
    return true;
}

static json_t *encode_list(const struct field *f, enum model_side writer, const struct model_list *list)
{
    json_t *a = json_array();
    for (size_t i = 0; i < list->count; i++) {
        if (f->type == FIELD_STRS)
            json_array_append_new(a, jx_str(((char **)list->items)[i]));
        else
            json_array_append_new(a, model_encode(f->of, writer, item(f->of, list, i)));
    }
    return a;
}

/* NULL: absent. */
static json_t *encode_field(const struct field *f, enum model_side writer, const void *from)
{
    switch (f->type) {
    case FIELD_STR: {
        const char *s = *(char *const *)from;
        return s ? jx_str(s) : NULL;
    }
    case FIELD_INT: {
        const struct opt_int *n = from;
        return n->has ? json_integer(n->value) : NULL;
    }
    case FIELD_BOOL: {
        enum tri t = *(const enum tri *)from;
        return t == TRI_ABSENT ? NULL : json_boolean(t == TRI_TRUE);
    }
    case FIELD_OBJECT: {
        const void *object = *(void *const *)from;
        return object ? model_encode(f->of, writer, object) : NULL;
    }
    case FIELD_LIST:
    case FIELD_STRS: {
        const struct model_list *list = from;
        return list->count ? encode_list(f, writer, list) : NULL;
    }
    case FIELD_JSON: {
        json_t *v = *(json_t *const *)from;
        return v ? json_deep_copy(v) : NULL;
    }
    }
    bug("field '%s' has type %d", f->name, (int)f->type);
}

json_t *model_encode(const struct model *m, enum model_side writer, const void *in)
{
    unsigned skip = writer == MODEL_SERVER ? FIELD_INPUT : FIELD_OUTPUT;
    json_t *object = json_object();
    for (const struct field *f = m->fields; f->name; f++) {
        json_t *v = f->flags & skip ? NULL : encode_field(f, writer, at_const(f, in));
        if (v)
            json_object_set_new(object, f->name, v);
    }
    return object;
}

static void release_list(const struct field *f, struct model_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (f->type == FIELD_STRS)
            free(((char **)list->items)[i]);
        else
            model_release(f->of, item(f->of, list, i));
    }
    free(list->items);
}

void model_release(const struct model *m, void *in)
{
    for (const struct field *f = m->fields; f->name; f++) {
        void *p = at(f, in);
        if (f->type == FIELD_STR) {
            free(*(char **)p);
        } else if (f->type == FIELD_LIST || f->type == FIELD_STRS) {
            release_list(f, p);
        } else if (f->type == FIELD_JSON) {
            json_decref(*(json_t **)p);
        } else if (f->type == FIELD_OBJECT && *(void **)p) {
            model_release(f->of, *(void **)p);
            free(*(void **)p);
        }
    }
    memset(in, 0, m->size);
}

static void copy_list(const struct field *f, struct model_list *to, const struct model_list *from)
{
    size_t size = f->type == FIELD_STRS ? sizeof(char *) : f->of->size;
    *to = (struct model_list){.items = from->count ? xcalloc(from->count, size) : NULL, .count = from->count};
    for (size_t i = 0; i < from->count; i++) {
        if (f->type == FIELD_STRS)
            ((char **)to->items)[i] = xstrdup(((char **)from->items)[i]);
        else
            model_copy(f->of, item(f->of, to, i), item(f->of, from, i));
    }
}

void model_copy(const struct model *m, void *to, const void *from)
{
    memcpy(to, from, m->size);
    for (const struct field *f = m->fields; f->name; f++) {
        void *t = at(f, to);
        const void *s = at_const(f, from);
        if (f->type == FIELD_STR) {
            *(char **)t = xstrdup(*(char *const *)s);
        } else if (f->type == FIELD_LIST || f->type == FIELD_STRS) {
            copy_list(f, t, s);
        } else if (f->type == FIELD_JSON) {
            *(json_t **)t = json_deep_copy(*(json_t *const *)s);
        } else if (f->type == FIELD_OBJECT && *(void *const *)s) {
            *(void **)t = xcalloc(1, f->of->size);
            model_copy(f->of, *(void **)t, *(void *const *)s);
        }
    }
}

void *model_list_add(const struct model *of, struct model_list *list)
{
    /* Grow by doubling: the capacity is the next power of two of the count. */
    if ((list->count & (list->count - 1)) == 0)
        list->items = xreallocarray(list->items, list->count ? 2 * list->count : 1, of->size);
    void *last = item(of, list, list->count++);
    memset(last, 0, of->size);
    return last;
}
