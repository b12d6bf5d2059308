import Graph
import MetaLearning

/// What makes an output wrong, and what it predicts. One file each in `Losses/`, and a line in `Registry.losses`.
public protocol Loss: Sendable {
    /// Name and documentation.
    static var schema: ComponentSchema { get }
    /// The loss of every row, `[rows, 1]`.
    func rows(_ output: Value, _ target: Value) -> Value
    /// The prediction, `[rows, 1]`, in the targets' units.
    func prediction(_ output: Value) -> Value
    /// The output bias that suits targets of this mean best.
    func outputBias(forMean mean: Double) -> Double
    /// Refuses targets that the loss is not defined for.
    func accepts(_ target: Double) -> Bool
    /// What `accepts` wants, in words.
    var wanted: String { get }
    /// Without options.
    init()
}
