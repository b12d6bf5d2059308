/// A field of items that training hides at random, more often than others, so that what is learned works without it:
/// ids, which new items do not have (DropoutNet: Volkovs, Yu and Poutanen, NIPS 2017).
public struct FieldDropout: Hashable, Sendable {
    /// Its place among the items' fields.
    public let field: Int
    /// Probability of hiding a value, in most tasks.
    public let rate: Double
    /// Share of tasks in which values are hidden with probability `highRate` instead.
    public let highShare: Double
    /// Probability of hiding a value in those.
    public let highRate: Double

    /// A field and its rates.
    public init(field: Int, rate: Double, highShare: Double, highRate: Double) {
        self.field = field
        self.rate = rate
        self.highShare = highShare
        self.highRate = highRate
    }
}
