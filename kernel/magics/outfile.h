/* A file that a magic writes: new, beside the one of that name, and in its place only when it is whole. */
#ifndef MAGICS_OUTFILE_H
#define MAGICS_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

struct outfile {
    const char *path, *fresh; /* in the arena */
    int fd;
};

/* false: ERR_IO, and there is nothing to end. */
bool outfile_open(struct outfile *f, struct arena *a, const char *path, struct err *e);
bool outfile_write(struct outfile *f, const void *data, size_t len, struct err *e);
/* ok: it takes its place; else it goes. Always after outfile_open. Returns whether it is in its place. */
bool outfile_close(struct outfile *f, bool ok, struct err *e);

#endif
