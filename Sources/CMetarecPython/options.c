#include "options.h"
#ifdef METAREC_HAS_PYTHON

#include "errors.h"
#include "values.h"

static bool numbers_parse(PyObject *const *values, Py_ssize_t count, mr_option *out) {
    double *numbers = PyMem_Calloc((size_t)count, sizeof *numbers);
    if (!numbers) {
        PyErr_NoMemory();
        return false;
    }
    out->kind = MR_OPTION_NUMBERS;
    out->numbers = numbers;
    out->count = count;
    for (Py_ssize_t index = 0; index < count; index++)
        if (!number_value(values[index], out->name, &numbers[index])) return false;
    return true;
}

static bool sequence_parse(PyObject *value, mr_option *out) {
    PyObject *items = sequence_value(value, out->name, "a number, a str, None or a sequence of numbers");
    if (!items) return false;
    Py_ssize_t count = PyTuple_Size(items);
    PyObject **values = PyMem_Calloc((size_t)count, sizeof *values);
    if (!values) PyErr_NoMemory();
    for (Py_ssize_t index = 0; values && index < count; index++) values[index] = PyTuple_GetItem(items, index);
    bool parsed = values && numbers_parse(values, count, out);
    PyMem_Free(values);
    Py_DECREF(items);
    return parsed;
}

static bool option_parse(PyObject *pair, mr_option *out) {
    if (!PyTuple_Check(pair) || PyTuple_Size(pair) != 2) {
        raise_error(MR_TYPE_ERROR, "options: its items() are not pairs");
        return false;
    }
    PyObject *value = PyTuple_GetItem(pair, 1);
    const char *name = text_value(PyTuple_GetItem(pair, 0), "options: a name");
    if (!name) return false;
    if (!*name) {
        raise_error(MR_VALUE_ERROR, "options: got an empty name");
        return false;
    }
    out->name = name;
    if (is_number(value)) return numbers_parse(&value, 1, out);
    if (value == Py_None) {
        out->kind = MR_OPTION_NONE;
        return true;
    }
    if (PyUnicode_Check(value)) {
        out->kind = MR_OPTION_TEXT;
        out->text = text_value(value, name);
        return out->text != NULL;
    }
    return sequence_parse(value, out);
}

bool options_parse(PyObject *mapping, Options *out) {
    PyObject *pairs = PyMapping_Check(mapping) ? PyMapping_Items(mapping) : NULL;
    if (!pairs) {
        bool refused = PyErr_ExceptionMatches(PyExc_AttributeError) || PyErr_ExceptionMatches(PyExc_TypeError);
        if (PyErr_Occurred() && !refused) return false;
        PyErr_Clear();
        PyObject *came = description(mapping);
        if (came) raise_error(MR_TYPE_ERROR, "options: got %U; wanted a mapping of names to values", came);
        Py_XDECREF(came);
        return false;
    }
    *out = (Options){.pairs = pairs, .count = PyList_Size(pairs)};
    out->items = PyMem_Calloc((size_t)out->count, sizeof *out->items);
    if (!out->items) PyErr_NoMemory();
    bool parsed = out->items != NULL;
    for (int64_t index = 0; parsed && index < out->count; index++)
        parsed = option_parse(PyList_GetItem(pairs, (Py_ssize_t)index), &out->items[index]);
    if (!parsed) options_free(out);
    return parsed;
}

void options_free(Options *options) {
    for (int64_t index = 0; options->items && index < options->count; index++)
        PyMem_Free((void *)options->items[index].numbers);
    PyMem_Free(options->items);
    Py_DECREF(options->pairs);
}

#endif
