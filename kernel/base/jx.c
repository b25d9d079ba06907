/* JSON helpers (see jx.h). */
#include "base/jx.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "base/xalloc.h"

void jx_setup(void)
{
    json_set_alloc_funcs(xmalloc, free);
    json_object_seed(0);
}

/* Eight bytes at a time: of megabytes of ASCII, which is what large texts are, jansson need not look at each one. */
static bool is_ascii(const char *text, size_t len)
{
    uint64_t bits = 0;
    for (; len >= sizeof bits; text += sizeof bits, len -= sizeof bits) {
        uint64_t eight;
        memcpy(&eight, text, sizeof eight);
        bits |= eight;
    }
    for (; len > 0; text++, len--)
        bits |= (uint64_t)(unsigned char)*text;
    return (bits & 0x8080808080808080u) == 0;
}

json_t *jx_text(const char *text, size_t len)
{
    if (len == 0)
        return json_string("");
    if (is_ascii(text, len) && !memchr(text, '\0', len))
        return json_stringn_nocheck(text, len);
    if (!memchr(text, '\0', len)) {
        json_t *s = json_stringn(text, len);
        if (s)
            return s;
    }
    struct buf b;
    buf_init(&b, SIZE_MAX / 4);
    for (size_t i = 0; i < len;) {
        uint32_t cp = 0;
        size_t n = utf8_decode(text + i, len - i, &cp);
        if (n && cp)
            buf_add(&b, text + i, n);
        else
            buf_puts(&b, "\xef\xbf\xbd");
        i += n ? n : 1;
    }
    json_t *s = json_stringn(buf_str(&b), b.len);
    buf_release(&b);
    if (!s)
        bug("text cannot be made valid UTF-8");
    return s;
}

const char *jx_get_str(const json_t *object, const char *key, const char *otherwise)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : otherwise;
}

int64_t jx_get_int(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *v = json_object_get(object, key);
    if (json_is_integer(v))
        return json_integer_value(v);
    const char *s = json_string_value(v);
    if (!s || !*s)
        return otherwise;
    char *end;
    errno = 0;
    long long n = strtoll(s, &end, 10);
    return *end || errno ? otherwise : n;
}

bool jx_get_bool(const json_t *object, const char *key, bool otherwise)
{
    const json_t *v = json_object_get(object, key);
    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

json_t *jx_parse(const char *text, size_t len, size_t max, struct err *e)
{
    if (len > max) {
        err_set(e, ERR_TOO_BIG, "JSON text has %zu bytes, more than %zu", len, max);
        return NULL;
    }
    json_error_t je;
    json_t *v = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);
    if (!v) {
        /* "… near 'xyz'" would repeat the text, which may hold a secret. */
        const char *near = strstr(je.text, " near ");
        int n = near ? (int)(near - je.text) : (int)strlen(je.text);
        err_set(e, ERR_MALFORMED, "not valid JSON: %.*s (line %d, column %d)", n, je.text, je.line, je.column);
    }
    return v;
}

char *jx_dump(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!text)
        bug("JSON value cannot be written");
    return text;
}
