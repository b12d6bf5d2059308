import Glibc
import Graph

/// The head by Bayesian linear regression on the support, with its uncertainty.
public struct BayesianLinear: MetaAlgorithm {
    /// Name, options, documentation.
    public static let schema = ComponentSchema(
        "bayesian_linear", className: "BayesianLinear",
        options: [
            .positive("precision", default: 1, "Where the learned prior precision p begins, for every weight."),
            .positive("noise", default: 0.5, "Where the learned noise variance n begins."),
            OptionSchema(
                "growth", .number(minimum: 0), default: .numbers([0]),
                "Where the precision g begins that every support row adds to that of every weight; 0: there is none."),
            .choice(
                "objective", default: "query", ["query", "marginal"],
                "What is learned from: the loss of the query, or the marginal likelihood of the support."),
            .integer(
                "attention", default: 0, minimum: 0, maximum: 64,
                "Heads of the attention over the support that corrects the result; 0: none."),
            OptionSchema(
                "hidden", .integers(minimum: 1), default: .numbers([128, 64]),
                "Widths of the correction's hidden layers."),
            OptionSchema(
                "l2", .number(minimum: 0), default: .numbers([0]), "Penalty on the squares of the attention's weights."),
            OptionSchema(
                "dropout", .fraction, default: .numbers([0]),
                "Probability p of dropping a unit of the correction's hidden layers while training."),
        ],
        documentation: """
            The inner loop is one solve: the posterior of a linear head, with its variance.

            The head w of a user has the prior N(μ, diag(1 / p)), μ = w₀ + U u from the user's features u; a target is
            y ~ N(Φ w + offset, n), Φ = [f, 1], with more noise for items known by their content alone. Then
            G = Φᵀ diag(1/n) Φ + diag(p),  w = μ + G⁻¹ Φᵀ diag(1/n) (y − offset − Φ μ),  var = φᵀ G⁻¹ φ + n.
            w₀, U, p and n are learned with the features, exactly through the solve.
            With `attention`, each query row looks at the support (a conditional neural process): what it sees corrects
            the logits of a distribution over levels, or the mean where the loss has no levels. Training drops units of the
            correction's hidden layers with probability `dropout`, as in "feature_mlp".

            With `growth`, diag(p) in G is diag(p + S g), for S support rows, and g is learned too: the more there is of a
            user, the more counts what is not there. That suits supports of clicks alone.

            The loss must be of outputs that are the targets themselves: not "logistic", nor one that ranks.

            Cost per task, S support rows and d features: S d² + d³ / 6 multiply-adds, and d² for each query row.

            Harrison, Sharma and Pavone, "Meta-Learning Priors for Efficient Online Bayesian Regression", WAFR 2018;
            Kim et al., "Attentive Neural Processes", ICLR 2019.
            """)

    private let precision: Double
    private let noise: Double
    private let growth: Double
    private let isMarginal: Bool
    private let attention: SupportAttention?
    /// One: the solve.
    public var innerSteps: Int { 1 }
    /// The head: to the posterior mean.
    public var adapts: AdaptedPart { .head }
    /// The query, or the support.
    public var learnsFrom: Segment { isMarginal ? .support : .query }

    /// With attention.
    public var corrects: Bool { attention != nil }

    /// From checked options.
    public init(_ options: Options) {
        precision = options.number("precision")
        noise = options.number("noise")
        growth = options.number("growth")
        isMarginal = options.text("objective") == "marginal"
        attention = SupportAttention(
            heads: options.integer("attention"), hidden: options.numbers("hidden").map { Int($0) },
            l2: options.number("l2"), dropout: options.number("dropout"))
    }

    /// Yes.
    public var regressesTargets: Bool { true }

    /// The attention's.
    public var unitDropout: UnitDropout? { attention?.dropout }

    /// Prior, noise, and the attention's.
    public func parameters(for shape: RepresentationShape, levels: Int) -> [ParameterRequest] {
        func request(_ name: String, rows: Int = 1, _ columns: Int, _ initializer: Initializer) -> ParameterRequest {
            let rank = rows == 1 ? 1 : 2
            return ParameterRequest(
                ParameterSpec("prior.\(name)", rows: rows, columns: columns, rank: rank, group: "algorithm"),
                initializer)
        }
        let grown = growth == 0 ? [] : [request("log_growth", shape.features + 1, .constant(log(growth)))]
        let user = shape.user == 0 ? [] : [request("user", rows: shape.user, shape.features + 1, .constant(0))]
        return [
            request("log_precision", shape.features + 1, .constant(log(precision))),
            request("log_noise", 1, .constant(log(noise))),
            request("log_content_noise", 1, .constant(log(noise / 2))),
        ] + grown + user + (attention?.parameters(for: shape, levels: levels) ?? [])
    }

