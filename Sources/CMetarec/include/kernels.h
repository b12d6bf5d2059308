/* The kernel table: loops over raw memory, one table per instruction set and element type.
 *
 * Every matrix is row-major: element (i, j) of `x` is `x[i * x_row + j]`, strides counted in elements.
 * Pointers are to float or to double, by the table's `element_size`.
 *
 * Contract of every kernel
 * - Reads may run up to 64 bytes past the last element of an operand (every buffer of the engine is padded by that
 *   much); writes never leave the result. Result and operands do not overlap unless said otherwise.
 * - A count of zero is legal: a sum over nothing is 0, an empty result is not written.
 * - The value of an element does not depend on where a loop was blocked, nor on the number of rows beside it, and
 *   AVX2 and AVX-512 give the same bits. (Baseline has no fused multiply-add and may differ in the last place.)
 */
#ifndef METAREC_KERNELS_H
#define METAREC_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/* What a product does with its result before it is stored. */
enum mr_epilogue { MR_EPILOGUE_NONE = 0, MR_EPILOGUE_RELU = 1, MR_EPILOGUE_MASK = 2 };

/* C = f(gamma * (alpha * A B + D) + delta * bias), [m, n] = [m, k] [k, n]. f: identity; max(x, 0); or x where
 * mask > 0, else 0. */
typedef struct mr_gemm {
    int64_t m, n, k;
    const void *a;
    int64_t a_row, a_column; /* element strides: (1, ld) reads a stored transpose */
    const void *b;
    int64_t b_row;
    void *c;
    int64_t c_row;
    const void *_Nullable d; /* addend, may be C itself; d_row = 0: one row added to all */
    int64_t d_row;
    const void *_Nullable mask;
    int64_t mask_row;
    const void *_Nullable bias; /* [1, n], added to all rows */
    double alpha, gamma, delta;
    int32_t epilogue;
} mr_gemm;

/* Element-wise functions of a chain. `a`, `b`, `c` are the operands of the step, `value` its coefficient. */
enum mr_function {
    MR_ADD = 0,      /* a + b */
    MR_SUBTRACT,     /* a - b */
    MR_MULTIPLY,     /* a * b */
    MR_DIVIDE,       /* a / b */
    MR_MAXIMUM,      /* max(a, b); NaN if either is NaN */
    MR_MINIMUM,      /* min(a, b); NaN if either is NaN */
    MR_MASK,         /* b > 0 ? a : 0 */
    MR_EQUAL,        /* a == b ? 1 : 0 */
    MR_SELECT,       /* a > 0 ? b : c */
    MR_SCALE,        /* value * a */
    MR_OFFSET,       /* value + a */
    MR_RELU,         /* max(a, 0); NaN stays NaN */
    MR_SIGMOID,      /* 1 / (1 + exp(-a)), no overflow */
    MR_TANH,
    MR_SOFTPLUS,     /* log(1 + exp(a)) = max(a, 0) + log1p(exp(-|a|)), no overflow */
    MR_EXP,
    MR_LOG,          /* log(0) = -inf, log(negative) = NaN */
    MR_SQRT,
    MR_SQUARE,
    MR_ABS,
    MR_SIGN,         /* -1, 0 or 1 */
    MR_RECIPROCAL,   /* 1 / a */
    MR_FUNCTION_COUNT
};

#define MR_CHAIN_INPUTS 8
#define MR_CHAIN_STEPS 16

/* An input of a chain: element (i, j) is data[i * row + j * column]; column is 0 or 1; a stride of 0 broadcasts. */
typedef struct mr_chain_input {
    const void *data;
    int64_t row, column;
} mr_chain_input;

/* Operand numbers: 0 ..< input_count are inputs, input_count + s is the result of step s. */
typedef struct mr_chain_step {
    int32_t function;
    int32_t a, b, c;
    int32_t value; /* index into `values` */
} mr_chain_step;

/* out = the last step's result. `out` may be one of the full-shaped inputs. */
typedef struct mr_chain {
    int64_t rows, columns;
    int32_t input_count, step_count; /* at most MR_CHAIN_INPUTS, 1...MR_CHAIN_STEPS */
    const mr_chain_input *inputs;
    const mr_chain_step *steps;
    const double *values;
    void *out;
    int64_t out_row;
} mr_chain;

/* Sums: which indices are summed over. */
enum mr_axis { MR_OVER_ROWS = 0 /* -> [1, columns] */, MR_OVER_COLUMNS = 1 /* -> [rows, 1] */, MR_OVER_ALL = 2 };

/* Rows of indices into a table. Row r holds entries offsets[r] ..< offsets[r + 1]; without offsets, entry r alone.
 * An id of -1 contributes nothing. weights (per row, table's type) multiply the row's sum; none: 1. alpha multiplies
 * all of it. */
typedef struct mr_bag {
    int64_t rows, columns;
    const int32_t *ids;
    const int32_t *_Nullable offsets;
    const void *_Nullable weights;
    double alpha;
} mr_bag;

/* Steps of Adam (Kingma and Ba, 2015): `missed` steps whose gradient is zero, then one with a gradient if there is one.
 *     m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2, x -= size m / (sqrt(inverse2 v) + epsilon)
 * The bits are those of so many calls with one step each. */
typedef struct mr_adam {
    double beta1, beta2, epsilon;
    /* Four numbers a step: size = rate / (1 - beta1^t), inverse2 = 1 / (1 - beta2^t), the largest size that any step
     * from here on may have, and 1 if m / sqrt(inverse2 v) shrinks from here on in every step without a gradient,
     * whatever m and v, else 0. */
    const double *steps;
    int64_t missed;
    /* From this |x| on, a move by the smallest m that decays no further does not change x. */
    double rest_above;
} mr_adam;

