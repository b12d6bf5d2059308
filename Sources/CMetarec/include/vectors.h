/* What Swift's SIMD types lack, on the two vectors of the kernels: 64 bytes of float or of double. Header only, so that
 * each kernel module compiles it for its own instruction set. */
#ifndef METAREC_VECTORS_H
#define METAREC_VECTORS_H

#include <stdint.h>

#pragma clang assume_nonnull begin

typedef float mr_f16 __attribute__((ext_vector_type(16)));
typedef float mr_f8 __attribute__((ext_vector_type(8)));
typedef double mr_d8 __attribute__((ext_vector_type(8)));

#define MR_INLINE static inline __attribute__((always_inline))

/* Arithmetic that is one instruction from the start. Swift's own is a loop over the lanes until late in the optimizer,
 * too late for a tile of sums to move into registers, and its square root calls the C library. */
#define MR_ARITHMETIC(type)                                                                                            \
    MR_INLINE mr_##type mr_add_##type(mr_##type a, mr_##type b) { return a + b; }                                      \
    MR_INLINE mr_##type mr_subtract_##type(mr_##type a, mr_##type b) { return a - b; }                                 \
    MR_INLINE mr_##type mr_multiply_##type(mr_##type a, mr_##type b) { return a * b; }                                 \
    MR_INLINE mr_##type mr_divide_##type(mr_##type a, mr_##type b) { return a / b; }                                   \
    MR_INLINE mr_##type mr_fma_##type(mr_##type a, mr_##type b, mr_##type c) { return __builtin_elementwise_fma(a, b, c); } \
    MR_INLINE mr_##type mr_sqrt_##type(mr_##type a) { return __builtin_elementwise_sqrt(a); }                          \
    MR_INLINE mr_##type mr_if_less_##type(mr_##type a, mr_##type b, mr_##type x, mr_##type y) { return a < b ? x : y; } \
    MR_INLINE mr_##type mr_if_equal_##type(mr_##type a, mr_##type b, mr_##type x, mr_##type y) { return a == b ? x : y; }
MR_ARITHMETIC(f16)
MR_ARITHMETIC(d8)

/* The lower and the upper halves of a and b, lane by lane in turn. */
MR_INLINE mr_f16 mr_zip_low_f16(mr_f16 a, mr_f16 b) {
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
MR_INLINE mr_f16 mr_zip_high_f16(mr_f16 a, mr_f16 b) {
    return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
MR_INLINE mr_d8 mr_zip_low_d8(mr_d8 a, mr_d8 b) { return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11); }
MR_INLINE mr_d8 mr_zip_high_d8(mr_d8 a, mr_d8 b) { return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15); }

MR_INLINE mr_d8 mr_widen(mr_f8 x) { return __builtin_convertvector(x, mr_d8); }
MR_INLINE mr_f8 mr_narrow(mr_d8 x) { return __builtin_convertvector(x, mr_f8); }

/* Writes the first `count` lanes, fewer than all. */
MR_INLINE void mr_store_f16(mr_f16 x, float *p, int64_t count) {
#if defined(__AVX512F__)
    __builtin_ia32_storeups512_mask((void *)p, x, (unsigned short)((1u << count) - 1));
#else
    typedef float f4 __attribute__((ext_vector_type(4)));
    typedef float u8 __attribute__((ext_vector_type(8), aligned(4)));
    typedef float u4 __attribute__((ext_vector_type(4), aligned(4)));
    typedef float u2 __attribute__((ext_vector_type(2), aligned(4)));
    mr_f8 eight = x.lo;
    if (count & 8) { *(u8 *)p = eight; p += 8; eight = x.hi; }
    f4 four = eight.lo;
    if (count & 4) { *(u4 *)p = four; p += 4; four = eight.hi; }
    if (count & 2) { *(u2 *)p = four.lo; p += 2; four = four.zwzw; }
    if (count & 1) *p = four.x;
#endif
}
MR_INLINE void mr_store_d8(mr_d8 x, double *p, int64_t count) {
#if defined(__AVX512F__)
    __builtin_ia32_storeupd512_mask((void *)p, x, (unsigned char)((1u << count) - 1));
#else
    typedef double d4 __attribute__((ext_vector_type(4)));
    typedef double u4 __attribute__((ext_vector_type(4), aligned(8)));
    typedef double u2 __attribute__((ext_vector_type(2), aligned(8)));
    d4 four = x.lo;
    if (count & 4) { *(u4 *)p = four; p += 4; four = x.hi; }
    if (count & 2) { *(u2 *)p = four.lo; p += 2; four = four.zwzw; }
    if (count & 1) *p = four.x;
#endif
}

/* Reads the first `count` elements, fewer than all, and nothing behind them; the other lanes are 0. */
MR_INLINE mr_f16 mr_load_f16(const float *p, int64_t count) {
#if defined(__AVX512F__)
    return __builtin_ia32_loadups512_mask((const void *)p, (mr_f16)0.0f, (unsigned short)((1u << count) - 1));
#else
    float x[16] = {0};
    int64_t i = 0;
    if (count & 8) { __builtin_memcpy(x, p, 32); i = 8; }
    if (count & 4) { __builtin_memcpy(x + i, p + i, 16); i += 4; }
    if (count & 2) { __builtin_memcpy(x + i, p + i, 8); i += 2; }
    if (count & 1) x[i] = p[i];
    mr_f16 result;
    __builtin_memcpy(&result, x, 64);
    return result;
#endif
}
MR_INLINE mr_d8 mr_load_d8(const double *p, int64_t count) {
#if defined(__AVX512F__)
    return __builtin_ia32_loadupd512_mask((const void *)p, (mr_d8)0.0, (unsigned char)((1u << count) - 1));
#else
    double x[8] = {0};
    int64_t i = 0;
    if (count & 4) { __builtin_memcpy(x, p, 32); i = 4; }
    if (count & 2) { __builtin_memcpy(x + i, p + i, 16); i += 2; }
    if (count & 1) x[i] = p[i];
    mr_d8 result;
    __builtin_memcpy(&result, x, 64);
    return result;
#endif
}

/* Memory of this thread for the steps of a chain, 64-byte aligned. Valid until the thread's next chain. */
#define MR_SCRATCH_BYTES 25600
void *mr_scratch(void);

#pragma clang assume_nonnull end
#endif
