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

/* All arguments are arrays; the shapes follow from `given` and `weights`. */
PyObject *mix_levels(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *keywords[] = {"given", "kind", "means", "variances", "levels", "cuts", "lines", "weights",
                               "threads", NULL};
    PyObject *arguments[9];
    int64_t threads;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOOOOOO:mix_levels", keywords, &arguments[0], &arguments[1],
                                     &arguments[2], &arguments[3], &arguments[4], &arguments[5], &arguments[6],
                                     &arguments[7], &arguments[8]) ||
        !integer_from(arguments[8], "threads", 0, &threads))
        return NULL;
    PyArrayObject *given =
        borrow_matrix(arguments[0], "given", ELEMENT_FLOAT64, ANY_LENGTH, ANY_LENGTH, "[rows, levels]");
    PyArrayObject *weights = !given ? NULL
                                    : borrow_matrix(arguments[7], "weights", ELEMENT_FLOAT64, 2, ANY_LENGTH,
                                                    "[2, 1 + probits]");
    if (!weights) return NULL;
    const int64_t rows = PyArray_DIM(given, 0), levels = PyArray_DIM(given, 1), parts = PyArray_DIM(weights, 1) - 1;
    if (levels < 1 || parts < 1) return raise_error(MR_VALUE_ERROR, "given, weights: wanted a level and a probit");
    PyArrayObject *kind = borrow_vector(arguments[1], "kind", ELEMENT_BOOL, rows, "[rows]"), *means = NULL,
                  *variances = NULL, *values = NULL, *cuts = NULL, *lines = NULL;
    if (kind) means = borrow_matrix(arguments[2], "means", ELEMENT_FLOAT64, parts, rows, "[probits, rows]");
    if (means) variances = borrow_matrix(arguments[3], "variances", ELEMENT_FLOAT64, parts, rows, "[probits, rows]");
    if (variances) values = borrow_vector(arguments[4], "levels", ELEMENT_FLOAT64, levels, "[levels]");
    if (values)
        cuts = borrow_cube(arguments[5], "cuts", ELEMENT_FLOAT64, (const int64_t[]){2, parts, levels - 1},
                           "[2, probits, levels - 1]");
    if (cuts)
        lines = borrow_cube(arguments[6], "lines", ELEMENT_FLOAT64, (const int64_t[]){2, parts, 3}, "[2, probits, 3]");
    PyObject *result = lines ? new_array(MR_FLOAT64, 2, (const int64_t[]){rows, levels}) : NULL;
    if (!result) return NULL;
    const mr_mixture mixture = {.level_count = levels,
                                .part_count = parts,
                                .kind_count = 2,
                                .levels = PyArray_DATA(values),
                                .cuts = PyArray_DATA(cuts),
                                .lines = PyArray_DATA(lines),
                                .weights = PyArray_DATA(weights)};
    const double *given_data = PyArray_DATA(given), *mean_data = PyArray_DATA(means);
    const double *variance_data = PyArray_DATA(variances);
    const uint8_t *kind_data = PyArray_DATA(kind);
    double *out = array_data(result);
    mr_error error = {0};
    int32_t status;
    Py_BEGIN_ALLOW_THREADS
    status = mr_mixture_probabilities(&mixture, rows, given_data, kind_data, mean_data, variance_data, threads, out,
                                      &error);
    Py_END_ALLOW_THREADS
    if (!succeeded(status, &error)) Py_CLEAR(result);
    return result;
}

#endif
