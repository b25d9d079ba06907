/*
 * %lab catch-up N: do a lab's work for a learner who skipped it, by running the cells of its notebook that carry the
 * tag "catch-up". What has to be done is data (tags, and the checks N-complete and N-untouched); here is only the runner.
 */
#ifndef MAGICS_CATCHUP_H
#define MAGICS_CATCHUP_H

#include <stdbool.h>

#include "base/err.h"
#include "magics/magic.h"

enum { NOTEBOOK_MAX = 16 << 20, CATCHUP_CELLS_MAX = 200 };

/*
 * Nothing is run when the check N-complete holds. When something of the lab is there already (N-untouched does not hold)
 * the user is asked first; yes: has agreed in the cell. Ends with N-complete shown. Errors: ERR_NOT_FOUND (no such lab),
 * ERR_MALFORMED (the notebook), those of the cells, ERR_CHECK. Cell thread.
 */
bool catchup_run(struct magic_ctx *ctx, int lab, bool yes, struct err *e);

#endif
