#include "native.h"
#ifdef METAREC_HAS_PYTHON

#include "errors.h"

PyTypeObject *native_type;

/* MARK: Native */

static int native_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((Native *)self)->keep);
    return 0;
}

/* Not cleared by the collector: a handle must never outlive what it borrows. Every cycle also runs through something
 * that can be cleared, an Object or a container. */
static void native_dealloc(PyObject *self) {
    Native *native = (Native *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (native->handle) native->kind->release(native->handle);
    if (native->lock) PyThread_free_lock(native->lock);
    Py_XDECREF(native->keep);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

bool native_type_make(PyObject *module) {
    static PyType_Slot slots[] = {
        {Py_tp_doc, "Memory of the library; the base object of views of it."},
        {Py_tp_traverse, native_traverse},
        {Py_tp_dealloc, native_dealloc},
        {0, NULL},
    };
    static PyType_Spec spec = {
        .name = "metarec._metarec.Native",
        .basicsize = sizeof(Native),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
        .slots = slots,
    };
    if (!native_type) native_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    return native_type != NULL;
}

static Native *native_new(const Kind *kind, void *handle, PyObject *keep) {
    Native *native = (Native *)PyType_GenericAlloc(native_type, 0);
    if (!native) {
        kind->release(handle);
        return NULL;
    }
    native->kind = kind;
    native->handle = handle;
    native->keep = Py_XNewRef(keep);
    native->lock = kind->exclusive ? PyThread_allocate_lock() : NULL;
    if (native->lock || !kind->exclusive) return native;
    Py_DECREF((PyObject *)native);
    PyErr_NoMemory();
    return NULL;
}

/* MARK: Uses */

/* The GIL is let go while waiting: the call that holds the lock polls under it. */
static bool lock_wait(PyThread_type_lock lock) {
    const PY_TIMEOUT_T microseconds = 20000;
    PyLockStatus status = PyThread_acquire_lock_timed(lock, 0, 0);
    while (status != PY_LOCK_ACQUIRED && PyErr_CheckSignals() == 0) {
        Py_BEGIN_ALLOW_THREADS
        status = PyThread_acquire_lock_timed(lock, microseconds, 0);
        Py_END_ALLOW_THREADS
    }
    return status == PY_LOCK_ACQUIRED;
}

bool use_native(Use *use, Native *native) {
    unsigned long thread = PyThread_get_thread_ident();
    for (Use *other = native->kind->exclusive ? native->uses : NULL; other; other = other->next) {
        if (other->thread != thread) continue;
        raise_error(MR_STATE_ERROR,
                    "%s: in use by this thread; a progress callback cannot call the object that reports",
                    native->kind->name);
        return false;
    }
    *use = (Use){.native = (Native *)Py_NewRef((PyObject *)native), .thread = thread, .next = native->uses};
    native->uses = use;
    if (!native->lock) return true;
    use->locked = lock_wait(native->lock);
    if (!use->locked) use_end(use);
    return use->locked;
}

bool use_object(Use *use, PyObject *object) {
    Native *native = ((Object *)object)->native;
    if (native) return use_native(use, native);
    raise_error(MR_STATE_ERROR, "%s: already closed", ((Object *)object)->kind->name);
    return false;
}

bool use_argument(Use *use, PyObject *argument, const char *name, PyTypeObject *type) {
    if (PyObject_TypeCheck(argument, type)) return use_object(use, argument);
    PyObject *came = description(argument);
    PyObject *wanted = PyType_GetName(type);
    if (came && wanted) raise_error(MR_TYPE_ERROR, "%s: got %U; wanted a %U", name, came, wanted);
    Py_XDECREF(came);
    Py_XDECREF(wanted);
    return false;
}

void use_end(Use *use) {
    Native *native = use->native;
    if (!native) return;
    Use **link = &native->uses;
    while (*link != use) link = &(*link)->next;
    *link = use->next;
    if (use->locked) PyThread_release_lock(native->lock);
    use->native = NULL;
    Py_DECREF((PyObject *)native);
}

/* MARK: Objects */

PyObject *object_new(PyTypeObject *type, const Kind *kind, void *handle, PyObject *keep) {
    Native *native = native_new(kind, handle, keep);
    if (!native) return NULL;
    Object *object = (Object *)PyType_GenericAlloc(type, 0);
    if (!object) {
        Py_DECREF((PyObject *)native);
        return NULL;
    }
    object->kind = kind;
    object->native = native;
    return (PyObject *)object;
}

int object_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)((Object *)self)->native);
    return 0;
}

int object_clear(PyObject *self) {
    PyObject *native = (PyObject *)((Object *)self)->native;
    ((Object *)self)->native = NULL;
    Py_XDECREF(native);
    return 0;
}

void object_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    object_clear(self);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

PyObject *object_close(PyObject *self, PyObject *unused) {
    (void)unused;
    Native *native = ((Object *)self)->native;
    if (native && native->uses) {
        bool here = native->uses->thread == PyThread_get_thread_ident();
        return raise_error(MR_STATE_ERROR, "%s: cannot be closed, in use by %s thread", native->kind->name,
                           here ? "this" : "another");
    }
    object_clear(self);
    Py_RETURN_NONE;
}

#endif
