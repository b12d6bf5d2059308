public import MetaLearning

/// Hides known values at random in training, so that a model knows what to do with unknown ones: each field of each
/// row's item, and each field of the user, independently with probability `rate`.
public struct Hiding: Sendable {
    /// Probability of hiding a value.
    public let rate: Double
    private var generator: SeededGenerator

    /// Draws from `generator`, which should be keyed by the task.
    public init(rate: Double, generator: SeededGenerator) {
        self.rate = rate
        self.generator = generator
    }

    /// Whether to hide the next value.
    mutating func next() -> Bool { generator.uniform() < rate }
}
