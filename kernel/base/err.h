/*
 * The error value: every function that can fail returns bool and fills a struct err.
 *
 * Rules of the house: the first error wins (a second err_set on a filled value is ignored), context is put in
 * front on the way up (err_wrap), and an error is reported once, where it is consumed. Buffers are fixed, so
 * reporting an error never allocates and never fails; texts that do not fit are cut at a UTF-8 boundary and end in "…".
 * Never put a secret (token, password, conninfo) into an error.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* One row a code in err_codes.def; everything that differs by code is derived from there. */
enum err_code {
    ERR_NONE = 0,
#define ERR_CODE(sym, ename, http, wire, retryable, meaning) ERR_##sym,
#include "base/err_codes.def"
#undef ERR_CODE
    ERR_CODE_COUNT
};

struct err {
    enum err_code code;  /* ERR_NONE: no error */
    int http;            /* HTTP status that a remote answered; 0: none was involved */
    char sqlstate[6];    /* five characters of a PostgreSQL error, else "" */
    int position;        /* 1-based code point in the statement that was sent (PostgreSQL's P field); 0: unknown */
    int line, column;    /* 1-based place in the cell (column in code points); 0: unknown */
    int width;           /* how many code points to mark there; 0 counts as 1 */
    char text[1024];     /* what failed and why, lower-case start, no full stop */
    char detail[1024];   /* more of the why; "" when there is none */
    char hint[512];      /* what to do next; "" when there is none */
    char context[1024];  /* PostgreSQL's CONTEXT, or where in a nested call; "" when there is none */
};

/* Static facts of a code. */
struct err_info {
    const char *symbol;   /* "NOT_FOUND" */
    const char *ename;    /* what a notebook shows: "NotFound" */
    int http;             /* status the local workspace answers */
    const char *wire;     /* Databricks error_code */
    bool retryable;       /* worth trying again unchanged */
    const char *meaning;  /* one line for the documentation */
};

void err_init(struct err *e);
static inline bool err_is(const struct err *e, enum err_code code) { return e->code == code; }

/* Set the error unless one is set already. Always returns false, so that `return err_set(…)` reads well. */
bool err_set(struct err *e, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), nonnull(1, 3)));
/* Set the code and the text from strerror(errnum): "cannot open 'x': No such file or directory". */
bool err_errno(struct err *e, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4), nonnull(1, 3)));
/* Put "context: " in front of the text of a set error. Returns false. */
bool err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3), nonnull(1, 2)));
/* Fill detail or hint unless filled already. */
void err_detail(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3), nonnull(1, 2)));
void err_hint(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3), nonnull(1, 2)));
/* Copy text of any length into a fixed buffer of an error, cut at a UTF-8 boundary with "…". */
void err_copy(char *to, size_t size, const char *text, size_t len);

const struct err_info *err_info(enum err_code code);
/* The code whose Databricks error_code is `wire`; else the first whose HTTP status is `http`; else ERR_REMOTE. */
enum err_code err_code_of_wire(const char *wire, int http);

/* A broken invariant of ours: says where, then aborts. Never for bad input. */
_Noreturn void bug_at(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
#define bug(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)

#endif
