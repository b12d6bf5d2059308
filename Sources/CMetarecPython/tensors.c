#include "tensors.h"
#ifdef METAREC_HAS_PYTHON

#include "arrays.h"
#include "errors.h"

bool is_parameter(const mr_tensor *tensor) { return tensor->kind == MR_PARAMETER; }
bool is_adapted(const mr_tensor *tensor) { return tensor->kind == MR_PARAMETER && tensor->adapted; }
bool is_optimizer_state(const mr_tensor *tensor) { return tensor->kind == MR_OPTIMIZER_STATE; }

static bool tensor_at(Native *learner, int64_t index, mr_tensor *out) {
    mr_error error = {0};
    return succeeded(mr_learner_tensor(learner->handle, index, out, &error), &error);
}

static bool tensors_fill(Native *learner, Tensors *tensors) {
    for (int64_t index = 0; index < tensors->count; index++) {
        mr_tensor *tensor = &tensors->items[index];
        if (!tensor_at(learner, index, tensor)) return false;
        if (tensor->rank == 1 || tensor->rank == 2) continue;
        raise_error(MR_STATE_ERROR, "tensor '%.200s': of rank %d; wanted 1 or 2", tensor->name, (int)tensor->rank);
        return false;
    }
    return true;
}

bool tensors_read(Native *learner, Tensors *out) {
    mr_error error = {0};
    *out = (Tensors){0};
    if (!succeeded(mr_learner_tensor_count(learner->handle, &out->count, &error), &error)) return false;
    out->items = PyMem_Calloc((size_t)out->count, sizeof *out->items);
    if (!out->items) PyErr_NoMemory();
    if (out->items && tensors_fill(learner, out)) return true;
    tensors_free(out);
    return false;
}

void tensors_free(Tensors *tensors) { PyMem_Free(tensors->items); }

bool tensors_dtype(Native *learner, int32_t *out) {
    mr_tensor first;
    if (!tensor_at(learner, 0, &first)) return false;
    *out = first.dtype;
    return true;
}

/* Takes `value`, which may be NULL. */
static bool insert(PyObject *dict, const char *name, PyObject *value) {
    bool inserted = value && PyDict_SetItemString(dict, name, value) == 0;
    Py_XDECREF(value);
    return inserted;
}

/* The base of views: as long as one of them lives, its holder may write into the parameters. */
static const char loan_name[] = "metarec._metarec.Loan";

static void loan_end(PyObject *loan) {
    Native *learner = PyCapsule_GetPointer(loan, loan_name);
    mr_learner_end_loan(learner->handle);
    Py_DECREF((PyObject *)learner);
}

static PyObject *loan_begin(Native *learner) {
    PyObject *loan = PyCapsule_New(learner, loan_name, loan_end);
    if (!loan) return NULL;
    Py_INCREF((PyObject *)learner);
    mr_learner_begin_loan(learner->handle);
    return loan;
}

PyObject *tensors_views(const Tensors *tensors, Choice choice, Native *learner) {
    PyObject *loan = loan_begin(learner);
    PyObject *views = loan ? PyDict_New() : NULL;
    for (int64_t index = 0; views && index < tensors->count; index++) {
        const mr_tensor *tensor = &tensors->items[index];
        if (!choice(tensor)) continue;
        if (!insert(views, tensor->name, tensor_view(tensor, loan))) Py_CLEAR(views);
    }
    Py_XDECREF(loan);
    return views;
}

PyObject *tensors_outputs(const Tensors *tensors, Choice choice, int64_t tasks, void **out) {
    PyObject *outputs = PyDict_New();
    int leading = tasks < 0 ? 0 : 1;
    for (int64_t index = 0; outputs && index < tensors->count; index++) {
        const mr_tensor *tensor = &tensors->items[index];
        if (!choice(tensor)) continue;
        int64_t shape[3] = {tasks};
        for (int axis = 0; axis < tensor->rank; axis++) shape[leading + axis] = tensor->shape[axis];
        PyObject *array = new_array(tensor->dtype, leading + tensor->rank, shape);
        if (array) *out++ = array_data(array);
        if (!insert(outputs, tensor->name, array)) Py_CLEAR(outputs);
    }
    return outputs;
}

#endif
