import CMetarec
public import Kernels

/// The gradient of a table over a batch: the rows that were touched and the sum of their gradients.
///
/// Rows stand in order of first appearance, and each is summed in the order of the `add` calls: called in task order,
/// the bits do not depend on threads. Memory and time follow the touched rows and are reused from batch to batch.
public final class SparseGradient: @unchecked Sendable {
    /// Columns of the table.
    public let columns: Int
    /// The element type.
    public let precision: Precision
    private var touched = RowSet()
    private var sums = Scratch()
    private var numbers = Scratch()
    private var weights = Scratch()

    /// An empty gradient of a table with `columns` columns.
    public init(columns: Int, precision: Precision) {
        self.columns = columns
        self.precision = precision
    }

    /// Number of touched rows.
    public var count: Int { touched.count }
    /// The touched rows, each once.
    public var rows: UnsafePointer<Int32> { touched.rows }
    /// Their gradients, [count, columns], contiguous.
    public var values: UnsafeMutableRawPointer { sums.pointer }

    /// Forgets all rows and keeps the memory.
    public func removeAll() { touched.removeAll() }

    /// Adds `scale` times the gradient [count, columns] of `rows`. Negative rows are left out.
    public func add(
        _ rows: UnsafePointer<Int32>, count n: Int, gradient: UnsafeRawPointer, scale: Double = 1
    ) {
        let known = touched.count
        let numbers = numbers.reserve(n, of: Int32.self)
        numbers.update(from: rows, count: n)
        touched.number(numbers, count: n)
        let stride = columns * precision.elementSize
        sums.reserve(byteCount: touched.count * stride, keeping: known * stride)
        (sums.pointer + known * stride).initializeMemory(
            as: UInt8.self, repeating: 0, count: (touched.count - known) * stride)
        weights.reserve(byteCount: n * precision.elementSize)
        let kernels = precision.kernels.pointee
        kernels.fill(1, Int64(n), scale, weights.pointer, Int64(n))
        var bag = mr_bag(
            rows: Int64(n), columns: Int64(columns), ids: numbers, offsets: nil, weights: weights.pointer)
        kernels.bag_transposed(&bag, gradient, Int64(columns), sums.pointer, Int64(columns))
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
