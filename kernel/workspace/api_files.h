/*
 * The Files API: /api/2.0/fs/files and /api/2.0/fs/directories over the files of volumes. Not in routes.def, as its paths have any
 * number of segments and its bodies are bytes, which go to the disk as they come.
 */
#ifndef WORKSPACE_API_FILES_H
#define WORKSPACE_API_FILES_H

#include "workspace/answer.h"
#include "workspace/request.h"

struct files_call; /* one call, from its headers to its answer */

bool files_is(const char *path);
/* After the headers: privileges, and where a body goes. r->params has the query. NULL: *e says what is wrong. */
struct files_call *files_begin(struct request *r, struct err *e);
/* A piece of the body. */
bool files_take(struct files_call *c, const void *data, size_t len, struct err *e);
/* After the body. */
void files_answer(struct files_call *c, struct answer *a);
void files_free(struct files_call *c); /* NULL is fine */

#endif
