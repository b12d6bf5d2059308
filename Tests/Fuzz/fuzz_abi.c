/* Coverage-guided fuzzing of the exported functions: `make fuzz-abi`. The input's bytes become sizes that an array
 * has and whatever contents; every array is a heap block of exactly its size, so that one element too far is seen. */
#include "metarec.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t *bytes, *end;
static void *blocks[256];
static int block_count;

/* MARK: What the input says */

static uint8_t byte(void) { return bytes < end ? *bytes++ : 0; }

/* Mostly small, sometimes what overflows. */
static int64_t integer(void) {
    static const int64_t rare[] = {INT64_MAX, INT64_MIN, INT32_MAX, (int64_t)1 << 31, (int64_t)1 << 40, 1 << 20, -1, 0};
    uint8_t b = byte();
    return b >= 248 ? rare[b - 248] : b >= 128 ? b % 8 : (int8_t)(b % 40) - 2;
}

static double number(void) {
    static const double rare[] = {1e308, -1e308, 1e-308, 1.0 / 0.0, -1.0 / 0.0, 0.0 / 0.0, 1e30, -0.0};
    uint8_t b = byte();
    return b >= 248 ? rare[b - 248] : (b % 32) / 4.0;
}

static int length(int most) { return byte() % (most + 1); }

static void *block(size_t size) {
    void *data = malloc(size);
    blocks[block_count++] = data;
    return data;
}

static int32_t *codes(int count, int good) {
    int32_t *out = block(sizeof *out * (size_t)count);
    for (int i = 0; i < count; i++) {
        uint8_t b = byte();
        out[i] = b >= 250 ? (int32_t)integer() : good > 0 ? b % good : -1;
    }
    return out;
}

static int64_t *integers(int count) {
    int64_t *out = block(sizeof *out * (size_t)count);
    for (int i = 0; i < count; i++) out[i] = integer();
    return out;
}

/* Offsets of `count` lists over `total` elements, now and then not. */
static int64_t *offsets(int count, int total) {
    int64_t *out = block(sizeof *out * (size_t)(count + 1));
    out[0] = 0;
    for (int i = 1; i <= count; i++) out[i] = i == count ? total : out[i - 1] + (total - out[i - 1]) * (byte() % 4) / 4;
    if (byte() >= 240) out[length(count)] = integer();
    return out;
}

static double *numbers(int count) {
    double *out = block(sizeof *out * (size_t)count);
    for (int i = 0; i < count; i++) out[i] = number();
    return out;
}

static void *reals(int count, int32_t dtype) {
    double *wide = numbers(count);
    if (dtype != MR_FLOAT32) return wide;
    float *out = block(sizeof *out * (size_t)count);
    for (int i = 0; i < count; i++) out[i] = (float)wide[i];
    return out;
}

/* MARK: Objects */

static int32_t go_on(void *context, double fraction, double loss) {
    (void)fraction, (void)loss;
    return ++*(int *)context > 3; /* what would take for ever ends */
}

static mr_features *features(int rows) {
    static const char *const names[] = {"rate", "genre", "plot"};
    mr_field fields[3] = {0};
    int dtype = byte() % 2, ids = length(8);
    fields[0] = (mr_field){.name = names[0], .kind = MR_CATEGORICAL, .size = 3, .id_count = rows};
    fields[0].ids = codes(rows, 3);
    fields[1] = (mr_field){.name = names[1], .kind = MR_BAG, .size = 4, .id_count = ids};
    fields[1].ids = codes(ids, 4);
    fields[1].offsets = offsets(rows, ids);
    fields[2] = (mr_field){.name = names[2], .kind = MR_DENSE, .size = 2, .dtype = dtype};
    fields[2].vectors = reals(2 * rows, dtype);
    uint8_t b = byte();
    if (b >= 250) fields[b % 2].size = integer();
    if (b == 249) fields[0].kind = (int32_t)integer();
    if (b == 248) fields[1].name = names[0];
    mr_features *out = NULL;
    mr_error error = {0};
    mr_features_create(rows, fields, b == 247 ? 2 : 3, &out, &error);
    return out;
}

