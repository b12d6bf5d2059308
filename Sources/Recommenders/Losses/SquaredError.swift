import Graph
import MetaLearning

/// `(o − y)²`, for ratings.
public struct SquaredError: Loss {
    /// Name and documentation.
    public static let schema = ComponentSchema(
        "squared_error", className: "SquaredError", options: [],
        documentation: "Squared error (o − y)², for ratings and other numbers. The prediction is o.")

    /// The loss.
    public init() {}
    /// (o − y)²
    public func rows(_ output: Value, _ target: Value) -> Value { (output - target).square }
    /// o
    public func prediction(_ output: Value) -> Value { output }
    /// The mean.
    public func outputBias(forMean mean: Double) -> Double { mean }
    /// Any number.
    public func accepts(_ target: Double) -> Bool { target.isFinite }
    /// A finite number.
    public var wanted: String { "a finite number" }
}
