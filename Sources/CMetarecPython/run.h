/* One call of a learner on tasks: both in use, signals and progress polled, the outcome raised. */
#ifndef METAREC_RUN_H
#define METAREC_RUN_H

#include "native.h"
#include "poll.h"
#ifdef METAREC_HAS_PYTHON
#pragma GCC visibility push(hidden)

typedef struct Run {
    Use learner_use, tasks_use;
    Poll poll_state;
    mr_poll poll;
    mr_error error;
    /* While the run lasts: */
    mr_learner *learner;
    mr_tasks *tasks;
} Run;

/* Starts a run of `learner` on `tasks` (NULL: without). If that fails there is nothing to end; `run` must not move. */
bool run_start(Run *run, PyObject *learner, PyObject *tasks, PyObject *progress);

/* Ends it; with a status other than MR_OK raises. */
bool run_end(Run *run, int32_t status);

/* Ends it and drops `result` (which may be NULL) unless all went well. */
PyObject *run_result(Run *run, int32_t status, PyObject *result);

#pragma GCC visibility pop
#endif
#endif
