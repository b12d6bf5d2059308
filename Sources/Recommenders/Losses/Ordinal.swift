import Glibc
import Graph
import MetaLearning

/// Cross entropy of an ordinal distribution over levels, for stars.
public struct Ordinal: Loss {
    /// Name, options, documentation.
    public static let schema = ComponentSchema(
        "ordinal", className: "Ordinal",
        options: [
            OptionSchema(
                "levels", .ascending(count: 2), default: .numbers([1, 2, 3, 4, 5]),
                "The values that targets can have; others count as the nearest of them."),
            OptionSchema(
                "squared_error", .number(minimum: 0), default: .numbers([0.3]),
                "Weight of the output's squared error beside the cross entropy."),
        ],
        documentation: """
            Ordinal loss: how probable the given star was, from one output and learned cuts between the stars.

            P(y ≤ level k) = 1 / (1 + exp(−(cutₖ − o) / s)), s = √v exp(a), with the algorithm's predictive variance v
            (1 without one), learned ascending cuts and scale a; an algorithm may correct the logits. The loss is
            −log P(y) + squared_error (o − y)². The prediction is the mean Σ P(level) level.

            McCullagh, "Regression Models for Ordinal Data", Journal of the Royal Statistical Society B, 1980.
            """)

    /// Ascending.
    public let levels: [Double]
    private let squaredError: Double

    /// From checked options.
    public init(_ options: Options) {
        levels = options.numbers("levels")
        squaredError = options.number("squared_error")
    }

    /// Between one level and the next.
    private var middles: [Double] { zip(levels, levels.dropFirst()).map { ($0 + $1) / 2 } }

    /// First cut, logarithms of the gaps to the next ones, logarithm of the scale.
    public var parameters: [ParameterRequest] {
        func request(_ name: String, _ numbers: [Double]) -> ParameterRequest {
            ParameterRequest(
                ParameterSpec("link.\(name)", rows: 1, columns: numbers.count, rank: 1, group: "link"), .values(numbers)
            )
        }
        let gaps = zip(middles, middles.dropFirst()).map { log($1 - $0) }
        return [request("cut", [middles[0]])] + (gaps.isEmpty ? [] : [request("log_gaps", gaps)])
            + [request("log_scale", [log(3.0.squareRoot() / .pi)])]
    }

    /// −log P(y) + squared_error (o − y)²
    public func rows(_ output: Output, _ target: Value, _ θ: Parameters) -> Value {
        let logits = logits(output, θ)
        let given = (oneHot(target) * logits).sumOverColumns
        return logits.logSumExp - given + squaredError * (output.mean - target).square
    }

    /// Σ P(level) level; without a correction by one sigmoid a cut, level₀ + Σ (levelₖ₊₁ − levelₖ) P(y > level k).
    public func prediction(_ output: Output, _ θ: Parameters) -> Value {
        if output.correction == nil {
            let gaps = zip(levels, levels.dropFirst()).map { $1 - $0 }
            let above = (-standardised(output, θ).z).sigmoid
            let graph = output.mean.graph
            let expected = above.matmul(row(gaps, in: graph), transposed: false, true)
            return expected + graph.constant(levels[0], shape: .scalar)
        }
        return logits(output, θ).softmax.matmul(row(levels, in: output.mean.graph), transposed: false, true)
    }

    /// P(level)
    public func distribution(_ output: Output, _ θ: Parameters) -> Value? { logits(output, θ).softmax }

    /// Of the nearest level.
    public func levels(of target: Value) -> Value? { oneHot(target) }

    private func oneHot(_ target: Value) -> Value {
        let above = target - row(middles, in: target.graph)
        let one = target.graph.constant(1, shape: above.shape)
        let isAbove = above.select(one, 0 * one)
        let column = one.slice(columns: 0..<1)
        return concatenate([column, isAbove]) - concatenate([isAbove, 0 * column])
    }

    /// (cutₖ − o) / s, `[rows, levels − 1]`, and s.
    private func standardised(_ output: Output, _ θ: Parameters) -> (z: Value, scale: Value) {
        var scale = θ["link.log_scale"].exp
        if let variance = output.variance { scale = scale * variance.sqrt }
        var cuts = [θ["link.cut"]]
        if levels.count > 2 {
            let gaps = θ["link.log_gaps"].exp
            for k in 0..<levels.count - 2 { cuts.append(cuts[k] + gaps.slice(columns: k..<k + 1)) }
        }
        return ((concatenate(cuts) - output.mean) / scale, scale)
    }

    /// The logarithms of the distribution, plus the correction:
    /// σ(b) − σ(a) = σ(b) (1 − σ(a)) (1 − exp(a − b)), of which each factor's logarithm is exact far from the cuts too.
    private func logits(_ output: Output, _ θ: Parameters) -> Value {
        let graph = output.mean.graph
        let (z, scale) = standardised(output, θ)
        let edge = graph.constant(0, shape: Shape(z.shape.rows, 1))
        var logits = concatenate([-(-z).softplus, edge]) + concatenate([edge, -z.softplus])
        if levels.count > 2 {
            let between = (1 - (-θ["link.log_gaps"].exp / scale).exp).log
            let wide = between.broadcast(to: Shape(z.shape.rows, between.shape.columns))
            logits = logits + concatenate([edge, wide, edge])
        }
        return output.correction.map { logits + $0 } ?? logits
    }
}

/// One row of numbers.
private func row(_ numbers: [Double], in graph: Graph) -> Value {
    concatenate(numbers.map { graph.constant($0, shape: .scalar) })
}