static mr_tasks *tasks(mr_features *items, int rows) {
    int count = length(4), ratings = length(12);
    mr_task_arrays arrays = {.task_count = count, .row_count = ratings, .target_dtype = byte() % 2};
    arrays.offsets = offsets(count, ratings);
    arrays.support_counts = integers(count);
    arrays.item_index = codes(ratings, rows);
    arrays.targets = reals(ratings, arrays.target_dtype);
    mr_tasks *out = NULL;
    mr_error error = {0};
    mr_tasks_create(&arrays, items, NULL, &out, &error);
    return out;
}

static mr_learner *learner(void) {
    static const char *const texts[][2] = {{"algorithm", "maml"}, {"algorithm", "ridge"}, {"algorithm", "reptile"}};
    const double five[] = {5}, three[] = {3};
    uint8_t b = byte();
    mr_option options[] = {
        {.name = "backbone", .kind = MR_OPTION_TEXT, .text = "feature_mlp"},
        {.name = "backbone.hidden", .kind = MR_OPTION_NUMBERS, .numbers = five, .count = 1},
        {.name = "backbone.embedding_dim", .kind = MR_OPTION_NUMBERS, .numbers = three, .count = 1},
        {.name = "loss", .kind = MR_OPTION_TEXT, .text = "squared_error"},
        {.name = "optimizer", .kind = MR_OPTION_TEXT, .text = "adam"},
        {.name = "threads", .kind = MR_OPTION_NUMBERS, .numbers = (const double[]){1}, .count = 1},
        {.name = texts[b % 3][0], .kind = MR_OPTION_TEXT, .text = texts[b % 3][1]},
    };
    if (b >= 240) options[b % 7].kind = (int32_t)integer();
    if (b >= 230 && b < 240) options[1].numbers = (options[1].count = length(3), numbers(3));
    mr_learner *out = NULL;
    mr_error error = {0};
    mr_learner_create(options, 7, &out, &error);
    return out;
}

/* MARK: Calls */

static void use(mr_learner *given, mr_features *items, mr_tasks *work) {
    mr_error error = {0};
    int polls = 0;
    mr_poll poll = {go_on, &polls};
    int64_t count, support, query;
    double loss;
    mr_tasks_counts(work, &count, &support, &query);
    for (int calls = byte() % 6; calls > 0; calls--) {
        polls = 0;
        switch (byte() % 6) {
        case 0: mr_learner_step(given, work, poll, &loss, &error); break;
        case 1: mr_learner_predict(given, work, poll, block(4 * (size_t)query), &error); break;
        case 2: mr_learner_set_steps(given, integer(), &error); break;
        case 3: {
            mr_episodes drawn = {integer(), integer(), integer(), integer()};
            mr_pass pass = {.step = integer(), .sum = number()};
            mr_learner_train_epoch(given, work, byte() % 2 ? &drawn : NULL, integer(), integer(), poll, &pass, &error);
            break;
        }
        case 4: {
            int rated = length(4), candidates = length(4);
            mr_user_ratings ratings = {.count = rated, .dtype = byte() % 2};
            ratings.items = codes(rated, 4);
            ratings.ratings = reals(rated, ratings.dtype);
            mr_adapted *adapted = NULL;
            if (mr_learner_adapt(given, items, NULL, &ratings, &adapted, &error)) break;
            int32_t *rows = codes(candidates, 4);
            mr_adapted_predict(adapted, items, rows, candidates, byte() % 3, poll, block(4 * (size_t)candidates), &error);
            mr_adapted_release(adapted);
            break;
        }
        default: mr_learner_settle(given, &error); break;
        }
    }
}

