import Graph
import MetaLearning

/// What makes an output wrong, and what it predicts. One file each in `Losses/`, and a line in `Registry.losses`.
public protocol Loss: Sendable {
    /// Name, options, documentation.
    static var schema: ComponentSchema { get }
    /// From options checked against the schema.
    init(_ options: Options)

    /// Parameters of its own.
    var parameters: [ParameterRequest] { get }
    /// The loss of every row, `[rows, 1]`.
    func rows(_ output: Output, _ target: Value, _ θ: Parameters) -> Value
    /// The second derivatives of the rows' sum by the outputs: their diagonal, `[rows, 1]`, of a loss whose rows stand
    /// alone; all of them, `[rows, rows]`, of one that compares rows.
    func curvature(_ output: Output, _ target: Value, _ θ: Parameters) -> Value
    /// The prediction, `[rows, 1]`; in the targets' units, or a score.
    func prediction(_ output: Output, _ θ: Parameters) -> Value
    /// The values that targets can have, ascending; empty for losses without levels.
    var levels: [Double] { get }
    /// The level of every target, `[rows, levels]`, one 1 a row.
    func levels(of target: Value) -> Value?
    /// The probability of every level, `[rows, levels]`.
    func distribution(_ output: Output, _ θ: Parameters) -> Value?
    /// The output bias that suits targets of this mean best.
    func outputBias(forMean mean: Double) -> Double
    /// Refuses targets that the loss is not defined for.
    func accepts(_ target: Double) -> Bool
    /// What `accepts` wants, in words.
    var wanted: String { get }
    /// Whether outputs are in the targets' units, so that a regression of the targets can be the inner loop.
    var outputsTargets: Bool { get }
}

extension Loss {
    /// None.
    public var parameters: [ParameterRequest] { [] }
    /// Of rows that stand alone.
    public func curvature(_ output: Output, _ target: Value, _ θ: Parameters) -> Value {
        MetaLearning.curvature(of: rows(output, target, θ), output)
    }
    /// None.
    public var levels: [Double] { [] }
    /// None.
    public func levels(of target: Value) -> Value? { nil }
    /// None.
    public func distribution(_ output: Output, _ θ: Parameters) -> Value? { nil }
    /// The mean.
    public func outputBias(forMean mean: Double) -> Double { mean }
    /// Any number.
    public func accepts(_ target: Double) -> Bool { target.isFinite }
    /// A finite number.
    public var wanted: String { "a finite number" }
    /// Yes.
    public var outputsTargets: Bool { true }
}
