#include "learner.h"
#ifdef METAREC_HAS_PYTHON

#include "errors.h"
#include "options.h"
#include "run.h"
#include "tensors.h"
#include "types.h"
#include "values.h"

PyTypeObject *learner_type;

static void release(void *handle) { mr_learner_release(handle); }
static const Kind kind = {.name = "Learner", .release = release, .exclusive = true};

PyObject *tasks_argument(PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"tasks", NULL};
    PyObject *tasks = NULL;
    return PyArg_ParseTupleAndKeywords(args, kwargs, "O", keywords, &tasks) ? tasks : NULL;
}

/* MARK: Life */

static PyObject *learner_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"options", NULL};
    PyObject *mapping;
    Options options;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Learner", keywords, &mapping)) return NULL;
    if (!options_parse(mapping, &options)) return NULL;
    mr_learner *handle = NULL;
    mr_error error = {0};
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_learner_create(options.items, options.count, &handle, &error);
    Py_END_ALLOW_THREADS
    options_free(&options);
    return succeeded(status, &error) ? object_new(type, &kind, handle, NULL) : NULL;
}

static PyObject *learner_initialize(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"tasks", "limit", NULL};
    PyObject *tasks, *limit_argument = Py_None;
    int64_t limit = -1;
    Run run;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:initialize", keywords, &tasks, &limit_argument)) return NULL;
    if (limit_argument != Py_None && !integer_from(limit_argument, "limit", 0, &limit)) return NULL;
    if (!run_start(&run, self, tasks, NULL)) return NULL;
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_learner_initialize(run.learner, run.tasks, limit, run.poll, &run.error);
    Py_END_ALLOW_THREADS
    return run_result(&run, status, Py_NewRef(Py_None));
}

/* MARK: State */

static PyObject *views(PyObject *self, Choice choice) {
    Use use = {0};
    Tensors tensors;
    if (!use_object(&use, self)) return NULL;
    PyObject *result = NULL;
    if (tensors_read(use.native, &tensors)) {
        result = tensors_views(&tensors, choice, use.native);
        tensors_free(&tensors);
    }
    use_end(&use);
    return result;
}

static PyObject *learner_parameters(PyObject *self, PyObject *unused) {
    (void)unused;
    return views(self, is_parameter);
}

static PyObject *learner_optimizer_state(PyObject *self, PyObject *unused) {
    (void)unused;
    return views(self, is_optimizer_state);
}

static PyObject *learner_adapted_names(PyObject *self, PyObject *unused) {
    (void)unused;
    PyObject *adapted = views(self, is_adapted);
    PyObject *names = adapted ? PyDict_Keys(adapted) : NULL;
    Py_XDECREF(adapted);
    return names;
}

static PyObject *learner_settle(PyObject *self, PyObject *unused) {
    (void)unused;
    Run run;
    if (!run_start(&run, self, NULL, NULL)) return NULL;
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_learner_settle(run.learner, &run.error);
    Py_END_ALLOW_THREADS
    return run_result(&run, status, Py_NewRef(Py_None));
}

static PyObject *learner_get_steps(PyObject *self, void *unused) {
    (void)unused;
    Run run;
    if (!run_start(&run, self, NULL, NULL)) return NULL;
    int64_t steps = 0;
    int32_t status = mr_learner_get_steps(run.learner, &steps, &run.error);
    return run_end(&run, status) ? PyLong_FromLongLong(steps) : NULL;
}

static int learner_set_steps(PyObject *self, PyObject *value, void *unused) {
    (void)unused;
    if (!value) {
        PyErr_SetString(PyExc_AttributeError, "steps: cannot be deleted");
        return -1;
    }
    int64_t steps;
    Run run;
    if (!integer_from(value, "steps", 0, &steps) || !run_start(&run, self, NULL, NULL)) return -1;
    int32_t status = mr_learner_set_steps(run.learner, steps, &run.error);
    return run_end(&run, status) ? 0 : -1;
}

static PyObject *learner_get_rate_share(PyObject *self, void *unused) {
    (void)unused;
    Run run;
    if (!run_start(&run, self, NULL, NULL)) return NULL;
    double share = 1;
    int32_t status = mr_learner_get_rate_share(run.learner, &share, &run.error);
    return run_end(&run, status) ? PyFloat_FromDouble(share) : NULL;
}

static int learner_set_rate_share(PyObject *self, PyObject *value, void *unused) {
    (void)unused;
    if (!value) {
        PyErr_SetString(PyExc_AttributeError, "rate_share: cannot be deleted");
        return -1;
    }
    double share;
    Run run;
    if (!number_value(value, "rate_share", &share) || !run_start(&run, self, NULL, NULL)) return -1;
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_learner_set_rate_share(run.learner, share, &run.error);
    Py_END_ALLOW_THREADS
    return run_end(&run, status) ? 0 : -1;
}

