/*
 * Fuzz target: the text of a Delta commit (kernel/lakehouse/delta_*.c), replayed and made a snapshot. What is accepted must name
 * no file outside the table and survive being written and read again; what is refused must say why. Replayed by
 * tests/unit/test_lakehouse_delta_fuzz.c; for a long run:
 *   clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -DLAKEBASE_VERSION='"0"' -Ikernel tests/fuzz/fuzz_delta.c \
 *     kernel/lakehouse/delta_*.c kernel/base/{buf,clock,err,fs,ids,jx,utf8,xalloc}.c -ljansson -luuid -o fuzz && \
 *     ./fuzz tests/fuzz/corpus/delta
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "lakehouse/delta_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t delta_logs_taken; /* inputs that were a table */

static void check_delta_schema(const struct delta_snapshot *s)
{
    struct delta_schema again;
    struct err e;
    err_init(&e);
    char *text = delta_schema_format(&s->schema);
    if (!delta_schema_parse(text, &again, &e) || again.count != s->schema.count)
        abort();
    for (size_t i = 0; i < again.count; i++) {
        char *a = delta_type_text(&again.columns[i]), *b = delta_type_text(&s->schema.columns[i]);
        if (strcmp(a, b) != 0 || !delta_column_type_name(&again.columns[i]))
            abort();
        free(a);
        free(b);
    }
    json_decref(delta_protocol_needed(&again, s->configuration, s));
    delta_schema_release(&again);
    free(text);
}

static void check_delta_snapshot(const struct delta_snapshot *s)
{
    struct err e;
    err_init(&e);
    for (size_t i = 0; i < s->n_files; i++) {
        const struct delta_file *f = &s->files[i];
        char *uri = delta_path_encode(s->root, f->path, &e);
        if (strncmp(f->path, "/table/", 7) != 0 || strstr(f->path, "/../") || !uri || f->rows < -1)
            abort();
        free(uri);
    }
    check_delta_schema(s);
    if (!delta_may_write(s, &e) && e.code != ERR_NOT_IMPLEMENTED)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct delta_snapshot *s = xcalloc(1, sizeof *s);
    struct delta_replay r;
    struct err e;
    int line = 0;
    char *copy = malloc(size ? size : 1); /* of its own size, so that a read behind it is seen */
    if (!copy)
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    err_init(&e);
    s->root = xstrdup("/table");
    delta_replay_init(&r, s->root);
    bool ok = delta_lines_read(copy, size, NULL, delta_replay_action, &r, &line, &e) && delta_replay_end(&r, &e) &&
              delta_snapshot_fill(s, &r, &e);
    if (ok ? e.code != ERR_NONE : e.code == ERR_NONE || !e.text[0])
        abort();
    if (ok)
        check_delta_snapshot(s);
    delta_logs_taken += ok;
    delta_replay_release(&r);
    delta_close(s);
    free(copy);
    return 0;
}
