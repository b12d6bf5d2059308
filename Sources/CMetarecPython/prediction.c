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

static bool ratings_parse(PyObject *items, PyObject *ratings, mr_user_ratings *out) {
    PyArrayObject *rows = borrow_vector(items, "items", ELEMENT_INT32, ANY_LENGTH, "[ratings]");
    if (!rows) return false;
    out->count = PyArray_DIM(rows, 0);
    out->items = PyArray_DATA(rows);
    PyArrayObject *values = borrow_vector(ratings, "ratings", ELEMENT_FLOAT, out->count, "[items]");
    if (!values) return false;
    out->ratings = PyArray_DATA(values);
    out->dtype = array_dtype(values);
    return true;
}

static PyObject *adapt(Native *learner, Native *catalogue, Native *user, const mr_user_ratings *ratings) {
    mr_adapted *handle = NULL;
    mr_error error = {0};
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status =
        mr_learner_adapt(learner->handle, catalogue->handle, user ? user->handle : NULL, ratings, &handle, &error);
    Py_END_ALLOW_THREADS
    return succeeded(status, &error) ? adapted_new(handle, learner) : NULL;
}

PyObject *learner_adapt(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"catalogue", "user", "items", "ratings", NULL};
    PyObject *catalogue_argument, *user_argument, *items, *values;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOO:adapt", keywords, &catalogue_argument, &user_argument, &items,
                                     &values))
        return NULL;
    mr_user_ratings ratings = {0};
    if (!ratings_parse(items, values, &ratings)) return NULL;
    Use learner = {0}, catalogue = {0}, user = {0};
    PyObject *adapted = NULL;
    if (use_object(&learner, self) && use_argument(&catalogue, catalogue_argument, "catalogue", features_type) &&
        (user_argument == Py_None || use_argument(&user, user_argument, "user", features_type)))
        adapted = adapt(learner.native, catalogue.native, user.native, &ratings);
    use_end(&user);
    use_end(&catalogue);
    use_end(&learner);
    return adapted;
}

#endif
