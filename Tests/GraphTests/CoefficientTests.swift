import TestSupport
import Testing

@testable import Graph

@Suite struct CoefficientTests {
    private func evaluate(_ coefficient: Coefficient, support: Int, query: Int = 1) -> Double {
        let graph = Graph()
        let shape = Shape(.symbol(.table(0)), 1)  // a size that the coefficient does not know
        let value = graph.input(0, shape).scaled(by: coefficient).sum
        let sizes: [Symbol: Int] = [.support: support, .query: query, .table(0): 1]
        let task = TestTask(sizes: sizes, inputs: [Matrix(1, 1, [1])])
        return (try? TestSupport.evaluate([value], tasks: [task]))?[0][0].elements[0] ?? .nan
    }

    @Test func sizesMultiplyAndDivide() {
        let (s, q) = (Coefficient.size(.support), Coefficient.size(.query))
        let (perS, perQ) = (Coefficient.inverseSize(.support), Coefficient.inverseSize(.query))
        #expect(evaluate(Coefficient(3) * s * q, support: 4, query: 5) == 60)
        #expect(evaluate(Coefficient(3) * perS * perS, support: 4) == 3.0 / 16)
        #expect(evaluate(-(s * perQ), support: 4, query: 8) == -0.5)
        #expect(evaluate(.size(5) * .inverseSize(2), support: 0) == 2.5)
    }

    @Test func nothingDividedByNoRowsIsZero() {
        let (s, perS) = (Coefficient.size(.support), Coefficient.inverseSize(.support))
        #expect(evaluate(perS, support: 0) == 0)
        #expect(evaluate(s * perS, support: 0) == 0 && evaluate(s * perS, support: 7) == 1)
        #expect(evaluate(perS * .size(.query), support: 0, query: 3) == 0)
        #expect(Coefficient.inverseSize(0) == Coefficient(0))
    }

    @Test func orderDoesNotMatterAndZeroForgetsSizes() {
        let (s, q) = (Coefficient.size(.support), Coefficient.inverseSize(.query))
        #expect(s * q == q * s && (s * q).hashValue == (q * s).hashValue)
        #expect(Coefficient(0) * s == Coefficient(0) && (Coefficient(0) * q).isZero)
        #expect(s.number == nil && (Coefficient(2) * Coefficient(0.5)).isOne && !s.isOne)
    }

    /// The mean of no rows is 0, and so is its gradient: not NaN.
    @Test func meansOfNoRowsAreZero() throws {
        let graph = Graph()
        let (x, w) = (graph.input(0, Shape(.support, 2)), graph.parameter(0, Shape(2, 1)))
        let loss = (x.matmul(w) - 1).square.mean
        let g = gradients(of: loss, with: [w])[0]
        let second = gradients(of: g.square.sum, with: [w])[0]
        let tasks = [0, 1, 3].map { rows in
            TestTask(sizes: [.support: rows], inputs: [Matrix(rows, 2) { _, _ in 1 }])
        }
        let found = try TestSupport.evaluate([loss, g, second], parameters: [Matrix(2, 1, [1, 2])], tasks: tasks)
        #expect(found[0].map(\.elements) == [[0], [0, 0], [0, 0]])
        // e = 2; g = 2 e x; d|g|²/dw = 2 · 8 · (2 · 2)/... by hand: |g|² = 8 e², e' = x: 16 e x = 32.
        for task in [1, 2] { #expect(found[task].map(\.elements) == [[4], [4, 4], [32, 32]]) }
    }
}
