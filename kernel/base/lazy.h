/*
 * A shared library that is loaded at its first use. libpq and libcurl bring two dozen libraries
 * with them: a kernel that only answers kernel_info, or runs no SQL, neither waits for them nor
 * holds them in memory (start-up 4 of 13 ms, 3.5 MiB).
 *
 * pg/lazy_libpq.c and databricks/lazy_libcurl.c define the functions we call under their own names;
 * so callers and headers stay as they are. The Makefile does not offer these libraries to the linker
 * of the kernel: a function that has no row there does not link.
 */
#ifndef BASE_LAZY_H
#define BASE_LAZY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Load `soname` and store the address of names[i] in slots[i], pointers to functions side by side.
 * Any thread; once a library. ERR_CONFIG: the library is not here, or lacks one of the functions. */
bool lazy_load(const char *soname, const char *const *names, size_t count, void *slots,
               struct err *e);
/* A function of a library that did not load was called without asking first: says so, ends the
 * process. */
_Noreturn void lazy_not_there(const struct err *why);

/*
 * All of a library but its rows, which are lists of
 *   RETURNS: R(type, name, (parameters), (arguments))    VOIDS: V(name, (parameters), (arguments))
 *   OWN: O(name), a function that the file defines itself: real_ready(), then real.name
 * `ready` is defined as bool ready(struct err *e): whoever begins to use the library asks it first.
 */
#define LAZY_LIBRARY(ready, soname, RETURNS, VOIDS, OWN)                                                  \
    static struct {                                                                                \
        RETURNS(LAZY_SLOT_R) VOIDS(LAZY_SLOT_V) OWN(LAZY_SLOT_O)                                   \
    } real;                                                                                        \
    static const char *const real_names[] = {                                                      \
        RETURNS(LAZY_NAME_R) VOIDS(LAZY_NAME_V) OWN(LAZY_NAME_O)};                                 \
    static struct err real_why;                                                                    \
    static atomic_bool real_there; /* every call asks: it must cost nothing */                     \
    static void real_load(void)                                                                    \
    {                                                                                              \
        bool ok = lazy_load(soname, real_names, sizeof real_names / sizeof *real_names, &real,     \
                            &real_why);                                                            \
        atomic_store_explicit(&real_there, ok, memory_order_release);                              \
    }                                                                                              \
    bool ready(struct err *e)                                                                      \
    {                                                                                              \
        static pthread_once_t once = PTHREAD_ONCE_INIT;                                            \
        pthread_once(&once, real_load);                                                            \
        if (real_why.code && !e->code)                                                             \
            *e = real_why;                                                                         \
        return real_why.code == ERR_NONE;                                                          \
    }                                                                                              \
    static __attribute__((noinline, cold)) void real_first(void)                                   \
    {                                                                                              \
        struct err e = {0};                                                                        \
        if (!ready(&e))                                                                            \
            lazy_not_there(&e);                                                                    \
    }                                                                                              \
    static inline void real_ready(void)                                                            \
    {                                                                                              \
        if (!atomic_load_explicit(&real_there, memory_order_acquire))                              \
            real_first();                                                                          \
    }                                                                                              \
    RETURNS(LAZY_CALL_R) VOIDS(LAZY_CALL_V)

#define LAZY_SLOT_R(type, name, params, args) __typeof__(name) *name;
#define LAZY_SLOT_V(name, params, args)       __typeof__(name) *name;
#define LAZY_SLOT_O(name)                     __typeof__(name) *name;
#define LAZY_NAME_R(type, name, params, args) #name,
#define LAZY_NAME_V(name, params, args)       #name,
#define LAZY_NAME_O(name)                     #name,
#define LAZY_CALL_R(type, name, params, args)                                                      \
    type name params                                                                               \
    {                                                                                              \
        real_ready();                                                                              \
        return real.name args;                                                                     \
    }
#define LAZY_CALL_V(name, params, args)                                                            \
    void name params                                                                               \
    {                                                                                              \
        real_ready();                                                                              \
        real.name args;                                                                            \
    }

#endif
