/* `metarec._metarec`: the library for Python. Converts, checks, releases the GIL, raises; computes nothing. */
#define METAREC_IMPORTS_NUMPY
#include "types.h"
#ifdef METAREC_HAS_PYTHON

#include "errors.h"

static PyObject *isa(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyUnicode_FromString(mr_isa());
}

static PyObject *schema(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyUnicode_FromString(mr_schema());
}

static PyMethodDef functions[] = {
    {"isa", isa, METH_NOARGS, "isa()\n--\n\nThe instruction set that the kernels run on here."},
    {"schema", schema, METH_NOARGS,
     "schema()\n--\n\nJSON: algorithms, backbones, losses and optimizers with options, defaults and documentation."},
    {"metrics", KEYWORD_METHOD(metrics),
     "metrics(predictions, targets, offsets, metrics)\n--\n\n"
     "Numerators and denominators of each metric and task, [len(metrics), tasks] each.\n\n"
     "predictions and targets are float64 [offsets[-1]], offsets int64 [tasks + 1]; a metric is (name, k, relevant)."},
    {"bootstrap", KEYWORD_METHOD(bootstrap),
     "bootstrap(numerators, denominators, square_root, resamples, seed)\n--\n\n"
     "Resampled ratios [statistics, resamples], the same resamples of the clusters for every statistic.\n\n"
     "numerators and denominators are float64 [statistics, clusters], square_root bool [statistics]."},
    {"distribution", KEYWORD_METHOD(distribution),
     "distribution(probabilities, levels, targets, values, seed)\n--\n\n"
     "What is read off distributions over levels, [len(values), rows].\n\n"
     "probabilities is float64 [rows, levels], levels float64 [levels] ascending, targets float64 [rows] or None; values "
     "are names: mean, median, mode, gain, confidence, negative_log, transform."},
    {"catalogue", KEYWORD_METHOD(catalogue),
     "catalogue(scores, excluded_offsets, excluded, relevant_offsets, relevant, metrics, k)\n--\n\n"
     "Numerators and denominators [len(metrics), users] of rankings of the whole catalogue, and the best items, int32 "
     "[users, k].\n\n"
     "scores is float32 or float64 [users, catalogue], offsets int64 [users + 1], items int32; a metric is (name, k, "
     "relevant)."},
    {"list_diversity", KEYWORD_METHOD(list_diversity),
     "list_diversity(lists, items)\n--\n\n"
     "One less the mean similarity of the pairs of each list, [lists]; lists is int32 [lists, k], rows of the Features."},
    {"negatives", KEYWORD_METHOD(negatives),
     "negatives(weights, own_offsets, own, counts, seed, epoch, batch_size=0)\n--\n\n"
     "Items by weight that a task does not have, int32 [sum of counts]; -1 where it has them all.\n\n"
     "weights is float64 [items], own_offsets int64 [tasks + 1], own int32, counts int64 [tasks]. With batch_size only\n"
     "items of other tasks of the same step of that epoch, their weights times the number of these tasks."},
    {"sample_factors", KEYWORD_METHOD(sample_factors),
     "sample_factors(user, item, rating, items, users, user_count, rank, samples, burn_in, interval, threads, seed, "
     "progress=None)\n--\n\n"
     "The posterior of a Bayesian matrix factorisation with side information, as a dict of arrays."},
    {"least_squares_factors", KEYWORD_METHOD(least_squares_factors),
     "least_squares_factors(user, item, rating, user_count, item_count, rank, sweeps, penalty, bias_penalty, threads, "
     "seed, progress=None)\n--\n\n"
     "Its point estimate by alternating least squares, as the same dict of one sample, and objectives [sweeps]."},
    {"place_items", KEYWORD_METHOD(place_items),
     "place_items(factors, items)\n--\n\n"
     "item_factors and item_novelty of new items, by their features alone."},
    {"fold_in", KEYWORD_METHOD(fold_in),
     "fold_in(factors, tasks, threads, variances)\n--\n\n"
     "Means and, or None, variances of the query rows' ratings, float64 [query rows]."},
    {"fold_user", KEYWORD_METHOD(fold_user),
     "fold_user(factors, tasks, threads)\n--\n\n"
     "The only task's user folded in, for score_items: float32 [samples, rank + 2, rank + 2]."},
    {"score_items", KEYWORD_METHOD(score_items),
     "score_items(factors, user, item_columns, items, threads)\n--\n\n"
     "Means and variances of that user's ratings of items (int32, -1: unknown), float64 [items] each.\n"
     "item_columns, float32 [blocks x samples, rank + 2, 192], has a column (1, factors, bias) of each."},
    {"mix_levels", KEYWORD_METHOD(mix_levels),
     "mix_levels(given, kind, means, variances, levels, cuts, lines, weights, threads)\n--\n\n"
     "Log-linear mixture [rows, levels] of a distribution and of ordered probits of moments [probits, rows]; row r\n"
     "has the cuts [2, probits, levels - 1], the lines (slope, shift, stretch) and the weights of kind[r]."},
    {"ordered_probit", KEYWORD_METHOD(ordered_probit),
     "ordered_probit(means, variances, levels, cuts, slope)\n--\n\n"
     "Probabilities of the levels [rows, levels], whose mean is that given."},
    {"fit_ordered_probit", KEYWORD_METHOD(fit_ordered_probit),
     "fit_ordered_probit(means, variances, levels, places)\n--\n\n"
     "The most likely cuts [levels - 1] and slope where row r has the level number places[r]."},
    {"product", KEYWORD_METHOD(product),
     "product(a, b, transposed, threads)\n--\n\n"
     "a b, or a transposed times b, of two float32 or two float64 matrices: the same bits for any threads."},
    {"orthonormal", KEYWORD_METHOD(orthonormal),
     "orthonormal(matrix)\n--\n\n"
     "Orthonormal columns of the same span, float64 [rows, columns]; zeros for one that depends on those before."},
    {"eigenvectors", KEYWORD_METHOD(eigenvectors),
     "eigenvectors(matrix)\n--\n\n"
     "Eigenvalues, largest first, and eigenvectors as columns of a symmetric float64 matrix."},
    {NULL, NULL, 0, NULL},
};

bool type_make(PyTypeObject **type, PyType_Spec *spec, PyObject *module) {
    if (!*type) *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *type && PyModule_AddType(module, *type) == 0;
}

static int execute(PyObject *module) {
    if (_import_array() < 0) return -1;
    bool made = errors_import() && native_type_make(module) && features_type_make(module) && tasks_type_make(module) &&
                learner_type_make(module) && adapted_type_make(module) &&
                PyModule_AddStringConstant(module, "__version__", mr_version()) == 0;
    return made ? 0 : -1;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_metarec",
    .m_doc = "Swift kernels behind a C shim that converts, checks and releases the GIL. It computes nothing.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__metarec(void) { return PyModuleDef_Init(&definition); }

#endif
