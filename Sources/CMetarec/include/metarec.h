/* The boundary: every function the Swift library exports.
 *
 * Conventions
 * - A handle is made by a `create`-like function and given back with its `release`. A handle may be used from any
 *   thread; a learner runs one call at a time (a second caller waits).
 * - A function that can fail returns a status (0: fine) and fills `error`; results are written only on success.
 * - Arrays are borrowed: they must outlive the handle made from them and are never written, unless named `out`.
 *   Every index, offset and number is checked where it enters.
 * - `poll`, where taken, is called on the calling thread some fifty times a second. Returning non-zero stops the call
 *   with MR_INTERRUPTED; the learner is as after its last finished step.
 */
#ifndef METAREC_H
#define METAREC_H

#include <stdint.h>

#pragma clang assume_nonnull begin

enum mr_status {
    MR_OK = 0,
    MR_VALUE_ERROR,      /* an argument's value */
    MR_INDEX_ERROR,      /* an index outside its range */
    MR_TYPE_ERROR,       /* an argument's type */
    MR_ARITHMETIC_ERROR, /* a computation left the finite numbers */
    MR_STATE_ERROR,      /* not initialised, closed, stale, or in use */
    MR_MEMORY_ERROR,     /* too large for this machine */
    MR_INTERRUPTED       /* `poll` said stop */
};

typedef struct mr_error {
    int32_t code; /* an mr_status */
    char message[1000];
} mr_error;

typedef struct mr_poll {
    /* fraction: share of the call that is done, 0...1; loss: mean over what is done, NaN where there is none. */
    int32_t (*_Nullable function)(void *_Nullable context, double fraction, double loss);
    void *_Nullable context;
} mr_poll;

enum mr_dtype { MR_FLOAT32 = 0, MR_FLOAT64 = 1 };
enum mr_field_kind { MR_CATEGORICAL = 0, MR_BAG = 1, MR_DENSE = 2 };

typedef struct mr_features mr_features; /* a table of users or items: one row each, a column per field */
typedef struct mr_tasks mr_tasks;       /* ragged tasks over such tables */
typedef struct mr_learner mr_learner;   /* backbone, algorithm, loss, optimizer and their parameters */
typedef struct mr_adapted mr_adapted;   /* a learner adapted to one task */

/* ---- About the library ---- */

const char *mr_version(void);
const char *mr_isa(void);
/* JSON: the algorithms, backbones, losses and optimizers with their options, defaults and documentation. */
const char *mr_schema(void);

/* ---- Features ---- */

typedef struct mr_field {
    const char *name;
    int32_t kind;                   /* mr_field_kind */
    int32_t dtype;                  /* of vectors */
    int64_t size;                   /* categorical, bag: number of values; dense: number of columns */
    const int32_t *_Nullable ids;   /* categorical: [rows]; bag: [id_count]; -1 = unknown */
    int64_t id_count;
    const int64_t *_Nullable offsets; /* bag: [rows + 1] */
    const void *_Nullable vectors;  /* dense: [rows, size] */
    int32_t is_constant;            /* dense: 1 where nobody writes the vectors as long as the table lives */
} mr_field;

int32_t mr_features_create(int64_t rows, const mr_field *_Nullable fields, int64_t field_count,
                           mr_features *_Nullable *_Nonnull out, mr_error *error);
void mr_features_release(mr_features *features);

/* ---- Tasks ---- */

/* Rows offsets[t] ..< offsets[t + 1] belong to task t, its support first. */
typedef struct mr_task_arrays {
    int64_t task_count, row_count;
    const int64_t *offsets;                /* [task_count + 1] */
    const int64_t *support_counts;         /* [task_count] */
    const int32_t *_Nullable item_index;   /* [row_count], -1 = unknown item */
    const void *_Nullable targets;         /* [row_count], finite */
    int32_t target_dtype;
    const int32_t *_Nullable user_index;   /* [task_count], -1 = unknown user; null without users */
} mr_task_arrays;

int32_t mr_tasks_create(const mr_task_arrays *arrays, mr_features *items, mr_features *_Nullable users,
                        mr_tasks *_Nullable *_Nonnull out, mr_error *error);
