// A clock that the harness moves: preloaded, it adds to the time of day what stands in the file that
// SCARCITY_CLOCK names, in seconds. The steady clock is left as it is.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t offset(void)
{
    static int64_t const volatile* shown;
    if (shown == NULL) {
        static int64_t const none;
        char const* path = getenv("SCARCITY_CLOCK");
        int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
        void* page = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *shown, PROT_READ, MAP_SHARED, file, 0);
        if (file >= 0)
            close(file);
        shown = page == MAP_FAILED ? &none : page;
    }
    return *shown;
}

int clock_gettime(clockid_t id, struct timespec* now)
{
    static int (*real)(clockid_t, struct timespec*);
    if (real == NULL)
        real = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, now);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        now->tv_sec += offset();
    return result;
}

int gettimeofday(struct timeval* restrict now, void* restrict zone)
{
    struct timespec fine;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &fine) != 0)
        return -1;
    now->tv_sec = fine.tv_sec;
    now->tv_usec = fine.tv_nsec / 1000;
    return 0;
}

time_t time(time_t* to)
{
    struct timespec fine;
    clock_gettime(CLOCK_REALTIME, &fine);
    if (to != NULL)
        *to = fine.tv_sec;
    return fine.tv_sec;
}
