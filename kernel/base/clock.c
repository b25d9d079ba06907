/* Time (see clock.h). */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static atomic_llong shift_ms;

static int64_t read_us(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_mono_us(void) { return read_us(CLOCK_MONOTONIC); }
int64_t clock_mono_ms(void) { return clock_mono_us() / 1000; }
int64_t clock_wall_ms(void) { return read_us(CLOCK_REALTIME) / 1000 + atomic_load(&shift_ms); }
int64_t clock_wall_s(void) { return clock_wall_ms() / 1000; }
void clock_shift(int64_t ms) { atomic_fetch_add(&shift_ms, ms); }

void clock_cond_init(pthread_cond_t *c)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(c, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

bool clock_cond_until(pthread_cond_t *c, pthread_mutex_t *lock, int64_t end_ms)
{
    struct timespec until = {.tv_sec = (time_t)(end_ms / 1000), .tv_nsec = (long)(end_ms % 1000 * 1000000)};
    return pthread_cond_timedwait(c, lock, &until) == 0;
}

void clock_rfc3339(int64_t wall_s, char out[32])
{
    time_t t = (time_t)wall_s;
    struct tm tm;
    gmtime_r(&t, &tm);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void clock_rfc3339_micros(char out[40])
{
    int64_t us = read_us(CLOCK_REALTIME) + (int64_t)atomic_load(&shift_ms) * 1000;
    time_t t = (time_t)(us / 1000000);
    struct tm tm;
    gmtime_r(&t, &tm);
    char day[24];
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, 40, "%s.%06dZ", day, (int)(us % 1000000));
}

/* The number in n digits at *p; -1 unless there are exactly digits and it lies in [0, most]. Moves *p. */
static int number(const char **p, int n, int most)
{
    int value = 0;
    for (int i = 0; i < n; i++, (*p)++) {
        if (**p < '0' || **p > '9')
            return -1;
        value = value * 10 + (**p - '0');
    }
    return value <= most ? value : -1;
}

static bool mark(const char **p, char c) { return **p == c && (*p)++; }

/* "Z", "+02:00" or "-0530" with the end behind it; seconds east of Greenwich. */
static bool parse_offset(const char *p, int *east)
{
    *east = 0;
    if (mark(&p, 'Z'))
        return *p == '\0';
    int sign = *p == '-' ? -1 : 1;
    if (*p != '+' && *p != '-')
        return false;
    p++;
    int hours = number(&p, 2, 23);
    mark(&p, ':');
    int minutes = number(&p, 2, 59);
    *east = sign * (hours * 3600 + minutes * 60);
    return hours >= 0 && minutes >= 0 && *p == '\0';
}

bool clock_parse_rfc3339(const char *text, int64_t *wall_s)
{
    const char *p = text;
    struct tm tm = {0};
    int east;
    bool ok = (tm.tm_year = number(&p, 4, 9999)) >= 0 && mark(&p, '-') && (tm.tm_mon = number(&p, 2, 12)) >= 1 &&
              mark(&p, '-') && (tm.tm_mday = number(&p, 2, 31)) >= 1 && mark(&p, 'T') &&
              (tm.tm_hour = number(&p, 2, 23)) >= 0 && mark(&p, ':') && (tm.tm_min = number(&p, 2, 59)) >= 0 &&
              mark(&p, ':') && (tm.tm_sec = number(&p, 2, 60)) >= 0;
    if (ok && mark(&p, '.')) {
        ok = number(&p, 1, 9) >= 0;
        while (*p >= '0' && *p <= '9')
            p++;
    }
    if (!ok || !parse_offset(p, &east))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    struct tm day = {.tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = tm.tm_mday};
    timegm(&day); /* makes 31 April the first of May */
    if (day.tm_mday != tm.tm_mday)
        return false;
    *wall_s = (int64_t)timegm(&tm) - east;
    return true;
}