/* A view of some of the tasks (repeats allowed), in the order given; the ids are copied. */
int32_t mr_tasks_take(mr_tasks *tasks, const int64_t *_Nullable task_ids, int64_t count,
                      mr_tasks *_Nullable *_Nonnull out, mr_error *error);
void mr_tasks_counts(mr_tasks *tasks, int64_t *task_count, int64_t *support_rows, int64_t *query_rows);
void mr_tasks_release(mr_tasks *tasks);

/* ---- Learners ---- */

enum mr_option_kind { MR_OPTION_NUMBERS = 0 /* a scalar is a list of one; true is 1 */, MR_OPTION_TEXT = 1, MR_OPTION_NONE = 2 };

/* One option by its dotted name: "algorithm" = "maml", "algorithm.inner_steps" = 5, "backbone.hidden" = [64, 64]. */
typedef struct mr_option {
    const char *name;
    int32_t kind;
    const char *_Nullable text;
    const double *_Nullable numbers;
    int64_t count;
} mr_option;

int32_t mr_learner_create(const mr_option *_Nullable options, int64_t count, mr_learner *_Nullable *_Nonnull out,
                          mr_error *error);
void mr_learner_release(mr_learner *learner);

/* Fixes the shapes by the tasks' features, draws the parameters, compiles the plans. Once; the task set may be empty. */
/* `limit`: elements that the parameters have together at most, checked before memory is taken; below 0: none. */
int32_t mr_learner_initialize(mr_learner *learner, mr_tasks *tasks, int64_t limit, mr_poll poll, mr_error *error);

enum mr_tensor_kind { MR_PARAMETER = 0, MR_OPTIMIZER_STATE = 1 };

typedef struct mr_tensor {
    const char *name; /* lives as long as the learner */
    int32_t kind;     /* mr_tensor_kind */
    int32_t dtype;
    int32_t rank;     /* 1 or 2 */
    int32_t adapted;  /* whether the inner loop changes it */
    int64_t shape[2];
    void *data;       /* C-contiguous, lives as long as the learner; writing changes the model */
} mr_tensor;

int32_t mr_learner_tensor_count(mr_learner *learner, int64_t *out, mr_error *error);
int32_t mr_learner_tensor(mr_learner *learner, int64_t index, mr_tensor *out, mr_error *error);
/* Applies what lazily updated table rows still miss, so that views show the present. */
int32_t mr_learner_settle(mr_learner *learner, mr_error *error);
/* Number of finished outer steps; setting it is for loading a saved learner. */
int32_t mr_learner_get_steps(mr_learner *learner, int64_t *out, mr_error *error);
int32_t mr_learner_set_steps(mr_learner *learner, int64_t steps, mr_error *error);
/* The share of the learning rate that is left, 1 at first; only the schedule "reduce_on_plateau" lets it be set. */
int32_t mr_learner_get_rate_share(mr_learner *learner, double *out, mr_error *error);
int32_t mr_learner_set_rate_share(mr_learner *learner, double share, mr_error *error);

/* Mean meta-loss over the tasks and its gradient. `out_gradients` holds one buffer per parameter, in the order of
 * mr_learner_tensor (parameters come first), of the parameter's shape and dtype. */
int32_t mr_learner_meta_gradient(mr_learner *learner, mr_tasks *tasks, mr_poll poll, double *out_loss,
                                 void *_Nonnull const *_Nonnull out_gradients, mr_error *error);
/* One outer step on all of the tasks. */
int32_t mr_learner_step(mr_learner *learner, mr_tasks *tasks, mr_poll poll, double *out_loss, mr_error *error);

/* What one instruction of the training plan costs, a mean over the tasks. */
typedef struct mr_instruction_cost {
    char text[96]; /* the kernel, its sizes and what is fused into it, cut to fit */
    double multiply_adds, seconds;
} mr_instruction_cost;

/* Number of instructions of the training plan. */
int32_t mr_learner_instruction_count(mr_learner *learner, int64_t *out, mr_error *error);
/* out: one per instruction, in the order in which they run. */
int32_t mr_learner_profile(mr_learner *learner, mr_tasks *tasks, mr_poll poll, mr_instruction_cost *out,
                           mr_error *error);

