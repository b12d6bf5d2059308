import TestSupport

@testable import Graph

/// A random computation over ragged sizes. The same seed gives the same function, of whatever leaves.
///
/// Conditions look at leaves only, so that rounding cannot move a value across a jump.
struct RandomFunction {
    static let parameterShapes: [Shape] = [
        Shape(4, 4), Shape(4, 5), Shape(1, 4), Shape(5, 1), Shape(1, 1), Shape(6, 2), Shape(.symbol(.table(0)), 5),
    ]
    static let inputShapes: [Shape] = [
        Shape(.support, 4), Shape(.query, 4), Shape(.support, 1), Shape(1, 5), Shape(.symbol(.table(0)), 5),
    ]

    let seed: UInt64
    let length: Int

    static func inputs(in graph: Graph) -> [Value] {
        inputShapes.enumerated().map { graph.input($0.offset, $0.element) }
    }

    /// θ: values of the shapes of `parameterShapes`, the last one an input, as a table's rows are.
    static func θ(in graph: Graph) -> [Value] {
        parameterShapes.enumerated().map { index, shape in
            index == parameterShapes.count - 1
                ? graph.input(inputShapes.count - 1, shape) : graph.parameter(index, shape)
        }
    }

    static func parameters(using generator: inout TestGenerator) -> [Matrix] {
        parameterShapes.dropLast().map { .random($0.rows.fixedValue!, $0.columns.fixedValue!, using: &generator) }
    }

    /// A task of these sizes; with no table rows, all ids are unknown.
    static func task(support: Int, query: Int, table: Int, using generator: inout TestGenerator) -> TestTask {
        let sizes: [Symbol: Int] = [.support: support, .query: query, .table(0): table]
        func id() -> Int32 { Int32.random(in: -1..<Int32(table), using: &generator) }
        var offsets: [Int32] = [0]
        for _ in 0..<query { offsets.append(offsets[offsets.count - 1] + Int32.random(in: 0...3, using: &generator)) }
        return TestTask(
            sizes: sizes,
            inputs: inputShapes.map { shape in
                func size(_ dimension: Dimension) -> Int {
                    if case .symbol(let symbol) = dimension { sizes[symbol]! } else { dimension.fixedValue! }
                }
                return .random(size(shape.rows), size(shape.columns), gap: 0.01, using: &generator)
            },
            indices: [
                IndexRows(ids: (0..<support).map { _ in id() }),
                IndexRows(
                    ids: (0..<offsets[query]).map { _ in id() }, offsets: offsets,
                    weights: (0..<query).map { _ in Double.random(in: 0...1, using: &generator) }),
            ])
    }

    /// All values of the computation, leaves first.
    func values(_ θ: [Value], _ inputs: [Value]) -> [Value] {
        var generator = TestGenerator(seed)
        let leaves = inputs.dropLast()
        var pool = θ + inputs
        while pool.count < θ.count + inputs.count + length {
            // The latest values more often, so that computations become deep.
            let reach = Bool.random(using: &generator) ? min(6, pool.count) : pool.count
            let x = pool[pool.count - 1 - Int.random(in: 0..<reach, using: &generator)]
            if let next = step(x, pool, Array(leaves), &generator) { pool.append(next) }
        }
        return pool
    }

    /// A number that depends on the last values.
    func loss(_ θ: [Value], _ inputs: [Value]) -> Value {
        values(θ, inputs).suffix(4).map { $0.tanh.square.mean }.reduce(θ[0].square.mean, +)
    }

