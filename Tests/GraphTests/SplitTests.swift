import TestSupport
import Testing

@testable import Graph

/// A layer adapted to the support, `W - α Xᵀ G`, and applied to the query: `relu(Q (W - α Xᵀ G))`.
private struct Layer {
    static let (inputs, outputs) = (40, 3)
    let graph = Graph()

    var weight: Value { graph.parameter(0, Shape(.fixed(Layer.inputs), .fixed(Layer.outputs))) }
    var support: Value { graph.input(0, Shape(.support, .fixed(Layer.inputs))) }
    var errors: Value { graph.input(1, Shape(.support, .fixed(Layer.outputs))) }
    var query: Value { graph.input(2, Shape(.query, .fixed(Layer.inputs))) }

    var adapted: Value {
        weight - support.matmul(errors.square, transposed: true, false).scaled(by: .inverseSize(.support))
    }
    var scores: Value { query.matmul(adapted).relu }

    static func task(support: Int, query: Int, using generator: inout TestGenerator) -> TestTask {
        TestTask(
            sizes: [.support: support, .query: query],
            inputs: [(support, inputs), (support, outputs), (query, inputs)].map {
                Matrix.random($0.0, $0.1, using: &generator)
            })
    }
}

@Suite struct SplitTests {
    private func shapes(_ values: [Value]) -> Set<Shape> { Set(values.map(\.shape)) }

    /// With factors the late part reads X and G², which is computed once; else the adapted weight.
    @Test func theLatePartReadsWhatNoQueryEnters() throws {
        let factors = try Split([Layer().scores], late: [.query], firstInput: 3)
        let (i, o) = (Dimension.fixed(Layer.inputs), Dimension.fixed(Layer.outputs))
        #expect(shapes(factors.early) == [Shape(.support, i), Shape(.support, o)] && factors.early.count == 2)
        let whole = try Split([Layer().scores], late: [.query], firstInput: 3, without: [.gram, .factoring])
        #expect(shapes(whole.early) == [Shape(i, o)] && whole.early.count == 1)
        #expect(try Plan(whole.late).multiplyAdds(sizes: [7, 10]) == 10 * Layer.inputs * Layer.outputs)
        #expect(try Plan(whole.early).multiplyAdds(sizes: [7, 10]) == 7 * Layer.inputs * Layer.outputs)
    }

    @Test(arguments: [true, false], [(0, 3), (4, 1), (9, 6), (3, 0)])
    func thePartsComputeTheWhole(lowRank: Bool, sizes: (support: Int, query: Int)) throws {
        var generator = TestGenerator(3)
        let weight = Matrix.random(Layer.inputs, Layer.outputs, using: &generator)
        var task = Layer.task(support: sizes.support, query: sizes.query, using: &generator)
        let expected = try evaluate([Layer().scores], parameters: [weight], tasks: [task])[0][0]

        // In three: the user, the items, and what is left.
        let user = try Split(
            [Layer().scores], late: [.query], firstInput: 3, without: lowRank ? [] : [.gram, .factoring])
        let first = 3 + user.early.count
        let items = try Split(user.late, late: [.support], inputs: 3..<first, firstInput: first)
        #expect(items.early.allSatisfy { $0.shape.rows == .query })
        #expect(items.early.count == (lowRank ? 2 : 1))
        task.inputs += try evaluate(user.early, parameters: [weight], tasks: [task])[0]
        task.inputs += try evaluate(items.early, parameters: [weight], tasks: [task])[0]
        task.inputs[0...2] = [Matrix(0, 0, []), Matrix(0, 0, []), Matrix(0, 0, [])]  // not read any more
        let found = try evaluate(items.late, parameters: [weight], tasks: [task])[0][0]
        #expect(found.distance(to: expected) <= 1e-12 * (1 + expected.magnitude))
    }

    /// What is looked up in a table of few rows is multiplied by value: the scores read that table, and the items' part
    /// only what is looked up in the other. By hand: 4 8 columns once, and 8 columns for each of q candidates.
    @Test(arguments: [(3, 5), (0, 2), (12, 9)])
    func scoresReadTablesOfFewRows(sizes: (support: Int, query: Int)) throws {
        let graph = Graph()
        let (few, many, out) = (4, 30, 16)
        let tables = (0..<2).map { graph.input($0, Shape(.symbol(.table($0)), 8)) }
        let x = concatenate(tables.enumerated().map { $1.bag(Indices($0, rows: .support)) })
        let candidates = (2..<4).map { graph.input($0, Shape(.symbol(.table($0)), 8)) }
        let q = concatenate(candidates.enumerated().map { $1.bag(Indices(2 + $0, rows: .query)) })
        let errors = graph.input(4, Shape(.support, .fixed(out)))
        let weight = graph.parameter(0, Shape(16, .fixed(out)))
        let adapted = weight - x.matmul(errors.square, transposed: true, false)
        let scores = q.matmul(adapted).relu

        var generator = TestGenerator(5)
        let parameters = [Matrix.random(16, out, using: &generator)]
        let rows = [few, many, few, many].map { Matrix.random($0, 8, using: &generator) }
        let counts = [sizes.support, sizes.support, sizes.query, sizes.query]
        let indices = zip(counts, [few, many, few, many]).map { count, rows in
            IndexRows(ids: (0..<count).map { _ in Int32.random(in: -1..<Int32(rows), using: &generator) })
        }
        var task = TestTask(
            sizes: [
                .support: sizes.support, .query: sizes.query, .table(0): few, .table(1): many, .table(2): few,
                .table(3): many,
            ],
            inputs: rows + [Matrix.random(sizes.support, out, using: &generator)], indices: indices)
        let expected = interpret([scores], parameters: parameters, task: task)[0]

        let user = try Split(
            [scores], late: [.query, .table(2), .table(3)], firstInput: 5, expecting: [.query: 512, .table(2): few],
            without: [.gram, .factoring])
        let first = 5 + user.early.count
        let items = try Split(user.late, late: [.support], inputs: 5..<first, common: [2, 3], firstInput: first)
        #expect(items.early.allSatisfy { $0.shape.rows == .query })
        let plan = try Plan(items.late)
        #expect(plan.reads(input: 2) && !plan.reads(input: 3))
        #expect(plan.multiplyAdds(sizes: [0, 7, 7, 0, 0, few, 0]) == (few * 8 + 7 * 8) * out)
        task.inputs += try evaluate(user.early, parameters: parameters, tasks: [task])[0]
        task.inputs += try evaluate(items.early, parameters: parameters, tasks: [task])[0]
        let found = try evaluate(items.late, parameters: parameters, tasks: [task])[0][0]
        #expect(found.distance(to: expected) <= 1e-12 * (1 + expected.magnitude))
    }

    @Test func valuesCanBeKept() throws {
        let layer = Layer()
        let split = try Split([layer.scores], keeping: [layer.adapted], late: [.query], firstInput: 3)
        #expect(split.early.count == 3 && split.early[0].shape == layer.weight.shape)
    }

    @Test func whatIsTracedWronglyIsAnErrorHereToo() {
        let layer = Layer()
        let wrong = layer.query.matmul(layer.query)
        #expect(throws: MetarecError.self) { try Split([wrong], late: [.query], firstInput: 3) }
    }
}
