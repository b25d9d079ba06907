/*
 * The error value (see err.h). Knows nothing of who reports it: the notebook, the HTTP answer and the command line
 * each put it into words of their own from the same fields.
 */
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static const struct err_info infos[ERR_CODE_COUNT] = {
    [ERR_NONE] = {"NONE", "Ok", 200, "", false, "no error"},
#define ERR_CODE(sym, ename, http, wire, retryable, meaning) \
    [ERR_##sym] = {#sym, ename, http, wire, retryable, meaning},
#include "base/err_codes.def"
#undef ERR_CODE
};

void err_init(struct err *e) { memset(e, 0, sizeof *e); }

void err_copy(char *to, size_t size, const char *text, size_t len)
{
    static const char more[] = "…";
    if (len < size) {
        memcpy(to, text, len);
        to[len] = '\0';
        return;
    }
    size_t keep = utf8_floor(text, len, size - sizeof more);
    memcpy(to, text, keep);
    memcpy(to + keep, more, sizeof more);
}

/* Format into a fixed buffer; what does not fit is cut with a mark. */
static void vformat(char *to, size_t size, const char *fmt, va_list ap)
{
    char text[4096]; /* more than any field, so that what was cut here is cut again, with the mark */
    int n = vsnprintf(text, sizeof text, fmt, ap);
    err_copy(to, size, text, n < 0 ? 0 : n < (int)sizeof text ? (size_t)n : sizeof text - 1);
}

bool err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    if (e->code != ERR_NONE)
        return false;
    e->code = code;
    va_list ap;
    va_start(ap, fmt);
    vformat(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    return false;
}

bool err_errno(struct err *e, int errnum, const char *fmt, ...)
{
    if (e->code != ERR_NONE)
        return false;
    char what[sizeof e->text], why[128];
    va_list ap;
    va_start(ap, fmt);
    vformat(what, sizeof what, fmt, ap);
    va_end(ap);
    return err_set(e, ERR_IO, "%s: %s", what, strerror_r(errnum, why, sizeof why));
}

bool err_wrap(struct err *e, const char *fmt, ...)
{
    char front[256], all[sizeof front + sizeof e->text + 2];
    va_list ap;
    va_start(ap, fmt);
    vformat(front, sizeof front, fmt, ap);
    va_end(ap);
    int n = snprintf(all, sizeof all, "%s: %s", front, e->text);
    err_copy(e->text, sizeof e->text, all, (size_t)n);
    return false;
}

void err_detail(struct err *e, const char *fmt, ...)
{
    if (e->detail[0])
        return;
    va_list ap;
    va_start(ap, fmt);
    vformat(e->detail, sizeof e->detail, fmt, ap);
    va_end(ap);
}

void err_hint(struct err *e, const char *fmt, ...)
{
    if (e->hint[0])
        return;
    va_list ap;
    va_start(ap, fmt);
    vformat(e->hint, sizeof e->hint, fmt, ap);
    va_end(ap);
}

const struct err_info *err_info(enum err_code code)
{
    if ((int)code < 0 || code >= ERR_CODE_COUNT)
        bug("error code %d has no row", (int)code);
    return &infos[code];
}

enum err_code err_code_of_wire(const char *wire, int http)
{
    int by_status = ERR_REMOTE;
    for (int i = ERR_CODE_COUNT - 1; i > ERR_USAGE; i--) {
        if (wire && strcmp(infos[i].wire, wire) == 0 && infos[i].http == http)
            by_status = i;
    }
    if (by_status != ERR_REMOTE)
        return (enum err_code)by_status;
    for (int i = ERR_USAGE + 1; wire && i < ERR_CODE_COUNT; i++) {
        if (strcmp(infos[i].wire, wire) == 0)
            return (enum err_code)i;
    }
    for (int i = ERR_USAGE + 1; i < ERR_CODE_COUNT; i++) {
        if (infos[i].http == http)
            return (enum err_code)i;
    }
    return ERR_REMOTE;
}

void bug_at(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "bug at %s:%d: ", file, line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    abort();
}
