import Glibc
import Graph
import MetaLearning

/// `−log N(y; o, v)`, for ratings, with a predictive variance.
public struct Gaussian: Loss {
    /// Name and documentation.
    public static let schema = ComponentSchema(
        "gaussian", className: "Gaussian", options: [],
        documentation: """
            Gaussian log-likelihood ((o − y)² / v + log v) / 2, for ratings and other numbers, up to a constant.
            v is the algorithm's predictive variance (`BayesianLinear`) times a learned factor, "link.log_variance"; of an
            algorithm without one the factor alone. The prediction is o.
            """)

    /// The loss.
    public init(_ options: Options) {}
    /// The factor's logarithm.
    public var parameters: [ParameterRequest] {
        [
            ParameterRequest(
                ParameterSpec("link.log_variance", rows: 1, columns: 1, rank: 1, group: "link"), .constant(0))
        ]
    }
    /// ((o − y)² / v + log v) / 2
    public func rows(_ output: Output, _ target: Value, _ θ: Parameters) -> Value {
        let factor = θ["link.log_variance"]
        let error = (output.mean - target).square
        guard let variance = output.variance else { return 0.5 * (error * (-factor).exp + factor) }
        return 0.5 * (error / (variance * factor.exp) + variance.log + factor)
    }
    /// o
    public func prediction(_ output: Output, _ θ: Parameters) -> Value { output.mean }
}