static void learn(void) {
    int rows = length(4), polls = 0;
    mr_poll poll = {go_on, &polls};
    mr_error error = {0};
    mr_features *items = features(rows);
    mr_tasks *made = items ? tasks(items, rows) : NULL;
    mr_learner *given = made ? learner() : NULL;
    if (given && !mr_learner_initialize(given, made, 1000, poll, &error)) {
        mr_tasks *taken = NULL;
        int64_t *ids = integers(3);
        if (!mr_tasks_take(made, ids, byte() % 4, &taken, &error)) {
            use(given, items, taken);
            mr_tasks_release(taken);
        }
        use(given, items, made);
    }
    if (given) mr_learner_release(given);
    if (made) mr_tasks_release(made);
    if (items) mr_features_release(items);
}

static void factorise(void) {
    enum { RANK = 2, D = RANK + 1, ITEMS = 4 };
    mr_error error = {0};
    int polls = 0, count = length(8), columns = 1;
    mr_poll poll = {go_on, &polls};
    mr_ratings ratings = {.count = count, .dtype = byte() % 2, .user_count = 3, .item_count = ITEMS};
    ratings.user = codes(count, 3);
    ratings.item = codes(count, ITEMS);
    ratings.rating = reals(count, ratings.dtype);
    if (byte() >= 240) ratings.user_count = integer();
    mr_factors factors = {.samples = 1, .dimension = D, .items = ITEMS, .user_columns = columns};
    factors.item_factors = block(sizeof(float) * (ITEMS + 1) * D);
    factors.item_novelty = block(sizeof(float) * (ITEMS + 1));
    factors.user_weights = block(sizeof(float) * D);
    factors.user_precision = block(sizeof(double) * D * D);
    factors.noise = block(sizeof(double));
    factors.content_noise = block(sizeof(double));
    mr_least_squares options = {.sweeps = 1, .threads = byte() % 3, .penalty = number(), .bias_penalty = number()};
    double objective, mean;
    if (mr_factorisation_least_squares(&ratings, &options, poll, &factors, &objective, &mean, &error)) return;
    mr_features *items = features(ITEMS);
    mr_tasks *made = items ? tasks(items, ITEMS) : NULL;
    if (made) {
        int64_t tasks, support, query;
        mr_tasks_counts(made, &tasks, &support, &query);
        if (byte() >= 200) factors.noise[0] = number(), factors.user_precision[byte() % (D * D)] = number();
        double *means = block(sizeof *means * (size_t)query), *variances = block(sizeof *means * (size_t)query);
        mr_factorisation_predict(&factors, number(), made, byte() % 3, poll, means, variances, &error);
        float *user = block(sizeof *user * (D + 1) * (D + 1)), *known = block(sizeof *known * (D + 1) * MR_ITEM_BLOCK);
        const int asked = length(20);
        if (!mr_factorisation_fold(&factors, number(), made, byte() % 3, poll, user, &error)) {
            means = block(sizeof *means * (size_t)asked), variances = block(sizeof *means * (size_t)asked);
            mr_factorisation_score(&factors, number(), user, known, 1, codes(asked, ITEMS), asked, byte() % 3,
                                   poll, means, variances, &error);
        }
        mr_tasks_release(made);
    }
    if (items) mr_features_release(items);
}

static void measure(void) {
    mr_error error = {0};
    int tasks = length(4), rows = length(12), wanted = length(3);
    mr_metric *metrics = block(sizeof *metrics * (size_t)wanted);
    for (int i = 0; i < wanted; i++) metrics[i] = (mr_metric){(int32_t)integer(), integer(), number()};
    int64_t *bounds = offsets(tasks, rows);
    if (bounds[tasks] != rows) return; /* the caller's arrays have the length that the last offset says */
    size_t out = sizeof(double) * (size_t)(wanted * tasks);
    mr_metrics(numbers(rows), numbers(rows), bounds, tasks, metrics, wanted, block(out), block(out), &error);
}

