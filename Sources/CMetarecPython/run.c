#include "run.h"
#ifdef METAREC_HAS_PYTHON

#include "errors.h"
#include "types.h"

bool run_start(Run *run, PyObject *learner, PyObject *tasks, PyObject *progress) {
    *run = (Run){0};
    if (!use_object(&run->learner_use, learner)) return false;
    run->learner = run->learner_use.native->handle;
    if (tasks) {
        if (!use_argument(&run->tasks_use, tasks, "tasks", tasks_type)) {
            use_end(&run->learner_use);
            return false;
        }
        run->tasks = run->tasks_use.native->handle;
    }
    run->poll = poll_start(&run->poll_state, progress);
    return true;
}

bool run_end(Run *run, int32_t status) {
    use_end(&run->tasks_use);
    use_end(&run->learner_use);
    return succeeded(status, &run->error);
}

PyObject *run_result(Run *run, int32_t status, PyObject *result) {
    if (run_end(run, status) && result) return result;
    Py_XDECREF(result);
    return NULL;
}

#endif
