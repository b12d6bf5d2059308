#include "errors.h"
#ifdef METAREC_HAS_PYTHON

#include "arrays.h"

#include <stdarg.h>

enum { CLASS_COUNT = MR_MEMORY_ERROR + 1 };

static PyObject *classes[CLASS_COUNT]; /* by mr_status */

bool errors_import(void) {
    static const char *const names[CLASS_COUNT] = {
        [MR_VALUE_ERROR] = "InvalidValueError",    [MR_INDEX_ERROR] = "InvalidIndexError",
        [MR_TYPE_ERROR] = "InvalidTypeError",      [MR_ARITHMETIC_ERROR] = "NumericalError",
        [MR_STATE_ERROR] = "StateError",           [MR_MEMORY_ERROR] = "OutOfMemoryError",
    };
    PyObject *module = PyImport_ImportModule("metarec.errors");
    if (!module) return false;
    bool complete = true;
    for (int status = MR_VALUE_ERROR; complete && status < CLASS_COUNT; status++) {
        PyObject *class = PyObject_GetAttrString(module, names[status]);
        PyObject *previous = classes[status];
        if (class) classes[status] = class;
        if (class) Py_XDECREF(previous);
        complete = class != NULL;
    }
    Py_DECREF(module);
    return complete;
}

PyObject *raise_error(enum mr_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    PyErr_FormatV(classes[status], format, arguments);
    va_end(arguments);
    return NULL;
}

bool succeeded(int32_t status, const mr_error *error) {
    if (PyErr_Occurred()) return false;
    if (status == MR_OK) return true;
    if (status > MR_OK && status < CLASS_COUNT)
        raise_error(status, "%.999s", error->message);
    else
        raise_error(MR_STATE_ERROR, "the call stopped with status %d: %.900s", (int)status, error->message);
    return false;
}

static PyObject *array_description(PyObject *array) {
    PyObject *dtype = PyObject_GetAttrString(array, "dtype");
    PyObject *shape = PyObject_GetAttrString(array, "shape");
    PyObject *strides = PyObject_GetAttrString(array, "strides");
    PyObject *text = NULL;
    if (dtype && shape && strides)
        text = PyUnicode_FromFormat("an array of dtype %S, shape %S, strides %S%s", dtype, shape, strides,
                                    PyArray_ISALIGNED((PyArrayObject *)array) ? "" : ", not aligned");
    Py_XDECREF(dtype);
    Py_XDECREF(shape);
    Py_XDECREF(strides);
    return text;
}

PyObject *description(PyObject *object) {
    if (is_plain_array(object)) return array_description(object);
    PyObject *name = PyType_GetQualName(Py_TYPE(object));
    if (!name) return NULL;
    PyObject *text = PyUnicode_FromFormat("type %U", name);
    Py_DECREF(name);
    return text;
}

#endif
