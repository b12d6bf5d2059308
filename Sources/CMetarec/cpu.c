#include "kernels.h"

#include <stdlib.h>

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

const char *mr_forced_isa(void) { return getenv("METAREC_ISA"); }
