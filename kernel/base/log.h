/*
 * The log: one line an event on standard error: "time level area message". Level from LAKEBASE_LOG (error, warn,
 * info, debug; default warn). Callers never log a secret; an error is logged once, where it is consumed.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"

enum { LOG_FILE_MOST = 8 << 20 }; /* a log in a file is cut at about this size; the part before it is kept once */

enum log_level { LOG_ERROR = 1, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Read the level from the environment. Call at the start of main. */
void log_setup(void);
bool log_wants(enum log_level level);
/* area: a folder or part ("wire", "instance"). Any thread. */
void log_line(enum log_level level, const char *area, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* When standard error is a file of this name that is appended to: fs_trim_log at LOG_FILE_MOST. Other files are not ours. */
void log_trim(const char *name);
/* "what: text (detail)". */
void log_err(const char *area, const char *what, const struct err *e);

#endif
