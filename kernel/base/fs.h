/* Files and folders: reading with a cap, writing whole files atomically, private folders, and where our state is. */
#ifndef BASE_FS_H
#define BASE_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Append the file's bytes to `out` (its max is the cap: ERR_TOO_BIG). ERR_NOT_FOUND when there is no such file. */
bool fs_read(const char *path, struct buf *out, struct err *e);
/* All of it, however many calls that takes; false with errno. */
bool fs_write_all(int fd, const void *bytes, size_t len);
/* Write beside the target, fsync, rename over it: readers see the old or the new file, never half of one.
 * mode as open(2), not changed by the umask. */
bool fs_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *e);
/* Make the folder and its missing parents; the last one gets exactly `mode`. Existing ones stay as they are. */
bool fs_mkdirs(const char *path, mode_t mode, struct err *e);
/* For the user that file operations of this thread count as (setfsuid), unlike access(2). */
bool fs_exists(const char *path);
/* The names in a folder that fit the pattern (fnmatch(3); NULL: all but "." and ".."), sorted. None when there is no such
 * folder. Nothing in the folder's own path is a pattern, unlike with glob(3). */
struct fs_names {
    char **names;
    size_t count;
};
bool fs_list(const char *dir, const char *pattern, struct fs_names *out, struct err *e);
void fs_names_release(struct fs_names *n);
/* Remove a file or a whole tree; links are not followed; nothing there is success. */
bool fs_remove_tree(const char *path, struct err *e);
/* A log that others hold open for appending: when it is larger than `most` bytes, its text moves to path.1 (the one before
 * goes) and the file is emptied, also when there is no room for the copy. What is written in between is lost. */
bool fs_trim_log(const char *path, long long most, struct err *e);
/* The folder of our state: $LAKEBASE_STATE_DIR, else as root /var/lib/lakebase, else $XDG_STATE_HOME/lakebase, else
 * ~/.local/state/lakebase. Not created here. Caller frees; NULL with ERR_CONFIG when no home is known. */
char *fs_state_dir(struct err *e);
/* The folder of the running program (from /proc/self/exe). Caller frees. */
char *fs_program_dir(struct err *e);

#endif
