import CMetarec
public import Kernels
import Synchronization

/// What a parameter is, before it has memory.
public struct ParameterSpec: Hashable, Sendable {
    /// Unique in the model, for example "embedding.genre" or "dense0.weight".
    public let name: String
    /// Rows of the stored matrix.
    public let rows: Int
    /// Columns of the stored matrix.
    public let columns: Int
    /// 2, or 1 for a vector, which is stored as [1, columns] and shown as [columns].
    public let rank: Int
    /// Whether tasks touch only some of its rows: its gradient is sparse and its rows are updated lazily.
    public let isTable: Bool
    /// The part of the model it belongs to, for example "embedding", "decision" or "head".
    public let group: String

    /// A parameter of shape [rows, columns], or [columns] if `rank` is 1.
    public init(_ name: String, rows: Int, columns: Int, rank: Int = 2, isTable: Bool = false, group: String) {
        self.name = name
        self.rows = rows
        self.columns = columns
        self.rank = rank
        self.isTable = isTable
        self.group = group
    }

    /// The shape users see.
    public var shape: [Int] { rank == 1 ? [columns] : [rows, columns] }
    /// Number of elements.
    public var count: Int { rows * columns }
}

/// A parameter's numbers, and what the optimizer remembers about them. C-contiguous [rows, columns].
public final class Parameter: @unchecked Sendable {
    /// Name and shape.
    public let spec: ParameterSpec
    /// The element type.
    public let precision: Precision
    /// The values.
    public let values: Buffer
    /// The optimizer's buffers, in the order of its `stateNames`, each of the values' shape.
    public let state: [Buffer]
    /// Per row of a table: the step it is up to date with, or one of the marks below. None for other parameters.
    let lastSteps: UnsafeMutablePointer<Atomic<Int>>

    /// Mark of a row that has had no gradient yet: its optimizer state is zero and nothing moves it.
    static let untouched = -1
    /// Mark of a row that a thread is bringing up to date.
    static let settling = -2

    init(_ spec: ParameterSpec, precision: Precision, stateCount: Int) {
        self.spec = spec
        self.precision = precision
        values = Buffer(count: spec.count, precision)
        state = (0..<stateCount).map { _ in Buffer(count: spec.count, precision) }
        let tableRows = spec.isTable ? spec.rows : 0
        lastSteps = .allocate(capacity: tableRows)
        for row in 0..<tableRows { (lastSteps + row).initialize(to: Atomic(Parameter.untouched)) }
    }

    deinit {
        lastSteps.deinitialize(count: tableRows)
        lastSteps.deallocate()
    }

    /// Number of rows that are updated lazily.
    var tableRows: Int { spec.isTable ? spec.rows : 0 }

    /// First value.
    public var pointer: UnsafeMutableRawPointer { values.pointer }

    /// The elements of row `row`.
    func elements(ofRow row: Int) -> Range<Int> { row * spec.columns..<(row + 1) * spec.columns }

    /// Asks for the memory of a row: its step, its values and what the optimizer remembers about them.
    func prefetch(row: Int) {
        let size = spec.columns * precision.elementSize
        mr_prefetch(lastSteps + row, 1)
        mr_prefetch(values.pointer + row * size, Int64(size))
        // By number: where nothing is optimised, an iterator would allocate.
        for index in state.indices { mr_prefetch(state[index].pointer + row * size, Int64(size)) }
    }

    /// The first byte of an element in `buffer`, which is `values` or one of `state`.
    func address(of element: Int, in buffer: Buffer) -> UnsafeMutableRawPointer {
        buffer.pointer + element * precision.elementSize
    }
}
