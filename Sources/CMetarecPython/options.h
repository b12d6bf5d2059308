/* A mapping of dotted names to values becomes the library's options. */
#ifndef METAREC_OPTIONS_H
#define METAREC_OPTIONS_H

#include "interpreter.h"
#ifdef METAREC_HAS_PYTHON
#pragma GCC visibility push(hidden)

typedef struct Options {
    PyObject *pairs; /* owns the names and texts */
    mr_option *items;
    int64_t count;
} Options;

/* Bools, integers and floats are numbers, sequences of them too; str is text, None is none. On failure there is
 * nothing to free. */
bool options_parse(PyObject *mapping, Options *out);
void options_free(Options *options);

#pragma GCC visibility pop
#endif
#endif
