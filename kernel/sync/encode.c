/*
 * Rows of DuckDB's vectors as PostgreSQL's binary COPY format. Each column has one function; nothing is turned into text.
 * Source: PostgreSQL documentation, COPY "Binary Format", and the receive functions of the types.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "sync/internal.h"

enum {
    DAYS_1970_TO_2000 = 10957,
    NUMERIC_MAX_GROUPS = 24 /* 38 digits in base 10000, split at the point */
};
static const int64_t MICROS_1970_TO_2000 = 946684800000000;

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

struct encoder;
typedef bool encode_fn(struct encoder *en, const struct lake_vector *v, size_t row, size_t column, struct err *e);

struct encoder {
    const struct lake_column *columns;
    encode_fn **encode;
    bool *key;
    size_t n;
    char *data;
    size_t len, cap;
    int64_t skipped;
};

static char *reserve(struct encoder *en, size_t bytes)
{
    if (en->cap - en->len < bytes) {
        while (en->cap - en->len < bytes)
            en->cap = en->cap ? en->cap * 2 : 1 << 18;
        en->data = xreallocarray(en->data, en->cap, 1);
    }
    return en->data + en->len;
}

static void put16(char *to, uint16_t v)
{
    v = __builtin_bswap16(v);
    memcpy(to, &v, 2);
}

static void put32(char *to, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(to, &v, 4);
}

static void put64(char *to, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(to, &v, 8);
}

static bool add16(struct encoder *en, int16_t v)
{
    char *to = reserve(en, 6);
    put32(to, 2);
    put16(to + 4, (uint16_t)v);
    en->len += 6;
    return true;
}

static bool add32(struct encoder *en, uint32_t v)
{
    char *to = reserve(en, 8);
    put32(to, 4);
    put32(to + 4, v);
    en->len += 8;
    return true;
}

static bool add64(struct encoder *en, uint64_t v)
{
    char *to = reserve(en, 12);
    put32(to, 8);
    put64(to + 4, v);
    en->len += 12;
    return true;
}

#define AT(v, type, row) (((const type *)(v)->data)[row])
#define ENCODE(name) \
    static bool name(struct encoder *en, const struct lake_vector *v, size_t row, size_t column, struct err *e)
#define UNUSED_HERE (void)column, (void)e

ENCODE(encode_boolean)
{
    UNUSED_HERE;
    char *to = reserve(en, 5);
    put32(to, 1);
    to[4] = AT(v, uint8_t, row) ? 1 : 0;
    en->len += 5;
    return true;
}

ENCODE(encode_byte) { UNUSED_HERE; return add16(en, AT(v, int8_t, row)); }
ENCODE(encode_short) { UNUSED_HERE; return add16(en, AT(v, int16_t, row)); }
ENCODE(encode_32) { UNUSED_HERE; return add32(en, AT(v, uint32_t, row)); }
ENCODE(encode_64) { UNUSED_HERE; return add64(en, AT(v, uint64_t, row)); }

ENCODE(encode_date)
{
    UNUSED_HERE;
    int32_t days = AT(v, int32_t, row);
    bool infinite = days == INT32_MAX || days == -INT32_MAX;
    if (infinite)
        return add32(en, (uint32_t)(days == INT32_MAX ? INT32_MAX : INT32_MIN));
    return add32(en, (uint32_t)(days - DAYS_1970_TO_2000));
}

ENCODE(encode_timestamp)
{
    UNUSED_HERE;
    int64_t micros = AT(v, int64_t, row);
    bool infinite = micros == INT64_MAX || micros == -INT64_MAX;
    if (infinite)
        return add64(en, (uint64_t)(micros == INT64_MAX ? INT64_MAX : INT64_MIN));
    return add64(en, (uint64_t)(micros - MICROS_1970_TO_2000));
}

static int128 unscaled(const struct lake_vector *v, size_t row)
{
    switch (v->width) {
    case 2: return AT(v, int16_t, row);
    case 4: return AT(v, int32_t, row);
    case 8: return AT(v, int64_t, row);
    default: break;
    }
    int128 wide;
    memcpy(&wide, (const char *)v->data + row * 16, 16);
    return wide;
}

