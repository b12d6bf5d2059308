public import MetaLearning

/// Hides known values at random in training, so that a model knows what to do with unknown ones: each field of each
/// row's item, and each field of the user, independently with probability `rate`; of one field with another rate.
public struct Hiding: Sendable {
    /// Probability of hiding a value.
    public let rate: Double
    private let dropout: (field: Int, rate: Double)?
    private var current: Double
    private var generator: SeededGenerator

    /// Draws from `generator`, which should be keyed by the task.
    public init(rate: Double, dropout: FieldDropout? = nil, generator: SeededGenerator) {
        var generator = generator
        self.rate = rate
        self.dropout = dropout.map { dropout in
            (dropout.field, generator.uniform() < dropout.highShare ? dropout.highRate : dropout.rate)
        }
        self.generator = generator
        current = rate
    }

    /// What follows are values of field number `field`, items' fields first.
    mutating func enter(field: Int) { current = dropout.flatMap { $0.field == field ? $0.rate : nil } ?? rate }

    /// Whether to hide the next value.
    mutating func next() -> Bool { generator.uniform() < current }
}
