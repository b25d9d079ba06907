/*
 * Fuzz target: frames of a message (kernel/wire/msg.c, sign.c). The input is the frames, one a
 * line. They are decoded twice: without a key, which reaches the JSON, and with one, where nothing
 * may be accepted. Replayed by tests/unit/test_wire_fuzz.c; for a long run:
 *   clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ikernel tests/fuzz/fuzz_msg.c
 * kernel/wire/{msg,sign}.c \ kernel/base/{buf,clock,err,ids,jx,utf8,xalloc}.c -ljansson -lcrypto
 * -luuid -o fuzz && ./fuzz tests/fuzz/corpus/msg
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_message(struct msg *m)
{
    struct author a;
    struct packet p;
    if (!m->id || !m->type || !*m->type || !json_is_object(m->content) ||
        !json_is_object(m->metadata) || strlen(m->header_text) > m->header_len ||
        m->n_ids > MSG_MAX_IDS || !msg_same_sender(m, m))
        abort();
    author_init(&a);
    packet_init(&p, &a, "status", m, m->metadata, strdup("{}"));
    packet_release(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MOST = MSG_MAX_FRAMES + 2 };
    struct frame frames[MOST];
    size_t n = 0;
    const char *at = (const char *)data, *end = at + size;
    while (at < end && n < MOST) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        /* a block of its own size, so that a read behind it is seen */
        size_t len = (size_t)((line ? line : end) - at);
        char *copy = malloc(len ? len : 1);
        memcpy(copy, at, len);
        frames[n++] = (struct frame){copy, len};
        at = line ? line + 1 : end;
    }
    static const char *const keys[] = {"", "key"};
    for (int i = 0; i < 2; i++) {
        struct err e;
        err_init(&e);
        struct signer *s = signer_new(keys[i], &e);
        struct msg *m = s ? msg_decode(frames, n, s, &e) : NULL;
        if (!s || (m && i == 1) || (!m && e.code != ERR_MALFORMED && e.code != ERR_PERMISSION))
            abort();
        if (m)
            check_message(m);
        msg_free(m);
        signer_free(s);
    }
    for (size_t i = 0; i < n; i++)
        free((void *)(uintptr_t)frames[i].data);
    return 0;
}
