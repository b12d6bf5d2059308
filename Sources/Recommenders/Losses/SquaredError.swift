import Graph
import MetaLearning

/// `(o − y)²`, for ratings.
public struct SquaredError: Loss {
    /// Name and documentation.
    public static let schema = ComponentSchema(
        "squared_error", className: "SquaredError", options: [],
        documentation: "Squared error (o − y)², for ratings and other numbers. The prediction is o.")

    /// The loss.
    public init(_ options: Options) {}
    /// (o − y)²
    public func rows(_ output: Output, _ target: Value, _ θ: Parameters) -> Value { (output.mean - target).square }
    /// o
    public func prediction(_ output: Output, _ θ: Parameters) -> Value { output.mean }
}
