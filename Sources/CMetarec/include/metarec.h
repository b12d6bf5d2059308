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
int32_t mr_learner_initialize(mr_learner *learner, mr_tasks *tasks, mr_error *error);

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

/* Mean meta-loss over the tasks and its gradient. `out_gradients` holds one buffer per parameter, in the order of
 * mr_learner_tensor (parameters come first), of the parameter's shape and dtype. */
int32_t mr_learner_meta_gradient(mr_learner *learner, mr_tasks *tasks, mr_poll poll, double *out_loss,
                                 void *_Nonnull const *_Nonnull out_gradients, mr_error *error);
/* One outer step on all of the tasks. */
int32_t mr_learner_step(mr_learner *learner, mr_tasks *tasks, mr_poll poll, double *out_loss, mr_error *error);

/* How an epoch draws support and query from all rows of a task: sizes uniform in low ... high, at least one row left
 * for the other side; tasks of fewer than two rows sit out. */
typedef struct mr_episodes {
    int64_t support_low, support_high, query_low, query_high;
} mr_episodes;

/* One pass over the tasks, shuffled by (seed, epoch), in batches. Without episodes: the tasks as they are. */
int32_t mr_learner_train_epoch(mr_learner *learner, mr_tasks *tasks, const mr_episodes *_Nullable episodes,
                               int64_t epoch, mr_poll poll, double *out_loss, mr_error *error);

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

/* Adapts to the support of the one task in `tasks`. The learner is unchanged. */
int32_t mr_learner_adapt(mr_learner *learner, mr_tasks *tasks, mr_adapted *_Nullable *_Nonnull out, mr_error *error);
/* Predictions for the query rows of the one task in `tasks`. Fails with MR_STATE_ERROR once the learner has trained on. */
int32_t mr_adapted_predict(mr_adapted *adapted, mr_tasks *tasks, void *out, mr_error *error);
void mr_adapted_release(mr_adapted *adapted);

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

#pragma clang assume_nonnull end
#endif
