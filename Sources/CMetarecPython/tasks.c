#include "types.h"
#ifdef METAREC_HAS_PYTHON

#include "arrays.h"
#include "errors.h"

PyTypeObject *tasks_type;

static void release(void *handle) { mr_tasks_release(handle); }
static const Kind kind = {.name = "Tasks", .release = release};

/* MARK: Making tasks */

typedef struct Arguments {
    PyObject *offsets, *support_counts, *item_index, *targets, *user_index, *items, *users;
} Arguments;

static bool arrays_parse(const Arguments *arguments, mr_task_arrays *out) {
    PyArrayObject *offsets = borrow_vector(arguments->offsets, "offsets", ELEMENT_INT64, ANY_LENGTH, "[tasks + 1]");
    if (!offsets) return false;
    if (PyArray_DIM(offsets, 0) < 1) {
        raise_error(MR_VALUE_ERROR, "offsets: got an empty array; wanted [tasks + 1], at least the one element 0");
        return false;
    }
    out->offsets = PyArray_DATA(offsets);
    out->task_count = PyArray_DIM(offsets, 0) - 1;

    PyArrayObject *counts =
        borrow_vector(arguments->support_counts, "support_counts", ELEMENT_INT64, out->task_count, "[tasks]");
    if (!counts) return false;
    out->support_counts = PyArray_DATA(counts);

    PyArrayObject *items = borrow_vector(arguments->item_index, "item_index", ELEMENT_INT32, ANY_LENGTH, "[rows]");
    if (!items) return false;
    out->item_index = PyArray_DATA(items);
    out->row_count = PyArray_DIM(items, 0);

    PyArrayObject *targets = borrow_vector(arguments->targets, "targets", ELEMENT_FLOAT, out->row_count, "[rows]");
    if (!targets) return false;
    out->targets = PyArray_DATA(targets);
    out->target_dtype = array_dtype(targets);

    if ((arguments->user_index == Py_None) != (arguments->users == Py_None)) {
        raise_error(MR_VALUE_ERROR, "user_index and users: got only one of them; wanted both, or None for both");
        return false;
    }
    if (arguments->user_index == Py_None) return true;
    PyArrayObject *users =
        borrow_vector(arguments->user_index, "user_index", ELEMENT_INT32, out->task_count, "[tasks]");
    if (users) out->user_index = PyArray_DATA(users);
    return users != NULL;
}

static PyObject *tasks_make(PyTypeObject *type, const Arguments *arguments, Native *items, Native *users) {
    mr_task_arrays arrays = {0};
    if (!arrays_parse(arguments, &arrays)) return NULL;
    PyObject *keep = Py_BuildValue("(OOOOOOO)", arguments->offsets, arguments->support_counts, arguments->item_index,
                                   arguments->targets, arguments->user_index, (PyObject *)items,
                                   users ? (PyObject *)users : Py_None);
    if (!keep) return NULL;
    mr_tasks *handle = NULL;
    mr_error error = {0};
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_tasks_create(&arrays, items->handle, users ? users->handle : NULL, &handle, &error);
    Py_END_ALLOW_THREADS
    PyObject *self = succeeded(status, &error) ? object_new(type, &kind, handle, keep) : NULL;
    Py_DECREF(keep);
    return self;
}

static PyObject *tasks_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"offsets",    "support_counts", "item_index", "targets",
                               "user_index", "items",          "users",      NULL};
    Arguments arguments;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOOOO:Tasks", keywords, &arguments.offsets,
                                     &arguments.support_counts, &arguments.item_index, &arguments.targets,
                                     &arguments.user_index, &arguments.items, &arguments.users))
        return NULL;
    Use items = {0}, users = {0};
    PyObject *self = NULL;
    if (use_argument(&items, arguments.items, "items", features_type) &&
        (arguments.users == Py_None || use_argument(&users, arguments.users, "users", features_type)))
        self = tasks_make(type, &arguments, items.native, users.native);
    use_end(&users);
    use_end(&items);
    return self;
}

/* MARK: Methods */

static PyObject *tasks_take(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"task_ids", NULL};
    PyObject *argument;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:take", keywords, &argument)) return NULL;
    PyArrayObject *ids = borrow_vector(argument, "task_ids", ELEMENT_INT64, ANY_LENGTH, "[taken tasks]");
    Use use = {0};
    if (!ids || !use_object(&use, self)) return NULL;
    const int64_t *data = PyArray_DATA(ids);
    int64_t count = PyArray_DIM(ids, 0);
    mr_tasks *handle = NULL;
    mr_error error = {0};
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_tasks_take(use.native->handle, data, count, &handle, &error);
    Py_END_ALLOW_THREADS
    PyObject *keep = succeeded(status, &error) ? (PyObject *)use.native : NULL;
    PyObject *taken = keep ? object_new(tasks_type, &kind, handle, keep) : NULL;
    use_end(&use);
    return taken;
}

enum { TASK_COUNT, SUPPORT_ROWS, QUERY_ROWS, COUNTS };

static PyObject *tasks_count(PyObject *self, void *which) {
    Use use = {0};
    if (!use_object(&use, self)) return NULL;
    int64_t counts[COUNTS];
    mr_tasks_counts(use.native->handle, &counts[TASK_COUNT], &counts[SUPPORT_ROWS], &counts[QUERY_ROWS]);
    use_end(&use);
    return PyLong_FromLongLong(counts[(intptr_t)which]);
}

static PyMethodDef methods[] = {
    {"take", KEYWORD_METHOD(tasks_take),
     "take($self, task_ids)\n--\n\n"
     "The tasks of these numbers (int64 [n], repeats allowed) in the order given: same memory, other tasks."},
    CLOSE_METHOD,
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef members[] = {
    {"task_count", tasks_count, NULL, "Number of tasks.", (void *)TASK_COUNT},
    {"support_rows", tasks_count, NULL, "Support rows of all tasks.", (void *)SUPPORT_ROWS},
    {"query_rows", tasks_count, NULL, "Query rows of all tasks.", (void *)QUERY_ROWS},
    {NULL, NULL, NULL, NULL, NULL},
};

static const char doc[] =
    "Tasks(offsets, support_counts, item_index, targets, user_index, items, users)\n--\n\n"
    "Ragged tasks, borrowed from the given arrays.\n\n"
    "Rows offsets[t] : offsets[t + 1] belong to task t, its support_counts[t] support rows first. offsets int64\n"
    "[tasks + 1], support_counts int64 [tasks], item_index int32 [rows], targets float32 or float64 [rows],\n"
    "user_index int32 [tasks] or None; items Features, users Features or None. Index -1 means unknown.";

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)doc},
    {Py_tp_new, tasks_new},
    {Py_tp_methods, methods},
    {Py_tp_getset, members},
    OBJECT_SLOTS,
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "metarec._metarec.Tasks",
    .basicsize = sizeof(Object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

bool tasks_type_make(PyObject *module) { return type_make(&tasks_type, &spec, module); }

#endif
