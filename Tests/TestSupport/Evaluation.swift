import Graph
import Kernels

/// A matrix of doubles, for tests.
public struct Matrix: Equatable {
    public var rows: Int
    public var columns: Int
    public var elements: [Double]

    public init(_ rows: Int, _ columns: Int, _ elements: [Double]) {
        precondition(elements.count == rows * columns)
        (self.rows, self.columns, self.elements) = (rows, columns, elements)
    }

    public init(_ rows: Int, _ columns: Int, _ element: (Int, Int) -> Double) {
        self.init(rows, columns, (0..<rows * columns).map { element($0 / columns, $0 % columns) })
    }

    /// Uniform in -1 ..< 1, at least `gap` away from 0.
    public static func random(
        _ rows: Int, _ columns: Int, gap: Double = 0, using generator: inout some RandomNumberGenerator
    ) -> Matrix {
        Matrix(
            rows, columns,
            (0..<rows * columns).map { _ in
                let size = Double.random(in: gap..<1, using: &generator)
                return Bool.random(using: &generator) ? size : -size
            })
    }

    public subscript(row: Int, column: Int) -> Double {
        get { elements[row * columns + column] }
        set { elements[row * columns + column] = newValue }
    }
}

/// Rows of local indices of a test task.
public struct IndexRows: Sendable {
    public var ids: [Int32]
    public var offsets: [Int32]?
    public var weights: [Double]?

    public init(ids: [Int32], offsets: [Int32]? = nil, weights: [Double]? = nil) {
        (self.ids, self.offsets, self.weights) = (ids, offsets, weights)
    }
}

/// One task's matrices, sizes and indices.
public struct TestTask {
    public var sizes: [Symbol: Int]
    public var inputs: [Matrix]
    public var indices: [IndexRows]

    public init(sizes: [Symbol: Int] = [:], inputs: [Matrix] = [], indices: [IndexRows] = []) {
        (self.sizes, self.inputs, self.indices) = (sizes, inputs, indices)
    }
}

/// Compiles the outputs and runs them for each task; returns outputs by task.
public func evaluate(
    _ outputs: [Value], parameters: [Matrix] = [], tasks: [TestTask] = [TestTask()], precision: Precision = .double,
    threads: Int = 1
) throws -> [[Matrix]] {
    let plan = try Plan(outputs)
    let inputCount = tasks.map(\.inputs.count).max() ?? 0
    let indexCount = tasks.map(\.indices.count).max() ?? 0
    let executor = Executor(
        plan, precision,
        Executor.Interface(inputCount: inputCount, indexCount: indexCount, symbolCount: Symbol.table(8).id))
    func buffer(_ elements: [Double]) -> Buffer {
        let buffer = Buffer(count: elements.count, precision)
        for (index, element) in elements.enumerated() {
            switch precision {
            case .float: buffer.pointer.storeBytes(of: Float(element), toByteOffset: 4 * index, as: Float.self)
            case .double: buffer.pointer.storeBytes(of: element, toByteOffset: 8 * index, as: Double.self)
            }
        }
        return buffer
    }
    let memory = parameters.map { buffer($0.elements) }
    let inputs = tasks.map { $0.inputs.map { buffer($0.elements) } }
    let weights = tasks.map { $0.indices.map { rows in rows.weights.map { buffer($0) } } }
    let ids = tasks.map { task in
        task.indices.map { rows in
            let pointer = UnsafeMutablePointer<Int32>.allocate(capacity: rows.ids.count + 1)
            pointer.initialize(from: rows.ids, count: rows.ids.count)
            return pointer
        }
    }
    let offsets = tasks.map { task in
        task.indices.map { rows in
            rows.offsets.map { offsets in
                let pointer = UnsafeMutablePointer<Int32>.allocate(capacity: offsets.count)
                pointer.initialize(from: offsets, count: offsets.count)
                return pointer
            }
        }
    }
    defer {
        for pointer in ids.joined() { pointer.deallocate() }
        for case let pointer? in offsets.joined() { pointer.deallocate() }
    }
    var results = [[Matrix]](repeating: [], count: tasks.count)
    try results.withUnsafeMutableBufferPointer { results in
        nonisolated(unsafe) let results = results
        try executor.run(
            count: tasks.count, threads: threads, parameters: memory.map { UnsafeRawPointer($0.pointer) },
            load: { number, _, worker in
                let task = tasks[number]
                for (symbol, size) in task.sizes { worker.setSize(symbol, size) }
                for (input, buffer) in inputs[number].enumerated() { worker.setInput(input, buffer.pointer) }
                for (index, rows) in task.indices.enumerated() {
                    worker.setIndices(
                        index, rows: (rows.offsets?.count).map { $0 - 1 } ?? rows.ids.count, ids: ids[number][index],
                        offsets: offsets[number][index].map { UnsafePointer($0) },
                        weights: weights[number][index].map { UnsafeRawPointer($0.pointer) })
                }
            },
            store: { number, worker in
                results[number] = outputs.indices.map { output in
                    let view = worker.output(output)
                    return Matrix(view.rows, view.columns) { row, column in
                        let place = row * view.stride + column
                        return precision == .float
                            ? Double(view.pointer.load(fromByteOffset: 4 * place, as: Float.self))
                            : view.pointer.load(fromByteOffset: 8 * place, as: Double.self)
                    }
                }
            })
    }
    return results
}