/* How an epoch draws support and query from all rows of a task: sizes uniform in low ... high, at least one row left
 * for the other side; tasks of fewer than two rows sit out. */
typedef struct mr_episodes {
    int64_t support_low, support_high, query_low, query_high;
} mr_episodes;

/* How far a pass over the tasks is. Zeros begin it; of what a call finds only `step` and `sum` count. */
typedef struct mr_pass {
    int64_t step;  /* finished steps */
    int64_t steps; /* of the whole pass */
    int64_t tasks; /* trained on so far */
    double sum;    /* of their meta-losses */
    double loss, norm, rate; /* of the last step: mean meta-loss, gradient before clipping, learning rate */
} mr_pass;

/* At most `count` steps of a pass over the tasks, shuffled by (seed, epoch), in batches, from where `pass` is: the bits
 * are those of one call for all of it. Without episodes: the tasks as they are. */
int32_t mr_learner_train_epoch(mr_learner *learner, mr_tasks *tasks, const mr_episodes *_Nullable episodes,
                               int64_t epoch, int64_t count, mr_poll poll, mr_pass *pass, mr_error *error);

/* Predictions of the query rows after adaptation to the support, in row order: out [query rows] in the learner's dtype. */
int32_t mr_learner_predict(mr_learner *learner, mr_tasks *tasks, mr_poll poll, void *out, mr_error *error);
/* Levels of the loss's distribution; 0 where it has none. */
int32_t mr_learner_level_count(mr_learner *learner, int64_t *out, mr_error *error);
/* The distribution behind these predictions: out [query rows, levels]. Fails with MR_STATE_ERROR where there is none. */
int32_t mr_learner_distribution(mr_learner *learner, mr_tasks *tasks, mr_poll poll, void *out, mr_error *error);
/* out: one buffer [task_count, shape...] per *adapted* parameter, in the order of mr_learner_tensor. */
int32_t mr_learner_adapted_parameters(mr_learner *learner, mr_tasks *tasks, mr_poll poll,
                                      void *_Nonnull const *_Nonnull out, mr_error *error);
/* out: [task_count, inner_steps + 1], the support loss before and after each inner step; NaN without support. */
int32_t mr_learner_inner_steps(mr_learner *learner, int64_t *out, mr_error *error);
int32_t mr_learner_support_losses(mr_learner *learner, mr_tasks *tasks, mr_poll poll, void *out, mr_error *error);

/* While somebody holds pointers to the parameters and may write into them; what was computed from them is not kept. */
void mr_learner_begin_loan(mr_learner *learner);
void mr_learner_end_loan(mr_learner *learner);

/* What one user has rated: rows of `catalogue`, -1 = unknown item. `user` has one row; null where no fields of users are. */
typedef struct mr_user_ratings {
    int64_t count;
    const int32_t *_Nullable items; /* [count] */
    const void *_Nullable ratings;  /* [count], finite */
    int32_t dtype;                  /* of ratings */
} mr_user_ratings;

/* Adapts to one user. The learner is unchanged. */
int32_t mr_learner_adapt(mr_learner *learner, mr_features *catalogue, mr_features *_Nullable user,
                         const mr_user_ratings *ratings, mr_adapted *_Nullable *_Nonnull out, mr_error *error);
/* What is said of a candidate: the prediction, the same without an attention's correction, the distribution. */
enum { MR_SCORE_PREDICTION, MR_SCORE_UNCORRECTED, MR_SCORE_DISTRIBUTION };
/* How many numbers a score is; 0 where the model has no such score. */
int64_t mr_adapted_columns(mr_adapted *adapted, int32_t score);
/* Scores of rows of a table of items, -1 = unknown: out [count, columns] in the learner's dtype. Fails with
 * MR_STATE_ERROR once the learner has trained on, and where the model has no such score. */
int32_t mr_adapted_predict(mr_adapted *adapted, mr_features *catalogue, const int32_t *_Nullable items, int64_t count,
                           int32_t score, mr_poll poll, void *out, mr_error *error);