/* Digits in base 10000 around the decimal point, without zero groups at either end, as numeric_send has them. */
ENCODE(encode_decimal)
{
    UNUSED_HERE;
    int scale = en->columns[column].scale;
    int128 signed_value = unscaled(v, row);
    uint128 value = signed_value < 0 ? -(uint128)signed_value : (uint128)signed_value;
    uint16_t groups[NUMERIC_MAX_GROUPS]; /* filled from the end */
    int first = NUMERIC_MAX_GROUPS, weight = -1, left = scale;
    if (scale % 4) { /* the last group of the fraction is cut: fill it up with zeros */
        static const uint16_t power[] = {1, 10, 100, 1000};
        groups[--first] = (uint16_t)(value % power[scale % 4] * power[4 - scale % 4]);
        value /= power[scale % 4];
        left -= scale % 4;
    }
    for (; left > 0; left -= 4, value /= 10000)
        groups[--first] = (uint16_t)(value % 10000);
    for (; value; value /= 10000, weight++)
        groups[--first] = (uint16_t)(value % 10000);
    int last = NUMERIC_MAX_GROUPS;
    while (last > first && groups[last - 1] == 0)
        last--;
    for (; first < last && groups[first] == 0; weight--)
        first++;
    int n = last - first;
    char *to = reserve(en, (size_t)(12 + 2 * n));
    put32(to, (uint32_t)(8 + 2 * n));
    put16(to + 4, (uint16_t)n);
    put16(to + 6, (uint16_t)(n ? weight : 0));
    put16(to + 8, signed_value < 0 ? 0x4000 : 0);
    put16(to + 10, (uint16_t)scale);
    for (int i = 0; i < n; i++)
        put16(to + 12 + 2 * i, groups[first + i]);
    en->len += (size_t)(12 + 2 * n);
    return true;
}

static void add_bytes(struct encoder *en, const char *prefix, size_t prefix_len, const struct lake_string *s)
{
    char *to = reserve(en, 4 + prefix_len + s->length);
    put32(to, (uint32_t)(prefix_len + s->length));
    memcpy(to + 4, prefix, prefix_len);
    memcpy(to + 4 + prefix_len, lake_string_text(s), s->length);
    en->len += 4 + prefix_len + s->length;
}

ENCODE(encode_binary)
{
    UNUSED_HERE;
    add_bytes(en, "", 0, &AT(v, struct lake_string, row));
    return true;
}

static bool text_ok(const struct encoder *en, const struct lake_string *s, size_t column, struct err *e)
{
    const char *text = lake_string_text(s);
    if (memchr(text, 0, s->length))
        return user_error(e, "CHARACTER_NOT_IN_REPERTOIRE",
                          "column %s has a string with a NUL character, which PostgreSQL cannot hold",
                          en->columns[column].name);
    if (!utf8_valid(text, s->length))
        return user_error(e, "CHARACTER_NOT_IN_REPERTOIRE", "column %s has a string that is not UTF-8",
                          en->columns[column].name);
    return true;
}

ENCODE(encode_string)
{
    const struct lake_string *s = &AT(v, struct lake_string, row);
    if (!text_ok(en, s, column, e))
        return false;
    add_bytes(en, "", 0, s);
    return true;
}

/* The engine writes NaN and Infinity as they are, JSON has no such numbers: they become strings, as Spark's to_json does. */
static const char *not_json(const char *at, const char *end)
{
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    for (bool quoted = false; at < end; at++) {
        if (quoted && *at == '\\')
            at++;
        else if (*at == '"')
            quoted = !quoted;
        for (size_t i = 0; !quoted && i < ARRAY_LEN(words); i++) {
            size_t len = strlen(words[i]);
            if ((size_t)(end - at) >= len && memcmp(at, words[i], len) == 0)
                return at;
        }
    }
    return NULL;
}

