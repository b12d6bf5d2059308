import Kernels
import TestSupport
import Testing

@testable import Graph

@Suite struct SimplificationTests {
    private let graph = Graph()
    private let sizes: [(support: Int, query: Int, table: Int)] = [
        (0, 1, 0), (1, 1, 1), (2, 3, 4), (17, 5, 9), (0, 4, 3), (33, 0, 2),
    ]

    /// The operations that are left, leaves aside.
    private func left(_ value: Value) -> [String] {
        let outputs = simplify([value])
        return reachable(from: outputs).compactMap { id in
            let operation = outputs[0].graph.nodes[id].operation
            return operation is Parameter || operation is Input ? nil : "\(operation)"
        }
    }

    private func same(_ a: Value, _ b: Value) -> Bool {
        let both = simplify([a, b])
        return both[0] == both[1]
    }

    @Test func arithmeticWithConstants() {
        let x = graph.input(0, Shape(.support, 3))
        let (zero, one, two) = (
            graph.constant(0, shape: x.shape), graph.constant(1, shape: x.shape), graph.constant(2, shape: x.shape)
        )
        for same in [x + zero, zero + x, x - zero, x * one, one * x, x / one, 1 * x, x + 0, 0.5 * (2 * x), -(-x)] {
            #expect(self.same(same, x))
        }
        for gone in [x * zero, zero * x, x - x, 0 * x, zero.masked(by: x), 2 * zero, zero / x] {
            #expect(same(gone, zero))
        }
        #expect(same(x + x, x * two) && same(x + x, 2 * x))
        #expect(same(x * x, x.square))
        #expect(same(two + x, x + 2) && same(two - x, 2 - x) && same(x / two, 0.5 * x))
        #expect(same(two / x, 2 * x.reciprocal))
        #expect(same(two.square.sqrt, two) && same(two.square.reciprocal, graph.constant(0.25, shape: x.shape)))
        #expect(same((-two).relu, zero) && same((-two).abs, two) && same((-two).sign, -one))
    }

    @Test func constantsOfOneRowTakeTheWholeShape() throws {
        let x = graph.input(0, Shape(.support, 3))
        let row = graph.parameter(0, Shape(1, 3))
        let wide = graph.constant(2, shape: x.shape)
        for value in [row + wide, wide + row, row * wide, wide - row, row - wide, wide / row, row / wide] {
            let task = TestTask(sizes: [.support: 2], inputs: [Matrix(2, 3, [0, 0, 0, 0, 0, 0])])
            let row = Matrix(1, 3, [1, 2, 4])
            let found = try evaluate([value], parameters: [row], tasks: [task])[0][0]
            #expect(found == interpret([value], parameters: [row], task: task)[0] && found.rows == 2)
        }
    }

    @Test func scalesFloatOutOfLinearOperations() {
        let (x, w) = (graph.input(0, Shape(.support, 3)), graph.parameter(0, Shape(3, 4)))
        let (y, table) = (graph.input(1, x.shape), graph.input(2, Shape(.symbol(.table(0)), 4)))
        let indices = Indices(0, rows: .support)
        #expect(same((2 * x).matmul(3 * w), 6 * x.matmul(w)))
        #expect(same((2 * x).transposed, 2 * x.transposed) && same((2 * x).sum, 2 * x.sum))
        #expect(same((2 * x).slice(columns: 0..<2), 2 * x.slice(columns: 0..<2)))
        #expect(same((2 * w).reshaped(to: Shape(4, 3)), 2 * w.reshaped(to: Shape(4, 3))))
        #expect(same((2 * x) * (3 * y), 6 * (x * y)) && same((2 * x) / y, 2 * (x / y)))
        #expect(same((2 * x).masked(by: y), 2 * x.masked(by: y)))
        #expect(same((2 * table).bag(indices), 2 * table.bag(indices)))
        #expect(same((2 * x.sumOverRows).broadcast(to: x.shape), 2 * x.sumOverRows.broadcast(to: x.shape)))
        #expect(same(x + -y, x - y) && same(-y + x, x - y))
    }

