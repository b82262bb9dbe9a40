/* For LD_PRELOAD: the wall clock of a process is WALL_OFFSET seconds ahead; the clock by which it waits stays. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long offset(void)
{
    static long seconds;
    static int known;
    if (!known) {
        const char *text = getenv("WALL_OFFSET");
        seconds = text ? atol(text) : 0;
        known = 1;
    }
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = dlsym(RTLD_NEXT, "clock_gettime");
    int failure = real(clock, now);
    if (!failure && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += offset();
    return failure;
}

int gettimeofday(struct timeval *now, void *zone)
{
    struct timespec moment;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &moment);
    now->tv_sec = moment.tv_sec;
    now->tv_usec = moment.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *place)
{
    struct timespec moment;
    clock_gettime(CLOCK_REALTIME, &moment);
    if (place)
        *place = moment.tv_sec;
    return moment.tv_sec;
}
