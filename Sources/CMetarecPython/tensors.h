/* A learner's tensors: their list, views of them, and arrays of their shapes for the library to write into. */
#ifndef METAREC_TENSORS_H
#define METAREC_TENSORS_H

#include "native.h"
#ifdef METAREC_HAS_PYTHON
#pragma GCC visibility push(hidden)

typedef struct Tensors {
    mr_tensor *items;
    int64_t count;
} Tensors;

/* All tensors of an initialised learner that the caller uses. On failure there is nothing to free. */
bool tensors_read(Native *learner, Tensors *out);
void tensors_free(Tensors *tensors);

/* The learner's mr_dtype. */
bool tensors_dtype(Native *learner, int32_t *out);

typedef bool (*Choice)(const mr_tensor *tensor);
bool is_parameter(const mr_tensor *tensor);
bool is_adapted(const mr_tensor *tensor);
bool is_optimizer_state(const mr_tensor *tensor);

/* name -> writable view. */
PyObject *tensors_views(const Tensors *tensors, Choice choice, Native *learner);

/* name -> new zeros of the tensor's shape, with a leading axis of `tasks` unless that is -1; `out[i]` is where the
 * i-th of them begins. `out` holds `tensors->count` pointers. */
PyObject *tensors_outputs(const Tensors *tensors, Choice choice, int64_t tasks, void **out);

#pragma GCC visibility pop
#endif
#endif
