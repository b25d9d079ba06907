/*
 * Argument rows: the one description of what a magic takes. Parsing, usage text, help, completion and error messages
 * are derived from the rows. Words are split as a shell does for quotes ('…', "…", backslash), nothing is expanded.
 */
#ifndef CELL_ARGS_H
#define CELL_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum arg_type {
    ARG_WORD = 1, /* any word */
    ARG_INT,      /* integer in [min, max] */
    ARG_FLAG,     /* present or not, takes no value */
    ARG_CHOICE,   /* one of `choices` */
    ARG_DURATION, /* 500ms, 3s, 2m, 1h; kept in milliseconds */
    ARG_REST      /* positional, last: the raw rest of the line */
};

/* ARG_BARE: an option of type ARG_CHOICE may stand without a value, and is then its first choice; the next word is its value
 * when it is one of them. */
enum { ARG_REQUIRED = 1, ARG_REPEAT = 2, ARG_SECRET = 4, ARG_BARE = 8 };

struct arg_row {
    const char *name;           /* "capacity": option --capacity; for a positional its name in usage and lookups */
    char letter;                /* short option, 0: none */
    bool positional;
    enum arg_type type;
    unsigned flags;
    long long min, max;         /* ARG_INT, and ARG_DURATION in ms; both 0: no range */
    const char *const *choices; /* ARG_CHOICE; NULL-terminated, also offered by completion for ARG_WORD */
    const char *keyword;        /* a positional that must be announced by this word: "as" in `… as ALIAS`; else NULL */
    const char *placeholder;    /* "N", "NAME"; NULL: upper-case name */
    const char *help;           /* one line, lower-case start, no full stop */
    const char *complete;       /* completion provider: "instance", "connection", "catalog", "magic"; NULL: none */
};

/* Rows end with a row whose name is NULL. */
struct args; /* parsed; lives in the arena given to args_parse */

/* Parse text[0..len) against rows. line/column: 1-based place of text[0] in the cell; an error (ERR_USAGE) carries the
 * place of the word at fault, says what is allowed, and suggests the nearest option name. NULL on failure. */
const struct args *args_parse(struct arena *a, const struct arg_row *rows, const char *text, size_t len, int line,
                              int column, struct err *e);
/* Value as text; NULL when absent. n-th value for repeated ones. Asking for a name without a row is a bug(). */
const char *args_get(const struct args *p, const char *name);
const char *args_get_nth(const struct args *p, const char *name, size_t n);
bool args_flag(const struct args *p, const char *name);
/* Integer or milliseconds; `otherwise` when absent. */
long long args_int(const struct args *p, const char *name, long long otherwise);
/* "[--capacity CU_1|CU_2|CU_4|CU_8] NAME" */
void args_usage(const struct arg_row *rows, struct buf *out);
/* Edit distance based suggestion among NULL-terminated names; NULL when nothing is near. */
const char *args_nearest(const char *word, size_t len, const char *const *names);

#endif
