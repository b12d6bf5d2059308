/* The module's types, one file each; `make` puts one into the module. */
#ifndef METAREC_TYPES_H
#define METAREC_TYPES_H

#include "native.h"
#ifdef METAREC_HAS_PYTHON
#pragma GCC visibility push(hidden)

extern PyTypeObject *features_type, *tasks_type, *learner_type, *adapted_type;

bool features_type_make(PyObject *module);
bool tasks_type_make(PyObject *module);
bool learner_type_make(PyObject *module);
bool adapted_type_make(PyObject *module);

/* One type of the process from its specification, added to `module`. */
bool type_make(PyTypeObject **type, PyType_Spec *spec, PyObject *module);

/* What an adaptation to a user gave, as a Python object. */
PyObject *adapted_new(mr_adapted *handle, Native *learner);

/* The module's functions. */
PyObject *metrics(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *bootstrap(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *distribution(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *catalogue(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *negatives(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *list_diversity(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *sample_factors(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *least_squares_factors(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *place_items(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *fold_in(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *fold_user(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *score_items(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *mix_levels(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *ordered_probit(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *fit_ordered_probit(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *product(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *orthonormal(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *eigenvectors(PyObject *module, PyObject *args, PyObject *kwargs);

#pragma GCC visibility pop
#endif
#endif
