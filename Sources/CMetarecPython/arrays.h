/* NumPy arrays: borrowed after a check and never converted; made new; or made as views of the library's memory. */
#ifndef METAREC_ARRAYS_H
#define METAREC_ARRAYS_H

#include "interpreter.h"
#ifdef METAREC_HAS_PYTHON
#pragma GCC visibility push(hidden)

typedef enum {
    ELEMENT_INT32,
    ELEMENT_INT64,
    ELEMENT_FLOAT32,
    ELEMENT_FLOAT64,
    ELEMENT_FLOAT, /* 32 or 64 */
    ELEMENT_BOOL
} Element;

enum { ANY_LENGTH = -1 };

/* Whether `object` is an array, and not one that hides some of its elements behind a mask. */
bool is_plain_array(PyObject *object);

/* `object` as an array of that element type and shape, C-contiguous, aligned, in native byte order; read-only is fine.
 * A borrowed reference, or NULL if raised. `axes` says what the shape means: "[rows + 1]". */
PyArrayObject *borrow_vector(PyObject *object, const char *name, Element element, int64_t length, const char *axes);
PyArrayObject *borrow_matrix(PyObject *object, const char *name, Element element, int64_t rows, int64_t columns,
                             const char *axes);
PyArrayObject *borrow_cube(PyObject *object, const char *name, Element element, const int64_t shape[3],
                           const char *axes);

/* mr_dtype of an array of floats. */
int32_t array_dtype(PyArrayObject *array);

/* A new C-contiguous array of zeros of an mr_dtype; OutOfMemoryError where it is too large. `rank` is at most 3. */
PyObject *new_array(int32_t dtype, int rank, const int64_t *shape);
/* The same of int32, [rows, columns]. */
PyObject *new_item_lists(int64_t rows, int64_t columns);
void *array_data(PyObject *array);

/* A writable view of a tensor, which keeps `owner` alive. */
PyObject *tensor_view(const mr_tensor *tensor, PyObject *owner);

#pragma GCC visibility pop
#endif
#endif