    /// The head's posterior.
    private struct Posterior {
        let support: Representation
        /// Prior mean and posterior mean, `[features + 1, 1]`.
        let prior: Value
        let mean: Value
        /// G
        let precision: Value
        /// Of the support: noise, and what the prior does not explain.
        let noise: Value
        let residual: Value
        /// Φᵀ diag(1/n) residual
        let information: Value
    }

    private func posterior(_ task: TaskProblem) -> Posterior {
        let θ = task.θ
        let support = task.represent(.support, θ)
        let Φ = support.features.withOnes
        let μ = support.user.map { θ.head + $0.matmul(θ["prior.user"]).transposed } ?? θ.head
        let n = noise(of: support, θ)
        let p = priorPrecision(θ)
        let explained = support.offset.map { $0 + Φ.matmul(μ) } ?? Φ.matmul(μ)
        let residual = task.targets(.support) - explained
        let G = Φ.matmul(Φ / n, transposed: true, false) + Φ.graph.identity(Φ.shape.columns) * p
        let information = Φ.matmul(residual / n, transposed: true, false)
        return Posterior(
            support: support, prior: μ, mean: μ + G.solve(information), precision: G, noise: n, residual: residual,
            information: information)
    }

    /// p + S g, [1, features + 1].
    private func priorPrecision(_ θ: Parameters) -> Value {
        let p = θ["prior.log_precision"].exp
        return growth == 0 ? p : p + θ["prior.log_growth"].exp.scaled(by: .size(.support))
    }

    /// n, [rows, 1] or [1, 1].
    private func noise(of rows: Representation, _ θ: Parameters) -> Value {
        let n = θ["prior.log_noise"].exp
        return rows.known.map { n + (1 - $0) * θ["prior.log_content_noise"].exp } ?? n
    }

    /// w₀ moves to the posterior mean.
    public func adapt(_ task: TaskProblem) -> Adaptation {
        var θ = task.θ
        θ.moveHead(by: posterior(task).mean - θ.head)
        return Adaptation(parameters: θ, losses: [task.loss(.support, task.θ), task.loss(.support, θ)])
    }

    /// Mean, variance, and what attention has to add.
    public func output(_ task: TaskProblem) -> Output {
        let posterior = posterior(task)
        let query = task.represent(.query, task.θ)
        let φ = query.features.withOnes
        let covariance = posterior.precision.solve(φ.graph.identity(φ.shape.columns))
        let linear = φ.matmul(posterior.mean)
        let variance = (φ.matmul(covariance) * φ).sumOverColumns + noise(of: query, task.θ)
        var output = Output(mean: query.offset.map { linear + $0 } ?? linear, variance: variance)
        if let attention {
            let correction = attention.correction(task, posterior.support, query, output)
            if task.levels(.query) == nil {
                output.mean = output.mean + correction
            } else {
                output.correction = correction
            }
        }
        return output
    }

    /// ∇ L(query), or ∇ −log p(support) / S
    public func metaObjective(_ task: TaskProblem) -> MetaObjective {
        let loss = isMarginal ? marginal(task) : task.rowLosses(output(task), .query, task.θ).mean
        return MetaObjective(loss: loss, gradients: gradients(of: loss, with: task.θ[task.θ.names]))
    }

    /// −log N(y; Φμ + offset, diag n + Φ diag(1/p) Φᵀ) / S, by the features' determinants and not by the support's.
    private func marginal(_ task: TaskProblem) -> Value {
        let posterior = posterior(task)
        let n = posterior.noise.broadcast(to: posterior.residual.shape)
        let fit = (posterior.residual.square / n).sum
        let gain = posterior.information.matmul(
            posterior.precision.solve(posterior.information), transposed: true, false)
        let prior = growth == 0 ? task.θ["prior.log_precision"] : priorPrecision(task.θ).log
        let volume = posterior.precision.logDeterminant - prior.sum + n.log.sum
        let constant = n.graph.constant(log(2 * .pi), shape: n.shape).sum
        return (0.5 * (fit - gain + volume + constant)).scaled(by: .inverseSize(.support))
    }
}
