#if defined(__linux__)
#define _GNU_SOURCE
#endif
#include "kernels.h"
#include "vectors.h"

#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

uint32_t mr_cpu_variants(void) {
    uint32_t variants = 1;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) variants |= 2;
    if ((variants & 2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
        variants |= 4;
#endif
    return variants;
}

int64_t mr_processor_count(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? count : 1;
}

void mr_wait(int64_t turn) {
    if (turn < 2000) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
    } else if (turn < 4000) {
        sched_yield();
    } else {
        struct timespec nap = {0, 50000};
        nanosleep(&nap, NULL);
    }
}

const char *mr_forced_isa(void) { return getenv("METAREC_ISA"); }

const char *mr_left_out_rewrites(void) { return getenv("METAREC_WITHOUT"); }

void *mr_scratch(void) {
    static _Thread_local __attribute__((aligned(64))) char scratch[MR_SCRATCH_BYTES];
    return scratch;
}
