public import MetaLearning

/// Hides known values at random in training, so that a model knows what to do with unknown ones: each field of each
/// row's item, and each field of the user, independently with probability `rate`; some of the items' fields together, with
/// another rate.
public struct Hiding: Sendable {
    /// Probability of hiding a value.
    public let rate: Double
    private let dropout: (fields: [Int], rate: Double)?
    private var current: Double
    private var generator: SeededGenerator
    /// What the first of the fields hidden together was drawn from, and whether a later one draws the same again.
    private var together: SeededGenerator?
    private var draws: SeededGenerator
    private var isAgain = false

    /// Draws from `generator`, which should be keyed by the task.
    public init(rate: Double, dropout: FieldDropout? = nil, generator: SeededGenerator) {
        var generator = generator
        self.rate = rate
        self.dropout = dropout.map { dropout in
            (dropout.fields, generator.uniform() < dropout.highShare ? dropout.highRate : dropout.rate)
        }
        self.generator = generator
        draws = generator
        current = rate
    }

    /// What follows are values of field number `field`, items' fields first.
    mutating func enter(field: Int) {
        (current, isAgain) = (rate, false)
        guard let dropout, dropout.fields.contains(field) else { return }
        current = dropout.rate
        if let together { (draws, isAgain) = (together, true) } else { together = generator }
    }

    /// Whether to hide the next value.
    mutating func next() -> Bool { (isAgain ? draws.uniform() : generator.uniform()) < current }
}
