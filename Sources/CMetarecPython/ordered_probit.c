/* From means and variances to probabilities of levels, and the cuts that suit ratings best. */
#include "types.h"
#ifdef METAREC_HAS_PYTHON

#include "arrays.h"
#include "errors.h"
#include "values.h"

typedef struct Moments {
    mr_probit probit;
    const double *means, *variances;
    int64_t rows;
} Moments;

static bool moments_parse(PyObject *mean_argument, PyObject *variance_argument, PyObject *level_argument,
                          Moments *out) {
    PyArrayObject *means = borrow_vector(mean_argument, "means", ELEMENT_FLOAT64, ANY_LENGTH, "[rows]");
    if (!means) return false;
    out->rows = PyArray_DIM(means, 0);
    PyArrayObject *variances = borrow_vector(variance_argument, "variances", ELEMENT_FLOAT64, out->rows, "[rows]");
    if (!variances) return false;
    PyArrayObject *levels = borrow_vector(level_argument, "levels", ELEMENT_FLOAT64, ANY_LENGTH, "[levels]");
    if (!levels) return false;
    out->means = PyArray_DATA(means);
    out->variances = PyArray_DATA(variances);
    out->probit = (mr_probit){.level_count = PyArray_DIM(levels, 0), .levels = PyArray_DATA(levels), .slope = 1};
    return true;
}

static const double *cuts_parse(PyObject *argument, const mr_probit *probit) {
    int64_t count = probit->level_count - 1;
    PyArrayObject *cuts = borrow_vector(argument, "cuts", ELEMENT_FLOAT64, count < 0 ? 0 : count, "[levels - 1]");
    return cuts ? PyArray_DATA(cuts) : NULL;
}

PyObject *ordered_probit(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *keywords[] = {"means", "variances", "levels", "cuts", "slope", NULL};
    PyObject *means, *variances, *levels, *cuts, *slope;
    Moments moments;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOO:ordered_probit", keywords, &means, &variances, &levels,
                                     &cuts, &slope) ||
        !moments_parse(means, variances, levels, &moments) ||
        !(moments.probit.cuts = cuts_parse(cuts, &moments.probit)) ||
        !number_value(slope, "slope", &moments.probit.slope))
        return NULL;
    PyObject *result = new_array(MR_FLOAT64, 2, (const int64_t[]){moments.rows, moments.probit.level_count});
    if (!result) return NULL;
    double *out = array_data(result);
    mr_error error = {0};
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_ordered_probit(&moments.probit, moments.means, moments.variances, moments.rows, out, &error);
    Py_END_ALLOW_THREADS
    if (!succeeded(status, &error)) Py_CLEAR(result);
    return result;
}

PyObject *fit_ordered_probit(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *keywords[] = {"means", "variances", "levels", "places", NULL};
    PyObject *means, *variances, *levels, *place_argument;
    Moments moments;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOO:fit_ordered_probit", keywords, &means, &variances, &levels,
                                     &place_argument) ||
        !moments_parse(means, variances, levels, &moments))
        return NULL;
    PyArrayObject *places = borrow_vector(place_argument, "places", ELEMENT_INT64, moments.rows, "[rows]");
    if (!places) return NULL;
    const int64_t *place_data = PyArray_DATA(places);
    const int64_t cut_count = moments.probit.level_count > 0 ? moments.probit.level_count - 1 : 0;
    PyObject *cuts = new_array(MR_FLOAT64, 1, &cut_count);
    if (!cuts) return NULL;
    double *out = array_data(cuts), slope = 1;
    mr_error error = {0};
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_ordered_probit_fit(&moments.probit, moments.means, moments.variances, place_data, moments.rows, out,
                                   &slope, &error);
    Py_END_ALLOW_THREADS
    if (!succeeded(status, &error)) Py_CLEAR(cuts);
    return cuts ? Py_BuildValue("(Nd)", cuts, slope) : NULL;
}

#endif
