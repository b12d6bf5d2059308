/* Who owns a handle of the library, and who is using it.
 *
 * A `Native` owns one handle and keeps alive what that handle borrows. Python's objects (Features, Tasks, Learner,
 * Adapted), NumPy views of parameters and other Natives refer to it; the last one to let go frees it. So `close()`
 * only gives up one reference, and memory cannot vanish under a view, under a Tasks that uses a closed Features, or
 * under a call that runs in another thread. */
#ifndef METAREC_NATIVE_H
#define METAREC_NATIVE_H

#include "interpreter.h"
#ifdef METAREC_HAS_PYTHON
#pragma GCC visibility push(hidden)

typedef struct Kind {
    const char *name;
    void (*release)(void *handle);
    bool exclusive; /* one call at a time; others wait, and can be interrupted */
} Kind;

typedef struct Native Native;

/* One running call; lives on that call's stack and is linked into its Native while the call runs. */
typedef struct Use {
    Native *native;
    unsigned long thread;
    bool locked;
    struct Use *next;
} Use;

struct Native {
    PyObject_HEAD
    const Kind *kind;
    void *handle;
    PyObject *keep; /* whatever the handle borrows: arrays, other Natives */
    Use *uses;      /* changed only under the GIL */
    PyThread_type_lock lock; /* of an exclusive kind, held by the one running call */
};

/* The Python object in front of a Native, which is NULL once closed. */
typedef struct Object {
    PyObject_HEAD
    const Kind *kind;
    Native *native;
} Object;

extern PyTypeObject *native_type;

bool native_type_make(PyObject *module);

/* A new object of `type` that owns `handle`, which is released here if that fails. */
PyObject *object_new(PyTypeObject *type, const Kind *kind, void *handle, PyObject *keep);

/* Enters a call on a Native, on the one behind an object, or on the one behind an argument that has to be of `type`.
 * Raises where it is closed, where the call would wait for itself, or when a signal interrupts the wait. */
bool use_native(Use *use, Native *native);
bool use_object(Use *use, PyObject *object);
bool use_argument(Use *use, PyObject *argument, const char *name, PyTypeObject *type);

/* Leaves it; does nothing for a use that was not entered. */
void use_end(Use *use);

/* Slots and the method that all objects share. */
int object_traverse(PyObject *self, visitproc visit, void *arg);
int object_clear(PyObject *self);
void object_dealloc(PyObject *self);
PyObject *object_close(PyObject *self, PyObject *unused);

/* clang-format off */
#define OBJECT_SLOTS \
    {Py_tp_traverse, object_traverse}, {Py_tp_clear, object_clear}, {Py_tp_dealloc, object_dealloc}

#define CLOSE_METHOD \
    {"close", object_close, METH_NOARGS, \
     "close($self)\n--\n\n" \
     "Give up the memory; closing twice is fine, any other use afterwards raises StateError.\n\n" \
     "What still needs it (tasks over these features, a view of a parameter) keeps it until it goes itself.\n" \
     "Raises StateError while a call is running on the object."}
/* clang-format on */

#pragma GCC visibility pop
#endif
#endif
