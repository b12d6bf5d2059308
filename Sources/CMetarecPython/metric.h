/* Metrics as Python names them: tuples (name, k, relevant). */
#ifndef METAREC_METRIC_H
#define METAREC_METRIC_H

#include "interpreter.h"
#ifdef METAREC_HAS_PYTHON
#pragma GCC visibility push(hidden)

/* The metrics of a sequence, to be freed with PyMem_Free; NULL if raised. */
mr_metric *metrics_parse(PyObject *sequence, int64_t *out_count);

#pragma GCC visibility pop
#endif
#endif
