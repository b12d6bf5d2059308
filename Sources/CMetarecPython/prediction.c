/* Learner's methods that adapt and leave it unchanged. */
#include "learner.h"
#ifdef METAREC_HAS_PYTHON

#include "arrays.h"
#include "errors.h"
#include "run.h"
#include "tensors.h"
#include "types.h"

PyObject *learner_predict(PyObject *self, PyObject *args, PyObject *kwargs) {
    PyObject *tasks = tasks_argument(args, kwargs);
    Run run;
    if (!tasks || !run_start(&run, self, tasks, NULL)) return NULL;
    int64_t task_count, support_rows, query_rows;
    mr_tasks_counts(run.tasks, &task_count, &support_rows, &query_rows);
    int32_t dtype, status = MR_OK;
    PyObject *predictions = NULL;
    if (tensors_dtype(run.learner_use.native, &dtype)) predictions = new_array(dtype, 1, &query_rows);
    if (predictions) {
        void *out = array_data(predictions);
        Py_BEGIN_ALLOW_THREADS
        status = mr_learner_predict(run.learner, run.tasks, run.poll, out, &run.error);
        Py_END_ALLOW_THREADS
    }
    return run_result(&run, status, predictions);
}

PyObject *learner_distribution(PyObject *self, PyObject *args, PyObject *kwargs) {
    PyObject *tasks = tasks_argument(args, kwargs);
    Run run;
    if (!tasks || !run_start(&run, self, tasks, NULL)) return NULL;
    int64_t task_count, support_rows, query_rows, levels = 0;
    mr_tasks_counts(run.tasks, &task_count, &support_rows, &query_rows);
    int32_t dtype, status = mr_learner_level_count(run.learner, &levels, &run.error);
    PyObject *probabilities = NULL;
    if (status == MR_OK && tensors_dtype(run.learner_use.native, &dtype))
        probabilities = new_array(dtype, 2, (const int64_t[]){query_rows, levels});
    if (probabilities) {
        void *out = array_data(probabilities);
        Py_BEGIN_ALLOW_THREADS
        status = mr_learner_distribution(run.learner, run.tasks, run.poll, out, &run.error);
        Py_END_ALLOW_THREADS
    }
    return run_result(&run, status, probabilities);
}

PyObject *learner_adapted_parameters(PyObject *self, PyObject *args, PyObject *kwargs) {
    PyObject *tasks = tasks_argument(args, kwargs);
    Run run;
    Tensors tensors;
    if (!tasks || !run_start(&run, self, tasks, NULL)) return NULL;
    if (!tensors_read(run.learner_use.native, &tensors)) return run_result(&run, MR_OK, NULL);

    int64_t task_count, support_rows, query_rows;
    mr_tasks_counts(run.tasks, &task_count, &support_rows, &query_rows);
    int32_t status = MR_OK;
    void **out = PyMem_Calloc((size_t)tensors.count, sizeof *out);
    PyObject *adapted = out ? tensors_outputs(&tensors, is_adapted, task_count, out) : PyErr_NoMemory();
    tensors_free(&tensors);
    if (adapted) {
        Py_BEGIN_ALLOW_THREADS
        status = mr_learner_adapted_parameters(run.learner, run.tasks, run.poll, out, &run.error);
        Py_END_ALLOW_THREADS
    }
    PyMem_Free(out);
    return run_result(&run, status, adapted);
}

PyObject *learner_support_losses(PyObject *self, PyObject *args, PyObject *kwargs) {
    PyObject *tasks = tasks_argument(args, kwargs);
    Run run;
    if (!tasks || !run_start(&run, self, tasks, NULL)) return NULL;
    int64_t task_count, support_rows, query_rows, inner_steps = 0;
    mr_tasks_counts(run.tasks, &task_count, &support_rows, &query_rows);
    int32_t dtype, status = mr_learner_inner_steps(run.learner, &inner_steps, &run.error);
    PyObject *losses = NULL;
    if (status == MR_OK && tensors_dtype(run.learner_use.native, &dtype))
        losses = new_array(dtype, 2, (const int64_t[]){task_count, inner_steps + 1});
    if (losses) {
        void *out = array_data(losses);
        Py_BEGIN_ALLOW_THREADS
        status = mr_learner_support_losses(run.learner, run.tasks, run.poll, out, &run.error);
        Py_END_ALLOW_THREADS
    }
    return run_result(&run, status, losses);
}

PyObject *learner_adapt(PyObject *self, PyObject *args, PyObject *kwargs) {
    PyObject *tasks = tasks_argument(args, kwargs);
    Run run;
    if (!tasks || !run_start(&run, self, tasks, NULL)) return NULL;
    mr_adapted *handle = NULL;
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_learner_adapt(run.learner, run.tasks, &handle, &run.error);
    Py_END_ALLOW_THREADS
    PyObject *adapted =
        status == MR_OK ? adapted_new(handle, run.learner_use.native, run.tasks_use.native) : NULL;
    return run_result(&run, status, adapted);
}

#endif
