import Graph
import MetaLearning

/// `−log (exp oᵢ / (exp oᵢ + Σⱼ exp oⱼ))` of every positive row i against the negatives j, for clicks.
public struct Softmax: Loss {
    /// Name and documentation.
    public static let schema = ComponentSchema(
        "softmax", className: "Softmax", options: [],
        documentation: """
            Softmax cross entropy of every click against the negatives of its task, for clicks with sampled negatives.

            A row whose target yᵢ is above 0 is a click of weight yᵢ (1, or a confidence such as 1 + α log(1 + count)); rows
            of 0 are negatives. A click's loss is yᵢ log(1 + Σⱼ exp(oⱼ − oᵢ)) over the negatives j of the same support or
            query; a negative has none of its own. Without negatives the loss is 0, and nothing is learned from it.
            The prediction is the score o: it ranks, and has no unit.

            Jean, Cho, Memisevic and Bengio, "On Using Very Large Target Vocabulary for Neural Machine Translation", ACL
            2015 (sampled softmax, here without the correction for how negatives are sampled).
            """)

    /// The loss.
    public init(_ options: Options) {}
    /// y log(1 + Σⱼ exp(oⱼ − o))
    public func rows(_ output: Output, _ target: Value, _ θ: Parameters) -> Value {
        target * (negatives(output, target).logSumExp - output.mean).softplus
    }
    /// o
    public func prediction(_ output: Output, _ θ: Parameters) -> Value { output.mean }
    /// With qⱼ the negatives' softmax, sᵢ = 1 / (1 + exp(oᵢ) / Σⱼ exp(oⱼ)) and aᵢ = yᵢ sᵢ (1 − sᵢ):
    /// diag(a + q Σ y s) − a qᵀ − q aᵀ + (Σ a − Σ y s) q qᵀ.
    public func curvature(_ output: Output, _ target: Value, _ θ: Parameters) -> Value {
        let others = negatives(output, target)
        let q = others.softmax.transposed
        let s = (others.logSumExp - output.mean).sigmoid
        let a = target * s * (1 - s)
        let pull = (target * s).sum
        let mixed = a.matmul(q, transposed: false, true)
        let between = (a.sum - pull) * q.matmul(q, transposed: false, true)
        return a.graph.identity(a.shape.rows) * (a + pull * q) - mixed - mixed.transposed + between
    }
    /// 0: adding the same to every score changes nothing.
    public func outputBias(forMean mean: Double) -> Double { 0 }
    /// A weight.
    public func accepts(_ target: Double) -> Bool { target >= 0 && target.isFinite }
    /// A weight.
    public var wanted: String { Softmax.weight }
    /// No: they are scores.
    public var outputsTargets: Bool { false }

    static let weight = "the weight of a click, or 0 for a negative,"

    /// The outputs of negatives, those of clicks so low that they do not count, `[1, rows]`.
    private func negatives(_ output: Output, _ target: Value) -> Value {
        let none = target.graph.constant(-1e30, shape: target.shape)
        return target.select(none, output.mean).transposed
    }
}
