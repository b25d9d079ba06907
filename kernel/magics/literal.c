/* Literals of %set (see literal.h): numbers, texts, True, False, None, lists, and {…} as JSON. */
#include "magics/literal.h"

#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Type oids of pg_type.dat. */
enum { T_BOOL = 16, T_INT8 = 20, T_INT4 = 23, T_TEXT = 25, T_NUMERIC = 1700, T_JSONB = 3802 };

struct reader {
    const char *text;
    size_t len, at;
    struct err *e;
};

static bool fail(struct reader *r, const char *what)
{
    err_set(r->e, ERR_USAGE, "%s", what);
    err_hint(r->e, "a value is 42, 4.2, 'text', True, None, [1, 2, 3] or {\"key\": \"value\"}; a date is a text: "
                   "'2026-01-31'");
    return false;
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->len && strchr(" \t\r\n", r->text[r->at]))
        r->at++;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* ---- texts ---- */

static void put_code_point(struct buf *out, unsigned long cp)
{
    char utf8[4];
    size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; cp >>= 6)
        utf8[i] = (char)(0x80 | (cp & 0x3f));
    utf8[0] = (char)(lead[n] | cp);
    buf_add(out, utf8, n);
}

/* Behind "\x", "\u" or "\U": so many hex digits. */
static bool read_hex(struct reader *r, size_t digits, struct buf *out)
{
    char hex[9] = "";
    for (size_t i = 0; i < digits && r->at < r->len; i++)
        hex[i] = r->text[r->at + i];
    unsigned long cp = strtoul(hex, NULL, 16);
    if (r->len - r->at < digits || strspn(hex, "0123456789abcdefABCDEF") != digits || cp == 0 || cp > 0x10ffff ||
        (cp >= 0xd800 && cp < 0xe000))
        return fail(r, "this escape is no character that PostgreSQL can store");
    r->at += digits;
    put_code_point(out, cp);
    return true;
}

static bool read_escape(struct reader *r, struct buf *out)
{
    static const char from[] = "nrtbf\\'\"a", to[] = "\n\r\t\b\f\\'\"\a";
    char c = r->at < r->len ? r->text[r->at] : '\0';
    const char *known = c ? strchr(from, c) : NULL;
    if (known) {
        buf_putc(out, to[known - from]);
        r->at++;
        return true;
    }
    if (c != 'x' && c != 'u' && c != 'U')
        return fail(r, "unknown escape in a text; a backslash is written \\\\");
    r->at++;
    return read_hex(r, c == 'x' ? 2 : c == 'u' ? 4 : 8, out);
}

static bool read_text(struct reader *r, struct buf *out)
{
    size_t opened = r->at;
    char quote = r->text[r->at++];
    while (r->at < r->len) {
        char c = r->text[r->at++];
        if (c == quote && !(r->at < r->len && r->text[r->at] == quote))
            return true;
        if (c == quote)
            r->at++; /* doubled, as SQL writes it */
        if (c == '\\') {
            if (!read_escape(r, out))
                return false;
        } else {
            buf_putc(out, c);
        }
    }
    r->at = opened;
    return fail(r, "the text is not closed");
}

/* ---- numbers and words ---- */

static unsigned integer_type(const char *digits)
{
    errno = 0;
    long long n = strtoll(digits, NULL, 10);
    return errno ? T_NUMERIC : n >= INT32_MIN && n <= INT32_MAX ? T_INT4 : T_INT8;
}

static size_t skip_digits(struct reader *r)
{
    size_t from = r->at;
    while (r->at < r->len && is_digit(r->text[r->at]))
        r->at++;
    return r->at - from;
}

static bool read_number(struct reader *r, struct literal *out)
{
    size_t from = r->at;
    bool integer = true;
    r->at += r->text[r->at] == '-' || r->text[r->at] == '+';
    size_t digits = skip_digits(r);
    if (r->at < r->len && r->text[r->at] == '.') {
        r->at++;
        digits += skip_digits(r);
        integer = false;
    }
    if (digits > 0 && r->at < r->len && (r->text[r->at] == 'e' || r->text[r->at] == 'E')) {
        r->at++;
        r->at += r->at < r->len && (r->text[r->at] == '-' || r->text[r->at] == '+');
        digits = skip_digits(r);
        integer = false;
    }
    if (digits == 0)
        return fail(r, "this is no number");
    buf_add(&out->text, r->text + from, r->at - from);
    out->type = integer ? integer_type(buf_str(&out->text)) : T_NUMERIC;
    return true;
}

static bool read_word(struct reader *r, struct literal *out)
{
    static const struct {
        const char *word, *text;
        bool null;
    } words[] = {{"True", "t", false}, {"False", "f", false}, {"true", "t", false}, {"false", "f", false},
                 {"None", "", true},   {"null", "", true},    {"NULL", "", true}};
    size_t end = r->at;
    while (end < r->len && (((r->text[end] | 32) >= 'a' && (r->text[end] | 32) <= 'z') || r->text[end] == '_'))
        end++;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i].word) != end - r->at || memcmp(words[i].word, r->text + r->at, end - r->at) != 0)
            continue;
        r->at = end;
        out->null = words[i].null;
        out->type = words[i].null ? 0 : T_BOOL;
        buf_puts(&out->text, words[i].text);
        return true;
    }
    return fail(r, "this is no value; a text stands in quotes");
}

/* ---- JSON and lists ---- */

