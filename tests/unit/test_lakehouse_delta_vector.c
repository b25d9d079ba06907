/* Deletion vectors: one that Spark wrote, every kind of container, and everything that can be broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "delta_tables.h"

/* The rows of an inline vector; NULL: refused, with the code and text wanted. */
static uint64_t *rows_of(const char *inline_text, size_t size, int64_t cardinality, int64_t file_rows, size_t *n, enum err_code code,
                         const char *why)
{
    struct err e;
    uint64_t *rows;
    err_init(&e);
    struct delta_file f = {.uri = (char *)(uintptr_t)"f", .rows = file_rows};
    f.deletion_vector = json_pack("{ss ss sI sI}", "storageType", "i", "pathOrInlineDv", inline_text, "sizeInBytes", (json_int_t)size,
                                  "cardinality", (json_int_t)cardinality);
    bool ok = delta_vector_rows("/r", &f, &rows, n, &e);
    json_decref(f.deletion_vector);
    if (ok != !why || (why && (e.code != code || !strstr(e.text, why) || rows)))
        fail_msg("%s: %s", err_info(e.code)->symbol, e.text);
    return rows;
}

static void broken(const struct buf *b, int64_t cardinality, int64_t file_rows, const char *why)
{
    size_t n;
    char *text = z85_encode(b);
    rows_of(text, b->len, cardinality, file_rows, &n, ERR_MALFORMED, why);
    free(text);
}

/* Written by Spark: three rows. The inline example in PROTOCOL.md is no test: its bytes are of an older, big-endian form that
 * readers refuse. */
static const char inline_vector[] = "^Bg9^0rr910000000000iXQKl0rr91000625c8Xg0rri41POJ5";
static const char old_form[] = "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L";

static const uint64_t example_rows[] = {3, 4, 7, 11, 18, 29};

static void test_inline(void **state)
{
    (void)state;
    size_t n;
    uint64_t *rows = rows_of(inline_vector, 38, 3, -1, &n, ERR_NONE, NULL);
    assert_int_equal(n, 3);
    int64_t last = (int64_t)rows[2];
    free(rows);
    free(rows_of(inline_vector, 38, 3, last + 1, &n, ERR_NONE, NULL));
    rows_of(inline_vector, 38, 3, last, &n, ERR_MALFORMED, "does not have");
    rows_of(inline_vector, 38, 2, -1, &n, ERR_MALFORMED, "another number of rows");
    rows_of(inline_vector, 38, 4, -1, &n, ERR_MALFORMED, "another number of rows");
    rows_of(inline_vector, 41, 3, -1, &n, ERR_MALFORMED, "no Z85 text of its size");
    rows_of(inline_vector, 36, 3, -1, &n, ERR_MALFORMED, "no Z85 text of its size");
    rows_of(old_form, 40, 6, -1, &n, ERR_MALFORMED, "is broken");
    rows_of("wi5b", 3, 6, 30, &n, ERR_MALFORMED, "no Z85 text");
    rows_of("wi5b\"", 4, 6, 30, &n, ERR_MALFORMED, "no Z85 text");
    rows_of("#####", 4, 6, 30, &n, ERR_MALFORMED, "no Z85 text"); /* more than 32 bits */
    rows_of("", 0, 0, 0, &n, ERR_MALFORMED, "is broken");
    rows_of(inline_vector, (64u << 20) + 1, 3, -1, &n, ERR_TOO_BIG, "larger than");
    rows_of(inline_vector, 38, (16 << 20) + 1, -1, &n, ERR_TOO_BIG, "larger than");
    rows_of(inline_vector, 38, -1, -1, &n, ERR_MALFORMED, "no cardinality");
}

static void head(struct buf *b, uint64_t buckets)
{
    buf_init(b, 1 << 20);
    le(b, 1681511377, 4);
    le(b, buckets, 8);
}

/* An array, a bitmap and runs in the first bucket, an array in the third. */
static void all_kinds(struct buf *b)
{
    head(b, 2);
    le(b, 0, 4);
    le(b, 12347 | (3 - 1) << 16, 4);
    le(b, 4, 1); /* the third has runs */
    le(b, 0, 2), le(b, 2 - 1, 2);
    le(b, 1, 2), le(b, 5000 - 1, 2);
    le(b, 9, 2), le(b, 7 - 1, 2);
    le(b, 5, 2), le(b, 65535, 2);
    for (int i = 0; i < 8192; i++)
        le(b, i < 625 ? 255 : 0, 1);
    le(b, 2, 2), le(b, 0, 2), le(b, 4, 2), le(b, 65534, 2), le(b, 1, 2);
    le(b, 2, 4);
    le(b, 12346, 4), le(b, 1, 4);
    le(b, 0, 2), le(b, 0, 2), le(b, 0, 4), le(b, 77, 2);
}