/* MARK: The type */

static PyMethodDef methods[] = {
    {"initialize", KEYWORD_METHOD(learner_initialize),
     "initialize($self, tasks, limit=None)\n--\n\n"
     "Fix the shapes by the tasks' features and draw the parameters. Once.\n\n"
     "limit: elements that they have together at most, checked before memory is taken."},
    {"parameters", learner_parameters, METH_NOARGS,
     "parameters($self)\n--\n\nName -> live, writable view, without settling. A view keeps the memory alive."},
    {"optimizer_state", learner_optimizer_state, METH_NOARGS,
     "optimizer_state($self)\n--\n\nName -> live, writable view of what the optimizer remembers, without settling."},
    {"adapted_names", learner_adapted_names, METH_NOARGS,
     "adapted_names($self)\n--\n\nNames of the parameters that the inner loop changes."},
    {"settle", learner_settle, METH_NOARGS,
     "settle($self)\n--\n\nApply what lazily updated table rows still miss, so that views show the present."},
    {"meta_gradient", KEYWORD_METHOD(learner_meta_gradient),
     "meta_gradient($self, tasks)\n--\n\nMean meta-loss over the tasks and its gradient, name -> array."},
    {"profile", KEYWORD_METHOD(learner_profile),
     "profile($self, tasks)\n--\n\n[(text, multiply_adds, seconds)] of the training plan's instructions, per task."},
    {"step", KEYWORD_METHOD(learner_step), "step($self, tasks)\n--\n\nOne outer step on all of the tasks; its loss."},
    {"train_epoch", KEYWORD_METHOD(learner_train_epoch),
     "train_epoch($self, tasks, episodes, epoch, progress=None, step=0, sum=0.0, count=None)\n--\n\n"
     "One pass over the tasks in batches, shuffled by the seed and the epoch: {\"step\": finished steps,\n"
     "\"steps\": of the pass, \"tasks\": trained on, \"sum\": of their losses, and of the last step \"loss\", \"norm\"\n"
     "of the gradient before clipping and \"rate\"}.\n\n"
     "step, sum and count: to go on from where an earlier call stopped, for so many steps, with the same bits.\n"
     "episodes is (support_low, support_high, query_low, query_high), or None for the tasks as they are.\n"
     "progress(fraction, loss) is called at most ten times a second; what it raises stops the epoch."},
    {"predict", KEYWORD_METHOD(learner_predict),
     "predict($self, tasks)\n--\n\nPredictions of the query rows after adaptation, [query_rows], in row order."},
    {"distribution", KEYWORD_METHOD(learner_distribution),
     "distribution($self, tasks)\n--\n\n"
     "[query_rows, levels]: the probabilities of the loss's levels after adaptation."},
    {"adapted_parameters", KEYWORD_METHOD(learner_adapted_parameters),
     "adapted_parameters($self, tasks)\n--\n\nName -> [task_count, *shape], after the inner loop."},
    {"support_losses", KEYWORD_METHOD(learner_support_losses),
     "support_losses($self, tasks)\n--\n\n"
     "[task_count, inner_steps + 1]: the support loss before and after each inner step; NaN without support."},
    {"adapt", KEYWORD_METHOD(learner_adapt),
     "adapt($self, catalogue, user, items, ratings)\n--\n\n"
     "Adapt to one user, who has rated rows of the catalogue (items int32 [n], -1: unknown; ratings float32 or\n"
     "float64 [n]). user is Features of one row, or None. The learner is unchanged."},
    CLOSE_METHOD,
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef members[] = {
    {"steps", learner_get_steps, learner_set_steps,
     "Number of finished outer steps; set it for a loaded learner.", NULL},
    {"rate_share", learner_get_rate_share, learner_set_rate_share,
     "Share of the learning rate of all later steps, 1 at first; of the schedule \"reduce_on_plateau\" alone.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static const char doc[] =
    "Learner(options)\n--\n\n"
    "Backbone, algorithm, loss, optimizer and their parameters.\n\n"
    "options maps dotted names (\"algorithm\", \"algorithm.inner_steps\") to numbers, str, None or lists of numbers.\n"
    "Any thread may call it; it runs one call at a time.";

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)doc},
    {Py_tp_new, learner_new},
    {Py_tp_methods, methods},
    {Py_tp_getset, members},
    OBJECT_SLOTS,
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "metarec._metarec.Learner",
    .basicsize = sizeof(Object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

bool learner_type_make(PyObject *module) { return type_make(&learner_type, &spec, module); }

#endif
