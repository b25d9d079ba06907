/* Values as text (see worker_values.h). Knows no statement. */
#include "workspace/worker_values.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

#define AT(v, type, row) (((const type *)(v)->data)[row])

static int128 unscaled(const struct lake_vector *v, size_t row)
{
    int128 wide;
    switch (v->width) {
    case 2: return AT(v, int16_t, row);
    case 4: return AT(v, int32_t, row);
    case 8: return AT(v, int64_t, row);
    default: break;
    }
    memcpy(&wide, (const char *)v->data + row * 16, 16);
    return wide;
}

static void put_decimal(int128 value, int scale, struct buf *out)
{
    char digits[48];
    int n = 0;
    uint128 left = value < 0 ? -(uint128)value : (uint128)value;
    do {
        digits[n++] = (char)('0' + (int)(left % 10));
        left /= 10;
    } while (left || n <= scale);
    if (value < 0)
        buf_putc(out, '-');
    while (n-- > 0) {
        buf_putc(out, digits[n]);
        if (n == scale && scale)
            buf_putc(out, '.');
    }
}

/* The shortest text that reads back as the same number, as Java writes it: "1.0", "1.0E10", "NaN". */
static void put_real(double value, bool single, struct buf *out)
{
    char text[40];
    if (isnan(value) || isinf(value)) {
        buf_puts(out, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
        return;
    }
    for (int digits = single ? 6 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
            break;
    }
    char *exponent = strchr(text, 'e');
    if (!exponent) {
        buf_puts(out, text);
        buf_puts(out, strchr(text, '.') ? "" : ".0");
        return;
    }
    buf_add(out, text, (size_t)(exponent - text));
    buf_puts(out, memchr(text, '.', (size_t)(exponent - text)) ? "" : ".0");
    buf_printf(out, "E%ld", strtol(exponent + 1, NULL, 10));
}

/* Civil date of days since 1970: the algorithm of Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
static void put_date(int64_t days, struct buf *out)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097, yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t d = doy - (153 * mp + 2) / 5 + 1, m = mp < 10 ? mp + 3 : mp - 9, y = yoe + era * 400 + (m <= 2);
    buf_printf(out, "%s%04" PRId64 "-%02d-%02d", y < 0 ? "-" : "", y < 0 ? -y : y, (int)m, (int)d);
}

static void put_timestamp(int64_t micros, bool zone, struct buf *out)
{
    static const int64_t day = 86400000000;
    int64_t days = micros / day, rest = micros % day;
    if (rest < 0) {
        rest += day;
        days--;
    }
    put_date(days, out);
    int64_t s = rest / 1000000, fraction = rest % 1000000;
    buf_printf(out, "T%02d:%02d:%02d.", (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
    if (fraction % 1000)
        buf_printf(out, "%06d", (int)fraction);
    else
        buf_printf(out, "%03d", (int)(fraction / 1000));
    buf_puts(out, zone ? "Z" : "");
}

static void put_base64(const struct lake_string *s, struct buf *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)lake_string_text(s);
    for (size_t i = 0; i < s->length; i += 3) {
        size_t left = s->length - i;
        unsigned v = (unsigned)p[i] << 16 | (left > 1 ? (unsigned)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
        char four[4] = {letters[v >> 18], letters[v >> 12 & 63], left > 1 ? letters[v >> 6 & 63] : '=',
                        left > 2 ? letters[v & 63] : '='};
        buf_add(out, four, 4);
    }
}

void worker_value(const struct lake_column *c, const struct lake_vector *v, size_t row, struct buf *out)
{
    switch (c->type) {
    case DELTA_BOOLEAN: buf_puts(out, AT(v, uint8_t, row) ? "true" : "false"); break;
    case DELTA_BYTE: buf_printf(out, "%d", AT(v, int8_t, row)); break;
    case DELTA_SHORT: buf_printf(out, "%d", AT(v, int16_t, row)); break;
    case DELTA_INTEGER: buf_printf(out, "%d", AT(v, int32_t, row)); break;
    case DELTA_LONG: buf_printf(out, "%" PRId64, AT(v, int64_t, row)); break;
    case DELTA_FLOAT: put_real((double)AT(v, float, row), true, out); break;
    case DELTA_DOUBLE: put_real(AT(v, double, row), false, out); break;
    case DELTA_DECIMAL: put_decimal(unscaled(v, row), c->scale, out); break;
    case DELTA_DATE: put_date(AT(v, int32_t, row), out); break;
    case DELTA_TIMESTAMP: put_timestamp(AT(v, int64_t, row), true, out); break;
    case DELTA_TIMESTAMP_NTZ: put_timestamp(AT(v, int64_t, row), false, out); break;
    case DELTA_BINARY: put_base64(&AT(v, struct lake_string, row), out); break;
    case DELTA_STRING: case DELTA_NESTED: {
        const struct lake_string *s = &AT(v, struct lake_string, row);
        buf_add(out, lake_string_text(s), s->length);
        break;
    }
    case DELTA_VOID: break;
    }
}
