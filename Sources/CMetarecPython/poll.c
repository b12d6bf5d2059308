#include "poll.h"
#ifdef METAREC_HAS_PYTHON

#include "errors.h"

#include <time.h>

static const int64_t interval = 100 * 1000 * 1000;

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static bool reported(Poll *poll, double fraction, double loss) {
    if (!poll->progress || now() < poll->due || !(fraction > poll->fraction)) return true;
    PyObject *result = PyObject_CallFunction(poll->progress, "dd", fraction, loss);
    poll->due = now() + interval;
    poll->fraction = fraction;
    Py_XDECREF(result);
    return result != NULL;
}

/* Runs on the calling thread, whose GIL is released; an exception stays pending until the call returns. */
static int32_t poll_run(void *context, double fraction, double loss) {
    PyGILState_STATE state = PyGILState_Ensure();
    bool go_on = !PyErr_Occurred() && PyErr_CheckSignals() == 0 && reported(context, fraction, loss);
    PyGILState_Release(state);
    return go_on ? 0 : 1;
}

bool progress_argument(PyObject **progress) {
    if (*progress == Py_None) *progress = NULL;
    if (!*progress || PyCallable_Check(*progress)) return true;
    raise_error(MR_TYPE_ERROR, "progress: wanted None or a callable (fraction, loss)");
    return false;
}

mr_poll poll_start(Poll *poll, PyObject *progress) {
    *poll = (Poll){.progress = progress, .due = now() + interval};
    return (mr_poll){.function = poll_run, .context = poll};
}

#endif
