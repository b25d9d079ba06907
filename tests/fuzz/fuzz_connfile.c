/*
 * Fuzz target: the text of a connection file (kernel/wire/connfile.c). Replayed by
 * tests/unit/test_wire_fuzz.c; for a long run see fuzz_msg.c, with kernel/wire/connfile.c and
 * kernel/base/fs.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/connfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct connfile c;
    struct err e;
    err_init(&e);
    char *copy = malloc(size ? size : 1); /* of its own size, so that a read behind it is seen */
    memcpy(copy, data, size);
    if (connfile_parse(&c, copy, size, &e)) {
        bool ok = c.key && c.ip[0] && strlen(c.ip) <= CONNFILE_MAX_IP && e.code == ERR_NONE;
        for (int ch = 0; ch < CH_COUNT; ch++)
            ok = ok && c.port[ch] >= 0 && c.port[ch] <= 65535;
        if (!ok)
            abort();
    } else if (e.code == ERR_NONE || c.key || !e.text[0]) {
        abort();
    }
    connfile_release(&c);
    free(copy);
    return 0;
}
