/* Identifiers (see ids.h). */
#include "base/ids.h"

#include <stdio.h>
#include <sys/random.h>
#include <uuid/uuid.h>

#include "base/err.h"

void ids_uuid(char out[37])
{
    uuid_t u;
    uuid_generate_random(u);
    uuid_unparse_lower(u, out);
}

void ids_hex(char *out, size_t n)
{
    unsigned char bytes[64];
    if (n > sizeof bytes || getrandom(bytes, n, 0) != (ssize_t)n)
        bug("cannot get %zu random bytes", n);
    for (size_t i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}
