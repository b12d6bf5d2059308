import Glibc
import Graph

/// The head by one ridge regression on the support (Bertinetto et al., ICLR 2019).
public struct Ridge: MetaAlgorithm {
    /// Name, options, documentation.
    public static let schema = ComponentSchema(
        "ridge", className: "Ridge",
        options: [
            .positive("precision", default: 1, "Where the learned penalty λ begins, for every weight."),
            .choice(
                "form", default: "primal", ["primal", "dual"],
                "Solve for the features' weights or for the support's; the same result, cheaper for fewer."),
        ],
        documentation: """
            The inner loop is one solve: ridge regression of the support's targets on the features under the head.

            With Φ = [f, 1] the features of the support, w₀ the shared head and λ a learned penalty for every weight:
            w = w₀ + (ΦᵀΦ + diag λ)⁻¹ Φᵀ (y − Φ w₀), that minimises Σ (y − Φ w)² + Σ λ (w − w₀)². Outer gradient:
            ∇ L(w, f; query), exactly through the solve, with respect to f, w₀ and λ ("ridge.log_precision").
            For another loss it is one Newton step from w₀, as in logistic regression: with g and h the first and second
            derivatives of the rows' losses, w = w₀ − (Φᵀ diag(h) Φ + 2 diag λ)⁻¹ Φᵀ g. Of a loss that compares rows the
            Hessian h is whole, and the form primal.

            Cost per task, S support rows and d features: S d² + d³ / 6 multiply-adds in the primal form, S² d + S³ / 6
            in the dual one, and about three times as much for the gradient. Primal is cheaper from S ≈ d on.

            Bertinetto, Henriques, Torr and Vedaldi, "Meta-Learning with Differentiable Closed-Form Solvers", ICLR 2019.
            """)

    private let precision: Double
    private let isDual: Bool
    /// One: the solve.
    public var innerSteps: Int { 1 }
    /// The head.
    public var adapts: AdaptedPart { .head }

    /// From checked options.
    public init(_ options: Options) {
        precision = options.number("precision")
        isDual = options.text("form") == "dual"
    }

    /// log λ.
    public func parameters(for shape: RepresentationShape, levels: Int) -> [ParameterRequest] {
        [
            ParameterRequest(
                ParameterSpec("ridge.log_precision", rows: 1, columns: shape.features + 1, rank: 1, group: "algorithm"),
                .constant(log(precision)))
        ]
    }

    /// w = w₀ − (Φᵀ diag(h) Φ + 2 diag λ)⁻¹ Φᵀ g
    public func adapt(_ task: TaskProblem) -> Adaptation {
        var θ = task.θ
        let before = task.output(.support, θ)
        let losses = task.rowLosses(before, .support, θ)
        let g = gradients(of: losses.sum, with: [before.mean])[0]
        let h = task.curvature(before, .support, θ)
        let comparesRows = h.shape.columns != 1
        let Φ = task.represent(.support, θ).features.withOnes
        let λ = 2 * θ["ridge.log_precision"].exp
        let step: Value
        if isDual && !comparesRows {
            // (ΦᵀHΦ + Λ)⁻¹ Φᵀ = Λ⁻¹ Φᵀ (Φ Λ⁻¹ Φᵀ + H⁻¹)⁻¹ H⁻¹
            let scaled = Φ / λ
            let gram = scaled.matmul(Φ, transposed: false, true) + Φ.graph.identity(Φ.shape.rows) / h
            step = scaled.matmul(gram.solve(g / h), transposed: true, false)
        } else {
            let curved = comparesRows ? h.matmul(Φ) : h * Φ
            let gram = Φ.matmul(curved, transposed: true, false) + Φ.graph.identity(Φ.shape.columns) * λ
            step = gram.solve(Φ.matmul(g, transposed: true, false))
        }
        θ.moveHead(by: -step)
        return Adaptation(parameters: θ, losses: [losses.mean, task.loss(.support, θ)])
    }

    /// ∇ L(w, f; query)
    public func metaObjective(_ task: TaskProblem) -> MetaObjective {
        let loss = task.loss(.query, adapt(task).parameters)
        return MetaObjective(loss: loss, gradients: gradients(of: loss, with: task.θ[task.θ.names]))
    }
}

extension Value {
    /// `[self | 1]`: features with one for the bias.
    var withOnes: Value { concatenate([self, graph.constant(1, shape: Shape(shape.rows, 1))]) }
}

extension Parameters {
    /// The head's weights and bias, one under the other, `[features + 1, 1]`.
    var head: Value { stack([self["head.weight"], self["head.bias"]]) }

    /// Adds `step` [features + 1, 1] to the head.
    mutating func moveHead(by step: Value) {
        let features = (step.shape.rows.fixedValue ?? 1) - 1
        self["head.weight"] = self["head.weight"] + step.slice(rows: 0..<features)
        self["head.bias"] = self["head.bias"] + step.slice(rows: features..<features + 1)
    }
}
