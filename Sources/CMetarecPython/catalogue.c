#include "types.h"
#ifdef METAREC_HAS_PYTHON

#include "arrays.h"
#include "errors.h"
#include "metric.h"
#include "poll.h"
#include "values.h"

static bool lists_parse(PyObject *offsets, PyObject *items, const char *offsets_name, const char *name, int64_t users,
                        mr_item_lists *out) {
    PyArrayObject *bounds = borrow_vector(offsets, offsets_name, ELEMENT_INT64, users + 1, "[users + 1]");
    if (!bounds) return false;
    out->offsets = PyArray_DATA(bounds);
    int64_t total = out->offsets[users];
    if (total < 0) {
        raise_error(MR_VALUE_ERROR, "%s: the last is %lld; wanted the number of items", offsets_name, (long long)total);
        return false;
    }
    PyArrayObject *array = borrow_vector(items, name, ELEMENT_INT32, total, "[offsets[-1]]");
    if (array) out->items = PyArray_DATA(array);
    return array != NULL;
}

typedef struct Ranking {
    PyArrayObject *scores;
    mr_item_lists excluded, relevant;
    int64_t users, catalogue, k;
} Ranking;

/* Numerators, denominators and lists, as a new tuple. */
static PyObject *rank(const Ranking *ranking, const mr_metric *wanted, int64_t count) {
    const int64_t shape[2] = {count, ranking->users};
    PyObject *numerators = new_array(MR_FLOAT64, 2, shape);
    PyObject *denominators = numerators ? new_array(MR_FLOAT64, 2, shape) : NULL;
    PyObject *lists = denominators ? new_item_lists(ranking->users, ranking->k) : NULL;
    PyObject *result = NULL;
    if (lists) {
        const void *scores = PyArray_DATA(ranking->scores);
        int32_t dtype = array_dtype(ranking->scores), *best = array_data(lists);
        double *above = array_data(numerators), *below = array_data(denominators);
        mr_error error = {0};
        int32_t status;
        Py_BEGIN_ALLOW_THREADS
        status = mr_catalogue(scores, dtype, ranking->users, ranking->catalogue, ranking->excluded, ranking->relevant,
                              wanted, count, ranking->k, above, below, best, &error);
        Py_END_ALLOW_THREADS
        if (succeeded(status, &error)) result = PyTuple_Pack(3, numerators, denominators, lists);
    }
    Py_XDECREF(numerators);
    Py_XDECREF(denominators);
    Py_XDECREF(lists);
    return result;
}

PyObject *catalogue(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *keywords[] = {"scores",           "excluded_offsets", "excluded", "relevant_offsets", "relevant",
                               "metrics", "k", NULL};
    PyObject *scores, *excluded_offsets, *excluded, *relevant_offsets, *relevant, *sequence, *k;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOOOO:catalogue", keywords, &scores, &excluded_offsets, &excluded,
                                     &relevant_offsets, &relevant, &sequence, &k))
        return NULL;
    Ranking ranking;
    ranking.scores = borrow_matrix(scores, "scores", ELEMENT_FLOAT, ANY_LENGTH, ANY_LENGTH, "[users, catalogue]");
    if (!ranking.scores) return NULL;
    ranking.users = PyArray_DIM(ranking.scores, 0);
    ranking.catalogue = PyArray_DIM(ranking.scores, 1);
    if (!lists_parse(excluded_offsets, excluded, "excluded_offsets", "excluded", ranking.users, &ranking.excluded) ||
        !lists_parse(relevant_offsets, relevant, "relevant_offsets", "relevant", ranking.users, &ranking.relevant) ||
        !integer_from(k, "k", 0, &ranking.k))
        return NULL;
    int64_t count;
    mr_metric *wanted = metrics_parse(sequence, &count);
    if (!wanted) return NULL;
    PyObject *result = rank(&ranking, wanted, count);
    PyMem_Free(wanted);
    return result;
}

PyObject *list_diversity(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *keywords[] = {"lists", "items", NULL};
    PyObject *lists, *items;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:list_diversity", keywords, &lists, &items)) return NULL;
    PyArrayObject *table = borrow_matrix(lists, "lists", ELEMENT_INT32, ANY_LENGTH, ANY_LENGTH, "[lists, k]");
    if (!table) return NULL;
    int64_t count = PyArray_DIM(table, 0), k = PyArray_DIM(table, 1);
    Use use = {0};
    if (!use_argument(&use, items, "items", features_type)) return NULL;
    PyObject *result = new_array(MR_FLOAT64, 1, &count);
    if (result) {
        const int32_t *places = PyArray_DATA(table);
        double *out = array_data(result);
        mr_error error = {0};
        int32_t status;
        Py_BEGIN_ALLOW_THREADS
        status = mr_list_diversity(places, count, k, use.native->handle, out, &error);
        Py_END_ALLOW_THREADS
        if (!succeeded(status, &error)) Py_CLEAR(result);
    }
    use_end(&use);
    return result;
}

PyObject *negatives(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *keywords[] = {"weights", "own_offsets", "own", "counts", "seed", "epoch", "batch_size", NULL};
    PyObject *weights, *own_offsets, *own_items, *counts, *seed_argument, *epoch_argument, *batch_argument = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOOO|O:negatives", keywords, &weights, &own_offsets, &own_items,
                                     &counts, &seed_argument, &epoch_argument, &batch_argument))
        return NULL;
    int64_t batch_size = 0;
    if (batch_argument && !integer_from(batch_argument, "batch_size", 0, &batch_size)) return NULL;
    PyArrayObject *shares = borrow_vector(weights, "weights", ELEMENT_FLOAT64, ANY_LENGTH, "[items]");
    if (!shares) return NULL;
    PyArrayObject *wanted = borrow_vector(counts, "counts", ELEMENT_INT64, ANY_LENGTH, "[tasks]");
    if (!wanted) return NULL;
    int64_t tasks = PyArray_DIM(wanted, 0), total = 0;
    const int64_t *count = PyArray_DATA(wanted);
    for (int64_t task = 0; task < tasks; task++)
        if (count[task] < 0 || __builtin_add_overflow(total, count[task], &total))
            return raise_error(MR_VALUE_ERROR, "counts[%lld]: got %lld; wanted 0 or more", (long long)task,
                               (long long)count[task]);
    mr_item_lists own;
    uint64_t seed, epoch;
    if (!lists_parse(own_offsets, own_items, "own_offsets", "own", tasks, &own) ||
        !seed_value(seed_argument, "seed", &seed) || !seed_value(epoch_argument, "epoch", &epoch))
        return NULL;
    PyObject *table = new_item_lists(1, total);
    if (!table) return NULL;
    const double *data = PyArray_DATA(shares);
    int64_t items = PyArray_DIM(shares, 0);
    int32_t *out = array_data(table);
    Poll state;
    mr_poll poll = poll_start(&state, NULL);
    mr_error error = {0};
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_negatives(data, items, own, count, tasks, batch_size, seed, epoch, poll, out, total, &error);
    Py_END_ALLOW_THREADS
    PyObject *result = succeeded(status, &error) ? PySequence_GetItem(table, 0) : NULL;
    Py_DECREF(table);
    return result;
}

#endif
