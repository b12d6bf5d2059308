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
