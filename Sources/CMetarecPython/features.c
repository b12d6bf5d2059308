#include "types.h"
#ifdef METAREC_HAS_PYTHON

#include "arrays.h"
#include "errors.h"
#include "values.h"

#include <string.h>

PyTypeObject *features_type;

static void release(void *handle) { mr_features_release(handle); }
static const Kind kind = {.name = "Features", .release = release};

/* MARK: One field */

typedef struct Parts {
    PyObject *ids, *offsets, *vectors;
} Parts;

static bool absent(PyObject *object, const char *label, const char *kind_name) {
    if (object == Py_None) return true;
    raise_error(MR_VALUE_ERROR, "%s: got a value; wanted None, a %s field has none", label, kind_name);
    return false;
}

/* Appends at most so many bytes of `text`, and returns their end. There are labels for every part of every table, and
 * printf would take longer than all that is checked. */
static char *append(char *end, const char *text, size_t most) {
    size_t length = strnlen(text, most);
    memcpy(end, text, length);
    end[length] = 0;
    return end + length;
}

/* "field '<name>': <part>" */
static void label_part(char label[static 200], const char *name, const char *part) {
    char *end = append(append(label, "field '", 7), name, 150);
    append(append(end, "': ", 3), part, 30);
}

/* "fields[<index>]" */
static void label_index(char label[static 200], Py_ssize_t index) {
    char digits[24] = {0};
    char *first = digits + sizeof digits - 1;
    do *--first = (char)('0' + index % 10);
    while (index /= 10);
    append(append(append(label, "fields[", 7), first, sizeof digits), "]", 1);
}

static bool ids_parse(PyObject *ids, int64_t length, mr_field *out) {
    char label[200];
    label_part(label, out->name, "ids");
    PyArrayObject *array = borrow_vector(ids, label, ELEMENT_INT32, length, length < 0 ? "[ids]" : "[rows]");
    if (!array) return false;
    out->ids = PyArray_DATA(array);
    out->id_count = PyArray_DIM(array, 0);
    return true;
}

static bool offsets_parse(PyObject *offsets, int64_t rows, mr_field *out) {
    char label[200];
    label_part(label, out->name, "offsets");
    PyArrayObject *array = borrow_vector(offsets, label, ELEMENT_INT64, rows + 1, "[rows + 1]");
    if (array) out->offsets = PyArray_DATA(array);
    return array != NULL;
}

static bool vectors_parse(PyObject *vectors, int64_t rows, mr_field *out) {
    char label[200];
    label_part(label, out->name, "vectors");
    PyArrayObject *array = borrow_matrix(vectors, label, ELEMENT_FLOAT, rows, out->size, "[rows, size]");
    if (!array) return false;
    out->vectors = PyArray_DATA(array);
    out->dtype = array_dtype(array);
    /* A view's memory is another array's, which may be writable. */
    out->is_constant = !PyArray_ISWRITEABLE(array) && !PyArray_BASE(array);
    return true;
}

static bool parts_parse(Parts parts, const char *kind_name, int64_t rows, mr_field *out) {
    char ids[200], offsets[200], vectors[200];
    label_part(ids, out->name, "ids");
    label_part(offsets, out->name, "offsets");
    label_part(vectors, out->name, "vectors");
    if (!strcmp(kind_name, "categorical")) {
        out->kind = MR_CATEGORICAL;
        return ids_parse(parts.ids, rows, out) && absent(parts.offsets, offsets, kind_name) &&
               absent(parts.vectors, vectors, kind_name);
    }
    if (!strcmp(kind_name, "bag")) {
        out->kind = MR_BAG;
        return ids_parse(parts.ids, ANY_LENGTH, out) && offsets_parse(parts.offsets, rows, out) &&
               absent(parts.vectors, vectors, kind_name);
    }
    if (!strcmp(kind_name, "dense")) {
        out->kind = MR_DENSE;
        return absent(parts.ids, ids, kind_name) && absent(parts.offsets, offsets, kind_name) &&
               vectors_parse(parts.vectors, rows, out);
    }
    raise_error(MR_VALUE_ERROR, "field '%.150s': kind: got '%.100s'; wanted 'categorical', 'bag' or 'dense'", out->name,
                kind_name);
    return false;
}

static bool field_parse(PyObject *field, Py_ssize_t index, int64_t rows, mr_field *out) {
    char label[200];
    label_index(label, index);
    if (!PyTuple_Check(field) || PyTuple_Size(field) != 6) {
        raise_error(MR_TYPE_ERROR, "%s: wanted a tuple (name, kind, size, ids, offsets, vectors)", label);
        return false;
    }
    const char *name = text_value(PyTuple_GetItem(field, 0), label);
    if (!name) return false;
    out->name = name;
    label_part(label, name, "kind");
    const char *kind_name = text_value(PyTuple_GetItem(field, 1), label);
    if (!kind_name) return false;
    label_part(label, name, "size");
    if (!integer_from(PyTuple_GetItem(field, 2), label, 0, &out->size)) return false;
    Parts parts = {PyTuple_GetItem(field, 3), PyTuple_GetItem(field, 4), PyTuple_GetItem(field, 5)};
    return parts_parse(parts, kind_name, rows, out);
}

/* MARK: The table */

static mr_features *features_create(PyObject *fields, int64_t rows) {
    Py_ssize_t count = PyTuple_Size(fields);
    mr_field *parsed = PyMem_Calloc((size_t)count, sizeof *parsed);
    mr_features *handle = NULL;
    mr_error error = {0};
    int32_t status = MR_OK;
    if (!parsed) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t index = 0; index < count; index++)
        if (!field_parse(PyTuple_GetItem(fields, index), index, rows, &parsed[index])) goto done;

    Py_BEGIN_ALLOW_THREADS
    status = mr_features_create(rows, parsed, count, &handle, &error);
    Py_END_ALLOW_THREADS
    if (!succeeded(status, &error)) handle = NULL;
done:
    PyMem_Free(parsed);
    return handle;
}

static PyObject *features_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *keywords[] = {"rows", "fields", NULL};
    PyObject *rows_argument, *fields_argument;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO:Features", keywords, &rows_argument, &fields_argument))
        return NULL;
    int64_t rows;
    if (!integer_from(rows_argument, "rows", 0, &rows)) return NULL;
    if (rows >= INT64_C(1) << 60)
        return raise_error(MR_VALUE_ERROR, "rows: got %lld; wanted fewer than 2**60", (long long)rows);

    PyObject *fields = sequence_value(fields_argument, "fields", "a sequence of tuples, one for each field");
    if (!fields) return NULL;
    mr_features *handle = features_create(fields, rows);
    PyObject *self = handle ? object_new(type, &kind, handle, fields) : NULL; /* the tuples hold names and arrays */
    Py_DECREF(fields);
    return self;
}

static PyMethodDef methods[] = {CLOSE_METHOD, {NULL, NULL, 0, NULL}};

static const char doc[] =
    "Features(rows, fields)\n--\n\n"
    "Rows of users or items, borrowed from the given arrays.\n\n"
    "A field is (name, kind, size, ids, offsets, vectors): \"categorical\" has ids int32 [rows], \"bag\" ids int32\n"
    "[n] and offsets int64 [rows + 1], \"dense\" vectors float32 or float64 [rows, size]; what a kind has not is None.";

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)doc},
    {Py_tp_new, features_new},
    {Py_tp_methods, methods},
    OBJECT_SLOTS,
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "metarec._metarec.Features",
    .basicsize = sizeof(Object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

bool features_type_make(PyObject *module) { return type_make(&features_type, &spec, module); }

#endif
