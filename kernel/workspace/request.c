/* Parameters and pages of an API call (see request.h). */
#include "workspace/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"

const char *request_param(const struct request *r, const char *name)
{
    for (int i = 0; i < r->n_params; i++) {
        if (strcmp(r->params[i].name, name) == 0)
            return r->params[i].value;
    }
    return NULL;
}

bool request_bool(const struct request *r, const char *name, bool otherwise, bool *out, struct err *e)
{
    const char *text = request_param(r, name);
    *out = text && *text ? strcmp(text, "true") == 0 : otherwise;
    return !text || !*text || *out || strcmp(text, "false") == 0 ||
           err_set(e, ERR_INVALID_PARAMETER, "Parameter '%s' must be true or false, not '%.100s'", name, text);
}

/* The token is the name in hex with a letter in front: nothing to guess, nothing to escape. */
char *page_token_after(const char *last)
{
    struct buf b;
    buf_init(&b, 4096);
    buf_putc(&b, 'n');
    for (const char *p = last; *p; p++)
        buf_printf(&b, "%02x", (unsigned)(unsigned char)*p);
    return buf_detach(&b);
}

static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

static bool read_token(struct request *r, const char *token, const char **after, struct err *e)
{
    size_t len = strlen(token);
    bool ok = len % 2 == 1 && len < 1024 && token[0] == 'n';
    char *name = arena_alloc(&r->arena, len / 2 + 1);
    for (size_t i = 0; ok && i < len / 2; i++) {
        int high = hex_digit(token[1 + 2 * i]), low = hex_digit(token[2 + 2 * i]);
        ok = high >= 0 && low >= 0 && (high || low);
        name[i] = (char)(high * 16 + low);
    }
    *after = name;
    return ok || err_set(e, ERR_INVALID_PARAMETER, "Parameter 'page_token' is not a token of this list");
}

bool request_page(struct request *r, const char *size_param, size_t most, struct page *page, struct err *e)
{
    *page = (struct page){.limit = most, .after = ""};
    const char *size = request_param(r, size_param), *token = request_param(r, "page_token");
    if (size && *size) {
        char *end;
        long n = strtol(size, &end, 10);
        if (*end || n < 0)
            return err_set(e, ERR_INVALID_PARAMETER, "Parameter '%s' must be a number from 0, not '%.100s'", size_param,
                           size);
        if (n > 0 && (size_t)n < most)
            page->limit = (size_t)n;
    }
    return !token || !*token || read_token(r, token, &page->after, e);
}
