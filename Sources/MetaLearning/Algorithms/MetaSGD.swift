import Graph

/// MAML with learned step sizes (Li, Zhou, Chen and Li, 2017).
public struct MetaSGD: MetaAlgorithm {
    /// Name, options, documentation.
    public static let schema = ComponentSchema(
        "meta_sgd", className: "MetaSGD",
        options: InnerLoop.options,
        documentation: """
            MAML whose step sizes are learned, one for every adapted number.

            θᵢ₊₁ = θᵢ − α ∘ ∇L(θᵢ; support), where α has the shape of θ, starts at `inner_lr` everywhere and is learned
            with θ by the outer gradient ∇_(θ, α) L(θₖ; query). α may become negative. It is a parameter named
            "step_size.<name>"; for a table, one step size per column is shared by all rows.

            Li, Zhou, Chen and Li, "Meta-SGD: Learning to Learn Quickly for Few-Shot Learning", 2017.
            """)

    private let inner: InnerLoop
    /// Number of inner steps.
    public var innerSteps: Int { inner.steps }
    /// What the inner loop changes.
    public var adapts: AdaptedPart { inner.adapts }

    /// From checked options.
    public init(_ options: Options) { inner = InnerLoop(options) }

    /// The step sizes.
    public func additionalParameters(for adapted: [ParameterSpec]) -> [(spec: ParameterSpec, initialValue: Double)] {
        adapted.map { spec in
            let rows = spec.isTable ? 1 : spec.rows
            return (
                ParameterSpec(
                    "step_size.\(spec.name)", rows: rows, columns: spec.columns, rank: spec.isTable ? 1 : spec.rank,
                    group: "step_size"), inner.α
            )
        }
    }

    /// θᵢ₊₁ = θᵢ − α ∘ ∇L(θᵢ; support)
    public func adapt(_ task: TaskProblem) -> Adaptation {
        descend(task, steps: inner.steps, firstOrder: inner.firstOrder) { name, θ, g in
            θ - task.θ["step_size.\(name)"] * g
        }
    }

    /// ∇_(θ, α) L(θₖ; query)
    public func metaObjective(_ task: TaskProblem) -> MetaObjective {
        let loss = task.loss(.query, adapt(task).parameters)
        return MetaObjective(loss: loss, gradients: gradients(of: loss, with: task.θ[task.θ.names]))
    }
}