static void test_containers(void **state)
{
    (void)state;
    struct buf b;
    size_t n;
    all_kinds(&b);
    char *text = z85_encode(&b);
    uint64_t *rows = rows_of(text, b.len, 5010, -1, &n, ERR_NONE, NULL);
    assert_int_equal(n, 5010);
    static const struct { size_t at; uint64_t row; } wanted[] = {
        {0, 5}, {1, 65535}, {2, 65536}, {5001, 65536 + 4999}, {5002, 9 * 65536}, {5006, 9 * 65536 + 4}, {5007, 9 * 65536 + 65534},
        {5008, 9 * 65536 + 65535}, {5009, (2ull << 32) + 77}};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        assert_int_equal(rows[wanted[i].at], wanted[i].row);
    free(rows);
    free(text);
    for (size_t cut = 0; cut < b.len; cut += cut < 64 || cut > b.len - 64 ? 1 : 97) {
        struct buf part;
        buf_init(&part, 1 << 20);
        buf_add(&part, b.data, cut);
        broken(&part, 5010, -1, "is broken");
        buf_release(&part);
    }
    le(&b, 0, 4);
    broken(&b, 5010, -1, "is broken"); /* something follows */
    buf_release(&b);
    head(&b, 0);
    text = z85_encode(&b);
    assert_int_equal(b.len, 12);
    rows = rows_of(text, b.len, 0, 0, &n, ERR_NONE, NULL);
    assert_int_equal(n, 0);
    free(rows);
    free(text);
    buf_release(&b);
}

/* Any change of one byte is refused or gives rows in order: never a crash, never more rows than were said. */
static void test_changed_bytes(void **state)
{
    (void)state;
    struct buf b;
    all_kinds(&b);
    for (size_t i = 0; i < b.len; i += i < 100 || i > b.len - 100 ? 1 : 501)
        for (int change = 1; change < 256; change = change * 2 + 1) {
            b.data[i] = (char)(b.data[i] ^ change);
            char *text = z85_encode(&b);
            struct err e;
            uint64_t *rows;
            size_t n;
            err_init(&e);
            struct delta_file f = {.uri = (char *)(uintptr_t)"f", .rows = -1};
            f.deletion_vector = json_pack("{ss ss sI sI}", "storageType", "i", "pathOrInlineDv", text, "sizeInBytes", (json_int_t)b.len,
                                          "cardinality", (json_int_t)5010);
            if (delta_vector_rows("/r", &f, &rows, &n, &e))
                for (size_t k = 1; k < n; k++)
                    assert_true(rows[k - 1] < rows[k]);
            else
                assert_int_equal(e.code, ERR_MALFORMED);
            free(rows);
            json_decref(f.deletion_vector);
            free(text);
            b.data[i] = (char)(b.data[i] ^ change);
        }
    buf_release(&b);
}

static uint32_t crc_of(const struct buf *b)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < b->len; i++)
        for (int k = (crc ^= (uint8_t)b->data[i], 0); k < 8; k++)
            crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
    return ~crc;
}

static void be(struct buf *b, uint32_t n)
{
    for (int i = 3; i >= 0; i--)
        buf_putc(b, (char)(n >> (8 * i)));
}

#define VECTOR(where, path, offset) "\"deletionVector\":{\"storageType\":\"" where "\",\"pathOrInlineDv\":\"" path "\",\"offset\":" offset \
                                    ",\"sizeInBytes\":40,\"cardinality\":6}"