void mr_adapted_release(mr_adapted *adapted);

/* ---- Factorisations ---- */

/* Ratings: element k is that of item[k] by user[k]. */
typedef struct mr_ratings {
    int64_t count;
    const int32_t *user, *item; /* [count], codes 0 ..< user_count, item_count */
    const void *rating;         /* [count], finite */
    int32_t dtype;              /* of rating */
    int64_t user_count, item_count;
} mr_ratings;

/* A posterior in samples of `dimension` = rank + 1 numbers a row, the first the bias; one sample: a point estimate. */
typedef struct mr_factors {
    int64_t samples, dimension, items;
    float *item_factors;    /* [samples, items + 1, dimension]; the last row: an unknown item */
    float *item_novelty;    /* [items + 1]: 0 with ratings, else the variance in units of content_noise */
    int64_t user_columns;   /* mr_features_columns of the users, or 1: the intercept alone */
    float *user_weights;    /* [samples, user_columns, dimension]: prior mean = features x weights */
    double *user_precision; /* [samples, dimension, dimension] */
    double *noise;          /* [samples] */
    double *content_noise;  /* [samples] */
} mr_factors;

/* How items are placed by their features alone. */
typedef struct mr_content {
    int64_t columns, blocks; /* mr_features_columns of the items; 1 + their fields */
    float *weights;          /* [samples, columns, dimension] */
    float *residuals;        /* [samples, columns, dimension] */
    double *variances;       /* [blocks] */
} mr_content;

typedef struct mr_gibbs {
    int64_t burn_in, interval, threads; /* threads 0: as many as processors */
    uint64_t seed;
} mr_gibbs;

typedef struct mr_least_squares {
    int64_t sweeps, threads;
    double penalty, bias_penalty; /* above 0 */
    uint64_t seed;
} mr_least_squares;

/* Columns of the weights of a table's features: 1, and a categorical's or bag's size, a dense field's size + 1. */
int64_t mr_features_columns(mr_features *_Nullable features);
int64_t mr_features_rows(mr_features *features);
int64_t mr_features_fields(mr_features *features);
/* Bayesian matrix factorisation with side information, by Gibbs sampling. Writes all of `out_factors`, `out_content`
 * and the ratings' mean; tables have user_count and item_count rows. progress: the training RMSE. */
int32_t mr_factorisation_sample(const mr_ratings *ratings, mr_features *items, mr_features *_Nullable users,
                                const mr_gibbs *options, mr_poll poll, const mr_factors *out_factors,
                                const mr_content *out_content, double *out_mean, mr_error *error);
/* Its point estimate, without features: out_factors of one sample, out_objectives [sweeps]. */
int32_t mr_factorisation_least_squares(const mr_ratings *ratings, const mr_least_squares *options, mr_poll poll,
                                       const mr_factors *out_factors, double *out_objectives, double *out_mean,
                                       mr_error *error);
/* Writes item_factors and item_novelty of items that are known by their features alone. */
int32_t mr_factorisation_place(mr_features *items, const mr_content *content, mr_poll poll,
                               const mr_factors *out_factors, mr_error *error);
/* Folds each task's user in and writes mean and, if wanted, variance of every query row's rating, tasks in order. */
int32_t mr_factorisation_predict(const mr_factors *factors, double mean, mr_tasks *tasks, int64_t threads,
                                 mr_poll poll, double *out_means, double *_Nullable out_variances, mr_error *error);

/* One user folded in: [samples, dimension + 1, dimension + 1], what the next function reads. Of the only task. */
int32_t mr_factorisation_fold(const mr_factors *factors, double mean, mr_tasks *tasks, int64_t threads, mr_poll poll,
                              float *out_user, mr_error *error);
/* Items whose columns lie together in item_columns. */
enum { MR_ITEM_BLOCK = 192 };
/* Mean and variance of that user's rating of items, -1: unknown. item_columns [blocks, samples, dimension + 1,
 * MR_ITEM_BLOCK] has of every item a 1, its factors and its bias, a column; the unknown item is the last one. */
