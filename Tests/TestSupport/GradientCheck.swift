import Graph

/// A function of matrices, for checking its derivatives.
public struct GradientCase: CustomStringConvertible, Sendable {
    /// Shown when it fails.
    public let name: String
    /// Of the arguments.
    public let shapes: [(rows: Int, columns: Int)]
    /// Arguments stay at least so far from 0, where the function may have a kink or a pole.
    public let gap: Double
    /// Whether arguments are positive.
    public let isPositive: Bool
    /// Index inputs.
    public let indices: [IndexRows]
    /// The function.
    public let function: @Sendable (Graph, [Value]) -> Value

    /// A function to check.
    public init(
        _ name: String, _ shapes: [(rows: Int, columns: Int)], gap: Double = 0, isPositive: Bool = false,
        indices: [IndexRows] = [], _ function: @escaping @Sendable (Graph, [Value]) -> Value
    ) {
        (self.name, self.shapes, self.gap, self.isPositive) = (name, shapes, gap, isPositive)
        (self.indices, self.function) = (indices, function)
    }

    /// Its name.
    public var description: String { name }
}

/// The largest difference between a case's derivatives and central finite differences, relative to their size: first
/// derivatives of `sum(R * f(x))`, then second ones, of `sum(T * gradient)`, with random R and T.
public func derivativeErrors(_ test: GradientCase, seed: UInt64) throws -> (first: Double, second: Double) {
    var generator = TestGenerator(seed)
    let arguments = test.shapes.map { shape in
        var matrix = Matrix.random(shape.rows, shape.columns, gap: test.gap, using: &generator)
        if test.isPositive { matrix.elements = matrix.elements.map { Swift.abs($0) + 0.5 } }
        return matrix
    }
    let graph = Graph()
    let x = test.shapes.enumerated().map { index, shape in
        graph.parameter(index, Shape(.fixed(shape.rows), .fixed(shape.columns)))
    }
    let y = test.function(graph, x)
    var extra: [Matrix] = []
    func weighted(_ value: Value) -> Value {
        guard let rows = value.shape.rows.fixedValue, let columns = value.shape.columns.fixedValue else {
            return value.sum
        }
        extra.append(.random(rows, columns, using: &generator))
        return (value * graph.parameter(x.count + extra.count - 1, value.shape)).sum
    }
    let loss = weighted(y)
    let gradient = gradients(of: loss, with: x)
    let second = gradient.map(weighted).reduce(graph.constant(0, shape: .scalar), +)
    let hessian = gradients(of: second, with: x)
    let task = TestTask(indices: test.indices)
    func run(_ outputs: [Value], _ arguments: [Matrix]) throws -> [Matrix] {
        try evaluate(outputs, parameters: arguments + extra, tasks: [task])[0]
    }
    func error(_ function: Value, _ derivative: [Value]) throws -> Double {
        let exact = try run(derivative, arguments)
        var worst = 0.0
        let step = 1e-5
        for (index, argument) in arguments.enumerated() {
            for place in argument.elements.indices {
                var shifted = arguments
                shifted[index].elements[place] = argument.elements[place] + step
                let above = try run([function], shifted)[0].elements[0]
                shifted[index].elements[place] = argument.elements[place] - step
                let below = try run([function], shifted)[0].elements[0]
                let numeric = (above - below) / (2 * step)
                let found = exact[index].elements[place]
                worst = max(worst, Swift.abs(found - numeric) / (1 + Swift.abs(numeric)))
            }
        }
        return worst
    }
    return (try error(loss, gradient), try error(second, hessian))
}

/// Seeded random numbers for tests.
public struct TestGenerator: RandomNumberGenerator {
    private var state: UInt64
    /// The stream of this seed.
    public init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }
    /// The next 64 uniform bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z &>> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z &>> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z &>> 31)
    }
}
