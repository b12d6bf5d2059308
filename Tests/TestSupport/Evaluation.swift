import Graph
import Kernels

/// Rows of local indices of a test task.
public struct IndexRows: Sendable {
    /// Rows of a table, -1 for none.
    public var ids: [Int32]
    /// Where each row of indices begins; without, each has one.
    public var offsets: [Int32]?
    /// A factor for each row; without, 1.
    public var weights: [Double]?

    /// Rows of indices.
    public init(ids: [Int32], offsets: [Int32]? = nil, weights: [Double]? = nil) {
        (self.ids, self.offsets, self.weights) = (ids, offsets, weights)
    }

    /// How many rows of indices there are.
    public var count: Int { offsets.map { $0.count - 1 } ?? ids.count }
    /// The ids of one row.
    public func row(_ row: Int) -> ArraySlice<Int32> {
        offsets.map { ids[Int($0[row])..<Int($0[row + 1])] } ?? ids[row...row]
    }
}

/// One task's matrices, sizes and indices.
public struct TestTask {
    /// Sizes by symbol.
    public var sizes: [Symbol: Int]
    /// By number of the input.
    public var inputs: [Matrix]
    /// By number of the index input.
    public var indices: [IndexRows]

    /// A task.
    public init(sizes: [Symbol: Int] = [:], inputs: [Matrix] = [], indices: [IndexRows] = []) {
        (self.sizes, self.inputs, self.indices) = (sizes, inputs, indices)
    }
}

/// A compiled plan with the memory of its parameters and tasks.
public final class TestProgram {
    /// What is run.
    public let plan: Plan
    /// What runs it.
    public let executor: Executor
    /// The element type.
    public let precision: Precision
    private let parameters: [Buffer]
    private let tasks: [TaskMemory]

    /// Compiles the outputs and copies all numbers.
    public init(
        _ outputs: [Value], summed: Set<Int> = [], expecting expected: [Symbol: Int] = [:],
        without leftOut: Set<Rewrite>? = nil,
        parameters: [Matrix] = [], tasks: [TestTask] = [TestTask()], _ precision: Precision
    ) throws {
        plan = try Plan(outputs, summed: summed, expecting: expected, without: leftOut)
        self.precision = precision
        executor = Executor(
            plan, precision,
            Executor.Interface(
                inputCount: tasks.map(\.inputs.count).max() ?? 0, indexCount: tasks.map(\.indices.count).max() ?? 0,
                symbolCount: Symbol.table(8).id))
        self.parameters = parameters.map { Buffer($0.elements, precision) }
        self.tasks = tasks.map { TaskMemory($0, precision) }
    }

    /// Runs the plan for every task; `loaded` is called when a task's memory is bound.
    public func run(
        threads: Int = 1, sums: [Executor.TaskSum] = [], poll: Poll = .none,
        loaded: (Int, Int, Worker) throws -> Void = { _, _, _ in }, store: (Int, Int, Worker) -> Void = { _, _, _ in }
    ) throws {
        try executor.run(
            count: tasks.count, threads: threads, parameters: parameters.map { UnsafeRawPointer($0.pointer) },
            sums: sums, poll: poll,
            load: { number, thread, worker in
                tasks[number].bind(to: worker)
                try loaded(number, thread, worker)
            }, store: store)
    }

    /// Every output of every task.
    public func results(threads: Int = 1, loaded: (Int, Int, Worker) throws -> Void = { _, _, _ in }) throws
        -> [[Matrix]]
    {
        var results = [[Matrix]](repeating: [], count: tasks.count)
        try results.withUnsafeMutableBufferPointer { results in
            nonisolated(unsafe) let results = results
            try run(threads: threads, loaded: loaded) { number, _, worker in
                results[number] = (0..<plan.outputCount).map { output in
                    let view = worker.output(output)
                    return Matrix(view.rows, view.columns) { row, column in
                        view.pointer.number(row * view.stride + column, precision)
                    }
                }
            }
        }
        return results
    }
}

/// A test task's numbers in memory.
private final class TaskMemory {
    private let sizes: [(symbol: Symbol, size: Int)]
    private let inputs: [Buffer]
    private let indices: [(rows: Int, ids: Buffer, offsets: Buffer?, weights: Buffer?)]

    init(_ task: TestTask, _ precision: Precision) {
        sizes = task.sizes.map { ($0, $1) }
        inputs = task.inputs.map { Buffer($0.elements, precision) }
        indices = task.indices.map { rows in
            (rows.count, Buffer(rows.ids), rows.offsets.map { Buffer($0) }, rows.weights.map { Buffer($0, precision) })
        }
    }

    func bind(to worker: Worker) {
        // By index: unoptimised iterators allocate.
        for place in sizes.indices { worker.setSize(sizes[place].symbol, sizes[place].size) }
        for input in inputs.indices { worker.setInput(input, inputs[input].pointer) }
        for index in indices.indices {
            let rows = indices[index]
            worker.setIndices(
                index, rows: rows.rows, ids: UnsafePointer(rows.ids.pointer.assumingMemoryBound(to: Int32.self)),
                offsets: (rows.offsets?.pointer.assumingMemoryBound(to: Int32.self)).map { UnsafePointer($0) },
                weights: (rows.weights?.pointer).map { UnsafeRawPointer($0) })
        }
    }
}

extension Buffer {
    /// Numbers in `precision`.
    public convenience init(_ numbers: [Double], _ precision: Precision) {
        self.init(count: numbers.count, precision)
        for (index, number) in numbers.enumerated() {
            switch precision {
            case .float: pointer.storeBytes(of: Float(number), toByteOffset: 4 * index, as: Float.self)
            case .double: pointer.storeBytes(of: number, toByteOffset: 8 * index, as: Double.self)
            }
        }
    }

    convenience init(_ ids: [Int32]) {
        self.init(byteCount: 4 * ids.count)
        pointer.copyMemory(from: ids, byteCount: 4 * ids.count)
    }

    /// All of its numbers.
    public func numbers(_ precision: Precision) -> [Double] {
        (0..<byteCount / precision.elementSize).map { pointer.number($0, precision) }
    }
}

extension UnsafeMutableRawPointer {
    /// Number `index` of an array in `precision`.
    public func number(_ index: Int, _ precision: Precision) -> Double {
        switch precision {
        case .float: Double(load(fromByteOffset: 4 * index, as: Float.self))
        case .double: load(fromByteOffset: 8 * index, as: Double.self)
        }
    }
}

/// Compiles the outputs and runs them for each task; returns outputs by task.
public func evaluate(
    _ outputs: [Value], expecting expected: [Symbol: Int] = [:], without leftOut: Set<Rewrite>? = nil,
    parameters: [Matrix] = [],
    tasks: [TestTask] = [TestTask()], precision: Precision = .double, threads: Int = 1
) throws -> [[Matrix]] {
    try TestProgram(
        outputs, expecting: expected, without: leftOut, parameters: parameters, tasks: tasks, precision
    ).results(threads: threads)
}
