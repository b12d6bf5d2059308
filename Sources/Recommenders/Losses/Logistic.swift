import Glibc
import Graph
import MetaLearning

/// `log(1 + exp(o)) − o y`, for clicks.
public struct Logistic: Loss {
    /// Name and documentation.
    public static let schema = ComponentSchema(
        "logistic", className: "Logistic", options: [],
        documentation: """
            Logistic loss log(1 + exp(o)) − o y, for clicks and other targets in [0, 1].
            The prediction is the probability 1 / (1 + exp(−o)).
            """)

    /// The loss.
    public init(_ options: Options) {}
    /// log(1 + exp(o)) − o y
    public func rows(_ output: Output, _ target: Value, _ θ: Parameters) -> Value {
        output.mean.softplus - output.mean * target
    }
    /// 1 / (1 + exp(−o))
    public func prediction(_ output: Output, _ θ: Parameters) -> Value { output.mean.sigmoid }
    /// The log-odds of the mean, kept off certainty.
    public func outputBias(forMean mean: Double) -> Double {
        let p = min(max(mean, 1e-3), 1 - 1e-3)
        return log(p / (1 - p))
    }
    /// A probability.
    public func accepts(_ target: Double) -> Bool { (0...1).contains(target) }
    /// A number from 0 to 1.
    public var wanted: String { "a number in [0, 1]" }
}
