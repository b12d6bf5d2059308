/* Python's and NumPy's headers, where there are any: without them every file here compiles to nothing, so that
 * `swift build` and `swift test` need no Python. */
#ifndef METAREC_INTERPRETER_H
#define METAREC_INTERPRETER_H

#if __has_include(<Python.h>) && __has_include(<numpy/arrayobject.h>)
#define METAREC_HAS_PYTHON 1

/* One binary for CPython 3.11 and later, NumPy 1.23 and later. */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define NPY_NO_DEPRECATED_API NPY_1_23_API_VERSION
#define NPY_TARGET_VERSION NPY_1_23_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL metarec_numpy_api
#ifndef METAREC_IMPORTS_NUMPY /* module.c fills the table that the others use */
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#include <metarec.h>
#include <stdbool.h>
#include <stdint.h>

/* A method that takes keywords, as an entry of a method table. */
#define KEYWORD_METHOD(function) (PyCFunction)(void (*)(void))(function), METH_VARARGS | METH_KEYWORDS

#endif
#endif
