/*
 * The fuzz target of unit/fuzz_ldap.h as a program, for a long run:
 *   clang -g -fsanitize=fuzzer,address,undefined -std=c11 -D_GNU_SOURCE -Ikernel tests/fuzz/fuzz_ldap.c \
 *     kernel/workspace/ldap_message.c kernel/base/buf.c kernel/base/err.c kernel/base/utf8.c kernel/base/xalloc.c \
 *     -llber -o fuzz_ldap && ./fuzz_ldap -max_len=4096
 */
#include "../unit/fuzz_ldap.h"
