/* Products and decompositions of matrices. */
#include "types.h"
#ifdef METAREC_HAS_PYTHON

#include <string.h>

#include "arrays.h"
#include "errors.h"
#include "poll.h"
#include "values.h"

PyObject *product(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *keywords[] = {"a", "b", "transposed", "threads", NULL};
    PyObject *first, *second, *flag, *thread_argument;
    double is_transposed;
    int64_t threads;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOO:product", keywords, &first, &second, &flag,
                                     &thread_argument) ||
        !number_value(flag, "transposed", &is_transposed) || !integer_from(thread_argument, "threads", 0, &threads))
        return NULL;
    if (is_transposed != 0 && is_transposed != 1)
        return raise_error(MR_VALUE_ERROR, "transposed: got %R, wanted True or False", flag);
    const bool transposed = is_transposed == 1;
    PyArrayObject *a = borrow_matrix(first, "a", ELEMENT_FLOAT, ANY_LENGTH, ANY_LENGTH,
                                     transposed ? "[terms, rows]" : "[rows, terms]");
    if (!a) return NULL;
    const int32_t dtype = array_dtype(a);
    const int64_t terms = PyArray_DIM(a, transposed ? 0 : 1), rows = PyArray_DIM(a, transposed ? 1 : 0);
    PyArrayObject *b = borrow_matrix(second, "b", dtype == MR_FLOAT32 ? ELEMENT_FLOAT32 : ELEMENT_FLOAT64, terms,
                                     ANY_LENGTH, "[terms, columns]");
    if (!b) return NULL;
    const int64_t columns = PyArray_DIM(b, 1);
    PyObject *result = new_array(dtype, 2, (const int64_t[]){rows, columns});
    if (!result) return NULL;
    const mr_product_operands operands = {.a = PyArray_DATA(a),
                                          .b = PyArray_DATA(b),
                                          .rows = rows,
                                          .columns = columns,
                                          .terms = terms,
                                          .dtype = dtype,
                                          .transposed = transposed};
    void *out = array_data(result);
    Poll state;
    mr_poll poll = poll_start(&state, NULL);
    mr_error error = {0};
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_product(&operands, threads, poll, out, &error);
    Py_END_ALLOW_THREADS
    if (!succeeded(status, &error)) Py_CLEAR(result);
    return result;
}

PyObject *orthonormal(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *keywords[] = {"matrix", NULL};
    PyObject *argument;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:orthonormal", keywords, &argument)) return NULL;
    PyArrayObject *matrix =
        borrow_matrix(argument, "matrix", ELEMENT_FLOAT64, ANY_LENGTH, ANY_LENGTH, "[rows, columns]");
    if (!matrix) return NULL;
    const int64_t rows = PyArray_DIM(matrix, 0), columns = PyArray_DIM(matrix, 1);
    PyObject *result = new_array(MR_FLOAT64, 2, (const int64_t[]){rows, columns});
    if (!result) return NULL;
    double *out = array_data(result);
    memcpy(out, PyArray_DATA(matrix), (size_t)PyArray_NBYTES(matrix));
    Poll state;
    mr_poll poll = poll_start(&state, NULL);
    mr_error error = {0};
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_orthonormal(out, rows, columns, poll, &error);
    Py_END_ALLOW_THREADS
    if (!succeeded(status, &error)) Py_CLEAR(result);
    return result;
}

PyObject *eigenvectors(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *keywords[] = {"matrix", NULL};
    PyObject *argument;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:eigenvectors", keywords, &argument)) return NULL;
    PyArrayObject *matrix = borrow_matrix(argument, "matrix", ELEMENT_FLOAT64, ANY_LENGTH, ANY_LENGTH, "[size, size]");
    if (!matrix) return NULL;
    const int64_t size = PyArray_DIM(matrix, 0);
    if (PyArray_DIM(matrix, 1) != size)
        return raise_error(MR_VALUE_ERROR, "matrix: [%lld, %lld], wanted as many columns as rows", (long long)size,
                           (long long)PyArray_DIM(matrix, 1));
    PyObject *values = new_array(MR_FLOAT64, 1, &size);
    PyObject *vectors = values ? new_array(MR_FLOAT64, 2, (const int64_t[]){size, size}) : NULL;
    if (!vectors) {
        Py_XDECREF(values);
        return NULL;
    }
    const double *data = PyArray_DATA(matrix);
    double *out_values = array_data(values), *out_vectors = array_data(vectors);
    Poll state;
    mr_poll poll = poll_start(&state, NULL);
    mr_error error = {0};
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_eigenvectors(data, size, poll, out_values, out_vectors, &error);
    Py_END_ALLOW_THREADS
    if (!succeeded(status, &error)) {
        Py_CLEAR(values);
        Py_CLEAR(vectors);
        return NULL;
    }
    return Py_BuildValue("(NN)", values, vectors);
}

#endif