/* The rest is one JSON object. */
static bool read_json(struct reader *r, struct literal *out)
{
    json_error_t why;
    json_t *doc = json_loadb(r->text + r->at, r->len - r->at, JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &why);
    if (!doc) {
        r->at += why.position > 0 && (size_t)why.position <= r->len - r->at ? (size_t)why.position - 1 : 0;
        return err_set(r->e, ERR_USAGE, "this is no JSON: %s", why.text);
    }
    json_decref(doc);
    buf_add(&out->text, r->text + r->at, (size_t)why.position); /* as it was written: numbers keep their digits */
    r->at += (size_t)why.position;
    out->type = T_JSONB;
    return true;
}

void literal_array_element(struct buf *out, const char *value, size_t len)
{
    if (!value) {
        buf_puts(out, "NULL");
        return;
    }
    bool quotes = len == 0 || (len == 4 && strncasecmp(value, "null", 4) == 0);
    for (size_t i = 0; i < len && !quotes; i++)
        quotes = strchr("{},\"\\ \t\n\r\v\f", value[i]) != NULL;
    if (!quotes) {
        buf_add(out, value, len);
        return;
    }
    buf_putc(out, '"');
    for (size_t i = 0; i < len; i++) {
        if (value[i] == '"' || value[i] == '\\')
            buf_putc(out, '\\');
        buf_putc(out, value[i]);
    }
    buf_putc(out, '"');
}

/* int4 beside int8 or numeric becomes the wider one; a text beside a number is an error. */
static bool widen(struct reader *r, unsigned *type, bool *typed, const struct literal *item)
{
    unsigned wanted = item->type ? item->type : T_TEXT;
    if (item->null || (*typed && *type == wanted))
        return true;
    bool numbers = (*type == T_INT4 || *type == T_INT8 || *type == T_NUMERIC) &&
                   (wanted == T_INT4 || wanted == T_INT8 || wanted == T_NUMERIC);
    if (*typed && !numbers)
        return fail(r, "the values of a list must be of one type");
    bool wider = !*typed || wanted == T_NUMERIC || (wanted == T_INT8 && *type == T_INT4);
    *type = wider ? wanted : *type;
    *typed = true;
    return true;
}

static bool read_scalar(struct reader *r, struct literal *out)
{
    char c = r->at < r->len ? r->text[r->at] : '\0';
    if (c == '\'' || c == '"')
        return read_text(r, &out->text);
    if (is_digit(c) || c == '-' || c == '+' || c == '.')
        return read_number(r, out);
    return c == '{' ? read_json(r, out) : read_word(r, out);
}

static bool read_item(struct reader *r, struct buf *out, unsigned *type, bool *typed)
{
    struct literal item = {0};
    size_t from = r->at;
    buf_init(&item.text, LITERAL_MAX_BYTES);
    bool ok = read_scalar(r, &item);
    if (ok && !widen(r, type, typed, &item)) {
        r->at = from;
        ok = false;
    }
    if (ok)
        literal_array_element(out, item.null ? NULL : buf_str(&item.text), item.text.len);
    buf_release(&item.text);
    return ok;
}

/* At '['. Lists in lists are arrays of more dimensions. */
static bool read_list(struct reader *r, struct buf *out, unsigned *type, bool *typed, int depth)
{
    if (depth > LITERAL_MAX_DEPTH)
        return fail(r, "an array has at most 6 dimensions");
    buf_putc(out, '{');
    r->at++;
    for (size_t n = 0;; n++) {
        skip_blanks(r);
        if (r->at < r->len && r->text[r->at] == ']')
            break;
        if (n > 0)
            buf_putc(out, ',');
        bool list = r->at < r->len && r->text[r->at] == '[';
        if (!(list ? read_list(r, out, type, typed, depth + 1) : read_item(r, out, type, typed)))
            return false;
        skip_blanks(r);
        if (r->at < r->len && r->text[r->at] == ',')
            r->at++;
        else if (r->at == r->len || r->text[r->at] != ']')
            return fail(r, "a list goes on with , or ends with ]");
    }
    r->at++;
    buf_putc(out, '}');
    return true;
}

static unsigned array_of(unsigned type)
{
    return type == T_BOOL      ? 1000
           : type == T_INT4    ? 1007
           : type == T_INT8    ? 1016
           : type == T_NUMERIC ? 1231
           : type == T_JSONB   ? 3807
                               : 1009;
}

static bool read_value(struct reader *r, struct literal *out)
{
    bool typed = false;
    unsigned type = 0;
    if (r->at == r->len || r->text[r->at] != '[')
        return read_scalar(r, out);
    bool ok = read_list(r, &out->text, &type, &typed, 1);
    out->type = typed ? array_of(type) : 0;
    return ok;
}

bool literal_read(const char *text, size_t len, struct literal *out, size_t *at, struct err *e)
{
    struct reader r = {.text = text, .len = len, .e = e};
    *out = (struct literal){0};
    buf_init(&out->text, LITERAL_MAX_BYTES);
    skip_blanks(&r);
    bool ok = read_value(&r, out);
    if (ok) {
        skip_blanks(&r);
        ok = r.at == len || fail(&r, "something follows the value");
    }
    ok = ok && buf_ok(&out->text, "the value", e);
    *at = r.at;
    if (!ok)
        literal_release(out);
    return ok;
}

void literal_release(struct literal *l)
{
    buf_release(&l->text);
}
