import Graph
import MetaLearning

/// `−log σ(oᵢ − oⱼ)`, the mean over the negatives j, of every positive row i, for clicks.
public struct BPR: Loss {
    /// Name and documentation.
    public static let schema = ComponentSchema(
        "bpr", className: "BPR", options: [],
        documentation: """
            Bayesian personalised ranking: every click above the negatives of its task, for clicks with sampled negatives.

            A row whose target yᵢ is above 0 is a click of weight yᵢ (1, or a confidence such as 1 + α log(1 + count)); rows
            of 0 are negatives. A click's loss is yᵢ log(1 + exp(oⱼ − oᵢ)), its mean over the negatives j of the same
            support or query; a negative has none of its own. Without negatives the loss is 0, and nothing is learned
            from it. The prediction is the score o: it ranks, and has no unit. Cost: the square of a task's rows.

            Rendle, Freudenthaler, Gantner and Schmidt-Thieme, "BPR: Bayesian Personalized Ranking from Implicit
            Feedback", UAI 2009.
            """)

    /// The loss.
    public init(_ options: Options) {}
    /// y Σⱼ log(1 + exp(oⱼ − o)) / negatives
    public func rows(_ output: Output, _ target: Value, _ θ: Parameters) -> Value {
        target * gaps(output).softplus.matmul(shares(target))
    }
    /// o
    public func prediction(_ output: Output, _ θ: Parameters) -> Value { output.mean }
    /// With pᵢⱼ = yᵢ σ′(oⱼ − oᵢ) / negatives: diag(p 1 + pᵀ 1) − p − pᵀ.
    public func curvature(_ output: Output, _ target: Value, _ θ: Parameters) -> Value {
        let s = gaps(output).sigmoid
        let p = target * (s * (1 - s)) * shares(target).transposed
        let sums = p.sumOverColumns + p.sumOverRows.transposed
        return p.graph.identity(target.shape.rows) * sums - p - p.transposed
    }
    /// 0: adding the same to every score changes nothing.
    public func outputBias(forMean mean: Double) -> Double { 0 }
    /// A weight.
    public func accepts(_ target: Double) -> Bool { target >= 0 && target.isFinite }
    /// A weight.
    public var wanted: String { Softmax.weight }
    /// No: they are scores.
    public var outputsTargets: Bool { false }

    /// oⱼ − oᵢ, `[rows i, rows j]`.
    private func gaps(_ output: Output) -> Value {
        let o = output.mean
        return o.transposed.broadcast(to: Shape(o.shape.rows, o.shape.rows)) - o
    }

    /// One over their number for negatives, 0 for clicks, `[rows, 1]`.
    private func shares(_ target: Value) -> Value {
        let one = target.graph.constant(1, shape: target.shape)
        let negatives = target.select(0 * one, one)
        return negatives / negatives.sum.maximum(target.graph.constant(1, shape: .scalar))
    }
}
