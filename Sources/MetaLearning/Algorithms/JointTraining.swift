import Graph

/// Plain transfer learning: what every meta-learner must be compared with.
public struct JointTraining: MetaAlgorithm {
    /// Name, options, documentation.
    public static let schema = ComponentSchema(
        "joint_training", className: "JointTraining",
        options: InnerLoop.options(without: "order"),
        documentation: """
            Plain transfer learning: train one model on everything, then fine-tune it on the new user's ratings.

            Outer gradient: ∇_θ L(θ; support and query), the ordinary gradient of the task's mean loss, with no inner
            loop and no meta-gradient. At prediction: θᵢ₊₁ = θᵢ − α ∇L(θᵢ; support), k times, from the trained θ.
            The floor that every meta-learner has to clear to be worth its name.
            """)

    private let inner: InnerLoop
    /// Number of inner steps, at prediction.
    public var innerSteps: Int { inner.steps }
    /// What the inner loop changes.
    public var adapts: AdaptedPart { inner.adapts }
    /// All rows.
    public var learnsFrom: Segment { .all }

    /// From checked options.
    public init(_ options: Options) { inner = InnerLoop(options, firstOrder: true) }

    /// θᵢ₊₁ = θᵢ − α ∇L(θᵢ; support)
    public func adapt(_ task: TaskProblem) -> Adaptation { inner.adapt(task) }

    /// ∇_θ L(θ; support and query)
    public func metaObjective(_ task: TaskProblem) -> MetaObjective {
        let loss = task.loss(.all, task.θ)
        return MetaObjective(loss: loss, gradients: gradients(of: loss, with: task.θ[task.θ.names]))
    }
}
