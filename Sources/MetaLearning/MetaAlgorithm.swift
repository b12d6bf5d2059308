import Graph

/// Which parameters the inner loop changes.
public enum AdaptedPart: String, Sendable, CaseIterable {
    /// The last layer.
    case head
    /// All layers above the embeddings, as in MeLU.
    case decision
    /// Everything, the embeddings of the task's rows included.
    case all

    /// Whether a parameter of this group belongs to the part. Groups: "embedding", "decision", "head".
    public func contains(_ group: String) -> Bool {
        switch self {
        case .head: group == "head"
        case .decision: group == "head" || group == "decision"
        case .all: group == "head" || group == "decision" || group == "embedding"
        }
    }
}

/// A way to learn to learn: how a task adapts the parameters, and what the tasks together do to them.
///
/// An algorithm builds graphs and knows nothing of recommenders. One file each in `Algorithms/`, and a line in
/// `Registry.algorithms`.
public protocol MetaAlgorithm: Sendable {
    /// Name, options, documentation.
    static var schema: ComponentSchema { get }
    /// From options checked against the schema.
    init(_ options: Options)

    /// Which parameters the inner loop changes.
    var adapts: AdaptedPart { get }
    /// Number of inner steps.
    var innerSteps: Int { get }
    /// Which rows the outer loop learns from.
    var learnsFrom: Segment { get }

    /// Whether its output has a correction, that of an attention.
    var corrects: Bool { get }
    /// Whether the inner loop is a regression of the targets, whatever the loss.
    var regressesTargets: Bool { get }

    /// Its own hidden units for rows of the query that training drops at random.
    var unitDropout: UnitDropout? { get }

    /// Parameters that the algorithm adds to the model's, given those that it adapts, with their initial value.
    func additionalParameters(for adapted: [ParameterSpec]) -> [(spec: ParameterSpec, initialValue: Double)]
    /// Parameters that the algorithm adds for a backbone and a loss of these widths.
    func parameters(for shape: RepresentationShape, levels: Int) -> [ParameterRequest]
    /// The inner loop.
    func adapt(_ task: TaskProblem) -> Adaptation
    /// What it says of the query after adaptation.
    func output(_ task: TaskProblem) -> Output
    /// The outer loop's objective for one task.
    func metaObjective(_ task: TaskProblem) -> MetaObjective
}

extension MetaAlgorithm {
    /// The query.
    public var learnsFrom: Segment { .query }
    /// No.
    public var corrects: Bool { false }
    /// No.
    public var regressesTargets: Bool { false }
    /// None.
    public var unitDropout: UnitDropout? { nil }
    /// None.
    public func additionalParameters(for adapted: [ParameterSpec]) -> [(spec: ParameterSpec, initialValue: Double)] {
        []
    }
    /// None.
    public func parameters(for shape: RepresentationShape, levels: Int) -> [ParameterRequest] { [] }
    /// The head's output with the adapted parameters.
    public func output(_ task: TaskProblem) -> Output { task.output(.query, adapt(task).parameters) }
}

/// Gradient descent on the support loss, `steps` times: `θ ← step(θ, ∇L(θ; support))` for each adapted parameter.
func descend(
    _ task: TaskProblem, steps: Int, firstOrder: Bool, step: (_ name: String, _ θ: Value, _ g: Value) -> Value
) -> Adaptation {
    var θ = task.θ
    var losses: [Value] = []
    for _ in 0..<steps {
        let loss = task.loss(.support, θ)
        losses.append(loss)
        let g = gradients(of: loss, with: θ[task.adapted])
        for (name, g) in zip(task.adapted, g) { θ[name] = step(name, θ[name], firstOrder ? g.stopGradient : g) }
    }
    losses.append(task.loss(.support, θ))
    return Adaptation(parameters: θ, losses: losses)
}
