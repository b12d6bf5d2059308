/* Learner's methods that follow the meta-gradient. */
#include "learner.h"
#ifdef METAREC_HAS_PYTHON

#include "errors.h"
#include "run.h"
#include "tensors.h"
#include "values.h"

PyObject *learner_meta_gradient(PyObject *self, PyObject *args, PyObject *kwargs) {
    PyObject *tasks = tasks_argument(args, kwargs);
    Run run;
    Tensors tensors;
    if (!tasks || !run_start(&run, self, tasks, NULL)) return NULL;
    if (!tensors_read(run.learner_use.native, &tensors)) return run_result(&run, MR_OK, NULL);

    double loss = 0;
    int32_t status = MR_OK;
    void **out = PyMem_Calloc((size_t)tensors.count, sizeof *out);
    PyObject *gradients = out ? tensors_outputs(&tensors, is_parameter, -1, out) : PyErr_NoMemory();
    tensors_free(&tensors);
    if (gradients) {
        Py_BEGIN_ALLOW_THREADS
        status = mr_learner_meta_gradient(run.learner, run.tasks, run.poll, &loss, out, &run.error);
        Py_END_ALLOW_THREADS
    }
    PyMem_Free(out);
    gradients = run_result(&run, status, gradients);
    return gradients ? Py_BuildValue("(dN)", loss, gradients) : NULL;
}

/* Rows of (text, multiply_adds, seconds). */
static PyObject *cost_list(const mr_instruction_cost *costs, int64_t count) {
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (int64_t index = 0; list && index < count; index++) {
        const mr_instruction_cost *cost = &costs[index];
        PyObject *row = Py_BuildValue("(sdd)", cost->text, cost->multiply_adds, cost->seconds);
        if (!row || PyList_SetItem(list, (Py_ssize_t)index, row) < 0) Py_CLEAR(list);
    }
    return list;
}

PyObject *learner_profile(PyObject *self, PyObject *args, PyObject *kwargs) {
    PyObject *tasks = tasks_argument(args, kwargs);
    Run run;
    if (!tasks || !run_start(&run, self, tasks, NULL)) return NULL;
    int64_t count = 0;
    int32_t status = mr_learner_instruction_count(run.learner, &count, &run.error);
    if (status != MR_OK) return run_result(&run, status, NULL);
    mr_instruction_cost *costs = PyMem_Calloc((size_t)count, sizeof *costs);
    if (!costs) return run_result(&run, MR_OK, PyErr_NoMemory());
    Py_BEGIN_ALLOW_THREADS
    status = mr_learner_profile(run.learner, run.tasks, run.poll, costs, &run.error);
    Py_END_ALLOW_THREADS
    PyObject *list = status == MR_OK ? cost_list(costs, count) : NULL;
    PyMem_Free(costs);
    return run_result(&run, status, list);
}

PyObject *learner_step(PyObject *self, PyObject *args, PyObject *kwargs) {
    PyObject *tasks = tasks_argument(args, kwargs);
    Run run;
    if (!tasks || !run_start(&run, self, tasks, NULL)) return NULL;
    double loss = 0;
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_learner_step(run.learner, run.tasks, run.poll, &loss, &run.error);
    Py_END_ALLOW_THREADS
    return run_end(&run, status) ? PyFloat_FromDouble(loss) : NULL;
}

static bool episodes_parse(PyObject *object, mr_episodes *out) {
    const char *wanted = "None or four integers (support_low, support_high, query_low, query_high)";
    PyObject *items = sequence_value(object, "episodes", wanted);
    if (!items) return false;
    int64_t *const sizes[4] = {&out->support_low, &out->support_high, &out->query_low, &out->query_high};
    bool parsed = PyTuple_Size(items) == 4;
    if (!parsed) raise_error(MR_VALUE_ERROR, "episodes: got %zd elements; wanted %s", PyTuple_Size(items), wanted);
    for (int index = 0; parsed && index < 4; index++)
        parsed = integer_value(PyTuple_GetItem(items, index), "episodes", sizes[index]);
    Py_DECREF(items);
    return parsed;
}

PyObject *learner_train_epoch(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"tasks", "episodes", "epoch", "progress", "step", "sum", "count", NULL};
    PyObject *tasks, *episodes_argument, *epoch_argument, *progress = Py_None;
    PyObject *step_argument = NULL, *sum_argument = NULL, *count_argument = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO|OOOO:train_epoch", keywords, &tasks, &episodes_argument,
                                     &epoch_argument, &progress, &step_argument, &sum_argument, &count_argument))
        return NULL;
    mr_episodes episodes;
    mr_pass pass = {0};
    int64_t epoch, count = INT64_MAX;
    if (episodes_argument != Py_None && !episodes_parse(episodes_argument, &episodes)) return NULL;
    if (!integer_value(epoch_argument, "epoch", &epoch)) return NULL;
    if (!progress_argument(&progress)) return NULL;
    if (step_argument && !integer_from(step_argument, "step", 0, &pass.step)) return NULL;
    if (sum_argument && !number_value(sum_argument, "sum", &pass.sum)) return NULL;
    if (count_argument != Py_None && !integer_from(count_argument, "count", 1, &count)) return NULL;

    Run run;
    if (!run_start(&run, self, tasks, progress)) return NULL;
    const mr_episodes *drawn = episodes_argument == Py_None ? NULL : &episodes;
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_learner_train_epoch(run.learner, run.tasks, drawn, epoch, count, run.poll, &pass, &run.error);
    Py_END_ALLOW_THREADS
    if (!run_end(&run, status)) return NULL;
    return Py_BuildValue("{s:L,s:L,s:L,s:d,s:d,s:d,s:d}", "step", (long long)pass.step, "steps", (long long)pass.steps,
                         "tasks", (long long)pass.tasks, "sum", pass.sum, "loss", pass.loss, "norm", pass.norm, "rate",
                         pass.rate);
}

#endif
