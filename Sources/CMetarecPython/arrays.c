#include "arrays.h"
#ifdef METAREC_HAS_PYTHON

#include "errors.h"

static const char *element_name(Element element) {
    switch (element) {
    case ELEMENT_INT32: return "int32";
    case ELEMENT_INT64: return "int64";
    case ELEMENT_FLOAT32: return "float32";
    case ELEMENT_FLOAT64: return "float64";
    case ELEMENT_FLOAT: return "float32 or float64";
    case ELEMENT_BOOL: return "bool";
    }
    return "";
}

bool is_plain_array(PyObject *object) {
    if (PyArray_CheckExact(object)) return true;
    return PyArray_Check(object) && !PyObject_HasAttrString(object, "_mask");
}

static bool has_type(PyArrayObject *array, int type) { return PyArray_EquivTypenums(PyArray_TYPE(array), type); }

static bool has_element(PyArrayObject *array, Element element) {
    switch (element) {
    case ELEMENT_INT32: return has_type(array, NPY_INT32);
    case ELEMENT_INT64: return has_type(array, NPY_INT64);
    case ELEMENT_FLOAT32: return has_type(array, NPY_FLOAT32);
    case ELEMENT_FLOAT64: return has_type(array, NPY_FLOAT64);
    case ELEMENT_FLOAT: return has_type(array, NPY_FLOAT32) || has_type(array, NPY_FLOAT64);
    case ELEMENT_BOOL: return has_type(array, NPY_BOOL);
    }
    return false;
}

/* The type number says nothing of the byte order: '>f4' is NPY_FLOAT32 as well, and C-contiguous. */
static bool has_layout(PyArrayObject *array) {
    return PyArray_ISNOTSWAPPED(array) && PyArray_ISALIGNED(array) && PyArray_IS_C_CONTIGUOUS(array);
}

static bool has_shape(PyArrayObject *array, int rank, const int64_t *shape) {
    if (PyArray_NDIM(array) != rank) return false;
    for (int axis = 0; axis < rank; axis++)
        if (shape[axis] != ANY_LENGTH && shape[axis] != PyArray_DIM(array, axis)) return false;
    return true;
}

static PyObject *wanted_shape(int rank, const int64_t *shape, const char *axes) {
    if (rank == 1 && shape[0] != ANY_LENGTH) return PyUnicode_FromFormat("%s = (%lld,)", axes, (long long)shape[0]);
    if (rank == 2 && shape[0] != ANY_LENGTH && shape[1] != ANY_LENGTH)
        return PyUnicode_FromFormat("%s = (%lld, %lld)", axes, (long long)shape[0], (long long)shape[1]);
    return PyUnicode_FromString(axes);
}

static PyArrayObject *borrow(PyObject *object, const char *name, Element element, int rank, const int64_t *shape,
                             const char *axes) {
    bool is_array = is_plain_array(object);
    PyArrayObject *array = (PyArrayObject *)object;
    bool fits = is_array && has_element(array, element) && has_layout(array);
    if (fits && has_shape(array, rank, shape)) return array;

    PyObject *came = description(object);
    PyObject *wanted = wanted_shape(rank, shape, axes);
    if (came && wanted && fits)
        raise_error(MR_VALUE_ERROR, "%s: got %U; wanted shape %U", name, came, wanted);
    else if (came && wanted)
        raise_error(MR_TYPE_ERROR,
                    "%s: got %U; wanted a C-contiguous, aligned NumPy array of %s in native byte order, shape %U",
                    name, came, element_name(element), wanted);
    Py_XDECREF(came);
    Py_XDECREF(wanted);
    return NULL;
}

PyArrayObject *borrow_vector(PyObject *object, const char *name, Element element, int64_t length, const char *axes) {
    return borrow(object, name, element, 1, &length, axes);
}

PyArrayObject *borrow_matrix(PyObject *object, const char *name, Element element, int64_t rows, int64_t columns,
                             const char *axes) {
    const int64_t shape[2] = {rows, columns};
    return borrow(object, name, element, 2, shape, axes);
}

PyArrayObject *borrow_cube(PyObject *object, const char *name, Element element, const int64_t shape[3],
                           const char *axes) {
    return borrow(object, name, element, 3, shape, axes);
}

int32_t array_dtype(PyArrayObject *array) { return has_type(array, NPY_FLOAT32) ? MR_FLOAT32 : MR_FLOAT64; }

static int numpy_type(int32_t dtype) { return dtype == MR_FLOAT32 ? NPY_FLOAT32 : NPY_FLOAT64; }

static PyObject *too_large(int rank, const int64_t *shape) {
    PyErr_Clear();
    PyObject *sizes = PyTuple_New(rank);
    for (int axis = 0; sizes && axis < rank; axis++) {
        PyObject *size = PyLong_FromLongLong(shape[axis]);
        if (!size || PyTuple_SetItem(sizes, axis, size) < 0) Py_CLEAR(sizes);
    }
    if (sizes) raise_error(MR_MEMORY_ERROR, "the result: an array of shape %S is too large for this machine", sizes);
    Py_XDECREF(sizes);
    return NULL;
}

PyObject *new_array(int32_t dtype, int rank, const int64_t *shape) {
    npy_intp sizes[3];
    int64_t bytes = dtype == MR_FLOAT32 ? 4 : 8; /* of the non-zero axes: NumPy wants that not to overflow either */
    for (int axis = 0; axis < rank; axis++) {
        sizes[axis] = (npy_intp)shape[axis];
        if (shape[axis] < 0 || __builtin_mul_overflow(bytes, shape[axis] ? shape[axis] : 1, &bytes))
            return too_large(rank, shape);
    }
    PyObject *array = PyArray_ZEROS(rank, sizes, numpy_type(dtype), 0);
    if (!array && PyErr_ExceptionMatches(PyExc_MemoryError)) return too_large(rank, shape);
    return array;
}

PyObject *new_item_lists(int64_t rows, int64_t columns) {
    const int64_t shape[2] = {rows, columns};
    npy_intp sizes[2] = {(npy_intp)rows, (npy_intp)columns};
    int64_t bytes = 4;
    if (__builtin_mul_overflow(bytes, rows ? rows : 1, &bytes) ||
        __builtin_mul_overflow(bytes, columns ? columns : 1, &bytes))
        return too_large(2, shape);
    PyObject *array = PyArray_ZEROS(2, sizes, NPY_INT32, 0);
    if (!array && PyErr_ExceptionMatches(PyExc_MemoryError)) return too_large(2, shape);
    return array;
}

void *array_data(PyObject *array) { return PyArray_DATA((PyArrayObject *)array); }

PyObject *tensor_view(const mr_tensor *tensor, PyObject *owner) {
    npy_intp sizes[2] = {(npy_intp)tensor->shape[0], (npy_intp)tensor->shape[1]};
    PyObject *view = PyArray_SimpleNewFromData(tensor->rank, sizes, numpy_type(tensor->dtype), tensor->data);
    if (view && PyArray_SetBaseObject((PyArrayObject *)view, Py_NewRef(owner)) < 0) Py_CLEAR(view);
    return view;
}

#endif
