import Glibc
import Graph
import MetaLearning

/// `log(1 + exp(o)) − o y`, for clicks.
public struct Logistic: Loss {
    /// Name, options, documentation.
    public static let schema = ComponentSchema(
        "logistic", className: "Logistic",
        options: [
            .positive("positive_weight", default: 1, "How much a click counts beside a row of 0.")
        ],
        documentation: """
            Logistic loss w y log(1 + exp(−o)) + (1 − y) log(1 + exp(o)), for clicks and other targets y in [0, 1].
            w is `positive_weight`. The prediction is the probability 1 / (1 + exp(−o)), for w = 1 that of a click among
            the rows that there are.
            """)

    private let weight: Double

    /// From checked options.
    public init(_ options: Options) { weight = options.number("positive_weight") }
    /// (1 + (w − 1) y) log(1 + exp(o)) − w o y
    public func rows(_ output: Output, _ target: Value, _ θ: Parameters) -> Value {
        let o = output.mean
        if weight == 1 { return o.softplus - o * target }
        return ((weight - 1) * target + 1) * o.softplus - weight * (o * target)
    }
    /// 1 / (1 + exp(−o))
    public func prediction(_ output: Output, _ θ: Parameters) -> Value { output.mean.sigmoid }
    /// The log-odds of the mean, kept off certainty, and of the weight.
    public func outputBias(forMean mean: Double) -> Double {
        let p = min(max(mean, 1e-3), 1 - 1e-3)
        return log(weight * p / (1 - p))
    }
    /// A probability.
    public func accepts(_ target: Double) -> Bool { (0...1).contains(target) }
    /// A number from 0 to 1.
    public var wanted: String { "a number in [0, 1]" }
    /// No: they are log-odds.
    public var outputsTargets: Bool { false }
}
