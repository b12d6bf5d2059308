#include "types.h"
#ifdef METAREC_HAS_PYTHON

#include "arrays.h"
#include "errors.h"
#include "learner.h"
#include "tensors.h"

PyTypeObject *adapted_type;

static void release(void *handle) { mr_adapted_release(handle); }
static const Kind kind = {.name = "Adapted", .release = release};

enum { KEPT_LEARNER, KEPT_TASKS };

PyObject *adapted_new(mr_adapted *handle, Native *learner, Native *tasks) {
    PyObject *keep = PyTuple_Pack(2, (PyObject *)learner, (PyObject *)tasks);
    if (!keep) {
        release(handle);
        return NULL;
    }
    PyObject *self = object_new(adapted_type, &kind, handle, keep);
    Py_DECREF(keep);
    return self;
}

static PyObject *predict(Native *adapted, Native *learner, Native *tasks) {
    int64_t task_count, support_rows, query_rows;
    mr_tasks_counts(tasks->handle, &task_count, &support_rows, &query_rows);
    int32_t dtype;
    if (!tensors_dtype(learner, &dtype)) return NULL;
    PyObject *predictions = new_array(dtype, 1, &query_rows);
    if (!predictions) return NULL;
    void *out = array_data(predictions);
    mr_error error = {0};
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_adapted_predict(adapted->handle, tasks->handle, out, &error);
    Py_END_ALLOW_THREADS
    if (!succeeded(status, &error)) Py_CLEAR(predictions);
    return predictions;
}

static PyObject *adapted_predict(PyObject *self, PyObject *args, PyObject *kwargs) {
    PyObject *argument = tasks_argument(args, kwargs);
    Use adapted = {0}, learner = {0}, tasks = {0};
    PyObject *predictions = NULL;
    if (argument && use_object(&adapted, self) &&
        use_native(&learner, (Native *)PyTuple_GetItem(adapted.native->keep, KEPT_LEARNER)) &&
        use_argument(&tasks, argument, "tasks", tasks_type))
        predictions = predict(adapted.native, learner.native, tasks.native);
    use_end(&tasks);
    use_end(&learner);
    use_end(&adapted);
    return predictions;
}

static PyMethodDef methods[] = {
    {"predict", KEYWORD_METHOD(adapted_predict),
     "predict($self, tasks)\n--\n\n"
     "Predictions for the query rows of the one task in tasks. StateError once the learner has trained on."},
    CLOSE_METHOD,
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A learner adapted to one task; made by Learner.adapt."},
    {Py_tp_methods, methods},
    OBJECT_SLOTS,
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "metarec._metarec.Adapted",
    .basicsize = sizeof(Object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

bool adapted_type_make(PyObject *module) { return type_make(&adapted_type, &spec, module); }

#endif
