/* UTF-8 positions and widths (see utf8.h). No locale is involved: a kernel may run with LANG unset. */
#include "base/utf8.h"

size_t utf8_decode(const char *text, size_t len, uint32_t *cp)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (len == 0)
        return 0;
    unsigned char c = (unsigned char)text[0];
    size_t n = c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : (c & 0xf8) == 0xf0 ? 4 : 0;
    if (n == 0 || n > len)
        return 0;
    uint32_t v = n == 1 ? c : c & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        unsigned char d = (unsigned char)text[i];
        if ((d & 0xc0) != 0x80)
            return 0;
        v = v << 6 | (d & 0x3f);
    }
    if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return 0;
    *cp = v;
    return n;
}

bool utf8_valid(const char *text, size_t len)
{
    uint32_t cp;
    for (size_t i = 0; i < len;) {
        size_t n = utf8_decode(text + i, len - i, &cp);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

size_t utf8_floor(const char *text, size_t len, size_t max)
{
    if (max >= len)
        return len;
    size_t at = max;
    while (at > 0 && max - at < 4 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    return at;
}

size_t utf8_count(const char *text, size_t len)
{
    size_t n = 0;
    uint32_t cp;
    for (size_t i = 0; i < len; n++) {
        size_t step = utf8_decode(text + i, len - i, &cp);
        i += step ? step : 1;
    }
    return n;
}

size_t utf8_offset(const char *text, size_t len, size_t n)
{
    size_t i = 0;
    uint32_t cp;
    while (n-- > 0 && i < len) {
        size_t step = utf8_decode(text + i, len - i, &cp);
        i += step ? step : 1;
    }
    return i;
}

struct range {
    uint32_t first, last;
};

static const struct range zero[] = {
#define ZERO(first, last) {first, last},
#define WIDE(first, last)
#include "base/utf8_width.def"
#undef ZERO
#undef WIDE
};
static const struct range wide[] = {
#define ZERO(first, last)
#define WIDE(first, last) {first, last},
#include "base/utf8_width.def"
#undef ZERO
#undef WIDE
};

static bool within(const struct range *r, size_t n, uint32_t cp)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (cp > r[mid].last)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && cp >= r[low].first;
}

size_t utf8_width(const char *text, size_t len)
{
    size_t width = 0;
    for (size_t i = 0; i < len;) {
        uint32_t cp = 0;
        size_t step = utf8_decode(text + i, len - i, &cp);
        i += step ? step : 1;
        if (step == 0)
            width += 1;
        else if (cp >= 0x20 && cp < 0x7f)
            width += 1; /* nearly all text */
        else if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || within(zero, sizeof zero / sizeof *zero, cp))
            continue;
        else
            width += within(wide, sizeof wide / sizeof *wide, cp) ? 2 : 1;
    }
    return width;
}
