/*
 * The interpreter: what the kernel calls with a cell. Knows no sockets; it shows through a sink and asks through
 * a host, so tests run it in memory.
 */
#ifndef MAGICS_INTERP_H
#define MAGICS_INTERP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/err.h"
#include "cell/split.h"
#include "magics/magic.h"

/* Everything that outlives a cell: connections, client of the workspace, settings. Owned by the cell thread. */
struct session *session_new(void);
void session_free(struct session *s); /* closes connections; quick */

struct cell_run {
    const char *code;
    size_t len;
    struct sink *out;
    struct cancel *cancel;
    const struct host *host;
};

/* Run a cell. On failure *error is the bundle of render/error.h ({"ename","evalue","traceback"}; caller owns) and the
 * result is false; everything shown before stays shown. Cell thread. */
bool interp_run(struct session *s, const struct cell_run *run, json_t **error);

/* Run another cell's text inside the one of ctx, with its own output; an error has no place, for the user does not see
 * that text. Cell thread. */
bool interp_part(struct magic_ctx *ctx, const char *code, size_t len, struct sink *out, struct err *e);

/* The cell as the history may keep it: values of secret arguments, passwords in URIs, conninfos and SQL, and
 * tokens replaced by "****". NULL: nothing to hide, keep it as it is. The caller frees it. Any thread. */
char *interp_redact(const char *code, size_t len);

/* The same for an error: what of the cell is a secret is replaced in its texts. true: there was one in the cell, so
 * none of its lines may be shown. Any thread. */
bool interp_redact_err(const char *code, size_t len, struct err *e);

/* The reference of all magics as Markdown, appended. For `lakebase-kernel --print-docs`. Any thread. */
void interp_docs(struct buf *out);

/* For completion and inspection: from the descriptors, the lexer and the names that the cell thread wrote down
 * (names.h); any thread, no session. Offsets are bytes. */
struct completion {
    const char *text, *type, *help; /* type: JupyterLab's icon name: "magic", "property", "keyword", "text" */
};
struct completions {
    struct arena arena;
    struct completion *items;
    size_t count;
    size_t start, end; /* bytes of the code that a match replaces */
};
void interp_complete(const char *code, size_t len, size_t cursor, struct completions *out);
/* Would names of the workspace be offered there? Then it is worth a refresh before. Any thread. */
bool interp_wants_names(const char *code, size_t len, size_t cursor);
/* Bring those names up to date. Cell thread, between cells; ends soon after a cancel, at the latest after 2 seconds. */
void interp_refresh(struct session *s, struct cancel *cancel);
void completions_release(struct completions *c);
/* {"text/plain": …, "text/markdown": …} for the word at the cursor, or NULL. Caller owns. */
json_t *interp_inspect(const char *code, size_t len, size_t cursor, int detail);

#endif
