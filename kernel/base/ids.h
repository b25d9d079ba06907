/* Identifiers: random UUIDs (libuuid) and hex strings. */
#ifndef BASE_IDS_H
#define BASE_IDS_H

#include <stddef.h>

/* A version 4 UUID in lower case with hyphens. */
void ids_uuid(char out[37]);
/* 2*n hex digits of n random bytes (n <= 64), for keys and tokens; out has 2*n+1 bytes. */
void ids_hex(char *out, size_t n);

#endif
