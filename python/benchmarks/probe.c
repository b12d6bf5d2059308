// What this core can do: independent multiply-adds in registers, and a triad over memory that no cache holds.
#include <stddef.h>

#if defined(__AVX512F__)
enum { lanes = 16 };
#elif defined(__AVX2__)
enum { lanes = 8 };
#else
enum { lanes = 4 };
#endif
typedef float vector __attribute__((vector_size(lanes * sizeof(float))));
enum { chains = lanes == 16 ? 24 : 12 };

// Returns the floating-point operations done.
double multiply_add(long rounds, float *out) {
    vector sums[chains];
    for (int i = 0; i < chains; i++) sums[i] = (vector){0} + out[i];
    vector a = (vector){0} + out[0], b = (vector){0} + out[1];
    for (long round = 0; round < rounds; round++) {
#pragma GCC unroll 24
        for (int i = 0; i < chains; i++) sums[i] = sums[i] * a + b;
        __asm__ volatile("" : "+v"(a), "+v"(b));
    }
    vector total = sums[0];
    for (int i = 1; i < chains; i++) total += sums[i];
    for (int i = 0; i < lanes; i++) out[i] = total[i];
    return 2.0 * lanes * chains * rounds;
}

// a = b + s c
void triad(size_t n, float s, float *restrict a, const float *restrict b, const float *restrict c) {
    for (size_t i = 0; i < n; i++) a[i] = b[i] + s * c[i];
}
