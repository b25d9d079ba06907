/*
 * Files in the folder of a volume: put, open, remove, folders. Every part of a path is opened from the folder above it and no link
 * is followed; as root all of it is done as the servers' user. Checks no privilege: volumes.h has done that.
 */
#ifndef WORKSPACE_VOLUME_FILES_H
#define WORKSPACE_VOLUME_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { VOLUME_FILE_MAX = 512 << 20 }; /* bytes of one file */

/* A file that is being written, under a name of its own until it is whole. */
struct volume_upload;
/* rest: the path below the folder. Missing folders on the way are made at the end. NULL: *e is set. */
struct volume_upload *volume_upload_new(const char *folder, const char *rest, struct err *e);
/* ERR_TOO_BIG past the cap. */
bool volume_upload_write(struct volume_upload *u, const void *data, size_t len, struct err *e);
/* Make it durable and give it its name. overwrite false: ERR_ALREADY_EXISTS when the name is taken. */
bool volume_upload_end(struct volume_upload *u, bool overwrite, struct err *e);
/* Also removes what did not end. NULL is fine. */
void volume_upload_free(struct volume_upload *u);

/* Open for reading; the caller closes. -1: ERR_NOT_FOUND, ERR_INVALID_PARAMETER (a folder, a link). */
int volume_file_open(const char *folder, const char *rest, int64_t *size, int64_t *modified_ms, struct err *e);
bool volume_file_remove(const char *folder, const char *rest, struct err *e);
/* With all above it; there already is fine. */
bool volume_folder_make(const char *folder, const char *rest, struct err *e);
/* ERR_BAD_REQUEST: it is not empty. */
bool volume_folder_remove(const char *folder, const char *rest, struct err *e);
/* ERR_NOT_FOUND unless it is there. */
bool volume_folder_is(const char *folder, const char *rest, struct err *e);

#endif
