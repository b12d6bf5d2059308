import Graph

/// Plain transfer learning: what every meta-learner must be compared with.
public struct JointTraining: MetaAlgorithm {
    /// Name, options, documentation.
    public static let schema = ComponentSchema(
        "joint_training", className: "JointTraining",
        options: MAML.schema.options.filter { $0.name != "order" },
        documentation: """
            Plain transfer learning: train one model on everything, then fine-tune it on the new user's ratings.

            Outer gradient: ∇_θ L(θ; support and query), the ordinary gradient of the task's mean loss, with no inner
            loop and no meta-gradient. At prediction: θᵢ₊₁ = θᵢ − α ∇L(θᵢ; support), k times, from the trained θ.
            The floor that every meta-learner has to clear to be worth its name.
            """)

    private let α: Double
    /// Number of inner steps, at prediction.
    public let innerSteps: Int
    /// What the inner loop changes.
    public let adapts: AdaptedPart
    /// All rows.
    public var learnsFrom: Segment { .all }

    /// From checked options.
    public init(_ options: Options) {
        α = options.number("inner_lr")
        innerSteps = options.integer("inner_steps")
        adapts = AdaptedPart(rawValue: options.text("adapt")) ?? .decision
    }

    /// θᵢ₊₁ = θᵢ − α ∇L(θᵢ; support)
    public func adapt(_ task: TaskProblem) -> Adaptation {
        descend(task, steps: innerSteps, firstOrder: true) { _, θ, g in θ - α * g }
    }

    /// ∇_θ L(θ; support and query)
    public func metaObjective(_ task: TaskProblem) -> MetaObjective {
        let loss = task.loss(.all, task.θ)
        return MetaObjective(loss: loss, gradients: gradients(of: loss, with: task.θ[task.θ.names]))
    }
}
