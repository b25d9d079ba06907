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

bool clock_parse_rfc3339(const char *text, int64_t *wall_s)
{
    struct tm tm = {0};
    int used = 0, hours = 0, minutes = 0;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
               &tm.tm_sec, &used) != 6)
        return false;
    const char *rest = text + used;
    if (*rest == '.') {
        do
            rest++;
        while (*rest >= '0' && *rest <= '9');
    }
    int sign = *rest == '-' ? -1 : 1;
    if (*rest == 'Z' && rest[1] == '\0')
        sign = 0;
    else if ((*rest != '+' && *rest != '-') || sscanf(rest + 1, "%2d:%2d", &hours, &minutes) != 2)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *wall_s = (int64_t)timegm(&tm) - sign * (hours * 3600 + minutes * 60);
    return true;
}
