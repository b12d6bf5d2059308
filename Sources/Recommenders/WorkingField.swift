import Kernels
import MetaLearning

/// One field of one task: its ids as local numbers, or its vectors.
struct WorkingField: ~Copyable {
    let schema: FieldSchema
    let precision: Precision
    /// The rows of the field's embedding table that the task touches.
    private(set) var table = RowSet()
    private(set) var support = WorkingSegment()
    private(set) var query = WorkingSegment()
    private(set) var user = WorkingSegment()

    init(_ schema: FieldSchema, _ precision: Precision) {
        self.schema = schema
        self.precision = precision
    }

    /// Loads a field of items: `rows` holds those of the support, then those of the query. Ids are numbers of touched
    /// rows, or unless `numbering` the table's own.
    mutating func load(
        _ source: FieldSource, items rows: UnsafePointer<Int32>, supportCount: Int, queryCount: Int,
        hiding: inout Hiding?, numbering: Bool
    ) throws {
        table.removeAll()
        try support.fill(from: source, rows: rows, count: supportCount, hiding: &hiding, precision)
        try query.fill(from: source, rows: rows + supportCount, count: queryCount, hiding: &hiding, precision)
        guard numbering else { return }
        support.number(in: &table)
        query.number(in: &table)
    }

    /// Loads a field of users.
    mutating func load(_ source: FieldSource, user row: Int, hiding: inout Hiding?) throws {
        table.removeAll()
        var row = Int32(truncatingIfNeeded: row)
        try user.fill(from: source, rows: &row, count: 1, hiding: &hiding, precision)
        user.number(in: &table)
    }
}
