/* A type as Databricks SQL spells it, parsed into the log's JSON: "ARRAY<STRUCT<a: DECIMAL(12,2) NOT NULL, b STRING>>". */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/jx.h"
#include "lakehouse/delta_type.h"

struct parser {
    const char *at;
    struct err *e;
};

static void skip_space(struct parser *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
}

static bool take(struct parser *p, char c)
{
    skip_space(p);
    if (*p->at != c)
        return false;
    p->at++;
    return true;
}

static bool want(struct parser *p, char c)
{
    return take(p, c) || err_set(p->e, ERR_INVALID_PARAMETER, "has a type with no '%c' before '%.40s'", c, p->at);
}

static size_t word_length(const char *text)
{
    size_t n = 0;
    while (isalnum((unsigned char)text[n]) || text[n] == '_')
        n++;
    return n;
}

static bool take_word(struct parser *p, const char *word)
{
    skip_space(p);
    size_t n = word_length(p->at);
    if (strlen(word) != n || strncasecmp(p->at, word, n) != 0)
        return false;
    p->at += n;
    return true;
}

static bool number(struct parser *p, int *out)
{
    skip_space(p);
    int n = 0;
    if (!isdigit((unsigned char)*p->at) || sscanf(p->at, "%3d%n", out, &n) != 1)
        return err_set(p->e, ERR_INVALID_PARAMETER, "has a type with no number before '%.40s'", p->at);
    p->at += n;
    return true;
}

static json_t *decimal(struct parser *p)
{
    int precision = 10, scale = 0;
    if (take(p, '(') && !(number(p, &precision) && (!take(p, ',') || number(p, &scale)) && want(p, ')')))
        return NULL;
    if (precision < 1 || precision > 38 || scale > precision) {
        err_set(p->e, ERR_INVALID_PARAMETER, "has the type DECIMAL(%d,%d): the first number is 1 to 38, the second 0 to the first",
                precision, scale);
        return NULL;
    }
    return json_sprintf("decimal(%d,%d)", precision, scale);
}

static json_t *type(struct parser *p, int depth);

/* The name of a field, `quoted` or plain. New reference. */
static json_t *field_name(struct parser *p)
{
    skip_space(p);
    if (*p->at != '`') {
        size_t n = word_length(p->at);
        const char *name = p->at;
        p->at += n;
        if (n == 0)
            err_set(p->e, ERR_INVALID_PARAMETER, "has a struct with no name before '%.40s'", p->at);
        return n ? jx_text(name, n) : NULL;
    }
    struct buf name;
    buf_init(&name, 1 << 16);
    for (p->at++; *p->at && (*p->at != '`' || p->at[1] == '`'); p->at++) {
        p->at += *p->at == '`';
        buf_putc(&name, *p->at);
    }
    json_t *out = name.len && want(p, '`') && buf_ok(&name, "a name in a struct", p->e) ? jx_text(buf_str(&name), name.len) : NULL;
    if (!out)
        err_set(p->e, ERR_INVALID_PARAMETER, "has a struct with an empty name");
    buf_release(&name);
    return out;
}

static bool field_end(struct parser *p, bool *nullable, json_t *metadata)
{
    *nullable = true;
    if (take_word(p, "NOT")) {
        if (!take_word(p, "NULL"))
            return err_set(p->e, ERR_INVALID_PARAMETER, "has a type with NOT, but no NULL, before '%.40s'", p->at);
        *nullable = false;
    }
    if (!take_word(p, "COMMENT"))
        return true;
    skip_space(p);
    char quote = *p->at == '"' ? '"' : '\'';
    const char *start = p->at + 1, *end = *p->at == quote ? strchr(start, quote) : NULL;
    if (!end)
        return err_set(p->e, ERR_INVALID_PARAMETER, "has a type with COMMENT, but no text, before '%.40s'", p->at);
    json_object_set_new(metadata, "comment", jx_text(start, (size_t)(end - start)));
    p->at = end + 1;
    return true;
}