    private func step(_ x: Value, _ pool: [Value], _ leaves: [Value], _ generator: inout TestGenerator) -> Value? {
        func mate(where fits: (Shape) -> Bool) -> Value? {
            pool.filter { fits($0.shape) }.randomElement(using: &generator)
        }
        func broadcastMate() -> Value? {
            mate { y in
                (y.rows == x.shape.rows || y.rows == 1 || x.shape.rows == 1)
                    && (y.columns == x.shape.columns || y.columns == 1 || x.shape.columns == 1)
            }
        }
        let isFixed = x.shape.rows.fixedValue != nil && x.shape.columns.fixedValue != nil
        switch Int.random(in: 0..<32, using: &generator) {
        case 0: return x.relu
        case 1: return x.sigmoid
        case 2: return x.tanh
        case 3: return x.softplus
        case 4: return x.tanh.exp
        case 5: return (x.abs + 0.5).log
        case 6: return (x.square + 0.5).sqrt
        case 7: return (x.sigmoid + 0.5).reciprocal
        case 8: return [0, 1, -1, 2, -0.5].randomElement(using: &generator)! * x
        case 9: return x.scaled(by: .inverseSize(x.shape.rows))
        case 10: return Bool.random(using: &generator) ? x + 0.25 : 1 - x
        case 11: return x.stopGradient
        case 12: return broadcastMate().map { x + $0 }
        case 13: return broadcastMate().map { x - $0 }
        case 14: return broadcastMate().map { x * $0.tanh }
        case 15: return broadcastMate().map { x / ($0.square + 1) }
        case 16: return broadcastMate().map { Bool.random(using: &generator) ? x.maximum($0) : x.minimum($0) }
        case 17: return leaves.filter { $0.shape == x.shape }.randomElement(using: &generator).map { x.masked(by: $0) }
        case 18:
            let condition = leaves.filter { $0.shape == x.shape }.randomElement(using: &generator)
            return condition.flatMap { c in mate { $0 == x.shape }.map { c.select(x, $0) } }
        case 19: return mate { $0.rows == x.shape.columns }.map { 0.5 * x.matmul($0) }
        case 20: return mate { $0.columns == x.shape.columns }.map { 0.5 * x.matmul($0, transposed: false, true) }
        case 21: return mate { $0.rows == x.shape.rows }.map { 0.5 * x.matmul($0, transposed: true, false) }
        case 22: return mate { $0.columns == x.shape.rows }.map { 0.5 * x.matmul($0, transposed: true, true) }
        case 23: return x.transposed
        case 24: return [x.sumOverRows, x.sumOverColumns, x.sum, x.mean].randomElement(using: &generator)!.tanh
        case 25:
            guard x.shape.columns.fixedValue != nil else { return nil }
            return mate { $0.rows == x.shape.rows && $0.columns.fixedValue != nil }.map { concatenate([x, $0]) }
        case 26:
            guard let width = x.shape.columns.fixedValue, width > 1 else { return nil }
            let start = Int.random(in: 0..<width - 1, using: &generator)
            return x.slice(columns: start..<Int.random(in: start + 1...width, using: &generator))
        case 27:
            guard isFixed else { return x.shape.rows == 1 ? x.broadcast(to: Shape(.support, x.shape.columns)) : nil }
            let count = x.shape.rows.fixedValue! * x.shape.columns.fixedValue!
            return x.reshaped(to: count % 2 == 0 ? Shape(2, .fixed(count / 2)) : Shape(.fixed(count), 1))
        case 28:
            guard x.shape.rows == .symbol(.table(0)) else { return nil }
            return x.bag(Bool.random(using: &generator) ? Indices(0, rows: .support) : Indices(1, rows: .query))
        case 29:
            let gram = x.tanh.matmul(x.tanh, transposed: false, true) + x.graph.identity(x.shape.rows)
            return mate { $0.rows == x.shape.rows }.map { gram.solve($0) }
        case 30:
            return (x.tanh.matmul(x.tanh, transposed: true, false) + x.graph.identity(x.shape.columns)).logDeterminant
        default:
            // Tasks without rows have a row maximum of minus infinity where columns are symbols.
            guard x.shape.columns.fixedValue != nil else { return nil }
            return [x.softmax, x.logSumExp, x.rowMax].randomElement(using: &generator)
        }
    }
}
