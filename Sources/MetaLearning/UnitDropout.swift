public import Graph

/// Hidden units that training drops at random: dropout (Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov,
/// JMLR 2014), inverted: kept units are divided by 1 - p while training, and nothing is done at prediction.
public struct UnitDropout: Hashable, Sendable {
    /// Probability p of dropping a unit.
    public let rate: Double
    /// Units of every layer.
    public let widths: [Int]

    /// Nil where there is nothing to drop.
    public init?(rate: Double, widths: [Int]) {
        guard rate > 0, !widths.isEmpty else { return nil }
        self.rate = rate
        self.widths = widths
    }
}

extension Value {
    /// A layer's units without those that its mask drops; `masks` has one for every layer, or is empty.
    public func dropped(_ masks: [Value], layer: Int) -> Value {
        masks.indices.contains(layer) ? self * masks[layer] : self
    }
}
