/* Preloaded: this machine's clock, so many seconds ahead for one process. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *at) {
    int failed = (int)syscall(SYS_clock_gettime, clock, at);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        const char *seconds = getenv("TESTBED_CLOCK_AHEAD_SECONDS");
        at->tv_sec += seconds ? atol(seconds) : 0;
    }
    return failed;
}
