import Foundation
import TestSupport
import Testing

@testable import Graph

/// Every operation, once or more. `everyOperationIsChecked` sees to it that none is forgotten.
private let cases: [GradientCase] =
    [
        GradientCase("relu", [(3, 4)], gap: 0.1) { $1[0].relu },
        GradientCase("sigmoid", [(3, 4)]) { $1[0].sigmoid },
        GradientCase("tanh", [(3, 4)]) { $1[0].tanh },
        GradientCase("softplus", [(3, 4)]) { $1[0].softplus },
        GradientCase("exp", [(3, 4)]) { $1[0].exp },
        GradientCase("log", [(3, 4)], isPositive: true) { $1[0].log },
        GradientCase("sqrt", [(3, 4)], isPositive: true) { $1[0].sqrt },
        GradientCase("square", [(3, 4)]) { $1[0].square },
        GradientCase("abs", [(3, 4)], gap: 0.1) { $1[0].abs },
        GradientCase("sign", [(3, 4)], gap: 0.1) { $1[0].sign * $1[0] },
        GradientCase("reciprocal", [(3, 4)], isPositive: true) { $1[0].reciprocal },
        GradientCase("add", [(3, 4), (3, 4)]) { ($1[0] + $1[1]).square },
        GradientCase("add row", [(3, 4), (1, 4)]) { ($1[0] + $1[1]).tanh },
        GradientCase("add column", [(3, 4), (3, 1)]) { ($1[1] + $1[0]).tanh },
        GradientCase("outer sum", [(1, 4), (3, 1)]) { ($1[1] + $1[0]).tanh },
        GradientCase("subtract", [(3, 4), (1, 1)]) { ($1[0] - $1[1]).tanh },
        GradientCase("subtract from", [(3, 4), (1, 4)]) { ($1[1] - $1[0]).tanh },
        GradientCase("multiply", [(3, 4), (3, 1)]) { $1[0] * $1[1] * $1[0] },
        GradientCase("divide", [(3, 4), (3, 4)], isPositive: true) { $1[0] / $1[1] },
        GradientCase("divide by row", [(3, 4), (1, 4)], isPositive: true) { $1[0] / $1[1] },
        GradientCase("maximum", [(3, 4), (1, 4)]) { $1[0].maximum($1[1]) * $1[0] },
        GradientCase("minimum", [(3, 4), (3, 1)]) { $1[0].minimum($1[1]) * $1[0] },
        GradientCase("mask", [(3, 4), (3, 4)], gap: 0.1) { $1[0].square.masked(by: $1[1]) * $1[1] },
        GradientCase("equal", [(3, 4), (3, 4)]) { $1[0].equals($1[1]) + $1[0] * $1[1] },
        GradientCase("select", [(3, 4), (3, 4), (3, 4)], gap: 0.1) { $1[0].select($1[1].square, $1[2] * $1[0]) },
        GradientCase("scale", [(3, 4)]) { -2.5 * $1[0].square },
        GradientCase("offset", [(3, 4)]) { (1.5 - $1[0]).square },
        GradientCase("sum of rows", [(3, 4)]) { $1[0].square.sumOverRows.tanh },
        GradientCase("sum of columns", [(3, 4)]) { $1[0].square.sumOverColumns.tanh },
        GradientCase("sum", [(3, 4)]) { $1[0].square.sum.tanh },
        GradientCase("mean", [(3, 4)]) { $1[0].square.mean.exp },
        GradientCase("broadcast row", [(1, 4)]) { $1[0].square.broadcast(to: Shape(3, 4)).tanh },
        GradientCase("broadcast column", [(3, 1)]) { $1[0].square.broadcast(to: Shape(3, 4)).tanh },
        GradientCase("broadcast number", [(1, 1)]) { $1[0].square.broadcast(to: Shape(3, 4)).tanh },
        GradientCase("matmul", [(3, 4), (4, 5)]) { $1[0].matmul($1[1]).tanh },
        GradientCase("matmul TN", [(4, 3), (4, 5)]) { $1[0].matmul($1[1], transposed: true, false).tanh },
        GradientCase("matmul NT", [(3, 4), (5, 4)]) { $1[0].matmul($1[1], transposed: false, true).tanh },
        GradientCase("matmul TT", [(4, 3), (5, 4)]) { $1[0].matmul($1[1], transposed: true, true).tanh },
        GradientCase("matrix times column", [(3, 4), (4, 1)]) { $1[0].matmul($1[1]).square },
        GradientCase("row times matrix", [(1, 4), (4, 5)]) { $1[0].matmul($1[1]).square },
        GradientCase("outer product", [(3, 1), (1, 5)]) { $1[0].matmul($1[1]).square },
        GradientCase("inner product", [(1, 5), (5, 1)]) { $1[0].matmul($1[1]).exp },
        GradientCase("Gram", [(3, 4)]) { $1[0].matmul($1[0], transposed: false, true).tanh },
        GradientCase("transpose", [(3, 4), (4, 3)]) { $1[0].transposed * $1[1].square },
        GradientCase("row max", [(3, 4)]) { $1[0].rowMax * $1[0] },
        GradientCase("softmax", [(3, 4)]) { $1[0].softmax },
        GradientCase("log sum exp", [(3, 4)]) { $1[0].logSumExp },
        GradientCase("solve", [(4, 4), (4, 3)]) { positive($1[0]).solve($1[1]) },
        GradientCase("solve a column", [(4, 4), (4, 1)]) { positive($1[0]).solve($1[1]).tanh },
        GradientCase("inverse", [(3, 3)]) { positive($1[0]).solve($0.identity(3)).tanh },
        GradientCase("log determinant", [(4, 4)]) { positive($1[0]).logDeterminant },
        GradientCase("log determinant and solve", [(4, 4), (4, 1)]) {
            let a = positive($1[0])
            return a.logDeterminant * $1[1].matmul(a.solve($1[1]), transposed: true, false)
        },
        GradientCase("diagonal matrix", [(1, 4), (4, 2)], isPositive: true) {
            ($0.identity(4) * $1[0]).solve($1[1])
        },
        GradientCase("concatenate", [(3, 2), (3, 4), (3, 1)]) { concatenate($1).tanh },
        GradientCase("concatenate twice", [(3, 2)]) { concatenate([$1[0].square, $1[0]]).tanh },
        GradientCase("slice", [(3, 5)]) { $1[0].slice(columns: 1..<4).tanh },
        GradientCase("slice then multiply", [(3, 5), (3, 2)]) { $1[0].slice(columns: 1..<4).matmul($1[1]).tanh },
        GradientCase("stack", [(2, 3), (4, 3), (1, 3)]) { stack($1 + [$1[0]]).tanh },
        GradientCase("slice rows", [(5, 3)]) { $1[0].slice(rows: 1..<4).tanh },
        GradientCase("slice rows then multiply", [(5, 3), (3, 2)]) { $1[0].slice(rows: 1..<4).matmul($1[1]).tanh },
        GradientCase("reshape", [(3, 4)]) { $1[0].reshaped(to: Shape(2, 6)).tanh.sumOverRows },
        GradientCase("reshape a slice", [(4, 5)]) {
            $1[0].slice(columns: 1..<4).reshaped(to: Shape(3, 4)).tanh.sumOverRows
        },
        GradientCase("transpose a slice's column", [(4, 5), (1, 4)]) {
            $1[0].slice(columns: 2..<3).transposed.tanh * $1[1]
        },
        GradientCase(
            "bag", [(5, 3)], indices: [IndexRows(ids: [0, 4, -1, 4])]
        ) { $1[0].square.bag(Indices(0, rows: 4)).tanh },
        GradientCase(
            "bag of means", [(5, 3)],
            indices: [IndexRows(ids: [0, 1, 1, 4], offsets: [0, 3, 3, 4], weights: [1.0 / 3, 0, 1])]
        ) { $1[0].bag(Indices(0, rows: 3)).tanh },
        GradientCase(
            "transposed bag", [(3, 2)],
            indices: [IndexRows(ids: [0, 1, 1, 4], offsets: [0, 3, 3, 4], weights: [1.0 / 3, 0, 1])]
        ) { $0.append(BagTransposed(indices: Indices(0, rows: 3), tableRows: 5), $1[0].square).tanh },
        GradientCase("stop gradient", [(3, 4)]) { $1[0].square + $1[0].stopGradient - $1[0].stopGradient },
        GradientCase("two-layer network", [(6, 4), (4, 5), (1, 5), (5, 1), (1, 1)], gap: 0.05) { _, x in
            ((x[0].matmul(x[1]) + x[2]).relu.matmul(x[3]) + x[4]).square.mean
        },
    ]

