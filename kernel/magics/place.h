/* What the cursor is on, for completion and inspection: found with the splitter's rules only, no session. */
#ifndef MAGICS_PLACE_H
#define MAGICS_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "magics/magic.h"

enum place_kind { PLACE_SQL = 1, PLACE_NAME, PLACE_ARGUMENT, PLACE_BODY };

struct place {
    enum place_kind kind;
    size_t start, end;       /* the word around (or before) the cursor; a sign is part of a magic's name */
    unsigned magic_kind;     /* of enum magic_kind, for PLACE_NAME and PLACE_ARGUMENT */
    const struct magic *magic; /* PLACE_ARGUMENT, PLACE_BODY; NULL: unknown */
    const struct magic_sub *sub; /* the sub-command that was written; NULL: none (yet) */
    bool at_sub;             /* the word is where a sub-command stands */
    size_t args_start;       /* byte of the magic's first argument, behind the sub-command */
    const struct arg_row *rows;
    const char *option;      /* PLACE_ARGUMENT: the word is the value of this option (name of its row); NULL */
};

/* whole: the word reaches past the cursor to its end (inspection), else it ends at the cursor (completion). */
void place_find(const char *code, size_t len, size_t cursor, bool whole, struct place *out);

/* The statement of plain SQL, or of the body of a cell magic, that the cursor is in: its bytes, without the semicolon. Empty,
 * at the cursor, when there is none. */
void place_statement(const char *code, size_t len, size_t cursor, const struct place *p, size_t *start, size_t *end);

#endif
