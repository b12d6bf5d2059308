#include "types.h"
#ifdef METAREC_HAS_PYTHON

#include "arrays.h"
#include "errors.h"
#include "values.h"

#include <stdio.h>
#include <string.h>

static const char *const names[MR_DISTRIBUTION_VALUE_COUNT] = {
    [MR_MEAN] = "mean",
    [MR_MEDIAN] = "median",
    [MR_MODE] = "mode",
    [MR_GAIN] = "gain",
    [MR_CONFIDENCE] = "confidence",
    [MR_NEGATIVE_LOG] = "negative_log",
    [MR_TRANSFORM] = "transform",
};

static bool value_parse(PyObject *object, Py_ssize_t index, int32_t *out) {
    char label[64];
    snprintf(label, sizeof label, "values[%zd]", index);
    const char *name = text_value(object, label);
    if (!name) return false;
    for (*out = 0; *out < MR_DISTRIBUTION_VALUE_COUNT; ++*out)
        if (!strcmp(name, names[*out])) return true;
    raise_error(MR_VALUE_ERROR, "%s: got the name '%.100s'; wanted mean, median, mode, gain, ...", label, name);
    return false;
}

typedef struct Rows {
    const double *probabilities, *levels, *targets;
    int64_t rows, level_count;
    uint64_t seed;
} Rows;

static bool rows_parse(PyObject *probabilities, PyObject *levels, PyObject *targets, PyObject *seed, Rows *out) {
    PyArrayObject *steps = borrow_vector(levels, "levels", ELEMENT_FLOAT64, ANY_LENGTH, "[levels]");
    if (!steps) return false;
    out->level_count = PyArray_DIM(steps, 0);
    out->levels = PyArray_DATA(steps);
    PyArrayObject *table =
        borrow_matrix(probabilities, "probabilities", ELEMENT_FLOAT64, ANY_LENGTH, out->level_count, "[rows, levels]");
    if (!table) return false;
    out->rows = PyArray_DIM(table, 0);
    out->probabilities = PyArray_DATA(table);
    out->targets = NULL;
    if (targets != Py_None) {
        PyArrayObject *observed = borrow_vector(targets, "targets", ELEMENT_FLOAT64, out->rows, "[rows]");
        if (!observed) return false;
        out->targets = PyArray_DATA(observed);
    }
    return seed_value(seed, "seed", &out->seed);
}

static PyObject *read_off(const Rows *rows, const int32_t *wanted, int64_t count) {
    PyObject *result = new_array(MR_FLOAT64, 2, (const int64_t[]){count, rows->rows});
    if (!result) return NULL;
    double *out = array_data(result);
    mr_error error = {0};
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_distribution(rows->probabilities, rows->rows, rows->levels, rows->level_count, rows->targets, wanted,
                             count, rows->seed, out, &error);
    Py_END_ALLOW_THREADS
    if (!succeeded(status, &error)) Py_CLEAR(result);
    return result;
}

PyObject *distribution(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *keywords[] = {"probabilities", "levels", "targets", "values", "seed", NULL};
    PyObject *probabilities, *levels, *targets, *sequence, *seed;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOO:distribution", keywords, &probabilities, &levels, &targets,
                                     &sequence, &seed))
        return NULL;
    Rows rows;
    if (!rows_parse(probabilities, levels, targets, seed, &rows)) return NULL;
    PyObject *items = sequence_value(sequence, "values", "a sequence of names");
    if (!items) return NULL;
    Py_ssize_t count = PyTuple_Size(items);
    int32_t *wanted = PyMem_Calloc((size_t)count + 1, sizeof *wanted);
    bool parsed = wanted != NULL;
    if (!parsed) PyErr_NoMemory();
    for (Py_ssize_t index = 0; parsed && index < count; index++)
        parsed = value_parse(PyTuple_GetItem(items, index), index, &wanted[index]);
    PyObject *result = parsed ? read_off(&rows, wanted, count) : NULL;
    PyMem_Free(wanted);
    Py_DECREF(items);
    return result;
}

#endif
