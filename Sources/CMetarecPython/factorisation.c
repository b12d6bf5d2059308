/* Factorisations: what is learned is a dict of NumPy arrays, which the library fills and reads in place. */
#include "types.h"
#ifdef METAREC_HAS_PYTHON

#include "arrays.h"
#include "errors.h"
#include "poll.h"
#include "values.h"

static const char factors_axes[] = "[samples, items + 1, rank + 1]";

/* A learned dict in use: what the library sees of it, and references that keep the arrays while the GIL is released. */
typedef struct Factors {
    mr_factors factors;
    mr_content content;
    double mean;
    PyObject *keep;
} Factors;

/* The entry `name`, kept; NULL if raised. */
static PyObject *entry(Factors *out, PyObject *dict, const char *name) {
    PyObject *value = PyDict_GetItemString(dict, name);
    if (!value) return raise_error(MR_VALUE_ERROR, "factors: wanted an entry '%s'", name);
    return PyList_Append(out->keep, value) == 0 ? value : NULL;
}

static void *vector(Factors *out, PyObject *dict, const char *name, Element element, int64_t length,
                    const char *axes) {
    PyObject *value = entry(out, dict, name);
    PyArrayObject *array = value ? borrow_vector(value, name, element, length, axes) : NULL;
    return array ? PyArray_DATA(array) : NULL;
}

static PyArrayObject *cube(Factors *out, PyObject *dict, const char *name, Element element, int64_t middle,
                           const char *axes) {
    PyObject *value = entry(out, dict, name);
    const int64_t shape[3] = {out->factors.samples, middle, out->factors.dimension};
    return value ? borrow_cube(value, name, element, shape, axes) : NULL;
}

static bool dict_start(Factors *out, PyObject *dict) {
    *out = (Factors){.keep = NULL};
    if (!PyDict_Check(dict)) {
        PyObject *came = description(dict);
        if (came) raise_error(MR_TYPE_ERROR, "factors: got %U; wanted a dict", came);
        Py_XDECREF(came);
        return false;
    }
    out->keep = PyList_New(0);
    return out->keep != NULL;
}

/* The shapes follow from item_factors and the number of user columns; every other array has to fit them. */
static bool factors_read(Factors *out, PyObject *dict) {
    const int64_t any[3] = {ANY_LENGTH, ANY_LENGTH, ANY_LENGTH};
    PyObject *value = entry(out, dict, "item_factors");
    PyArrayObject *array = value ? borrow_cube(value, "item_factors", ELEMENT_FLOAT32, any, factors_axes) : NULL;
    if (!array) return false;
    mr_factors *factors = &out->factors;
    factors->samples = PyArray_DIM(array, 0);
    factors->items = PyArray_DIM(array, 1) - 1;
    factors->dimension = PyArray_DIM(array, 2);
    factors->item_factors = PyArray_DATA(array);
    if (factors->samples < 1 || factors->items < 0 || factors->dimension < 1) {
        raise_error(MR_VALUE_ERROR, "item_factors: got an axis without elements; wanted shape %s", factors_axes);
        return false;
    }
    array = cube(out, dict, "user_weights", ELEMENT_FLOAT32, ANY_LENGTH, "[samples, user columns, rank + 1]");
    if (!array) return false;
    factors->user_columns = PyArray_DIM(array, 1);
    factors->user_weights = PyArray_DATA(array);
    array = cube(out, dict, "user_precision", ELEMENT_FLOAT64, factors->dimension, "[samples, rank + 1, rank + 1]");
    if (!array) return false;
    factors->user_precision = PyArray_DATA(array);
    factors->item_novelty = vector(out, dict, "item_novelty", ELEMENT_FLOAT32, factors->items + 1, "[items + 1]");
    if (!factors->item_novelty) return false;
    factors->noise = vector(out, dict, "noise", ELEMENT_FLOAT64, factors->samples, "[samples]");
    if (!factors->noise) return false;
    factors->content_noise = vector(out, dict, "content_noise", ELEMENT_FLOAT64, factors->samples, "[samples]");
    if (!factors->content_noise) return false;
    value = entry(out, dict, "mean");
    return value && number_value(value, "mean", &out->mean);
}

