/* Delta tables written by hand for unit tests: a temporary folder, commits line by line, data files that only have to be there. */
#ifndef DELTA_TABLES_H
#define DELTA_TABLES_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/delta_log.h"

#define P1 "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
#define P3(reader, writer) "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[" reader \
                           "],\"writerFeatures\":[" writer "]}}\n"
#define FIELD(name, type) "{\\\"name\\\":\\\"" name "\\\",\\\"type\\\":\\\"" type "\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}}"
#define META_OF(id, fields, parts, configuration) "{\"metaData\":{\"id\":\"" id "\",\"format\":{\"provider\":\"parquet\",\"options\":{}}," \
    "\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[" fields "]}\",\"partitionColumns\":[" parts "]," \
    "\"configuration\":{" configuration "},\"createdTime\":5}}\n"
#define FEED "\"delta.enableChangeDataFeed\":\"true\""
#define META(configuration) META_OF("one", FIELD("id", "long"), "", configuration)
#define ADD(path) "{\"add\":{\"path\":\"" path "\",\"partitionValues\":{},\"size\":1,\"modificationTime\":7,\"dataChange\":true," \
                  "\"stats\":\"{\\\"numRecords\\\":3}\"}}\n"
#define REMOVE(path) "{\"remove\":{\"path\":\"" path "\",\"deletionTimestamp\":9,\"dataChange\":true}}\n"
#define CDC(path) "{\"cdc\":{\"path\":\"" path "\",\"partitionValues\":{},\"size\":1,\"dataChange\":false}}\n"
#define INFO(time) "{\"commitInfo\":{\"inCommitTimestamp\":" time ",\"operation\":\"WRITE\"}}\n"

static char delta_folder[] = "/tmp/lbtest-delta-XXXXXX";
static char delta_root[256]; /* of the table in hand */
static int delta_tables;

static inline int delta_set_up(void **state)
{
    (void)state;
    jx_setup();
    return mkdtemp(delta_folder) ? 0 : -1;
}

static inline int delta_tear_down(void **state)
{
    (void)state;
    struct err e;
    err_init(&e);
    return fs_remove_tree(delta_folder, &e) ? 0 : -1;
}

/* Begin another table: no log yet. */
static inline const char *new_table(void)
{
    snprintf(delta_root, sizeof delta_root, "%s/t%d", delta_folder, delta_tables++);
    return delta_root;
}

static inline void put_file(const char *name, const char *text)
{
    struct err e;
    err_init(&e);
    char *path = xasprintf("%s/%s", delta_root, name), *slash = strrchr(path, '/');
    *slash = '\0';
    assert_true(fs_mkdirs(path, 0755, &e));
    *slash = '/';
    assert_true(fs_write_atomic(path, text, strlen(text), 0644, &e));
    free(path);
}

static inline void put_commit(int64_t version, const char *lines)
{
    char name[64];
    snprintf(name, sizeof name, "_delta_log/%020lld.json", (long long)version);
    put_file(name, lines);
}

/* A table of one commit. */
static inline const char *table_of(const char *lines)
{
    new_table();
    put_commit(0, lines);
    return delta_root;
}

static inline int log_entries(void)
{
    int n = 0;
    char *path = xasprintf("%s/_delta_log", delta_root);
    DIR *d = opendir(path);
    for (struct dirent *entry; d && (entry = readdir(d));)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (d)
        closedir(d);
    free(path);
    return n;
}

static inline struct delta_snapshot *open_table(int64_t version)
{
    struct err e;
    err_init(&e);
    struct delta_snapshot *s = delta_open(delta_root, version, &e);
    if (!s)
        fail_msg("%s", e.text);
    return s;
}

/* The table cannot be opened: for this reason, and with this in the text. */
static inline void refused(int64_t version, enum err_code code, const char *text)
{
    struct err e;
    err_init(&e);
    assert_null(delta_open(delta_root, version, &e));
    if (e.code != code || !strstr(e.text, text))
        fail_msg("%s: %s", err_info(e.code)->symbol, e.text);
}

/* Bytes as Z85, filled up with zeros; heap. */
static inline char *z85_encode(const struct buf *b)
{
    static const char z85[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    struct buf out;
    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < b->len; i += 4) {
        uint32_t n = 0;
        for (size_t k = 0; k < 4; k++)
            n = n << 8 | (i + k < b->len ? (uint8_t)b->data[i + k] : 0);
        char five[5];
        for (int k = 4; k >= 0; k--, n /= 85)
            five[k] = z85[n % 85];
        buf_add(&out, five, 5);
    }
    return buf_detach(&out);
}

/* Append n, little-endian. */
static inline void le(struct buf *b, uint64_t n, int bytes)
{
    for (int i = 0; i < bytes; i++)
        buf_putc(b, (char)(n >> (8 * i)));
}

/* "deletionVector":{…}: an inline vector of these rows; heap. */
static inline char *inline_vector_of(size_t n, const uint16_t *rows)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    le(&b, 1681511377, 4), le(&b, 1, 8), le(&b, 0, 4);
    le(&b, 12346, 4), le(&b, 1, 4), le(&b, 0, 2), le(&b, n - 1, 2), le(&b, 0, 4);
    for (size_t i = 0; i < n; i++)
        le(&b, rows[i], 2);
    char *text = z85_encode(&b);
    char *out = xasprintf("\"deletionVector\":{\"storageType\":\"i\",\"pathOrInlineDv\":\"%s\",\"sizeInBytes\":%zu,\"cardinality\":%zu}",
                          text, b.len, n);
    free(text);
    buf_release(&b);
    return out;
}

#endif
