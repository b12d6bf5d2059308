import Graph
public import Kernels
import MetaLearning

/// What a plan reads of one task: its targets, and for every field local row numbers or gathered vectors.
///
/// A worker has one and loads task after task into it; memory grows to the largest task and is reused. Fields are
/// numbered as given, items' first. Every embedded field (categorical or bag) has a table of its own, of which only
/// the rows this task touches are numbered. Not for use by several threads at once.
public final class WorkingSet: @unchecked Sendable {
    /// A part of a task with its own row count.
    public enum Segment: Sendable {
        /// Rows that are adapted to: items' fields and targets.
        case support
        /// Rows that are predicted: items' fields and targets.
        case query
        /// One row: users' fields.
        case user
    }

    /// The rows of an embedding table that the loaded task touches, each once, in order of first appearance.
    public struct TouchedRows {
        /// Their number.
        public let count: Int
        /// Their places in the table.
        public let rows: UnsafePointer<Int32>
    }

    /// The element type of targets, weights and vectors.
    public let precision: Precision
    /// The items' fields.
    public let items: [FieldSchema]
    /// The users' fields.
    public let users: [FieldSchema]
    /// The fields that have an embedding table, in the order of `tables`.
    public let embeddedFields: [Int]
    /// Support rows of the loaded task.
    public internal(set) var supportCount = 0
    /// Query rows of the loaded task.
    public internal(set) var queryCount = 0

    let fields: UnsafeMutablePointer<WorkingField>
    var rowNumbers = Scratch()
    var itemRows = Scratch()
    var supportTargets = Scratch()
    var queryTargets = Scratch()
    var boundItems: FeatureTable?
    var boundUsers: FeatureTable?
    var itemSources: [FieldSource] = []
    var userSources: [FieldSource] = []

    /// Memory for tasks over tables with these fields.
    public init(items: [FieldSchema], users: [FieldSchema], precision: Precision) {
        self.precision = precision
        self.items = items
        self.users = users
        let all = items + users
        embeddedFields = all.indices.filter { all[$0].isEmbedded }
        fields = .allocate(capacity: all.count)
        for (index, schema) in all.enumerated() { (fields + index).initialize(to: WorkingField(schema, precision)) }
    }

    deinit {
        fields.deinitialize(count: fieldCount)
        fields.deallocate()
    }

    /// Number of fields, of items and users.
    public var fieldCount: Int { items.count + users.count }
    /// Number of embedding tables.
    public var tableCount: Int { embeddedFields.count }

    /// The rows touched in table number `table`.
    public func touchedRows(ofTable table: Int) -> TouchedRows {
        let field = fields + embeddedFields[table]
        return TouchedRows(count: field.pointee.table.count, rows: field.pointee.table.rows)
    }

    /// The targets of the support or the query, in the set's precision.
    public func targets(_ segment: Segment) -> UnsafeRawPointer {
        UnsafeRawPointer(segment == .query ? queryTargets.pointer : supportTargets.pointer)
    }
}
