#include "types.h"
#ifdef METAREC_HAS_PYTHON

#include "arrays.h"
#include "errors.h"
#include "poll.h"
#include "tensors.h"
#include "values.h"

#include <string.h>

PyTypeObject *adapted_type;

static void release(void *handle) { mr_adapted_release(handle); }
static const Kind kind = {.name = "Adapted", .release = release};

PyObject *adapted_new(mr_adapted *handle, Native *learner) {
    return object_new(adapted_type, &kind, handle, (PyObject *)learner);
}

static const char *const scores_by_name[] = {"prediction", "uncorrected", "distribution"};

static bool score_parse(PyObject *argument, int32_t *out) {
    const char *name = text_value(argument, "score");
    if (!name) return false;
    for (int32_t score = MR_SCORE_PREDICTION; score <= MR_SCORE_DISTRIBUTION; score++) {
        if (strcmp(name, scores_by_name[score]) == 0) {
            *out = score;
            return true;
        }
    }
    raise_error(MR_VALUE_ERROR, "score: got '%.100s'; wanted prediction, uncorrected or distribution", name);
    return false;
}

static PyObject *predict(Native *adapted, Native *learner, Native *catalogue, PyArrayObject *items, int32_t score) {
    int64_t shape[2] = {PyArray_DIM(items, 0), mr_adapted_columns(adapted->handle, score)};
    const int32_t *rows = PyArray_DATA(items);
    int32_t dtype;
    if (!tensors_dtype(learner, &dtype)) return NULL;
    PyObject *scores = new_array(dtype, score == MR_SCORE_DISTRIBUTION ? 2 : 1, shape);
    if (!scores) return NULL;
    void *out = array_data(scores);
    Poll poll;
    mr_poll polled = poll_start(&poll, NULL);
    mr_error error = {0};
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_adapted_predict(adapted->handle, catalogue->handle, rows, shape[0], score, polled, out, &error);
    Py_END_ALLOW_THREADS
    if (!succeeded(status, &error)) Py_CLEAR(scores);
    return scores;
}

static PyObject *adapted_predict(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"catalogue", "items", "score", NULL};
    PyObject *catalogue_argument, *argument, *score_argument = NULL;
    int32_t score = MR_SCORE_PREDICTION;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|O:predict", keywords, &catalogue_argument, &argument,
                                     &score_argument) ||
        (score_argument && !score_parse(score_argument, &score)))
        return NULL;
    PyArrayObject *items = borrow_vector(argument, "items", ELEMENT_INT32, ANY_LENGTH, "[candidates]");
    Use adapted = {0}, learner = {0}, catalogue = {0};
    PyObject *scores = NULL;
    if (items && use_object(&adapted, self) && use_native(&learner, (Native *)adapted.native->keep) &&
        use_argument(&catalogue, catalogue_argument, "catalogue", features_type))
        scores = predict(adapted.native, learner.native, catalogue.native, items, score);
    use_end(&catalogue);
    use_end(&learner);
    use_end(&adapted);
    return scores;
}

static PyObject *adapted_columns(PyObject *self, PyObject *argument) {
    int32_t score;
    if (!score_parse(argument, &score)) return NULL;
    Use adapted = {0};
    PyObject *columns = NULL;
    if (use_object(&adapted, self)) columns = PyLong_FromLongLong(mr_adapted_columns(adapted.native->handle, score));
    use_end(&adapted);
    return columns;
}

static PyMethodDef methods[] = {
    {"columns", adapted_columns, METH_O,
     "columns($self, score, /)\n--\n\nHow many numbers a score is; 0 where the model has no such score."},
    {"predict", KEYWORD_METHOD(adapted_predict),
     "predict($self, catalogue, items, score='prediction')\n--\n\n"
     "Scores of rows of the catalogue (items int32 [n], -1: unknown): prediction, uncorrected, both [n], or\n"
     "distribution [n, levels]. StateError once the learner has trained on, or where the model has no such score."},
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
