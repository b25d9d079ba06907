/* Values as text (see worker_rows.h). Numbers with a point are written as Spark writes them: 1.0, 1.0E10. */
#include "workspace/worker_rows.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"

/* ---- floating point ---- */
/* The fewest digits that read back as the same number: "-1.25e+02". */
static void shortest(double value, bool single, char out[40])
{
    for (int digits = 0; digits < 17; digits++) {
        snprintf(out, 40, "%.*e", digits, value);
        if (single ? strtof(out, NULL) == (float)value : strtod(out, NULL) == value)
            return;
    }
}

/* Java's Double.toString: plain from 1e-3 up to 1e7, else with E; always a digit after the point. */
static void add_double(struct buf *out, double value, bool single)
{
    char text[40];
    if (isnan(value) || isinf(value)) {
        buf_puts(out, isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity");
        return;
    }
    shortest(value, single, text);
    char *e = strchr(text, 'e');
    int exponent = (int)strtol(e + 1, NULL, 10), digits = (int)(e - text) - (text[0] == '-') - 1; /* with the point: 0, 2, 3 … */
    digits = digits > 1 ? digits - 1 : 0;                                       /* digits after the point */
    *e = '\0';
    double size = fabs(value);
    if (value == 0 || (size >= 1e-3 && size < 1e7)) {
        int after = digits - exponent;
        buf_printf(out, "%.*f", after < 1 ? 1 : after, value);
        return;
    }
    buf_printf(out, "%s%sE%d", text, strchr(text, '.') ? "" : ".0", exponent);
}

/* ---- decimals ---- */
__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 wide_size;

static wide unscaled(const struct lake_vector *v, size_t row)
{
    switch (v->width) {
    case 2: return ((const int16_t *)v->data)[row];
    case 4: return ((const int32_t *)v->data)[row];
    case 8: return ((const int64_t *)v->data)[row];
    default: return ((const wide *)v->data)[row];
    }
}

static void add_decimal(struct buf *out, const struct lake_column *c, const struct lake_vector *v, size_t row)
{
    wide value = unscaled(v, row);
    wide_size size = value < 0 ? -(wide_size)value : (wide_size)value;
    char digits[48];
    int n = 0;
    while (size > 0 || n <= c->scale) {
        digits[n++] = (char)('0' + (int)(size % 10));
        size /= 10;
    }
    if (value < 0)
        buf_putc(out, '-');
    while (n > 0) {
        if (n == c->scale)
            buf_putc(out, '.');
        buf_putc(out, digits[--n]);
    }
}

/* ---- time ---- */
/* Days since 1970 → "2026-11-23" (proleptic Gregorian; H. Hinnant's civil_from_days). */
static void add_date(struct buf *out, int64_t days)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097, yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t month = mp < 10 ? mp + 3 : mp - 9;
    buf_printf(out, "%04lld-%02lld-%02lld", (long long)(yoe + era * 400 + (month <= 2)), (long long)month,
               (long long)(doy - (153 * mp + 2) / 5 + 1));
}

static void add_timestamp(struct buf *out, int64_t micros, bool zone)
{
    int64_t day = micros / 86400000000, rest = micros % 86400000000;
    if (rest < 0) {
        rest += 86400000000;
        day--;
    }
    int fraction = (int)(rest % 1000000), seconds = (int)(rest / 1000000);
    add_date(out, day);
    buf_printf(out, "T%02d:%02d:%02d.", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if (fraction % 1000)
        buf_printf(out, "%06d", fraction);
    else
        buf_printf(out, "%03d", fraction / 1000);
    buf_puts(out, zone ? "Z" : "");
}

/* ---- the rest ---- */
static void add_base64(struct buf *out, const char *bytes, size_t len)
{
    unsigned char text[4 * 1024 + 1];
    while (len > 0) {
        size_t n = len < 3072 ? len : 3072;
        int written = EVP_EncodeBlock(text, (const unsigned char *)bytes, (int)n);
        buf_add(out, text, (size_t)written);
        bytes += n;
        len -= n;
    }
}

void worker_value_text(struct buf *out, const struct lake_column *c, const struct lake_vector *v, size_t row)
{
    const struct lake_string *s = (const struct lake_string *)v->data + row;
    switch (c->type) {
    case DELTA_BOOLEAN: buf_puts(out, ((const uint8_t *)v->data)[row] ? "true" : "false"); break;
    case DELTA_BYTE: buf_printf(out, "%d", ((const int8_t *)v->data)[row]); break;
    case DELTA_SHORT: buf_printf(out, "%d", ((const int16_t *)v->data)[row]); break;
    case DELTA_INTEGER: buf_printf(out, "%d", ((const int32_t *)v->data)[row]); break;
    case DELTA_LONG: buf_printf(out, "%lld", (long long)((const int64_t *)v->data)[row]); break;
    case DELTA_FLOAT: add_double(out, (double)((const float *)v->data)[row], true); break;
    case DELTA_DOUBLE: add_double(out, ((const double *)v->data)[row], false); break;
    case DELTA_DECIMAL: add_decimal(out, c, v, row); break;
    case DELTA_DATE: add_date(out, ((const int32_t *)v->data)[row]); break;
    case DELTA_TIMESTAMP: add_timestamp(out, ((const int64_t *)v->data)[row], true); break;
    case DELTA_TIMESTAMP_NTZ: add_timestamp(out, ((const int64_t *)v->data)[row], false); break;
    case DELTA_BINARY: add_base64(out, lake_string_text(s), s->length); break;
    default: buf_add(out, lake_string_text(s), s->length); break;
    }
}

json_t *worker_columns_json(const struct lake_column *columns, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        const struct lake_column *c = &columns[i];
        struct delta_column as = {.type = c->type};
        const char *type = c->type == DELTA_NESTED ? NULL : delta_column_type_name(&as);
        if (!type) /* the word before "<" */
            type = c->type_text[0] == 'A' ? "ARRAY" : c->type_text[0] == 'M' ? "MAP" : "STRUCT";
        json_t *one = json_pack("{s:o, s:s, s:o, s:I}", "name", jx_str(c->name), "type_name", type, "type_text",
                                jx_str(c->type_text), "position", (json_int_t)i);
        if (c->type == DELTA_DECIMAL) {
            json_object_set_new(one, "type_precision", json_integer(c->precision));
            json_object_set_new(one, "type_scale", json_integer(c->scale));
        }
        json_array_append_new(list, one);
    }
    return list;
}
