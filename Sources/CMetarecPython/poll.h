/* What a long call asks from time to time: shall it stop? */
#ifndef METAREC_POLL_H
#define METAREC_POLL_H

#include "interpreter.h"
#ifdef METAREC_HAS_PYTHON
#pragma GCC visibility push(hidden)

typedef struct Poll {
    PyObject *progress; /* borrowed from the call's arguments; NULL: none */
    int64_t due;        /* when to report next, in nanoseconds */
    double fraction;    /* what was reported last */
} Poll;

/* Takes None for none; raises for anything else that cannot be called. */
bool progress_argument(PyObject **progress);

/* Stops the call on a signal whose Python handler raises (Ctrl-C, in the main thread) or when `progress` raises;
 * calls progress(fraction, loss) at most ten times a second, with a fraction that rises. `poll` must outlive the call. */
mr_poll poll_start(Poll *poll, PyObject *progress);

#pragma GCC visibility pop
#endif
#endif