static bool content_read(Factors *out, PyObject *dict) {
    PyArrayObject *array =
        cube(out, dict, "item_weights", ELEMENT_FLOAT32, ANY_LENGTH, "[samples, item columns, rank + 1]");
    if (!array) return false;
    out->content.columns = PyArray_DIM(array, 1);
    out->content.weights = PyArray_DATA(array);
    array = cube(out, dict, "item_residuals", ELEMENT_FLOAT32, out->content.columns,
                 "[samples, item columns, rank + 1]");
    if (!array) return false;
    out->content.residuals = PyArray_DATA(array);
    PyObject *value = entry(out, dict, "item_variances");
    PyArrayObject *variances =
        value ? borrow_vector(value, "item_variances", ELEMENT_FLOAT64, ANY_LENGTH, "[1 + item fields]") : NULL;
    if (!variances) return false;
    out->content.blocks = PyArray_DIM(variances, 0);
    out->content.variances = PyArray_DATA(variances);
    return true;
}

static void factors_end(Factors *factors) { Py_CLEAR(factors->keep); }

/* A new array in `dict`; its memory, or NULL if raised. */
static void *made(PyObject *dict, const char *name, int32_t dtype, int rank, int64_t a, int64_t b, int64_t c) {
    PyObject *array = new_array(dtype, rank, (const int64_t[]){a, b, c});
    bool inserted = array && PyDict_SetItemString(dict, name, array) == 0;
    void *data = inserted ? array_data(array) : NULL;
    Py_XDECREF(array);
    return data;
}

static bool factors_make(PyObject *dict, mr_factors *out) {
    const int64_t s = out->samples, d = out->dimension;
    return (out->item_factors = made(dict, "item_factors", MR_FLOAT32, 3, s, out->items + 1, d)) &&
           (out->item_novelty = made(dict, "item_novelty", MR_FLOAT32, 1, out->items + 1, 0, 0)) &&
           (out->user_weights = made(dict, "user_weights", MR_FLOAT32, 3, s, out->user_columns, d)) &&
           (out->user_precision = made(dict, "user_precision", MR_FLOAT64, 3, s, d, d)) &&
           (out->noise = made(dict, "noise", MR_FLOAT64, 1, s, 0, 0)) &&
           (out->content_noise = made(dict, "content_noise", MR_FLOAT64, 1, s, 0, 0));
}

static bool content_make(PyObject *dict, int64_t samples, int64_t dimension, mr_content *out) {
    return (out->weights = made(dict, "item_weights", MR_FLOAT32, 3, samples, out->columns, dimension)) &&
           (out->residuals = made(dict, "item_residuals", MR_FLOAT32, 3, samples, out->columns, dimension)) &&
           (out->variances = made(dict, "item_variances", MR_FLOAT64, 1, out->blocks, 0, 0));
}

static bool ratings_parse(PyObject *user, PyObject *item, PyObject *rating, mr_ratings *out) {
    PyArrayObject *users = borrow_vector(user, "user", ELEMENT_INT32, ANY_LENGTH, "[ratings]");
    if (!users) return false;
    out->count = PyArray_DIM(users, 0);
    PyArrayObject *items = borrow_vector(item, "item", ELEMENT_INT32, out->count, "[ratings]");
    if (!items) return false;
    PyArrayObject *values = borrow_vector(rating, "rating", ELEMENT_FLOAT, out->count, "[ratings]");
    if (!values) return false;
    out->user = PyArray_DATA(users);
    out->item = PyArray_DATA(items);
    out->rating = PyArray_DATA(values);
    out->dtype = array_dtype(values);
    return true;
}

/* Adds the mean to a dict that a call has filled; drops it unless all went well. */
static PyObject *finished(PyObject *dict, int32_t status, const mr_error *error, double mean) {
    PyObject *value = succeeded(status, error) ? PyFloat_FromDouble(mean) : NULL;
    bool whole = value && PyDict_SetItemString(dict, "mean", value) == 0;
    Py_XDECREF(value);
    if (whole) return dict;
    Py_DECREF(dict);
    return NULL;
}

