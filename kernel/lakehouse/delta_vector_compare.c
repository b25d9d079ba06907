/* Two deletion vectors of one file: the same, or which rows they differ in. Decoding is in delta_vector.c. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "lakehouse/delta_log.h"

static void id_of(const json_t *body, struct buf *out)
{
    buf_init(out, DELTA_LINE_MAX);
    delta_vector_id(json_object_get(body, "deletionVector"), out);
}

bool delta_vector_same(const json_t *a, const json_t *b)
{
    struct buf x, y;
    id_of(a, &x);
    id_of(b, &y);
    bool same = !strcmp(buf_str(&x), buf_str(&y));
    buf_release(&x);
    buf_release(&y);
    return same;
}

/* Both ascending: what `a` has and `b` has not. Heap. */
static uint64_t *without(const uint64_t *a, size_t n_a, const uint64_t *b, size_t n_b, size_t *count)
{
    uint64_t *out = xcalloc(n_a + 1, sizeof *out);
    *count = 0;
    for (size_t i = 0, k = 0; i < n_a; i++) {
        while (k < n_b && b[k] < a[i])
            k++;
        if (k == n_b || b[k] != a[i])
            out[(*count)++] = a[i];
    }
    return out;
}

static bool load(const char *root, const json_t *body, uint64_t **rows, size_t *count, struct err *e)
{
    struct delta_file f;
    bool ok = delta_file_parse(root, body, &f, e) && delta_vector_rows(root, &f, rows, count, e);
    delta_file_release(&f);
    return ok;
}

bool delta_vector_compare(const char *root, const json_t *before, const json_t *after, struct delta_vector_difference *out,
                          struct err *e)
{
    uint64_t *was = NULL, *is = NULL;
    size_t n_was = 0, n_is = 0;
    bool ok = load(root, before, &was, &n_was, e) && load(root, after, &is, &n_is, e);
    *out = (struct delta_vector_difference){0};
    if (ok) {
        out->masked = without(is, n_is, was, n_was, &out->n_masked);
        out->unmasked = without(was, n_was, is, n_is, &out->n_unmasked);
    }
    free(was);
    free(is);
    return ok;
}
