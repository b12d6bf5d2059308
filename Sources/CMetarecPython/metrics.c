#include "types.h"
#ifdef METAREC_HAS_PYTHON

#include "arrays.h"
#include "errors.h"
#include "metric.h"
#include "values.h"

#include <stdio.h>
#include <string.h>

static const char *const names[MR_METRIC_COUNT] = {
    [MR_ABSOLUTE_ERROR] = "mae",    [MR_SQUARED_ERROR] = "mse",       [MR_RMSE_PER_TASK] = "rmse_user",
    [MR_NDCG] = "ndcg",             [MR_NDCG_LINEAR] = "ndcg_linear", [MR_PRECISION] = "precision",
    [MR_RECALL] = "recall",         [MR_F1] = "f1",                   [MR_AVERAGE_PRECISION] = "map",
    [MR_RECIPROCAL_RANK] = "mrr",   [MR_HIT_RATE] = "hr",             [MR_AUC] = "auc",
    [MR_ACCURACY] = "accuracy",     [MR_LOG_LOSS] = "logloss",
};

static bool kind_parse(PyObject *object, const char *label, int32_t *out) {
    const char *name = text_value(object, label);
    if (!name) return false;
    for (*out = 0; *out < MR_METRIC_COUNT; ++*out)
        if (!strcmp(name, names[*out])) return true;
    char known[200] = "";
    for (int kind = 0; kind < MR_METRIC_COUNT; kind++) {
        strcat(known, kind ? ", " : "");
        strcat(known, names[kind]);
    }
    raise_error(MR_VALUE_ERROR, "%s: got the name '%.100s'; wanted one of %s", label, name, known);
    return false;
}

static bool metric_parse(PyObject *object, Py_ssize_t index, mr_metric *out) {
    char label[64];
    snprintf(label, sizeof label, "metrics[%zd]", index);
    if (!PyTuple_Check(object) || PyTuple_Size(object) != 3) {
        raise_error(MR_TYPE_ERROR, "%s: wanted a tuple (name, k, relevant)", label);
        return false;
    }
    if (!kind_parse(PyTuple_GetItem(object, 0), label, &out->kind)) return false;
    snprintf(label, sizeof label, "metrics[%zd]: k", index);
    if (!integer_from(PyTuple_GetItem(object, 1), label, 0, &out->k)) return false;
    snprintf(label, sizeof label, "metrics[%zd]: relevant", index);
    return number_value(PyTuple_GetItem(object, 2), label, &out->relevant);
}

mr_metric *metrics_parse(PyObject *sequence, int64_t *out_count) {
    PyObject *items = sequence_value(sequence, "metrics", "a sequence of tuples (name, k, relevant)");
    if (!items) return NULL;
    *out_count = PyTuple_Size(items);
    mr_metric *wanted = PyMem_Calloc((size_t)*out_count + 1, sizeof *wanted);
    bool parsed = wanted != NULL;
    if (!parsed) PyErr_NoMemory();
    for (Py_ssize_t index = 0; parsed && index < *out_count; index++)
        parsed = metric_parse(PyTuple_GetItem(items, index), index, &wanted[index]);
    Py_DECREF(items);
    if (parsed) return wanted;
    PyMem_Free(wanted);
    return NULL;
}

typedef struct Rows {
    const double *predictions, *targets;
    const int64_t *offsets;
    int64_t tasks;
} Rows;

static bool rows_parse(PyObject *predictions, PyObject *targets, PyObject *offsets, Rows *out) {
    PyArrayObject *bounds = borrow_vector(offsets, "offsets", ELEMENT_INT64, ANY_LENGTH, "[tasks + 1]");
    if (!bounds) return false;
    if (PyArray_DIM(bounds, 0) < 1) {
        raise_error(MR_VALUE_ERROR, "offsets: got an empty array; wanted [tasks + 1], at least the one element 0");
        return false;
    }
    out->tasks = PyArray_DIM(bounds, 0) - 1;
    out->offsets = PyArray_DATA(bounds);
    int64_t rows = out->offsets[out->tasks];
    if (rows < 0) {
        raise_error(MR_VALUE_ERROR, "offsets: the last is %lld; wanted the number of rows", (long long)rows);
        return false;
    }
    const char *axes = "[offsets[-1]]";
    PyArrayObject *predicted = borrow_vector(predictions, "predictions", ELEMENT_FLOAT64, rows, axes);
    if (!predicted) return false;
    PyArrayObject *observed = borrow_vector(targets, "targets", ELEMENT_FLOAT64, rows, axes);
    if (!observed) return false;
    out->predictions = PyArray_DATA(predicted);
    out->targets = PyArray_DATA(observed);
    return true;
}

/* Numerators and denominators, as a new tuple. */
static PyObject *measure(const Rows *rows, const mr_metric *wanted, int64_t count) {
    const int64_t shape[2] = {count, rows->tasks};
    PyObject *numerators = new_array(MR_FLOAT64, 2, shape);
    PyObject *denominators = numerators ? new_array(MR_FLOAT64, 2, shape) : NULL;
    if (!denominators) {
        Py_XDECREF(numerators);
        return NULL;
    }
    double *above = array_data(numerators), *below = array_data(denominators);
    mr_error error = {0};
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_metrics(rows->predictions, rows->targets, rows->offsets, rows->tasks, wanted, count, above, below,
                        &error);
    Py_END_ALLOW_THREADS
    PyObject *result = succeeded(status, &error) ? PyTuple_Pack(2, numerators, denominators) : NULL;
    Py_DECREF(numerators);
    Py_DECREF(denominators);
    return result;
}

PyObject *metrics(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *keywords[] = {"predictions", "targets", "offsets", "metrics", NULL};
    PyObject *predictions, *targets, *offsets, *sequence;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOO:metrics", keywords, &predictions, &targets, &offsets,
                                     &sequence))
        return NULL;
    Rows rows;
    if (!rows_parse(predictions, targets, offsets, &rows)) return NULL;
    int64_t count;
    mr_metric *wanted = metrics_parse(sequence, &count);
    if (!wanted) return NULL;
    PyObject *result = measure(&rows, wanted, count);
    PyMem_Free(wanted);
    return result;
}

#endif
