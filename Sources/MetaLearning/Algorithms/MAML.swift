import Graph

/// Model-agnostic meta-learning (Finn, Abbeel and Levine, ICML 2017).
public struct MAML: MetaAlgorithm {
    /// Name, options, documentation.
    public static let schema = ComponentSchema(
        "maml", className: "MAML",
        options: [
            .positive("inner_lr", default: 0.01, "Step size α of the inner loop."),
            .integer("inner_steps", default: 1, minimum: 0, maximum: 100, "Number of inner steps k."),
            .integer(
                "order", default: 2, minimum: 1, maximum: 2,
                "2: exact meta-gradient; 1: inner gradients count as constants."),
            .choice("adapt", default: "decision", AdaptedPart.allCases.map(\.rawValue), "What the inner loop changes."),
        ],
        documentation: """
            Model-agnostic meta-learning: a starting point from which few gradient steps suffice.

            Inner loop, from θ₀ = θ: θᵢ₊₁ = θᵢ − α ∇L(θᵢ; support), k times, full batch.
            Outer gradient: ∇_θ L(θₖ(θ); query), exactly through all k steps (order 2) or with every inner gradient
            taken as a constant (order 1, FOMAML).

            Cost per task: about 3 (k + 1) passes over the support for order 1, twice as many for order 2.

            Finn, Abbeel and Levine, "Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks", ICML 2017.
            """)

    let α: Double
    /// Number of inner steps.
    public let innerSteps: Int
    let firstOrder: Bool
    /// What the inner loop changes.
    public let adapts: AdaptedPart

    init(α: Double, innerSteps: Int, firstOrder: Bool, adapts: AdaptedPart) {
        self.α = α
        self.innerSteps = innerSteps
        self.firstOrder = firstOrder
        self.adapts = adapts
    }

    /// From checked options.
    public init(_ options: Options) {
        self.init(
            α: options.number("inner_lr"), innerSteps: options.integer("inner_steps"),
            firstOrder: options.integer("order") == 1,
            adapts: AdaptedPart(rawValue: options.text("adapt")) ?? .decision)
    }

    /// θᵢ₊₁ = θᵢ − α ∇L(θᵢ; support)
    public func adapt(_ task: TaskProblem) -> Adaptation {
        descend(task, steps: innerSteps, firstOrder: firstOrder) { _, θ, g in θ - α * g }
    }

    /// ∇_θ L(θₖ(θ); query)
    public func metaObjective(_ task: TaskProblem) -> MetaObjective {
        let loss = task.loss(.query, adapt(task).parameters)
        return MetaObjective(loss: loss, gradients: gradients(of: loss, with: task.θ[task.θ.names]))
    }
}
