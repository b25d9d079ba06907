/* The table of magics, made from list.def (see magic.h), and look-up by name. What a magic does is in its own
 * file. */
#include <string.h>

#include "base/xalloc.h"
#include "magics/magic.h"

#define MAGIC(name) extern const struct magic magic_##name;
#include "magics/list.def"
#undef MAGIC

static const struct magic *const all[] = {
#define MAGIC(name) &magic_##name,
#include "magics/list.def"
#undef MAGIC
};

const struct magic *const *magic_all(size_t *count)
{
    *count = ARRAY_LEN(all);
    return all;
}

static bool is_called(const struct magic *m, const char *name, size_t len)
{
    if (strlen(m->name) == len && memcmp(m->name, name, len) == 0)
        return true;
    for (const char *const *a = m->aliases; a && *a; a++) {
        if (strlen(*a) == len && memcmp(*a, name, len) == 0)
            return true;
    }
    return false;
}

const struct magic *magic_find(const char *name, size_t len, unsigned kind)
{
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i]->kinds & kind && is_called(all[i], name, len))
            return all[i];
    }
    return NULL;
}