/* Levels of ratings of which means m and variances v are known: the ordered probit P(y <= k) = Phi((c_k - s m') / sqrt v)
 * with m' = shift + stretch m, tilted by exp(a l) so that the mean of the levels l is m' (inside the scale). */
typedef struct mr_level_part {
    const double *means, *variances; /* [rows] */
    const double *cuts;              /* [levels - 1], rising */
    double slope, shift, stretch;
    double weight;
} mr_level_part;

/* The log-linear mixture of distributions over levels: p <- p^weight times those of the parts to their weights, rows
 * summing to 1. Everything is double; rows count in eights, and every array has room for them. */
typedef struct mr_level_mixture {
    int64_t rows, level_count, part_count;
    const double *levels; /* [level_count], rising, at least one */
    const mr_level_part *parts;
    double weight;
    double *p; /* [level_count, rows], rows of stride p_row: the first distribution, then the result */
    int64_t p_row;
    double *scratch; /* [level_count, 8] */
    double floor;    /* least probability of each distribution that is mixed */
    double least;    /* least probability of a level before the tilt */
    double margin;   /* nearest that a mean comes to the ends, in shares of the range */
} mr_level_mixture;

typedef struct mr_kernels {
    const char *isa; /* "baseline", "avx2", "avx512" */
    int64_t element_size;

    void (*gemm)(const mr_gemm *product);
    void (*transpose)(int64_t rows, int64_t columns, const void *a, int64_t a_row, void *out, int64_t out_row);
    void (*chain)(const mr_chain *chain);
    /* out = alpha * sum of a over `axis` */
    void (*sum)(int32_t axis, int64_t rows, int64_t columns, const void *a, int64_t a_row, double alpha, void *out,
                int64_t out_row);
    void (*row_max)(int64_t rows, int64_t columns, const void *a, int64_t a_row, void *out, int64_t out_row);
    void (*softmax)(int64_t rows, int64_t columns, const void *a, int64_t a_row, void *out, int64_t out_row);
    void (*log_sum_exp)(int64_t rows, int64_t columns, const void *a, int64_t a_row, void *out, int64_t out_row);

    /* out[r] = alpha * weight_r * sum of the table's rows in row r, added to what is there if `adds`. With one id per row
     * and no weights: a gather. */
    void (*bag)(const mr_bag *bag, const void *table, int64_t table_row, void *out, int64_t out_row, int32_t adds);
    /* table[id] += alpha * weight_r * g[r] for each id of each row r, in order. The table is not cleared first. */
    void (*bag_transposed)(const mr_bag *bag, const void *g, int64_t g_row, void *table, int64_t table_row);

    void (*copy)(int64_t rows, int64_t columns, const void *a, int64_t a_row, void *out, int64_t out_row);
    void (*fill)(int64_t rows, int64_t columns, double value, void *out, int64_t out_row);

    /* Vectors of n elements. */
    void (*axpy)(int64_t n, double alpha, const void *x, void *y);   /* y += alpha x */
    void (*scale)(int64_t n, double alpha, void *x);                 /* x *= alpha */
    void (*clamp)(int64_t n, double low, double high, void *x);
    double (*sum_of_squares)(int64_t n, const void *x);              /* accumulated in double, in a fixed order */
    /* out[j] += sum of a[i, j]^2 over the rows, in order. */
    void (*add_squares)(int64_t rows, int64_t columns, const void *a, int64_t a_row, void *out);
    void (*convert_float)(int64_t n, const float *x, void *out);     /* to the table's type */
    void (*convert_double)(int64_t n, const double *x, void *out);
    /* Without g: the missed steps alone. */
    void (*adam)(int64_t n, const mr_adam *options, void *x, void *m, void *v, const void *_Nullable g);

    /* The lower factor L of a symmetric A = L L' [n, n], in place, zeros above its diagonal; of A the upper triangle is
     * read. Returns 0, or the 1-based number of the first pivot that is not positive and finite: A is spoilt then. */
    int64_t (*cholesky)(int64_t n, void *a, int64_t a_row);
    /* Solves L X = B, or L' X = B if transposed, in place of B [n, m]; of L [n, n] the lower triangle is read. */
    void (*solve_triangular)(int64_t n, int64_t m, const void *l, int64_t l_row, void *b, int64_t b_row,
                             int32_t transposed);
    /* out[0] = log |A| = 2 sum log of the diagonal of A's factor L [n, n]. */
    void (*log_determinant)(int64_t n, const void *l, int64_t l_row, void *out);

    /* Of doubles in either table. */
    void (*level_mixture)(const mr_level_mixture *mixture);
} mr_kernels;

/* Which variants this processor can run (bit 0 baseline, 1 AVX2 and FMA, 2 AVX-512). */
uint32_t mr_cpu_variants(void);
/* Processors that this process may use. */
int64_t mr_processor_count(void);
/* What a thread does while it waits for another, for the `turn`-th time in a row: look again soon, at first. */
void mr_wait(int64_t turn);
/* The value of METAREC_ISA, or null. */
const char *_Nullable mr_forced_isa(void);
/* The value of METAREC_WITHOUT, or null. */
const char *_Nullable mr_left_out_rewrites(void);

/* Asks for memory that will soon be written, `byte_count` bytes from `p`. */
static inline void mr_prefetch(const void *p, int64_t byte_count) {
    for (int64_t offset = 0; offset < byte_count; offset += 64) __builtin_prefetch((const char *)p + offset, 1);
}

#pragma clang assume_nonnull end
#endif
