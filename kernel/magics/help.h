/* Texts about magics, all derived from the descriptors: help, the list, the reference of README.md. */
#ifndef MAGICS_HELP_H
#define MAGICS_HELP_H

#include "base/buf.h"
#include "magics/magic.h"

enum help_form { HELP_PLAIN, HELP_MARKDOWN };

/* "%connect", "%%bash", "\dt": the sign of the first kind it has. */
void help_sign(const struct magic *m, struct buf *out);
/* All about one magic; sub NULL: all its sub-commands. level: of the Markdown heading. */
void help_magic(const struct magic *m, const struct magic_sub *sub, enum help_form form, int level, struct buf *out);
/* One line for each magic, by group. */
void help_list(enum help_form form, struct buf *out);
/* One option or argument: "--capacity CU_1|CU_2: what it does". */
void help_row(const struct arg_row *row, struct buf *out);
const struct magic_sub *help_sub(const struct magic *m, const char *name, size_t len);

#endif
