import Graph

/// MAML that adapts the last layer alone (Raghu et al., ICLR 2020).
public struct ANIL: MetaAlgorithm {
    /// Name, options, documentation.
    public static let schema = ComponentSchema(
        "anil", className: "ANIL",
        options: InnerLoop.options(without: "adapt"),
        documentation: """
            Almost no inner loop: MAML that adapts the last layer alone.

            With φ the head and f the features under it: φᵢ₊₁ = φᵢ − α ∇_φ L(φᵢ, f; support), k times; outer gradient
            ∇_(φ, f) L(φₖ, f; query). The features are shared by all tasks and only the outer loop changes them.

            Cost per task: one pass over the support for the features, then k cheap steps on the head.

            Raghu, Raghu, Bengio and Vinyals, "Rapid Learning or Feature Reuse? Towards Understanding the Effectiveness
            of MAML", ICLR 2020.
            """)

    private let maml: MAML
    /// Number of inner steps.
    public var innerSteps: Int { maml.innerSteps }
    /// The head.
    public var adapts: AdaptedPart { .head }

    /// From checked options.
    public init(_ options: Options) { maml = MAML(InnerLoop(options, adapts: .head)) }

    /// φᵢ₊₁ = φᵢ − α ∇_φ L(φᵢ; support)
    public func adapt(_ task: TaskProblem) -> Adaptation { maml.adapt(task) }
    /// ∇ L(φₖ; query)
    public func metaObjective(_ task: TaskProblem) -> MetaObjective { maml.metaObjective(task) }
}
