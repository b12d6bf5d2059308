#include "types.h"
#ifdef METAREC_HAS_PYTHON

#include "arrays.h"
#include "errors.h"
#include "poll.h"
#include "tensors.h"

PyTypeObject *adapted_type;

static void release(void *handle) { mr_adapted_release(handle); }
static const Kind kind = {.name = "Adapted", .release = release};

PyObject *adapted_new(mr_adapted *handle, Native *learner) {
    return object_new(adapted_type, &kind, handle, (PyObject *)learner);
}

static PyObject *predict(Native *adapted, Native *learner, Native *catalogue, PyArrayObject *items) {
    int64_t count = PyArray_DIM(items, 0);
    const int32_t *rows = PyArray_DATA(items);
    int32_t dtype;
    if (!tensors_dtype(learner, &dtype)) return NULL;
    PyObject *scores = new_array(dtype, 1, &count);
    if (!scores) return NULL;
    void *out = array_data(scores);
    Poll poll;
    mr_poll polled = poll_start(&poll, NULL);
    mr_error error = {0};
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_adapted_predict(adapted->handle, catalogue->handle, rows, count, polled, out, &error);
    Py_END_ALLOW_THREADS
    if (!succeeded(status, &error)) Py_CLEAR(scores);
    return scores;
}

static PyObject *adapted_predict(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"catalogue", "items", NULL};
    PyObject *catalogue_argument, *argument;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:predict", keywords, &catalogue_argument, &argument)) return NULL;
    PyArrayObject *items = borrow_vector(argument, "items", ELEMENT_INT32, ANY_LENGTH, "[candidates]");
    Use adapted = {0}, learner = {0}, catalogue = {0};
    PyObject *scores = NULL;
    if (items && use_object(&adapted, self) && use_native(&learner, (Native *)adapted.native->keep) &&
        use_argument(&catalogue, catalogue_argument, "catalogue", features_type))
        scores = predict(adapted.native, learner.native, catalogue.native, items);
    use_end(&catalogue);
    use_end(&learner);
    use_end(&adapted);
    return scores;
}

static PyMethodDef methods[] = {
    {"predict", KEYWORD_METHOD(adapted_predict),
     "predict($self, catalogue, items)\n--\n\n"
     "Scores of rows of the catalogue (items int32 [n], -1: unknown). StateError once the learner has trained on."},
    CLOSE_METHOD,
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "A learner adapted to one user; made by Learner.adapt."},
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
