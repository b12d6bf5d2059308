import Graph
import Kernels

/// What an item stage has given for rows of a table of items. It is computed for a row when that is first asked for, and
/// again when the row's features are others by then: the table is borrowed, and may be written.
final class Catalogue {
    /// The most memory that it takes; larger tables have none.
    private static let maximumByteCount = 256 << 20

    let items: FeatureTable
    /// A row for each item, and a last one for an unknown item.
    let values: ItemValues
    private var version: Learner.Version?
    private let isKnown: UnsafeMutablePointer<Bool>
    private var features: [FieldCopy]

    /// Nil for a table that is too large.
    init?(_ items: FeatureTable, columns: [Int], _ precision: Precision) {
        let fields = items.fields.filter { !$0.isConstant }.map(FieldSource.init)
        let row =
            columns.reduce(0, +) * precision.elementSize
            + fields.reduce(0) { $0 + FieldCopy.rowSize($1, rows: items.rows) }
        guard items.rows < Catalogue.maximumByteCount / max(row, 1) else { return nil }
        self.items = items
        values = ItemValues(rows: items.rows + 1, columns: columns, precision)
        isKnown = .allocate(capacity: items.rows + 1)
        isKnown.initialize(repeating: false, count: items.rows + 1)
        features = fields.map { FieldCopy($0, rows: items.rows) }
    }

    deinit {
        isKnown.deallocate()
        for feature in features { feature.deallocate() }
    }

    /// Forgets what was computed with other parameters.
    func update(to version: Learner.Version) {
        if self.version != version { forget() }
        self.version = version
    }

    /// Forgets everything.
    func forget() { isKnown.update(repeating: false, count: items.rows + 1) }

    /// Where the values of a row are; those of an unknown item come last.
    func place(of row: Int32) -> Int32 { row < 0 ? Int32(truncatingIfNeeded: items.rows) : row }

    /// Writes the places of `rows` among the values, and returns those rows whose values must be computed, each once.
    func locate(_ rows: UnsafePointer<Int32>, count: Int, places: UnsafeMutablePointer<Int32>) -> [Int32] {
        for i in 0..<count { places[i] = place(of: rows[i]) }
        for feature in features { feature.forgetChanged(rows, count: count, isKnown) }
        var missing: [Int32] = []
        for i in 0..<count where !isKnown[Int(places[i])] {
            isKnown[Int(places[i])] = true
            missing.append(rows[i])
            if rows[i] >= 0 { for feature in features { feature.copy(Int(rows[i])) } }
        }
        return missing
    }
}
