/* Usage text and "did you mean" from argument rows (see args.h). Parsing is in args.c. */
#include <string.h>

#include "cell/args.h"

static void put_placeholder(const struct arg_row *r, struct buf *out)
{
    buf_puts(out, r->flags & ARG_BARE ? "[" : "");
    if (r->type == ARG_CHOICE) {
        for (const char *const *c = r->choices; c && *c; c++)
            buf_printf(out, "%s%s", c == r->choices ? "" : "|", *c);
    } else if (r->placeholder) {
        buf_puts(out, r->placeholder);
    } else {
        for (const char *c = r->name; *c; c++)
            buf_putc(out, *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c == '-' ? '_' : *c);
    }
    buf_puts(out, r->flags & ARG_BARE ? "]" : "");
    if (r->flags & ARG_REPEAT && r->positional)
        buf_puts(out, "...");
}

void args_usage(const struct arg_row *rows, struct buf *out)
{
    const char *gap = "";
    for (int positional = 0; positional < 2; positional++) {
        for (const struct arg_row *r = rows; r && r->name; r++) {
            if (r->positional != (positional == 1))
                continue;
            bool required = r->flags & ARG_REQUIRED;
            buf_printf(out, "%s%s", gap, required ? "" : "[");
            if (!r->positional)
                buf_printf(out, "--%s%s", r->name, r->type == ARG_FLAG ? "" : " ");
            if (r->keyword)
                buf_printf(out, "%s ", r->keyword);
            if (r->type != ARG_FLAG)
                put_placeholder(r, out);
            buf_puts(out, required ? "" : "]");
            if (!r->positional && r->flags & ARG_REPEAT)
                buf_puts(out, "...");
            gap = " ";
        }
    }
}

enum { WORD_MAX = 40 };

static unsigned char lower(char c) { return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c == '_' ? '-' : c); }

/* Edits (insert, delete, replace, swap of neighbours) that make a from b; both at most WORD_MAX bytes. */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][WORD_MAX + 1], *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= m; j++)
        last[j] = j;
    for (size_t i = 1; i <= n; i++) {
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = last[j - 1] + (lower(a[i - 1]) != lower(b[j - 1]));
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            bool swapped = i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
            if (swapped && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        size_t *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[m];
}

const char *args_nearest(const char *word, size_t len, const char *const *names)
{
    const char *best = NULL;
    size_t least = 0;
    if (len == 0 || len > WORD_MAX)
        return NULL;
    for (; *names; names++) {
        size_t n = strlen(*names);
        if (n == 0 || n > WORD_MAX)
            continue;
        size_t d = distance(word, len, *names, n);
        size_t limit = (len > n ? len : n) / 3;
        if (len >= 2 && len < n && strncmp(word, *names, len) == 0)
            d = 1; /* the beginning of the name is as good as one slip */
        bool alike = d < (len > n ? len : n); /* one letter is not like another */
        if (alike && d <= (limit ? limit : 1) && (!best || d < least)) {
            best = *names;
            least = d;
        }
    }
    return best;
}