/* rank + 1, bounded so that shapes cannot overflow. */
static bool dimension_from(PyObject *rank, int64_t *out) {
    if (!integer_from(rank, "rank", 0, out)) return false;
    if (*out > 256) {
        raise_error(MR_VALUE_ERROR, "rank: got %lld; wanted at most 256", (long long)*out);
        return false;
    }
    ++*out;
    return true;
}

PyObject *sample_factors(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *keywords[] = {"user",    "item",     "rating",  "items", "users",    "user_count", "rank", "samples",
                               "burn_in", "interval", "threads", "seed",  "progress", NULL};
    PyObject *user, *item, *rating, *items, *users, *user_count, *rank, *samples, *burn_in, *interval, *threads, *seed;
    PyObject *progress = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOOOOOOOOO|O:sample_factors", keywords, &user, &item, &rating,
                                     &items, &users, &user_count, &rank, &samples, &burn_in, &interval, &threads,
                                     &seed, &progress))
        return NULL;
    mr_ratings ratings = {0};
    mr_factors factors = {0};
    mr_content content = {0};
    mr_gibbs options = {0};
    if (!ratings_parse(user, item, rating, &ratings) ||
        !integer_from(user_count, "user_count", 0, &ratings.user_count) || !dimension_from(rank, &factors.dimension) ||
        !integer_from(samples, "samples", 1, &factors.samples) ||
        !integer_from(burn_in, "burn_in", 0, &options.burn_in) ||
        !integer_from(interval, "interval", 1, &options.interval) ||
        !integer_from(threads, "threads", 0, &options.threads) || !seed_value(seed, "seed", &options.seed) ||
        !progress_argument(&progress))
        return NULL;
    Use item_use = {0}, user_use = {0};
    PyObject *result = NULL;
    if (use_argument(&item_use, items, "items", features_type) &&
        (users == Py_None || use_argument(&user_use, users, "users", features_type))) {
        mr_features *item_table = item_use.native->handle;
        mr_features *user_table = users == Py_None ? NULL : user_use.native->handle;
        ratings.item_count = factors.items = mr_features_rows(item_table);
        factors.user_columns = mr_features_columns(user_table);
        content.columns = mr_features_columns(item_table);
        content.blocks = mr_features_fields(item_table) + 1;
        PyObject *dict = PyDict_New();
        if (dict && factors_make(dict, &factors) &&
            content_make(dict, factors.samples, factors.dimension, &content)) {
            Poll state;
            mr_poll poll = poll_start(&state, progress);
            mr_error error = {0};
            double mean = 0;
            int32_t status;
            Py_BEGIN_ALLOW_THREADS
            status = mr_factorisation_sample(&ratings, item_table, user_table, &options, poll, &factors, &content,
                                             &mean, &error);
            Py_END_ALLOW_THREADS
            result = finished(dict, status, &error, mean);
        } else {
            Py_XDECREF(dict);
        }
    }
    use_end(&user_use);
    use_end(&item_use);
    return result;
}

PyObject *least_squares_factors(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *keywords[] = {"user",    "item",         "rating",  "user_count", "item_count", "rank", "sweeps",
                               "penalty", "bias_penalty", "threads", "seed",       "progress",   NULL};
    PyObject *user, *item, *rating, *user_count, *item_count, *rank, *sweeps, *penalty, *bias_penalty, *threads, *seed;
    PyObject *progress = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOOOOOOOO|O:least_squares_factors", keywords, &user, &item,
                                     &rating, &user_count, &item_count, &rank, &sweeps, &penalty, &bias_penalty,
                                     &threads, &seed, &progress))
        return NULL;
    mr_ratings ratings = {0};
    mr_factors factors = {.samples = 1, .user_columns = 1};
    mr_least_squares options = {0};
    if (!ratings_parse(user, item, rating, &ratings) ||
        !integer_from(user_count, "user_count", 0, &ratings.user_count) ||
        !integer_from(item_count, "item_count", 0, &ratings.item_count) ||
        !dimension_from(rank, &factors.dimension) || !integer_from(sweeps, "sweeps", 1, &options.sweeps) ||
        !number_value(penalty, "penalty", &options.penalty) ||
        !number_value(bias_penalty, "bias_penalty", &options.bias_penalty) ||
        !integer_from(threads, "threads", 0, &options.threads) || !seed_value(seed, "seed", &options.seed) ||
        !progress_argument(&progress))
        return NULL;
    if (ratings.item_count > INT32_MAX || ratings.user_count > INT32_MAX)
        return raise_error(MR_VALUE_ERROR, "item_count, user_count: wanted at most 2**31 - 1");
    factors.items = ratings.item_count;
    PyObject *dict = PyDict_New();
    double *objectives = dict ? made(dict, "objectives", MR_FLOAT64, 1, options.sweeps, 0, 0) : NULL;
    if (!objectives || !factors_make(dict, &factors)) {
        Py_XDECREF(dict);
        return NULL;
    }
    Poll state;
    mr_poll poll = poll_start(&state, progress);
    mr_error error = {0};
    double mean = 0;
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_factorisation_least_squares(&ratings, &options, poll, &factors, objectives, &mean, &error);
    Py_END_ALLOW_THREADS
    return finished(dict, status, &error, mean);
}