int32_t mr_factorisation_score(const mr_factors *factors, double mean, float *user, const float *item_columns,
                               int64_t blocks, const int32_t *_Nullable items, int64_t count, int64_t threads,
                               mr_poll poll, double *out_means, double *out_variances, mr_error *error);

/* Levels of a rating of known mean and variance: P(y <= k) = Phi((cuts[k] - slope mean) / deviation), tilted to the mean. */
typedef struct mr_probit {
    int64_t level_count;
    const double *levels;         /* [level_count], rising */
    const double *_Nullable cuts; /* [level_count - 1], rising; null: half way between the levels */
    double slope;                 /* above 0 */
} mr_probit;

/* out [rows, level_count]: the probabilities of the levels. */
int32_t mr_ordered_probit(const mr_probit *probit, const double *means, const double *variances, int64_t rows,
                          double *out, mr_error *error);
/* The most likely cuts and slope where row r has the level places[r], with `probit` as prior. */
int32_t mr_ordered_probit_fit(const mr_probit *probit, const double *means, const double *variances,
                              const int64_t *places, int64_t rows, double *out_cuts, double *out_slope,
                              mr_error *error);

/* A log-linear mixture, by kind of row, of a given distribution and of ordered probits. */
typedef struct mr_mixture {
    int64_t level_count, part_count, kind_count;
    const double *levels;  /* [level_count], rising */
    const double *cuts;    /* [kind_count, part_count, level_count - 1] */
    const double *lines;   /* [kind_count, part_count, 3]: slope, and shift + stretch x mean corrects the mean */
    const double *weights; /* [kind_count, 1 + part_count] */
} mr_mixture;

/* out [rows, level_count], given likewise; kind [rows] below kind_count; means, variances [part_count, rows]. */
int32_t mr_mixture_probabilities(const mr_mixture *mixture, int64_t rows, const double *given, const uint8_t *kind,
                                 const double *means, const double *variances, int64_t threads, double *out,
                                 mr_error *error);

/* ---- Metrics ---- */

enum mr_metric_kind {
    MR_ABSOLUTE_ERROR = 0, /* numerator: sum |p - y|, denominator: rows; pooled: MAE */
    MR_SQUARED_ERROR,      /* sum (p - y)^2, rows; pooled: MSE */
    MR_RMSE_PER_TASK,      /* the task's root mean square, 1 */
    MR_NDCG,               /* gain 2^r - 1 */
    MR_NDCG_LINEAR,        /* gain r */
    MR_PRECISION, MR_RECALL, MR_F1, MR_AVERAGE_PRECISION, MR_RECIPROCAL_RANK, MR_HIT_RATE,
    MR_AUC,
    MR_ACCURACY,           /* rows whose rounded prediction (to the nearest integer) is the target, rows */
    MR_LOG_LOSS,           /* prediction = probability, target in {0, 1} */
    MR_METRIC_COUNT
};

typedef struct mr_metric {
    int32_t kind;
    int64_t k;       /* places looked at, for ranking metrics; 0: all */
    double relevant; /* a target of at least this much is relevant (precision, recall, ..., auc) */
} mr_metric;

/* Per task: statistic = numerator / denominator; a task left out (no rows, no relevant row, one class) has 0 / 0.
 * Ties share in expectation. predictions, targets: [offsets[task_count]]; out: [metric_count, task_count] each. */
int32_t mr_metrics(const double *_Nullable predictions, const double *_Nullable targets, const int64_t *offsets,
                   int64_t task_count, const mr_metric *metrics, int64_t metric_count, double *out_numerators,
                   double *out_denominators, mr_error *error);

/* Percentile bootstrap over clusters (users) of root(sum numerators / sum denominators).
 * numerators, denominators: [statistics, clusters] (the same resamples for each statistic, so that differences pair);
 * square_root: [statistics]; out: [statistics, resamples]. */
int32_t mr_bootstrap(const double *_Nullable numerators, const double *_Nullable denominators,
                     const uint8_t *square_root, int64_t statistics, int64_t clusters, int64_t resamples,
                     uint64_t seed, double *out, mr_error *error);

