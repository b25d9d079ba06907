/*
 * A shared library that is loaded at its first use. libpq and libcurl bring two dozen libraries
 * with them: a kernel that only answers kernel_info, or runs no SQL, neither waits for them nor
 * holds them in memory (start-up 4 of 13 ms, 3.5 MiB).
 *
 * pg/lazy_libpq.c and databricks/lazy_libcurl.c define the functions we call under their own names;
 * so callers and headers stay as they are, and with --as-needed the linker leaves the library out
 * by itself. A function that has no row there is linked as usual: nothing breaks, the library is
 * loaded at the start again.
 */
#ifndef BASE_LAZY_H
#define BASE_LAZY_H

#include <stddef.h>

/* Load `soname` and store the address of names[i] in slots[i], pointers to functions side by side.
 * Any thread; once a library. A library that was there when we were built and is gone now is fatal:
 * says so and ends the process. */
void lazy_load(const char *soname, const char *const *names, size_t count, void *slots);

#endif