PyObject *place_items(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *keywords[] = {"factors", "items", NULL};
    PyObject *dict, *items;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:place_items", keywords, &dict, &items)) return NULL;
    Factors learned;
    if (!dict_start(&learned, dict)) return NULL;
    Use use = {0};
    PyObject *result = NULL;
    if (factors_read(&learned, dict) && content_read(&learned, dict) &&
        use_argument(&use, items, "items", features_type)) {
        mr_factors out = learned.factors;
        out.items = mr_features_rows(use.native->handle);
        PyObject *made_here = PyDict_New();
        if (made_here &&
            (out.item_factors = made(made_here, "item_factors", MR_FLOAT32, 3, out.samples, out.items + 1,
                                     out.dimension)) &&
            (out.item_novelty = made(made_here, "item_novelty", MR_FLOAT32, 1, out.items + 1, 0, 0))) {
            Poll state;
            mr_poll poll = poll_start(&state, NULL);
            mr_error error = {0};
            int32_t status;
            Py_BEGIN_ALLOW_THREADS
            status = mr_factorisation_place(use.native->handle, &learned.content, poll, &out, &error);
            Py_END_ALLOW_THREADS
            if (succeeded(status, &error)) result = Py_NewRef(made_here);
        }
        Py_XDECREF(made_here);
    }
    use_end(&use);
    factors_end(&learned);
    return result;
}

PyObject *fold_in(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *keywords[] = {"factors", "tasks", "threads", "variances", NULL};
    PyObject *dict, *argument, *thread_argument, *variance_argument;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOO:fold_in", keywords, &dict, &argument, &thread_argument,
                                     &variance_argument))
        return NULL;
    int64_t threads;
    double wants_variances;
    Factors learned;
    if (!integer_from(thread_argument, "threads", 0, &threads) ||
        !number_value(variance_argument, "variances", &wants_variances) || !dict_start(&learned, dict))
        return NULL;
    Use use = {0};
    PyObject *means = NULL, *variances = NULL, *result = NULL;
    if (factors_read(&learned, dict) && use_argument(&use, argument, "tasks", tasks_type)) {
        int64_t task_count, support_rows, query_rows;
        mr_tasks_counts(use.native->handle, &task_count, &support_rows, &query_rows);
        means = new_array(MR_FLOAT64, 1, &query_rows);
        variances = !means ? NULL : wants_variances ? new_array(MR_FLOAT64, 1, &query_rows) : Py_NewRef(Py_None);
        if (variances) {
            double *mean_data = array_data(means), *variance_data = wants_variances ? array_data(variances) : NULL;
            Poll state;
            mr_poll poll = poll_start(&state, NULL);
            mr_error error = {0};
            int32_t status;
            Py_BEGIN_ALLOW_THREADS
            status = mr_factorisation_predict(&learned.factors, learned.mean, use.native->handle, threads, poll,
                                              mean_data, variance_data, &error);
            Py_END_ALLOW_THREADS
            if (succeeded(status, &error)) result = PyTuple_Pack(2, means, variances);
        }
    }
    Py_XDECREF(means);
    Py_XDECREF(variances);
    use_end(&use);
    factors_end(&learned);
    return result;
}

