import CMetarec
public import Kernels

/// The gradient of a table over a batch: the rows that were touched and the sum of their gradients.
///
/// Rows stand in order of first appearance, and each is summed in the order of the `add` calls: called in task order,
/// the bits do not depend on threads. Time follows the touched rows; memory is reused from batch to batch.
public final class SparseGradient: @unchecked Sendable {
    /// Columns of the table.
    public let columns: Int
    /// The element type.
    public let precision: Precision
    private var sums = RowSums()

    /// An empty gradient of a table with `columns` columns.
    public init(columns: Int, precision: Precision) {
        self.columns = columns
        self.precision = precision
    }

    /// Number of touched rows.
    public var count: Int { sums.touched.count }
    /// The touched rows, each once.
    public var rows: UnsafePointer<Int32> { sums.touched.rows }
    /// Their gradients, [count, columns], contiguous.
    public var values: UnsafeMutableRawPointer { sums.values.pointer }

    /// Forgets all rows and keeps the memory.
    public func removeAll() { sums.touched.removeAll() }

    /// Adds `scale` times the gradient [count, columns] of `rows`. Negative rows are left out.
    public func add(
        _ rows: UnsafePointer<Int32>, count n: Int, gradient: UnsafeRawPointer, scale: Double = 1
    ) {
        sums.add(rows, count: n, gradient, columns: columns, scale, precision)
    }

    /// Writes the sums into their rows of a dense gradient [table rows, columns], which may be memory of others:
    /// kernels would read past its end.
    public func write(to dense: UnsafeMutableRawPointer) {
        let stride = columns * precision.elementSize
        for i in 0..<count {
            (dense + Int(rows[i]) * stride).copyMemory(from: values + i * stride, byteCount: stride)
        }
    }
}

/// Sums by row. A struct, for Swift checks access to each property of a class by itself: so it does once for all.
private struct RowSums: ~Copyable {
    var touched = RowSet()
    var values = Scratch()
    private var numbers = Scratch()

    mutating func add(
        _ rows: UnsafePointer<Int32>, count n: Int, _ gradient: UnsafeRawPointer, columns: Int, _ scale: Double,
        _ precision: Precision
    ) {
        let known = touched.count
        let numbers = numbers.reserve(n, of: Int32.self)
        touched.number(rows, count: n, into: numbers)
        let stride = columns * precision.elementSize
        values.reserve(byteCount: touched.count * stride, keeping: known * stride)
        (values.pointer + known * stride).initializeMemory(
            as: UInt8.self, repeating: 0, count: (touched.count - known) * stride)
        var bag = mr_bag(
            rows: Int64(n), columns: Int64(columns), ids: numbers, offsets: nil, weights: nil, alpha: scale)
        precision.kernels.pointee.bag_transposed(
            &bag, gradient, Int64(columns), values.pointer, Int64(columns))
    }
}
