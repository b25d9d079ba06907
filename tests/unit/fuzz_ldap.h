/* Fuzz target: the bytes a stranger may send to the login responder (workspace/ldap_message.c). Replayed by
 * test_workspace_ldap.c; tests/fuzz/fuzz_ldap.c makes a program of it. */
#ifndef FUZZ_LDAP_H
#define FUZZ_LDAP_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "workspace/ldap_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void in_bounds(const uint8_t *message, size_t len, const char *at, size_t n)
{
    const char *from = (const char *)message;
    if (n > 0 && (at < from || at > from + len || n > (size_t)(from + len - at)))
        bug("a value outside of its message");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* The size must not depend on how much of the message is there, once it is known. */
    long whole = 0;
    for (size_t have = 0; have <= size && have <= 6 && whole == 0; have++)
        whole = ldap_message_size(data, have);
    if (whole == 0 && size >= 6)
        bug("six bytes did not tell the size");
    if (whole != ldap_message_size(data, size) && whole > 0)
        bug("the size changed");
    if (whole <= 0 || (size_t)whole > size)
        return 0;
    uint8_t *exact = malloc((size_t)whole + 1); /* so that a sanitizer sees the edge */
    memcpy(exact, data, (size_t)whole);
    exact[whole] = 0;
    struct ldap_request r;
    ldap_message_parse(exact, (size_t)whole, &r);
    if (r.kind == LDAP_BIND) {
        char uid[64], user[256];
        in_bounds(exact, (size_t)whole, r.name, r.name_len);
        in_bounds(exact, (size_t)whole, r.password, r.password_len);
        ldap_name_split(r.name, r.name_len, uid, user);
    }
    free(exact);
    return 0;
}

#endif
