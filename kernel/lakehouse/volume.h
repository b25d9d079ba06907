/*
 * The files of a Unity Catalog volume: a folder of ours that Unity Catalog names, looked into without ever following a
 * symbolic link, so that nothing in it can lead out. Knows no SQL and no privileges.
 */
#ifndef LAKEHOUSE_VOLUME_H
#define LAKEHOUSE_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum { VOLUME_FILES_MAX = 100000, VOLUME_DEPTH_MAX = 32 };

struct volume_file {
    const char *name;    /* from the volume's folder on: "2026/a.csv" */
    int64_t size, modified_ms;
    bool folder;         /* of a list that is not deep */
};
struct volume_files {
    struct volume_file *list; /* by name; in the arena, as their names */
    size_t count, cap;
};

/* What lies at `path` below `folder` ("": all of it; no slash at its ends): a file, or all files in a folder but hidden ones (names that begin
 * with '.' or '_'). deep: in its folders too; else folders are entries themselves, and '_' hides nothing. From the first * ? [ or { on, path is a pattern
 * (volume_match) for the whole name.
 * ERR_NOT_FOUND: nothing there. ERR_INVALID_PARAMETER: "..", an empty part, a symbolic link. ERR_TOO_BIG. */
bool volume_list(const char *folder, const char *path, bool deep, struct arena *arena, struct volume_files *out, struct err *e);
/* Does the name fit the pattern? * and ? stop at slashes, [abc] [a-z] [^a], {ab,cd}. */
bool volume_match(const char *pattern, const char *name);

#endif