/* One user folded in, as an array; the only task's. */
PyObject *fold_user(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *keywords[] = {"factors", "tasks", "threads", NULL};
    PyObject *dict, *argument, *thread_argument;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO:fold_user", keywords, &dict, &argument, &thread_argument))
        return NULL;
    int64_t threads;
    Factors learned;
    if (!integer_from(thread_argument, "threads", 0, &threads) || !dict_start(&learned, dict)) return NULL;
    Use use = {0};
    PyObject *user = NULL;
    if (factors_read(&learned, dict) && use_argument(&use, argument, "tasks", tasks_type)) {
        const int64_t size = learned.factors.dimension + 1;
        user = new_array(MR_FLOAT32, 3, (const int64_t[]){learned.factors.samples, size, size});
        if (user) {
            float *out = array_data(user);
            Poll state;
            mr_poll poll = poll_start(&state, NULL);
            mr_error error = {0};
            int32_t status;
            Py_BEGIN_ALLOW_THREADS
            status = mr_factorisation_fold(&learned.factors, learned.mean, use.native->handle, threads, poll, out,
                                           &error);
            Py_END_ALLOW_THREADS
            if (!succeeded(status, &error)) Py_CLEAR(user);
        }
    }
    use_end(&use);
    factors_end(&learned);
    return user;
}

PyObject *score_items(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *keywords[] = {"factors", "user", "item_columns", "items", "threads", NULL};
    PyObject *dict, *user_argument, *column_argument, *item_argument, *thread_argument;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOO:score_items", keywords, &dict, &user_argument,
                                     &column_argument, &item_argument, &thread_argument))
        return NULL;
    int64_t threads;
    Factors learned;
    if (!integer_from(thread_argument, "threads", 0, &threads) || !dict_start(&learned, dict)) return NULL;
    PyObject *means = NULL, *variances = NULL, *result = NULL;
    PyArrayObject *user = NULL, *columns = NULL, *items = NULL;
    if (factors_read(&learned, dict)) {
        const int64_t samples = learned.factors.samples, size = learned.factors.dimension + 1;
        user = borrow_cube(user_argument, "user", ELEMENT_FLOAT32, (const int64_t[]){samples, size, size},
                           "[samples, rank + 2, rank + 2]");
        if (user)
            columns = borrow_cube(column_argument, "item_columns", ELEMENT_FLOAT32,
                                  (const int64_t[]){ANY_LENGTH, size, MR_ITEM_BLOCK},
                                  "[blocks x samples, rank + 2, 192]");
        if (columns && PyArray_DIM(columns, 0) % samples) {
            raise_error(MR_VALUE_ERROR, "item_columns: got %lld rows; wanted a multiple of the %lld samples",
                        (long long)PyArray_DIM(columns, 0), (long long)samples);
            columns = NULL;
        }
        if (columns) items = borrow_vector(item_argument, "items", ELEMENT_INT32, ANY_LENGTH, "[items]");
    }
    if (items) {
        const int64_t count = PyArray_DIM(items, 0), blocks = PyArray_DIM(columns, 0) / learned.factors.samples;
        means = new_array(MR_FLOAT64, 1, &count);
        variances = means ? new_array(MR_FLOAT64, 1, &count) : NULL;
        if (variances) {
            double *mean_data = array_data(means), *variance_data = array_data(variances);
            float *user_data = PyArray_DATA(user);
            const float *column_data = PyArray_DATA(columns);
            const int32_t *item_data = PyArray_DATA(items);
            Poll state;
            mr_poll poll = poll_start(&state, NULL);
            mr_error error = {0};
            int32_t status;
            Py_BEGIN_ALLOW_THREADS
            status = mr_factorisation_score(&learned.factors, learned.mean, user_data, column_data, blocks, item_data,
                                            count, threads, poll, mean_data, variance_data, &error);
            Py_END_ALLOW_THREADS
            if (succeeded(status, &error)) result = PyTuple_Pack(2, means, variances);
        }
    }
    Py_XDECREF(means);
    Py_XDECREF(variances);
    factors_end(&learned);
    return result;
}

#endif
