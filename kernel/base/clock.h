/* Time: a monotonic clock for durations and the wall clock for stamps. Tests may set an offset to move the wall clock. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
/* Milliseconds and seconds since 1970 (UTC), moved by clock_shift. */
int64_t clock_wall_ms(void);
int64_t clock_wall_s(void);
/* Move the wall clock of this process; for tests of expiry. Thread-safe. */
void clock_shift(int64_t ms);
/* A condition variable whose time limits are on the monotonic clock. */
void clock_cond_init(pthread_cond_t *c);
/* Wait for a signal until clock_mono_ms() is end_ms; false: it is. As pthread_cond_timedwait otherwise: *lock is held, and a
 * wake-up may have no reason. */
bool clock_cond_until(pthread_cond_t *c, pthread_mutex_t *lock, int64_t end_ms);
/* RFC 3339 in UTC: "2026-01-02T03:04:05Z"; with micros "2026-01-02T03:04:05.000123Z" (always six digits). */
void clock_rfc3339(int64_t wall_s, char out[32]);
void clock_rfc3339_micros(char out[40]);
/* Parse the first form (fraction and offset accepted); false: not such a stamp. */
bool clock_parse_rfc3339(const char *text, int64_t *wall_s);

#endif
