/*
 * Deletion vectors: from a descriptor to the rows that it masks. Source: PROTOCOL.md "Deletion Vector Format" and the Roaring
 * format specification (github.com/RoaringBitmap/RoaringFormatSpec). We write none.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/delta_log.h"

enum {
    MAGIC = 1681511377, NO_RUNS = 12346, WITH_RUNS = 12347,
    ARRAY_MAX = 4096, BITMAP_BYTES = 8192, OFFSETS_FROM = 4, UUID_CHARS = 20,
};

/* ---- Z85 (rfc.zeromq.org/spec/32) ---- */
static int z85_value(char c)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* len / 5 * 4 bytes to out. */
static bool z85_decode(const char *text, size_t len, uint8_t *out)
{
    for (size_t i = 0; i + 5 <= len; i += 5) {
        uint64_t n = 0;
        for (size_t k = 0; k < 5; k++) {
            int v = z85_value(text[i + k]);
            if (v < 0)
                return false;
            n = n * 85 + (uint64_t)v;
        }
        if (n > UINT32_MAX)
            return false;
        for (size_t k = 0; k < 4; k++)
            *out++ = (uint8_t)(n >> (24 - 8 * k));
    }
    return len % 5 == 0;
}

/* ---- bytes ---- */
struct bytes {
    const uint8_t *at;
    size_t left;
};

/* Little-endian; false: the vector ends too early. */
static bool take(struct bytes *b, size_t n, uint64_t *out)
{
    if (b->left < n)
        return false;
    *out = 0;
    for (size_t i = 0; i < n; i++)
        *out |= (uint64_t)b->at[i] << (8 * i);
    b->at += n;
    b->left -= n;
    return true;
}