enum mr_distribution_value {
    MR_MEAN = 0,
    MR_MEDIAN,       /* the lowest level with P(<= level) >= 1/2 */
    MR_MODE,         /* of several the lowest */
    MR_GAIN,         /* expected 2^level - 1 */
    MR_CONFIDENCE,   /* the probability of the mode */
    MR_NEGATIVE_LOG, /* -log P(target) */
    MR_TRANSFORM,    /* P(< target) + u P(target), u uniform by (seed, row) */
    MR_DISTRIBUTION_VALUE_COUNT
};

/* What is read off distributions, row by row. probabilities: [rows, level_count], rows sum to 1; levels ascend;
 * targets: [rows], each one of the levels; null where no value needs them. values: [value_count] mr_distribution_values;
 * out: [value_count, rows]. */
int32_t mr_distribution(const double *_Nullable probabilities, int64_t rows, const double *levels, int64_t level_count,
                        const double *_Nullable targets, const int32_t *values, int64_t value_count, uint64_t seed,
                        double *out, mr_error *error);

/* Items of each user: items[offsets[u] ..< offsets[u + 1]]; offsets: [users + 1]. */
typedef struct mr_item_lists {
    const int64_t *offsets;
    const int32_t *_Nullable items;
} mr_item_lists;

/* Rankings of the whole catalogue less the excluded items. scores: [users, catalogue] of dtype; metrics: of relevance
 * (MR_NDCG: gain 1); out_numerators, out_denominators: [metric_count, users]; out_lists: [users, k], the best items, of
 * tied ones the lowest first, -1 where candidates are fewer. */
int32_t mr_catalogue(const void *_Nullable scores, int32_t dtype, int64_t users, int64_t catalogue,
                     mr_item_lists excluded, mr_item_lists relevant, const mr_metric *_Nullable metrics,
                     int64_t metric_count, int64_t k, double *_Nullable out_numerators,
                     double *_Nullable out_denominators, int32_t *_Nullable out_lists, mr_error *error);

/* One less the mean similarity of each list's pairs. lists: [count, k], rows of items, -1: none; out: [count], NaN where
 * no pair has a field in common. */
int32_t mr_list_diversity(const int32_t *_Nullable lists, int64_t count, int64_t k, mr_features *items,
                          double *_Nullable out, mr_error *error);

/* ---- Implicit feedback ---- */

/* Items by weight that a task does not have, with replacement. weights: [catalogue]; own: of each task, -1: none;
 * counts: [task_count], how many; drawn by (seed, epoch, task); out: [sum of counts] = [out_count], -1 where a task has
 * every item of positive weight. batch_size: 0, or that of the epoch which trains on the tasks: then the items are those
 * of the other tasks of the same step, and their weights count as often as they have them. */
int32_t mr_negatives(const double *weights, int64_t catalogue, mr_item_lists own, const int64_t *counts,
                     int64_t task_count, int64_t batch_size, uint64_t seed, uint64_t epoch, mr_poll poll,
                     int32_t *_Nullable out, int64_t out_count, mr_error *error);

/* ---- Linear algebra, the same bits for any number of threads ---- */

/* a b, or transposed a times b, of an mr_dtype: a [rows, terms], or [terms, rows]; b [terms, columns]. */
typedef struct mr_product_operands {
    const void *a, *b;
    int64_t rows, columns, terms;
    int32_t dtype, transposed;
} mr_product_operands;

/* out [rows, columns], which overlaps neither. */
int32_t mr_product(const mr_product_operands *operands, int64_t threads, mr_poll poll, void *out, mr_error *error);
/* Overwrites values [rows, columns] with orthonormal columns of the same span; zeros for one that depends on others. */
int32_t mr_orthonormal(double *values, int64_t rows, int64_t columns, mr_poll poll, mr_error *error);
/* Of a symmetric matrix [size, size]: values, largest first, and vectors as columns of out_vectors. */
int32_t mr_eigenvectors(const double *matrix, int64_t size, mr_poll poll, double *out_values, double *out_vectors,
                        mr_error *error);

#pragma clang assume_nonnull end
#endif