static void add_quoted_numbers(struct encoder *en, const char *text, size_t len)
{
    const char *end = text + len;
    size_t start = en->len;
    put32(reserve(en, 5), 0);
    en->data[start + 4] = 1;
    en->len += 5;
    for (const char *word; (word = not_json(text, end)); text = word) {
        size_t before = (size_t)(word - text), n = *word == '-' ? 9 : *word == 'N' ? 3 : 8;
        char *to = reserve(en, before + n + 2);
        memcpy(to, text, before);
        to[before] = '"';
        memcpy(to + before + 1, word, n);
        to[before + 1 + n] = '"';
        en->len += before + n + 2;
        word += n;
    }
    size_t rest = (size_t)(end - text);
    memcpy(reserve(en, rest + 1), text, rest);
    en->len += rest;
    put32(en->data + start, (uint32_t)(en->len - start - 4));
}

ENCODE(encode_jsonb)
{
    const struct lake_string *s = &AT(v, struct lake_string, row);
    if (!text_ok(en, s, column, e))
        return false;
    const char *text = lake_string_text(s);
    if (not_json(text, text + s->length))
        add_quoted_numbers(en, text, s->length);
    else
        add_bytes(en, "\1", 1, s); /* version of the binary form */
    return true;
}

ENCODE(encode_null)
{
    UNUSED_HERE;
    (void)v, (void)row;
    put32(reserve(en, 4), UINT32_MAX);
    en->len += 4;
    return true;
}

static encode_fn *encoder_of(enum delta_type type)
{
    switch (type) {
    case DELTA_BOOLEAN: return encode_boolean;
    case DELTA_BYTE: return encode_byte;
    case DELTA_SHORT: return encode_short;
    case DELTA_INTEGER: case DELTA_FLOAT: return encode_32;
    case DELTA_LONG: case DELTA_DOUBLE: return encode_64;
    case DELTA_DECIMAL: return encode_decimal;
    case DELTA_STRING: return encode_string;
    case DELTA_BINARY: return encode_binary;
    case DELTA_DATE: return encode_date;
    case DELTA_TIMESTAMP: case DELTA_TIMESTAMP_NTZ: return encode_timestamp;
    case DELTA_VOID: return encode_null;
    case DELTA_NESTED: return encode_jsonb;
    }
    bug("delta type %d", (int)type);
}

struct encoder *encoder_new(const struct lake_column *columns, size_t n, const struct sync_spec *spec)
{
    struct encoder *en = xcalloc(1, sizeof *en);
    en->columns = columns;
    en->n = n;
    en->encode = xcalloc(n, sizeof *en->encode);
    en->key = xcalloc(n, sizeof *en->key);
    for (size_t i = 0; i < n; i++) {
        en->encode[i] = encoder_of(columns[i].type);
        for (size_t k = 0; k < spec->n_key; k++)
            en->key[i] |= strcasecmp(spec->key[k], columns[i].name) == 0;
    }
    return en;
}

void encoder_free(struct encoder *en)
{
    if (!en)
        return;
    free(en->encode);
    free(en->key);
    free(en->data);
    free(en);
}

void encoder_begin(struct encoder *en)
{
    static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";
    memcpy(reserve(en, 19), head, 19);
    en->len += 19;
}

bool encoder_row(struct encoder *en, const struct lake_batch *b, size_t row, struct err *e)
{
    for (size_t i = 0; i < en->n; i++) {
        if (en->key[i] && lake_is_null(&b->vectors[i], row)) {
            en->skipped++;
            return true;
        }
    }
    put16(reserve(en, 2), (uint16_t)en->n);
    en->len += 2;
    for (size_t i = 0; i < en->n; i++) {
        encode_fn *encode = lake_is_null(&b->vectors[i], row) ? encode_null : en->encode[i];
        if (!encode(en, &b->vectors[i], row, i, e))
            return false;
    }
    return true;
}

void encoder_end(struct encoder *en)
{
    put16(reserve(en, 2), UINT16_MAX);
    en->len += 2;
}

const char *encoder_data(const struct encoder *en, size_t *len)
{
    *len = en->len;
    return en->data;
}

void encoder_drop(struct encoder *en)
{
    en->len = 0;
}

int64_t encoder_skipped(const struct encoder *en)
{
    return en->skipped;
}