    @Test func layoutOperationsCancel() {
        let (x, y) = (graph.input(0, Shape(.support, 3)), graph.input(1, Shape(.support, 2)))
        let w = graph.parameter(0, Shape(3, 4))
        let both = concatenate([x, y])
        #expect(same(x.transposed.transposed, x))
        #expect(same(both.slice(columns: 0..<3), x) && same(both.slice(columns: 3..<5), y))
        #expect(same(both.slice(columns: 1..<3), x.slice(columns: 1..<3)))
        #expect(same(both.slice(columns: 1..<5).slice(columns: 2..<4), y))
        #expect(same(x.slice(columns: 0..<3), x))
        #expect(same(w.reshaped(to: Shape(2, 6)).reshaped(to: Shape(3, 4)), w))
        #expect(same(w.transposed.matmul(x, transposed: false, true), x.matmul(w).transposed))
        #expect(left(x.matmul(w).transposed.transposed) == ["MatMul(transposeA: false, transposeB: false)"])
        #expect(same(x.transposed.matmul(x), x.matmul(x, transposed: true, false)))
    }

    @Test func sumsOfBroadcastsAreMultiples() {
        let (row, number) = (graph.parameter(0, Shape(1, 3)), graph.parameter(1, .scalar))
        let (size, shape) = (Coefficient.size(.support), Shape(.support, 3))
        #expect(same(row.broadcast(to: shape).sumOverRows, row.scaled(by: size)))
        #expect(same(row.broadcast(to: shape).sum, row.sum.scaled(by: size)))
        #expect(same(number.broadcast(to: shape).sum, (3 * number).scaled(by: size)))
        #expect(same(graph.constant(2, shape: shape).sum, graph.constant(Coefficient(6) * size, shape: .scalar)))
        #expect(same(row.sumOverRows, row) && same(number.sum, number))
    }

    @Test func masksOfReluAreDoneOnce() {
        let x = graph.input(0, Shape(.support, 3))
        #expect(same(x.relu.masked(by: x.relu), x.relu))
        #expect(same(x.masked(by: x.relu).masked(by: x.relu), x.masked(by: x.relu)))
    }

    @Test func deadAndEqualNodesGo() {
        let x = graph.input(0, Shape(.support, 3))
        _ = x.exp.sum
        #expect(left(x.tanh + x.tanh.stopGradient) == ["tanh", "\(Scale(coefficient: Coefficient(2)))"])
        #expect(left(0 * x.exp + x) == [])
    }

    /// Reassociation may move the last bits, and nothing else.
    private func check(
        _ outputs: [Value], _ seed: UInt64, tolerance: (double: Double, float: Double) = (1e-10, 1e-3),
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        var generator = TestGenerator(seed &+ 1000)
        let parameters = RandomFunction.parameters(using: &generator)
        let tasks = sizes.map {
            RandomFunction.task(support: $0.support, query: $0.query, table: $0.table, using: &generator)
        }
        let expected = tasks.map { interpret(outputs, parameters: parameters, task: $0) }
        for (precision, tolerance) in [(Precision.double, tolerance.double), (.float, tolerance.float)] {
            let found = try evaluate(outputs, parameters: parameters, tasks: tasks, precision: precision)
            for task in tasks.indices {
                for (place, (a, b)) in zip(found[task], expected[task]).enumerated() {
                    #expect(
                        a.distance(to: b) <= tolerance * (1 + b.magnitude),
                        "\(precision) seed \(seed), task \(sizes[task]), output \(place): \(a), wanted \(b)",
                        sourceLocation: sourceLocation)
                }
            }
        }
    }

    @Test(arguments: 0..<60) func plansComputeWhatWasTraced(seed: UInt64) throws {
        let graph = Graph()
        let (θ, inputs) = (RandomFunction.θ(in: graph), RandomFunction.inputs(in: graph))
        let function = RandomFunction(seed: seed, length: 30)
        let values = function.values(θ, inputs)
        // Outputs inside of chains and products too: every third value is one.
        let loss = function.loss(θ, inputs)
        let outputs = values.indices.filter { $0 % 3 == 0 }.map { values[$0] }
        try check(outputs + [loss] + gradients(of: loss, with: θ), seed)
    }

    /// What goes wrong when a rewrite hides a parameter from a later derivative shows from the second step on.
    @Test(arguments: 100..<125) func plansComputeGradientsThroughInnerSteps(seed: UInt64) throws {
        let graph = Graph()
        let (θ, inputs) = (RandomFunction.θ(in: graph), RandomFunction.inputs(in: graph))
        let function = RandomFunction(seed: seed, length: 12)
        var adapted = θ
        for _ in 0..<2 {
            let g = gradients(of: function.loss(adapted, inputs), with: adapted)
            adapted = zip(adapted, g).map { $0 - 0.1 * $1 }
        }
        let loss = function.loss(adapted, inputs)
        try check([loss] + gradients(of: loss, with: θ), seed)
    }
}
