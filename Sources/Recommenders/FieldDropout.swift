/// Fields of items that training hides at random, together and more often than others, so that what is learned works
/// without them: ids, which new items do not have (DropoutNet: Volkovs, Yu and Poutanen, NIPS 2017).
public struct FieldDropout: Hashable, Sendable {
    /// Their places among the items' fields.
    public let fields: [Int]
    /// Probability of hiding a row's values, in most tasks.
    public let rate: Double
    /// Share of tasks in which they are hidden with probability `highRate` instead.
    public let highShare: Double
    /// Probability of hiding a row's values in those.
    public let highRate: Double

    /// Fields and their rates.
    public init(fields: [Int], rate: Double, highShare: Double, highRate: Double) {
        self.fields = fields
        self.rate = rate
        self.highShare = highShare
        self.highRate = highRate
    }
}
