#include "values.h"
#ifdef METAREC_HAS_PYTHON

#include "errors.h"

#include <string.h>

/* A type error; or what a memoryview of several dimensions raises, or a released one. */
static bool is_refusal(PyObject *object) {
    if (PyErr_ExceptionMatches(PyExc_TypeError)) return true;
    bool refused = PyErr_ExceptionMatches(PyExc_NotImplementedError) || PyErr_ExceptionMatches(PyExc_ValueError);
    return refused && PyMemoryView_Check(object);
}

/* Raises "name: got ...; wanted ...", in place of Python's own refusal. */
static bool refuse(PyObject *object, const char *name, const char *wanted) {
    if (PyErr_Occurred() && !is_refusal(object)) return false;
    PyErr_Clear();
    PyObject *came = description(object);
    if (came) raise_error(MR_TYPE_ERROR, "%s: got %U; wanted %s", name, came, wanted);
    Py_XDECREF(came);
    return false;
}

bool integer_value(PyObject *object, const char *name, int64_t *out) {
    PyObject *integer = PyNumber_Index(object);
    if (!integer) return refuse(object, name, "an integer");
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(integer, &overflow);
    Py_DECREF(integer);
    if (overflow) {
        raise_error(MR_VALUE_ERROR, "%s: got an integer %s; wanted one of 64 bits", name,
                    overflow < 0 ? "below -2**63" : "above 2**63 - 1");
        return false;
    }
    if (value == -1 && PyErr_Occurred()) return false;
    *out = value;
    return true;
}

bool integer_from(PyObject *object, const char *name, int64_t low, int64_t *out) {
    if (!integer_value(object, name, out)) return false;
    if (*out >= low) return true;
    raise_error(MR_VALUE_ERROR, "%s: got %lld; wanted an integer of at least %lld", name, (long long)*out,
                (long long)low);
    return false;
}

bool seed_value(PyObject *object, const char *name, uint64_t *out) {
    PyObject *integer = PyNumber_Index(object);
    if (!integer) return refuse(object, name, "an integer");
    unsigned long long value = PyLong_AsUnsignedLongLong(integer);
    Py_DECREF(integer);
    if (value == (unsigned long long)-1 && PyErr_Occurred()) {
        PyErr_Clear();
        raise_error(MR_VALUE_ERROR, "%s: got an integer outside 0 ... 2**64 - 1", name);
        return false;
    }
    *out = value;
    return true;
}

bool is_number(PyObject *object) {
    return PyFloat_Check(object) || PyArray_IsScalar(object, Floating) || PyArray_IsScalar(object, Bool) ||
           (PyIndex_Check(object) && !PyArray_Check(object));
}

bool number_value(PyObject *object, const char *name, double *out) {
    if (!is_number(object)) return refuse(object, name, "a number");
    if (PyArray_IsScalar(object, Bool)) {
        *out = PyObject_IsTrue(object) == 1;
        return true;
    }
    if (PyFloat_Check(object) || PyArray_IsScalar(object, Floating)) {
        *out = PyFloat_AsDouble(object);
        return *out != -1 || !PyErr_Occurred();
    }
    const int64_t largest = INT64_C(1) << 53;
    int64_t integer;
    if (!integer_value(object, name, &integer)) return false;
    if (integer < -largest || integer > largest) {
        raise_error(MR_VALUE_ERROR, "%s: got %lld; wanted an integer of at most 2**53 in magnitude", name,
                    (long long)integer);
        return false;
    }
    *out = (double)integer;
    return true;
}

const char *text_value(PyObject *object, const char *name) {
    if (!PyUnicode_Check(object)) {
        refuse(object, name, "a str");
        return NULL;
    }
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(object, &length);
    if (text && strlen(text) == (size_t)length) return text;
    PyErr_Clear();
    raise_error(MR_VALUE_ERROR, "%s: got %A; wanted text without NUL and lone surrogates", name, object);
    return NULL;
}

PyObject *sequence_value(PyObject *object, const char *name, const char *wanted) {
    enum { MOST = 1 << 24 };
    bool text = PyUnicode_Check(object) || PyBytes_Check(object) || PyByteArray_Check(object);
    bool is_sequence = !text && PySequence_Check(object);
    /* An array of nothing may be longer than any memory. */
    const Py_ssize_t length = is_sequence ? PySequence_Size(object) : 0;
    if (length > MOST)
        return raise_error(MR_VALUE_ERROR, "%s: got %zd elements, wanted at most %d: %s", name, length, (int)MOST, wanted);
    if (length < 0) PyErr_Clear(); /* it can be iterated over all the same */
    PyObject *items = is_sequence ? PySequence_Tuple(object) : NULL;
    if (!items) refuse(object, name, wanted);
    return items;
}

#endif
