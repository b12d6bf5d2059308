import Graph

/// Reptile (Nichol, Achiam and Schulman, 2018).
public struct Reptile: MetaAlgorithm {
    /// Name, options, documentation.
    public static let schema = ComponentSchema(
        "reptile", className: "Reptile",
        options: InnerLoop.options(without: "order"),
        documentation: """
            Moves the starting point towards where each task ends up.

            Inner loop as in MAML on the support. Outer direction: (θ − θₖ) / α = Σᵢ ∇L(θᵢ; support), the sum of the
            inner gradients; parameters that the inner loop holds fixed get the sum of their gradients likewise. No
            second derivatives and no query rows: the reported loss is the query's, but learning is from the support.

            Nichol, Achiam and Schulman, "On First-Order Meta-Learning Algorithms", 2018.
            """)

    private let inner: InnerLoop
    /// Number of inner steps.
    public var innerSteps: Int { inner.steps }
    /// What the inner loop changes.
    public var adapts: AdaptedPart { inner.adapts }
    /// The support.
    public var learnsFrom: Segment { .support }

    /// From checked options.
    public init(_ options: Options) { inner = InnerLoop(options, firstOrder: true) }

    /// θᵢ₊₁ = θᵢ − α ∇L(θᵢ; support)
    public func adapt(_ task: TaskProblem) -> Adaptation { inner.adapt(task) }

    /// Σᵢ ∇L(θᵢ; support)
    public func metaObjective(_ task: TaskProblem) -> MetaObjective {
        var θ = task.θ
        var sum = θ[θ.names].map { 0 * $0 }
        for _ in 0..<innerSteps {
            let g = gradients(of: task.loss(.support, θ), with: θ[θ.names])
            sum = zip(sum, g).map { $0 + $1 }
            for (name, g) in zip(θ.names, g) where task.adapted.contains(name) {
                θ[name] = θ[name] - inner.α * g.stopGradient
            }
        }
        return MetaObjective(loss: task.loss(.query, θ), gradients: sum)
    }
}
