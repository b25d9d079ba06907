/* psql's name patterns as regular expressions (processSQLNamePattern in fe_utils/string_utils.c). */
#include <string.h>

#include "base/arena.h"
#include "pg/catalog.h"

enum { PATTERN_MAX = 1000, PARTS_MAX = 2 };

struct translator {
    const char *at;
    bool quoted;
    struct buf *part;
};

/* One character of the pattern, not a dot outside quotes. */
static void translate(struct translator *t)
{
    char c = *t->at++;
    if (c == '"') {
        if (t->quoted && *t->at == '"') {
            buf_putc(t->part, '"');
            t->at++;
        } else {
            t->quoted = !t->quoted;
        }
    } else if (!t->quoted && c >= 'A' && c <= 'Z') {
        buf_putc(t->part, (char)(c + 32));
    } else if (!t->quoted && c == '*') {
        buf_puts(t->part, ".*");
    } else if (!t->quoted && c == '?') {
        buf_putc(t->part, '.');
    } else if (c == '$' || (t->quoted && strchr("|*+?()[]{}.^\\", c))) {
        /* '$' is part of names; the others are taken as they are only outside quotes */
        buf_printf(t->part, "\\%c", c);
    } else if (c == '[' && *t->at == ']') {
        buf_puts(t->part, "\\["); /* "[]": the name of an array type */
    } else {
        buf_putc(t->part, c);
    }
}

bool pg_pattern_parse(struct arena *a, const char *text, struct pg_pattern *out, struct err *e)
{
    struct buf parts[PARTS_MAX];
    size_t n = 0;
    *out = (struct pg_pattern){0};
    if (!text || !*text)
        return true;
    if (strlen(text) > PATTERN_MAX)
        return err_set(e, ERR_TOO_BIG, "a name pattern has at most %d bytes", PATTERN_MAX);
    for (size_t i = 0; i < PARTS_MAX; i++)
        buf_init(&parts[i], 8 * PATTERN_MAX);
    struct translator t = {.at = text, .part = &parts[0]};
    bool ok = true;
    while (ok && *t.at) {
        if (*t.at == '.' && !t.quoted) {
            t.at++;
            if (++n == PARTS_MAX)
                ok = err_set(e, ERR_USAGE, "'%s' has too many dots; write name or schema.name", text);
            else
                t.part = &parts[n];
        } else {
            translate(&t);
        }
    }
    const char *regex[PARTS_MAX] = {NULL};
    for (size_t i = 0; i < PARTS_MAX; i++) {
        if (i <= n && parts[i].len > 0 && strcmp(buf_str(&parts[i]), ".*") != 0)
            regex[i] = arena_printf(a, "^(%s)$", buf_str(&parts[i]));
        buf_release(&parts[i]);
    }
    out->has_schema = n > 0;
    out->schema = n > 0 ? regex[0] : NULL;
    out->name = n > 0 ? regex[1] : regex[0];
    return ok;
}
