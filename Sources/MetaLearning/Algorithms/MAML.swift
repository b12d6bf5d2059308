import Graph

/// Model-agnostic meta-learning (Finn, Abbeel and Levine, ICML 2017).
public struct MAML: MetaAlgorithm {
    /// Name, options, documentation.
    public static let schema = ComponentSchema(
        "maml", className: "MAML",
        options: InnerLoop.options,
        documentation: """
            Model-agnostic meta-learning: a starting point from which few gradient steps suffice.

            Inner loop, from θ₀ = θ: θᵢ₊₁ = θᵢ − α ∇L(θᵢ; support), k times, full batch.
            Outer gradient: ∇_θ L(θₖ(θ); query), exactly through all k steps (order 2) or with every inner gradient
            taken as a constant (order 1, FOMAML).

            Cost per task: about 3 (k + 1) passes over the support for order 1, twice as many for order 2.

            Finn, Abbeel and Levine, "Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks", ICML 2017.
            """)

    private let inner: InnerLoop
    /// Number of inner steps.
    public var innerSteps: Int { inner.steps }
    /// What the inner loop changes.
    public var adapts: AdaptedPart { inner.adapts }

    /// From checked options.
    public init(_ options: Options) { self.init(InnerLoop(options)) }

    init(_ inner: InnerLoop) { self.inner = inner }

    /// θᵢ₊₁ = θᵢ − α ∇L(θᵢ; support)
    public func adapt(_ task: TaskProblem) -> Adaptation { inner.adapt(task) }

    /// ∇_θ L(θₖ(θ); query)
    public func metaObjective(_ task: TaskProblem) -> MetaObjective {
        let loss = task.loss(.query, adapt(task).parameters)
        return MetaObjective(loss: loss, gradients: gradients(of: loss, with: task.θ[task.θ.names]))
    }
}
