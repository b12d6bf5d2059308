/* Python's scalars become C's, or raise an error that names the argument. */
#ifndef METAREC_VALUES_H
#define METAREC_VALUES_H

#include "interpreter.h"
#ifdef METAREC_HAS_PYTHON
#pragma GCC visibility push(hidden)

/* An integer: Python's, NumPy's or anything else with `__index__`. */
bool integer_value(PyObject *object, const char *name, int64_t *out);

/* The same, from `low` on: sizes and counts, on which memory safety depends. */
bool integer_from(PyObject *object, const char *name, int64_t low, int64_t *out);

bool seed_value(PyObject *object, const char *name, uint64_t *out);

/* A bool, an integer that a double holds exactly, or a float. NaN passes. */
bool number_value(PyObject *object, const char *name, double *out);
bool is_number(PyObject *object);

/* UTF-8 without NUL, living as long as `object`; NULL if raised. */
const char *text_value(PyObject *object, const char *name);

/* The items of any sequence but text and bytes as a new tuple; `wanted` says of what, for the error. */
PyObject *sequence_value(PyObject *object, const char *name, const char *wanted);

#pragma GCC visibility pop
#endif
#endif
