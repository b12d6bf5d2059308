import Graph

/// A table of users or items: a row each, a column per field. The arrays are borrowed and must outlive it.
public final class FeatureTable: Sendable {
    /// Number of users or items.
    public let rows: Int
    /// Its columns.
    public let fields: [Field]
    /// The columns' shapes.
    public let schema: [FieldSchema]

    /// Checks every size, offset, id and number once. Cost: one pass over the arrays.
    ///
    /// Errors name the field, the array, the place and the value: negative sizes, vectors without columns, names that are empty or come twice,
    /// ids outside −1 ..< size, offsets that do not start at 0, decrease or do not end at the number of ids, numbers
    /// that are not finite, and missing arrays.
    public init(rows: Int, fields: [Field]) throws {
        guard rows >= 0, rows <= Int(Int32.max) else {
            throw MetarecError.value("rows: \(rows), wanted 0 ... \(Int32.max)")
        }
        var names = Set<String>()
        for (index, field) in fields.enumerated() {
            guard !field.name.isEmpty else { throw MetarecError.value("fields[\(index)]: its name is empty") }
            guard names.insert(field.name).inserted else {
                throw MetarecError.value("fields: the name \"\(field.name)\" comes twice")
            }
            try field.validate(rows: rows)
        }
        self.rows = rows
        self.fields = fields
        schema = fields.map(\.schema)
    }
}

extension Field {
    fileprivate func validate(rows: Int) throws {
        let least = schema.isEmbedded ? 0 : 1  // Without values, all are unknown.
        guard size >= least, size <= Int(Int32.max) else {
            throw MetarecError.value("field \"\(name)\": size \(size), wanted \(least) ... \(Int32.max)")
        }
        switch values {
        case .categorical(let ids):
            try validate(ids: ids, count: rows)
        case .bag(let ids, let idCount, let offsets):
            guard idCount >= 0 else {
                throw MetarecError.value("field \"\(name)\": \(idCount) ids, wanted at least 0")
            }
            try validate(offsets: offsets, rows: rows, idCount: idCount)
            try validate(ids: ids, count: idCount)
        case .dense(let vectors):
            let (count, overflow) = rows.multipliedReportingOverflow(by: size)
            guard !overflow, count <= Int.max / 8 else {
                throw MetarecError.value("field \"\(name)\": \(rows) rows of \(size) columns overflow")
            }
            guard count > 0 else { return }
            guard let vectors else { throw MetarecError.value("field \"\(name)\": vectors are missing") }
            if let at = vectors.firstNonFinite(count: count) {
                throw MetarecError.value(
                    "field \"\(name)\": vectors[\(at / size), \(at % size)] = \(vectors[at]): wanted a finite number")
            }
        }
    }

    private func validate(ids: UnsafePointer<Int32>?, count: Int) throws {
        guard count > 0 else { return }
        guard let ids else { throw MetarecError.value("field \"\(name)\": ids are missing") }
        for i in 0..<count where ids[i] < -1 || Int(ids[i]) >= size {
            throw MetarecError.index("field \"\(name)\": ids[\(i)] = \(ids[i]): outside -1 ..< \(size)")
        }
    }

    private func validate(offsets: UnsafePointer<Int64>?, rows: Int, idCount: Int) throws {
        guard let offsets else { throw MetarecError.value("field \"\(name)\": offsets are missing") }
        guard offsets[0] == 0 else {
            throw MetarecError.value("field \"\(name)\": offsets[0] = \(offsets[0]), wanted 0")
        }
        for row in 0..<rows where offsets[row + 1] < offsets[row] {
            throw MetarecError.value(
                "field \"\(name)\": offsets[\(row + 1)] = \(offsets[row + 1]), less than the \(offsets[row]) before it")
        }
        guard offsets[rows] == idCount else {
            throw MetarecError.value(
                "field \"\(name)\": offsets[\(rows)] = \(offsets[rows]), wanted \(idCount), the number of ids")
        }
    }
}