static json_t *field(struct parser *p, int depth)
{
    bool nullable;
    json_t *name = field_name(p), *metadata = json_object();
    if (name)
        take(p, ':');
    json_t *inner = name ? type(p, depth + 1) : NULL, *out = NULL;
    if (inner && field_end(p, &nullable, metadata))
        out = json_pack("{sO sO sb sO}", "name", name, "type", inner, "nullable", nullable, "metadata", metadata);
    json_decref(name);
    json_decref(inner);
    json_decref(metadata);
    return out;
}

static json_t *structure(struct parser *p, int depth)
{
    json_t *fields = json_array();
    bool ok = want(p, '<'), more = ok && !take(p, '>');
    while (ok && more) {
        json_t *f = field(p, depth);
        ok = f && json_array_append_new(fields, f) == 0;
        more = ok && take(p, ',');
        if (ok && !more)
            ok = want(p, '>');
    }
    if (!ok) {
        json_decref(fields);
        return NULL;
    }
    return json_pack("{ss so}", "type", "struct", "fields", fields);
}

static json_t *array(struct parser *p, int depth)
{
    json_t *inner = want(p, '<') ? type(p, depth + 1) : NULL;
    if (inner && want(p, '>'))
        return json_pack("{ss so sb}", "type", "array", "elementType", inner, "containsNull", 1);
    json_decref(inner);
    return NULL;
}

static json_t *map(struct parser *p, int depth)
{
    json_t *key = want(p, '<') ? type(p, depth + 1) : NULL;
    json_t *value = key && want(p, ',') ? type(p, depth + 1) : NULL;
    if (value && want(p, '>'))
        return json_pack("{ss so so sb}", "type", "map", "keyType", key, "valueType", value, "valueContainsNull", 1);
    json_decref(key);
    json_decref(value);
    return NULL;
}

static json_t *refuse(struct parser *p, const char *word, size_t len)
{
    bool sized = !strncasecmp(word, "VARCHAR", len) || !strncasecmp(word, "CHAR", len);
    if (len == 0)
        err_set(p->e, ERR_INVALID_PARAMETER, "has no type before '%.40s'", word);
    else
        err_set(p->e, ERR_NOT_IMPLEMENTED, "has the type '%.*s', which this workspace does not offer", (int)(len < 60 ? len : 60),
                word);
    err_hint(p->e, "%s", sized ? "use STRING (a length would not be checked here)"
                               : "types: BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, DECIMAL(p,s), STRING, BINARY, DATE, "
                                 "TIMESTAMP, TIMESTAMP_NTZ, ARRAY<…>, MAP<…,…>, STRUCT<…>");
    return NULL;
}

static json_t *type(struct parser *p, int depth)
{
    if (depth > DELTA_TYPE_DEPTH_MAX) {
        err_set(p->e, ERR_TOO_BIG, "has a type that is nested more than %d deep", DELTA_TYPE_DEPTH_MAX);
        return NULL;
    }
    if (take_word(p, "ARRAY"))
        return array(p, depth);
    if (take_word(p, "MAP"))
        return map(p, depth);
    if (take_word(p, "STRUCT"))
        return structure(p, depth);
    skip_space(p);
    size_t len = word_length(p->at);
    const char *word = p->at, *log = delta_type_of_word(word, len);
    if (!log)
        return refuse(p, word, len);
    p->at += len;
    return !strcmp(log, "decimal") ? decimal(p) : json_string(log);
}

json_t *delta_type_from_sql(const char *text, struct err *e)
{
    struct parser p = {text, e};
    json_t *out = type(&p, 0);
    skip_space(&p);
    if (out && *p.at) {
        err_set(e, ERR_INVALID_PARAMETER, "has a type that goes on with '%.40s' after its end", p.at);
        json_decref(out);
        out = NULL;
    }
    return out;
}
