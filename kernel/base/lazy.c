/* Shared libraries at their first use (see lazy.h). */
#include "base/lazy.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool lazy_load(const char *soname, const char *const *names, size_t count, void *slots,
               struct err *e)
{
    void *lib = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
    const char *why = lib ? NULL : dlerror();
    for (size_t i = 0; !why && i < count; i++) {
        void *function = dlsym(lib, names[i]);
        why = function ? NULL : dlerror();
        memcpy((char *)slots + i * sizeof function, &function, sizeof function);
    }
    if (!why)
        return true;
    err_set(e, ERR_CONFIG, "cannot load %s: %s", soname, why);
    err_hint(e, "install the package that holds this library, then start again");
    return false;
}

void lazy_not_there(const struct err *why)
{
    fprintf(stderr, "%s\n", why->text);
    exit(127);
}
