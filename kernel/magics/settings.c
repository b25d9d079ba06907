/* The settings of a session (see settings.h). Who obeys them: statement.c. */
#include "magics/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cell/args.h"

#define AT(field) offsetof(struct settings, field)

static const struct setting table[] = {
    {"expanded", SETTING_BOOL, AT(expanded), 0, 0, "one line for each column, as \\x"},
    {"fetch_limit", SETTING_INT, AT(fetch_limit), 1, 10000000, "stop reading a result after so many rows"},
    {"rows", SETTING_INT, AT(rows), 1, 10000, "show so many rows of a result"},
    {"timeout", SETTING_DURATION, AT(timeout), 0, 86400000, "cancel a statement that takes longer; 0s: never"},
    {"timing", SETTING_BOOL, AT(timing), 0, 0, "show how long each statement took"},
    {.name = NULL}};

const struct setting *settings_table(void) { return table; }

static void *field(struct settings *s, const struct setting *row) { return (char *)s + row->offset; }

static bool put_bool(bool *to, const struct setting *row, const char *value, struct err *e)
{
    bool on = strcmp(value, "on") == 0 || strcmp(value, "true") == 0;
    if (!on && strcmp(value, "off") != 0 && strcmp(value, "false") != 0)
        return err_set(e, ERR_USAGE, "%s is on or off, not '%.50s'", row->name, value);
    *to = on;
    return true;
}

static bool put_int(long long *to, const struct setting *row, const char *value, struct err *e)
{
    char *end;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    if (end == value || *end || errno || n < row->min || n > row->max) {
        err_set(e, ERR_USAGE, "%s is a number from %lld to %lld, not '%.50s'", row->name, row->min, row->max, value);
        if (strcmp(row->name, "rows") == 0)
            err_hint(e, "%%export FILE SELECT ... writes all rows of a query");
        return false;
    }
    *to = n;
    return true;
}

/* Durations are read by args_parse, so that they are the same everywhere. */
static bool put_duration(long long *to, const struct setting *row, const char *value, struct err *e)
{
    static const struct arg_row rows[] = {{.name = "value", .positional = true, .type = ARG_DURATION},
                                          {.name = NULL}};
    struct arena arena;
    struct err bad = {0};
    arena_init(&arena);
    const struct args *args = args_parse(&arena, rows, value, strlen(value), 0, 0, &bad);
    long long ms = args ? args_int(args, "value", -1) : -1;
    arena_release(&arena);
    if (ms < row->min || ms > row->max)
        return err_set(e, ERR_USAGE, "%s is a duration such as 500ms, 30s or 5m, at most 24h, not '%.50s'", row->name,
                       value);
    *to = ms;
    return true;
}

bool settings_put(struct settings *s, const char *name, const char *value, struct err *e)
{
    const char *names[16];
    size_t n = 0;
    for (const struct setting *row = table; row->name; row++) {
        names[n++] = row->name;
        if (strcmp(row->name, name) != 0)
            continue;
        return row->type == SETTING_BOOL  ? put_bool(field(s, row), row, value, e)
               : row->type == SETTING_INT ? put_int(field(s, row), row, value, e)
                                          : put_duration(field(s, row), row, value, e);
    }
    names[n] = NULL;
    const char *near = args_nearest(name, strlen(name), names);
    err_set(e, ERR_USAGE, "there is no setting '%.100s'", name);
    if (near)
        err_hint(e, "did you mean %s? %%set lists them; a variable is set with =", near);
    else
        err_hint(e, "%%set lists them; a variable is set with =: %%set %.50s = VALUE", name);
    return false;
}

void settings_show(const struct settings *s, const struct setting *row, struct buf *out)
{
    const void *at = (const char *)s + row->offset;
    long long n = row->type == SETTING_BOOL ? *(const bool *)at : *(const long long *)at;
    if (row->type == SETTING_BOOL)
        buf_puts(out, n ? "on" : "off");
    else if (row->type == SETTING_INT)
        buf_printf(out, "%lld", n);
    else if (n % 1000 == 0)
        buf_printf(out, "%llds", n / 1000);
    else
        buf_printf(out, "%lldms", n);
}
