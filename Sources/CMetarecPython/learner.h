/* The methods of Learner, by concern: learner.c has the type, training.c and prediction.c most methods. */
#ifndef METAREC_LEARNER_H
#define METAREC_LEARNER_H

#include "interpreter.h"
#ifdef METAREC_HAS_PYTHON
#pragma GCC visibility push(hidden)

/* The argument of a method that takes only tasks, borrowed; NULL if raised. */
PyObject *tasks_argument(PyObject *args, PyObject *kwargs);

PyObject *learner_meta_gradient(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *learner_profile(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *learner_step(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *learner_train_epoch(PyObject *self, PyObject *args, PyObject *kwargs);

PyObject *learner_predict(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *learner_distribution(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *learner_adapted_parameters(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *learner_support_losses(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *learner_adapt(PyObject *self, PyObject *args, PyObject *kwargs);

#pragma GCC visibility pop
#endif
#endif
