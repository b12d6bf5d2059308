/* Statuses of the library become exceptions of `metarec.errors`. */
#ifndef METAREC_ERRORS_H
#define METAREC_ERRORS_H

#include "interpreter.h"
#ifdef METAREC_HAS_PYTHON
#pragma GCC visibility push(hidden)

bool errors_import(void);

/* Raises the class that stands for `status`; returns NULL. The message names the argument, what came and what
 * was wanted. */
PyObject *raise_error(enum mr_status status, const char *format, ...);

/* Whether a call of the library went well. If not, its error is raised; an exception that Python code raised
 * while the call ran (Ctrl-C, a failing callback) goes before the call's own outcome. */
bool succeeded(int32_t status, const mr_error *error);

/* "type list" or "an array of dtype >f4, shape (3, 4), strides (16, 4)": what came, for a message. */
PyObject *description(PyObject *object);

#pragma GCC visibility pop
#endif
#endif