static void rank(void) {
    mr_error error = {0};
    int polls = 0;
    mr_poll poll = {go_on, &polls};
    int users = length(3), catalogue = length(5), out = length(4), wanted = length(2), hidden = length(6), dtype = byte() % 2;
    mr_metric *metrics = block(sizeof *metrics * (size_t)wanted);
    for (int i = 0; i < wanted; i++) metrics[i] = (mr_metric){(int32_t)integer(), integer(), number()};
    mr_item_lists excluded = {offsets(users, hidden), codes(hidden, catalogue)};
    mr_item_lists relevant = {offsets(users, hidden), codes(hidden, catalogue)};
    if (excluded.offsets[users] != hidden || relevant.offsets[users] != hidden) return;
    size_t size = sizeof(double) * (size_t)(wanted * users);
    mr_catalogue(reals(users * catalogue, dtype), dtype, users, catalogue, excluded, relevant, metrics, wanted, out,
                 block(size), block(size), block(sizeof(int32_t) * (size_t)(users * out)), &error);
    int64_t *counts = block(sizeof *counts * (size_t)users), total = 0;
    for (int i = 0; i < users; i++) total += counts[i] = length(4);
    mr_negatives(numbers(catalogue), catalogue, excluded, counts, users, integer(), byte(), byte(), poll,
                 block(sizeof(int32_t) * (size_t)total), total, &error);
}

static void summarise(void) {
    mr_error error = {0};
    int rows = length(4), levels = length(4), wanted = length(3), draws = length(5);
    int32_t *values = block(sizeof *values * (size_t)wanted);
    for (int i = 0; i < wanted; i++) values[i] = (int32_t)integer();
    mr_distribution(numbers(rows * levels), rows, numbers(levels), levels, byte() % 2 ? numbers(rows) : NULL, values,
                    wanted, byte(), block(sizeof(double) * (size_t)(wanted * rows)), &error);
    uint8_t *roots = block((size_t)wanted);
    for (int i = 0; i < wanted; i++) roots[i] = byte();
    mr_bootstrap(numbers(wanted * rows), numbers(wanted * rows), roots, wanted, rows, draws, byte(),
                 block(sizeof(double) * (size_t)(wanted * draws)), &error);
    mr_probit probit = {.level_count = levels, .levels = numbers(levels), .slope = number()};
    if (byte() % 2) probit.cuts = numbers(levels > 0 ? levels - 1 : 0);
    mr_ordered_probit(&probit, numbers(rows), numbers(rows), rows, block(sizeof(double) * (size_t)(rows * levels)), &error);
    double slope;
    mr_ordered_probit_fit(&probit, numbers(rows), numbers(rows), integers(rows), rows,
                          block(sizeof(double) * (size_t)levels), &slope, &error);
}

static void decompose(void) {
    mr_error error = {0};
    int polls = 0;
    mr_poll poll = {go_on, &polls};
    const int rows = length(9), columns = length(9), terms = length(9), dtype = byte() % 2;
    const size_t size = dtype ? sizeof(double) : sizeof(float);
    mr_product_operands operands = {.a = reals(rows * terms, dtype),
                                    .b = reals(terms * columns, dtype),
                                    .rows = rows,
                                    .columns = columns,
                                    .terms = terms,
                                    .dtype = byte() >= 250 ? 2 + byte() : dtype,
                                    .transposed = byte() % 2};
    mr_product(&operands, byte() % 3, poll, block(size * (size_t)(rows * columns)), &error);
    operands.a = operands.b, operands.rows = columns, operands.dtype = dtype, operands.transposed = 1;
    mr_product(&operands, byte() % 3, poll, block(size * (size_t)(columns * columns)), &error);
    mr_orthonormal(numbers(rows * columns), rows, columns, poll, &error);
    mr_eigenvectors(numbers(rows * rows), rows, poll, block(sizeof(double) * (size_t)rows),
                    block(sizeof(double) * (size_t)(rows * rows)), &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const calls[])(void) = {learn, measure, rank, summarise, factorise, decompose};
    bytes = data, end = data + size, block_count = 0;
    calls[byte() % 6]();
    while (block_count > 0) free(blocks[--block_count]);
    return 0;
}
