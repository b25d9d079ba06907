/* Shared libraries at their first use (see lazy.h). */
#include "base/lazy.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void lazy_load(const char *soname, const char *const *names, size_t count, void *slots)
{
    void *lib = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
    const char *why = lib ? NULL : dlerror();
    for (size_t i = 0; !why && i < count; i++) {
        void *function = dlsym(lib, names[i]);
        why = function ? NULL : dlerror();
        memcpy((char *)slots + i * sizeof function, &function, sizeof function);
    }
    if (!why)
        return;
    fprintf(stderr, "cannot load %s: %s\n", soname, why);
    exit(127);
}
