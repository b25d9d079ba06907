/* Running code in the notebook's Python, for %%python and for magics that need a value of it. */
#ifndef MAGICS_PYTHON_RUN_H
#define MAGICS_PYTHON_RUN_H

#include "magics/magic.h"
#include "magics/python.h"

/* Is there a notebook around the cell? Else ERR_NOT_IMPLEMENTED. */
bool python_offered(const struct magic_ctx *ctx, struct err *e);
/* Have it run, and know whose it is. *answer says how it is; release it. */
bool python_start(struct magic_ctx *ctx, struct python_answer *answer, struct err *e);
/* Run code (UTF-8); what it shows is output of this cell. Environment and last result are the newest. An error of Python is in
 * ctx->bundle. */
bool python_run(struct magic_ctx *ctx, const struct python_answer *python, const char *code, struct err *e);

#endif
