/* What %set can change: one row each. */
#ifndef MAGICS_SETTINGS_H
#define MAGICS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "magics/session.h"

enum setting_type { SETTING_INT = 1, SETTING_BOOL, SETTING_DURATION };

struct setting {
    const char *name;
    enum setting_type type;
    size_t offset; /* in struct settings */
    long long min, max;
    const char *help;
};

/* Sorted by name, ended by a NULL name. */
const struct setting *settings_table(void);
/* ERR_USAGE for an unknown name or a wrong value. */
bool settings_put(struct settings *s, const char *name, const char *value, struct err *e);
void settings_show(const struct settings *s, const struct setting *row, struct buf *out);

#endif
