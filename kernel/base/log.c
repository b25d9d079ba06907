/* The log (see log.h). */
#include "base/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"

static const char *const names[] = {"", "error", "warn", "info", "debug"};
static enum log_level level_now = LOG_WARN;

void log_setup(void)
{
    const char *want = getenv("LAKEBASE_LOG");
    for (int i = LOG_ERROR; want && i <= LOG_DEBUG; i++) {
        if (strcmp(want, names[i]) == 0)
            level_now = (enum log_level)i;
    }
}

bool log_wants(enum log_level level) { return level <= level_now; }

void log_line(enum log_level level, const char *area, const char *fmt, ...)
{
    if (!log_wants(level))
        return;
    char stamp[40], line[2048];
    clock_rfc3339_micros(stamp);
    int n = snprintf(line, sizeof line, "%s %-5s %s ", stamp, names[level], area);
    va_list ap;
    va_start(ap, fmt);
    int m = vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, ap);
    va_end(ap);
    size_t len = strlen(line);
    (void)m;
    for (size_t i = (size_t)n; i < len; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = ' '; /* one line an event, and no escape sequences for a terminal */
    }
    line[len++] = '\n';
    /* One write keeps lines of several threads and processes whole. */
    ssize_t w = write(STDERR_FILENO, line, len);
    (void)w;
}

void log_trim(const char *name)
{
    char path[4096];
    struct err e;
    err_init(&e);
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    ssize_t n = readlink("/proc/self/fd/2", path, sizeof path - 1);
    if (n <= 0 || *path != '/' || flags < 0 || !(flags & O_APPEND))
        return;
    path[n] = '\0';
    if (strcmp(strrchr(path, '/') + 1, name) == 0 && !fs_trim_log(path, LOG_FILE_MOST, &e))
        log_err("log", "cannot be cut", &e);
}

void log_err(const char *area, const char *what, const struct err *e)
{
    log_line(e->code == ERR_CANCELLED ? LOG_INFO : LOG_ERROR, area, "%s: %s%s%s%s", what, e->text,
             e->detail[0] ? " (" : "", e->detail, e->detail[0] ? ")" : "");
}
