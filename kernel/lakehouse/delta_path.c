/* Paths in the log: URIs, percent-encoded once, relative to the table's root. Touches no file. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "base/xalloc.h"
#include "lakehouse/delta_log.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A '%' that starts no escape stands for itself, as in the readers of Spark and delta-rs. */
static char *decode(const char *text)
{
    char *out = xstrdup(text), *to = out;
    for (const char *p = text; *p; p++) {
        int high = *p == '%' ? hex_value(p[1]) : -1, low = high >= 0 ? hex_value(p[2]) : -1;
        if (low >= 0)
            p += 2;
        *to++ = low >= 0 ? (char)(high * 16 + low) : *p;
    }
    *to = '\0';
    return out;
}

/* The length of "s3://", "file:" at the start, or 0. */
static size_t scheme_length(const char *uri)
{
    size_t n = strspn(uri, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    return n > 1 && uri[n] == ':' ? n : 0;
}

/* ".", ".." and empty names would let a log name files that are not the table's. */
static bool is_plain(const char *relative)
{
    for (const char *p = relative;; p += 1) {
        size_t n = strcspn(p, "/");
        if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p += n;
        if (!*p)
            return true;
    }
}

/* The part below the root, or NULL. */
static const char *below(const char *root, const char *path)
{
    size_t n = strlen(root);
    while (n > 0 && root[n - 1] == '/')
        n--;
    return !strncmp(root, path, n) && path[n] == '/' ? path + n + 1 : NULL;
}

static char *outside(const char *uri, struct err *e)
{
    err_set(e, ERR_NOT_IMPLEMENTED, "the log names the file '%s', which is outside the table's folder", uri);
    err_hint(e, "tables made by SHALLOW CLONE, or converted in place, are not offered; copy the table (CREATE TABLE … AS "
                "SELECT) where it was made");
    return NULL;
}

char *delta_path_decode(const char *root, const char *uri, struct err *e)
{
    size_t scheme = scheme_length(uri);
    const char *rest = uri;
    if (scheme) {
        if (scheme != 4 || strncasecmp(uri, "file", 4) != 0)
            return outside(uri, e);
        rest = uri + 5;
        while (rest[0] == '/' && rest[1] == '/')
            rest++;
    }
    if (strstr(rest, "%00")) {
        err_set(e, ERR_MALFORMED, "the log names the file '%s', which has a NUL in its name", uri);
        return NULL;
    }
    char *path = decode(rest);
    if (!utf8_valid(path, strlen(path))) {
        err_set(e, ERR_MALFORMED, "the log names the file '%s', which is not UTF-8", uri);
        free(path);
        return NULL;
    }
    const char *relative = path[0] == '/' || scheme ? below(root, path) : path;
    char *out = NULL;
    if (relative && is_plain(relative))
        out = xasprintf("%.*s/%s", (int)(strlen(root) - (root[strlen(root) - 1] == '/')), root, relative);
    else
        outside(uri, e);
    free(path);
    return out;
}

char *delta_path_encode(const char *root, const char *path, struct err *e)
{
    const char *relative = below(root, path);
    if (!relative || !is_plain(relative) || !utf8_valid(relative, strlen(relative))) {
        err_set(e, ERR_INVALID_PARAMETER, "the data file '%s' is not below the table's folder '%s'", path, root);
        return NULL;
    }
    struct buf out;
    buf_init(&out, SIZE_MAX / 4);
    for (const char *p = relative; *p; p++) {
        if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("-._~/=", *p))
            buf_putc(&out, *p);
        else
            buf_printf(&out, "%%%02X", (unsigned char)*p);
    }
    char *uri = buf_detach(&out);
    buf_release(&out);
    return uri;
}

char *delta_path_commit(const char *root, int64_t version)
{
    return xasprintf("%s/_delta_log/%020lld.json", root, (long long)version);
}