/* A vector of the rows above in a file, behind three bytes of something else. */
static void put_vector(const char *name, int version, uint32_t length, uint32_t crc_change)
{
    static const uint8_t vector[] = {0xd1, 0xd3, 0x39, 0x64, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x3a, 0x30, 0, 0, 1, 0, 0, 0, 0, 0, 5, 0,
                                     16, 0, 0, 0, 3, 0, 4, 0, 7, 0, 11, 0, 18, 0, 29, 0};
    struct buf b, all;
    struct err e;
    err_init(&e);
    buf_init(&b, 1 << 10);
    buf_init(&all, 1 << 10);
    buf_add(&b, vector, sizeof vector);
    buf_putc(&all, (char)version);
    buf_puts(&all, "xyz");
    be(&all, length);
    buf_add(&all, b.data, b.len);
    be(&all, crc_of(&b) ^ crc_change);
    put_file(name, "");
    char *path = xasprintf("%s/%s", delta_root, name);
    assert_true(fs_write_atomic(path, all.data, all.len, 0644, &e));
    free(path);
    buf_release(&b);
    buf_release(&all);
}

static void from_file(const char *descriptor, enum err_code code, const char *why)
{
    struct err e;
    uint64_t *rows;
    size_t n;
    char *body = xasprintf("{\"path\":\"f\",%s}", descriptor);
    json_t *json = json_loads(body, 0, NULL);
    struct delta_file f;
    err_init(&e);
    assert_true(delta_file_parse(delta_root, json, &f, &e));
    bool ok = delta_vector_rows(delta_root, &f, &rows, &n, &e);
    if (ok != !why || (why && (e.code != code || !strstr(e.text, why))))
        fail_msg("%s: %s: %s", descriptor, err_info(e.code)->symbol, e.text);
    if (ok) {
        assert_int_equal(n, 6);
        assert_memory_equal(rows, example_rows, sizeof example_rows);
    }
    free(rows);
    delta_file_release(&f);
    json_decref(json);
    free(body);
}

#define NAME "deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin"
#define V44(where, path) "\"deletionVector\":{\"storageType\":\"" where "\",\"pathOrInlineDv\":\"" path \
                         "\",\"offset\":4,\"sizeInBytes\":44,\"cardinality\":6}"

static void test_files(void **state)
{
    (void)state;
    new_table();
    put_vector(NAME, 1, 44, 0);
    put_vector("ab/" NAME, 1, 44, 0);
    from_file(V44("u", "ab^-aqEH.-t@S}K{vb[*k^"), ERR_NONE, NULL); /* the protocol's example of a name, with its prefix */
    from_file(V44("u", "^-aqEH.-t@S}K{vb[*k^"), ERR_NONE, NULL);
    from_file(V44("p", NAME), ERR_NONE, NULL);
    from_file(V44("p", "/elsewhere/" NAME), ERR_NOT_IMPLEMENTED, "outside");
    from_file(V44("u", "..^-aqEH.-t@S}K{vb[*k^"), ERR_MALFORMED, "unknown way");
    from_file(V44("u", "a/b^-aqEH.-t@S}K{vb[*k^"), ERR_MALFORMED, "unknown way");
    from_file(V44("u", "short"), ERR_MALFORMED, "unknown way");
    from_file(V44("u", "^-aqEH.-t@S}K{vb[*k\\\""), ERR_MALFORMED, "unknown way");
    from_file(V44("x", NAME), ERR_MALFORMED, "unknown way");
    from_file(V44("u", "zz^-aqEH.-t@S}K{vb[*k^"), ERR_IO, "cannot open");
    from_file(VECTOR("p", NAME, "4"), ERR_MALFORMED, "shorter");
    from_file(VECTOR("p", NAME, "900"), ERR_MALFORMED, "shorter");
    from_file(VECTOR("p", NAME, "-4"), ERR_MALFORMED, "shorter");
    put_vector("length", 1, 45, 0);
    from_file(V44("p", "length"), ERR_MALFORMED, "shorter");
    put_vector("crc", 1, 44, 1);
    from_file(V44("p", "crc"), ERR_MALFORMED, "wrong checksum");
    put_vector("version", 2, 44, 0);
    from_file(V44("p", "version"), ERR_NOT_IMPLEMENTED, "has version 2");
    struct delta_file none = {.uri = (char *)(uintptr_t)"f"};
    struct err e;
    uint64_t *rows;
    size_t n = 7;
    err_init(&e);
    assert_true(delta_vector_rows(delta_root, &none, &rows, &n, &e));
    assert_true(!rows && n == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inline), cmocka_unit_test(test_containers), cmocka_unit_test(test_changed_bytes),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests_name("lakehouse_delta_vector", tests, delta_set_up, delta_tear_down);
}