static uint32_t big_endian(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

/* CRC-32 as in zlib. */
static uint32_t checksum(const uint8_t *p, size_t len)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (0xEDB88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

/* ---- Roaring ---- */
struct rows {
    uint64_t *list;
    size_t count, max;
};

/* Rows come in ascending order, or the vector is broken. */
static bool add_row(struct rows *r, uint64_t row)
{
    if (r->count >= r->max || (r->count && r->list[r->count - 1] >= row))
        return false;
    r->list[r->count++] = row;
    return true;
}

static bool take_array(struct bytes *b, uint64_t base, size_t n, struct rows *out)
{
    uint64_t low;
    for (size_t i = 0; i < n; i++)
        if (!take(b, 2, &low) || !add_row(out, base | low))
            return false;
    return true;
}

static bool take_bitmap(struct bytes *b, uint64_t base, size_t n, struct rows *out)
{
    size_t before = out->count;
    if (b->left < BITMAP_BYTES)
        return false;
    for (uint32_t i = 0; i < BITMAP_BYTES * 8; i++)
        if (b->at[i / 8] >> (i % 8) & 1 && !add_row(out, base | i))
            return false;
    b->at += BITMAP_BYTES;
    b->left -= BITMAP_BYTES;
    return out->count - before == n;
}

static bool take_runs(struct bytes *b, uint64_t base, size_t n, struct rows *out)
{
    size_t before = out->count;
    uint64_t runs, start, more;
    if (!take(b, 2, &runs))
        return false;
    for (uint64_t i = 0; i < runs; i++) {
        if (!take(b, 2, &start) || !take(b, 2, &more) || start + more > UINT16_MAX)
            return false;
        for (uint64_t k = 0; k <= more; k++)
            if (!add_row(out, base | (start + k)))
                return false;
    }
    return out->count - before == n;
}

/* One 32-bit bitmap, whose rows have `high` in their upper half. */
static bool take_roaring(struct bytes *b, uint64_t high, struct rows *out)
{
    uint64_t cookie, n = 0;
    if (!take(b, 4, &cookie))
        return false;
    bool runs = (cookie & 0xFFFF) == WITH_RUNS;
    if (runs)
        n = (cookie >> 16) + 1;
    else if (cookie != NO_RUNS || !take(b, 4, &n))
        return false;
    const uint8_t *flags = b->at;
    size_t flag_bytes = runs ? (n + 7) / 8 : 0, offsets = !runs || n >= OFFSETS_FROM ? 4 * n : 0;
    if (n > 1 << 16 || b->left < flag_bytes + 4 * n + offsets)
        return false;
    struct bytes heads = {b->at + flag_bytes, 4 * n};
    b->at += flag_bytes + 4 * n + offsets;
    b->left -= flag_bytes + 4 * n + offsets;
    for (size_t i = 0; i < n; i++) {
        uint64_t key = 0, less = 0;
        take(&heads, 2, &key);
        take(&heads, 2, &less);
        uint64_t base = high << 32 | key << 16;
        bool ok = runs && flags[i / 8] >> (i % 8) & 1 ? take_runs(b, base, less + 1, out)
                  : less < ARRAY_MAX                  ? take_array(b, base, less + 1, out)
                                                      : take_bitmap(b, base, less + 1, out);
        if (!ok)
            return false;
    }
    return true;
}

static bool take_vector(const uint8_t *data, size_t len, struct rows *out)
{
    struct bytes b = {data, len};
    uint64_t magic, buckets, key;
    if (!take(&b, 4, &magic) || magic != MAGIC || !take(&b, 8, &buckets))
        return false;
    for (uint64_t i = 0; i < buckets; i++)
        if (!take(&b, 4, &key) || key > INT32_MAX || !take_roaring(&b, key, out))
            return false;
    return b.left == 0 && out->count == out->max;
}

/* ---- where it is ---- */
/* "<prefix><uuid in Z85>" → "<root>/<prefix>/deletion_vector_<uuid>.bin". NULL: no such thing. */
static char *relative_path(const char *root, const char *text)
{
    size_t len = strlen(text), prefix = len - UUID_CHARS;
    uint8_t id[16];
    if (len < UUID_CHARS || !z85_decode(text + prefix, UUID_CHARS, id) || memchr(text, '/', prefix) || (prefix && text[0] == '.'))
        return NULL;
    struct buf out;
    buf_init(&out, SIZE_MAX / 4);
    buf_printf(&out, "%s/%.*s%sdeletion_vector_", root, (int)prefix, text, prefix ? "/" : "");
    for (size_t i = 0; i < sizeof id; i++)
        buf_printf(&out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", id[i]);
    buf_puts(&out, ".bin");
    char *path = buf_detach(&out);
    buf_release(&out);
    return path;
}

char *delta_vector_path(const char *root, const json_t *descriptor)
{
    struct err ignored;
    const char *where = jx_get_str(descriptor, "storageType", ""), *text = jx_get_str(descriptor, "pathOrInlineDv", "");
    err_init(&ignored);
    return !strcmp(where, "u") ? relative_path(root, text) : !strcmp(where, "p") ? delta_path_decode(root, text, &ignored) : NULL;
}

static bool wrong(const char *what, struct err *e) { return err_set(e, ERR_MALFORMED, "the deletion vector %s", what); }

static bool read_at(int fd, uint8_t *to, size_t len, off_t at)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(fd, to + done, len - done, at + (off_t)done);
        if (n <= 0 && !(n < 0 && errno == EINTR))
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* The file has a version byte; at the offset: length, vector, checksum. */
static bool read_stored(const char *path, size_t size, int64_t offset, uint8_t *data, struct err *e)
{
    uint8_t version = 0, length[4] = {0}, crc[4] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, errno, "cannot open the deletion vector '%s'", path);
    bool ok = offset >= 1 && read_at(fd, &version, 1, 0) && read_at(fd, length, 4, offset) && big_endian(length) == size &&
              read_at(fd, data, size, offset + 4) && read_at(fd, crc, 4, offset + 4 + (off_t)size);
    close(fd);
    if (ok && version != 1)
        return err_set(e, ERR_NOT_IMPLEMENTED, "the deletion vector '%s' has version %d; only version 1 is known", path, version);
    return ok ? checksum(data, size) == big_endian(crc) || wrong("has a wrong checksum", e) : wrong("is shorter than the log says", e);
}

static bool read_descriptor(const char *root, const json_t *d, uint8_t *data, size_t size, struct err *e)
{
    const char *where = jx_get_str(d, "storageType", ""), *text = jx_get_str(d, "pathOrInlineDv", "");
    if (!strcmp(where, "i")) {
        size_t chars = strlen(text), room = chars / 5 * 4;
        uint8_t *all = xmalloc(room + 1);
        bool ok = z85_decode(text, chars, all) && room >= size && room < size + 4;
        memcpy(data, all, ok ? size : 0);
        free(all);
        return ok || wrong("in the log is no Z85 text of its size", e);
    }
    char *path = !strcmp(where, "u") ? relative_path(root, text) : !strcmp(where, "p") ? delta_path_decode(root, text, e) : NULL;
    bool ok = path ? read_stored(path, size, jx_get_int(d, "offset", 1), data, e) : wrong("is stored in an unknown way", e);
    free(path);
    return ok;
}

bool delta_vector_rows(const char *root, const struct delta_file *f, uint64_t **out, size_t *count, struct err *e)
{
    int64_t size = jx_get_int(f->deletion_vector, "sizeInBytes", -1), n = jx_get_int(f->deletion_vector, "cardinality", -1);
    *out = NULL;
    *count = 0;
    if (!f->deletion_vector)
        return true;
    if (size < 0 || n < 0)
        return wrong("has no size or no cardinality", e) || err_wrap(e, "'%s'", f->uri);
    if (size > DELTA_VECTOR_MAX || n > DELTA_VECTOR_ROWS_MAX)
        return err_set(e, ERR_TOO_BIG, "the deletion vector of '%s' is larger than %d bytes or %d rows", f->uri, DELTA_VECTOR_MAX,
                       DELTA_VECTOR_ROWS_MAX);
    uint8_t *data = xmalloc((size_t)size + 1);
    struct rows rows = {xcalloc((size_t)n + 1, sizeof *rows.list), 0, (size_t)n};
    bool ok = read_descriptor(root, f->deletion_vector, data, (size_t)size, e) &&
              (take_vector(data, (size_t)size, &rows) || wrong("is broken, or masks another number of rows than the log says", e));
    if (ok && f->rows >= 0 && rows.count && rows.list[rows.count - 1] >= (uint64_t)f->rows)
        ok = wrong("masks rows that the file does not have", e);
    free(data);
    if (!ok) {
        free(rows.list);
        return err_wrap(e, "'%s'", f->uri);
    }
    *out = rows.list;
    *count = rows.count;
    return true;
}