/// M Mᵀ + I, positive definite and symmetric however M is shifted.
private func positive(_ m: Value) -> Value {
    m.matmul(m, transposed: false, true) + m.graph.identity(m.shape.rows)
}

@Test(arguments: cases)
func derivativesAgreeWithFiniteDifferences(_ test: GradientCase) throws {
    let errors = try derivativeErrors(test, seed: 7)
    #expect(errors.first < 1e-7, "first derivative")
    #expect(errors.second < 1e-6, "second derivative")
}

/// Operations are found in the sources, so a new one without a case fails here.
@Test func everyOperationIsChecked() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "../../Sources/Graph/Operations")
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    let declared = try files.flatMap { file in
        try String(contentsOf: file, encoding: .utf8).matches(of: /(?:struct|enum) (\w+): (?:Chain)?Operation/)
            .map { String($0.output.1) }
    }
    var used: Set<String> = ["Input", "StopGradient"]  // leaf of tasks; identity
    var functions: Set<String> = []
    for test in cases {
        let graph = Graph()
        let x = test.shapes.enumerated().map { index, shape in
            graph.parameter(index, Shape(.fixed(shape.rows), .fixed(shape.columns)))
        }
        _ = gradients(of: test.function(graph, x).sum, with: x)
        for node in graph.nodes {
            used.insert("\(type(of: node.operation))")
            if node.operation is Unary || node.operation is Binary { functions.insert("\(node.operation)") }
        }
    }
    #expect(declared.count >= 15)
    for name in declared { #expect(used.contains(name), "no derivative test for \(name)") }
    for function in Unary.allCases { #expect(functions.contains("\(function)")) }
    for function in Binary.allCases { #expect(functions.contains("\(function)")) }
}

@Test func stoppedGradientsAreConstants() throws {
    let graph = Graph()
    let x = graph.parameter(0, Shape(1, 1))
    let g = gradients(of: x * x.stopGradient, with: [x])[0]
    #expect(try evaluate([g], parameters: [Matrix(1, 1, [3])])[0][0].elements == [3])
}

@Test func unreachedValuesHaveGradientZero() throws {
    let graph = Graph()
    let (x, y) = (graph.parameter(0, Shape(1, 1)), graph.parameter(1, Shape(2, 3)))
    let g = gradients(of: x.square, with: [y])[0]
    #expect(try evaluate([g], parameters: [Matrix(1, 1, [3])])[0][0].elements == [0, 0, 0, 0, 0, 0])
}

@Test func hessiansAreSymmetric() throws {
    var generator = TestGenerator(3)
    let graph = Graph()
    let x = graph.parameter(0, Shape(4, 3))
    let (u, v) = (graph.parameter(1, Shape(4, 3)), graph.parameter(2, Shape(4, 3)))
    let loss = (x.matmul(x.tanh, transposed: false, true).softplus * x.sumOverColumns).sum
    let g = gradients(of: loss, with: [x])[0]
    let uHv = (gradients(of: (g * v).sum, with: [x])[0] * u).sum
    let vHu = (gradients(of: (g * u).sum, with: [x])[0] * v).sum
    let matrices = (0..<3).map { _ in Matrix.random(4, 3, using: &generator) }
    let result = try evaluate([uHv, vHu], parameters: matrices)[0].map { $0.elements[0] }
    #expect(abs(result[0] - result[1]) < 1e-12 * abs(result[0]).rounded(.up))
    #expect(abs(result[0]) > 0.01)
}

@Test func thirdDerivativesAreExact() throws {
    // d³/dx³ of x⁵ = 60 x²
    let graph = Graph()
    let x = graph.parameter(0, .scalar)
    var value = x.square.square * x
    for _ in 0..<3 { value = gradients(of: value, with: [x])[0] }
    #expect(try evaluate([value], parameters: [Matrix(1, 1, [1.5])])[0][0].elements == [60 * 1.5 * 1.5])
}

@Test func misfitsAreReportedWhenCompiling() throws {
    let graph = Graph()
    let product = graph.parameter(0, Shape(2, 3)).matmul(graph.parameter(1, Shape(4, 5)))
    #expect(throws: MetarecError.value("matmul: [2, 3] times [4, 5]: the inner dimensions differ")) {
        _ = try Plan([product])
    }
}
