#include "types.h"
#ifdef METAREC_HAS_PYTHON

#include "arrays.h"
#include "errors.h"
#include "values.h"

PyObject *bootstrap(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *keywords[] = {"numerators", "denominators", "square_root", "resamples", "seed", NULL};
    PyObject *above, *below, *roots, *resamples_argument, *seed_argument;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOO:bootstrap", keywords, &above, &below, &roots,
                                     &resamples_argument, &seed_argument))
        return NULL;
    const char *axes = "[statistics, clusters]";
    PyArrayObject *numerators = borrow_matrix(above, "numerators", ELEMENT_FLOAT64, ANY_LENGTH, ANY_LENGTH, axes);
    if (!numerators) return NULL;
    int64_t statistics = PyArray_DIM(numerators, 0), clusters = PyArray_DIM(numerators, 1);
    PyArrayObject *denominators = borrow_matrix(below, "denominators", ELEMENT_FLOAT64, statistics, clusters, axes);
    if (!denominators) return NULL;
    PyArrayObject *square_root = borrow_vector(roots, "square_root", ELEMENT_BOOL, statistics, "[statistics]");
    if (!square_root) return NULL;
    int64_t resamples;
    uint64_t seed;
    if (!integer_from(resamples_argument, "resamples", 0, &resamples) || !seed_value(seed_argument, "seed", &seed))
        return NULL;
    PyObject *result = new_array(MR_FLOAT64, 2, (const int64_t[]){statistics, resamples});
    if (!result) return NULL;

    const double *above_data = PyArray_DATA(numerators), *below_data = PyArray_DATA(denominators);
    const uint8_t *root_data = PyArray_DATA(square_root);
    double *out = array_data(result);
    mr_error error = {0};
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_bootstrap(above_data, below_data, root_data, statistics, clusters, resamples, seed, out, &error);
    Py_END_ALLOW_THREADS
    if (!succeeded(status, &error)) Py_CLEAR(result);
    return result;
}

#endif
