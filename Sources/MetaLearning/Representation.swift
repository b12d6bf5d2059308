public import Graph

/// What a backbone makes of some rows of a task, under its head.
public struct Representation {
    /// What the head multiplies, `[rows, features]`.
    public let features: Value
    /// What attention looks at, `[rows, tokens]`.
    public let tokens: Value
    /// Added to the output whatever the head, `[rows, 1]`.
    public let offset: Value?
    /// 1 where the item is known by its id, 0 where by its content alone, `[rows, 1]`.
    public let known: Value?
    /// What is known of the user, `[1, user]`, where the features do not hold it already.
    public let user: Value?

    /// A representation; without tokens of their own, the features are these.
    public init(
        features: Value, tokens: Value? = nil, offset: Value? = nil, known: Value? = nil, user: Value? = nil
    ) {
        self.features = features
        self.tokens = tokens ?? features
        self.offset = offset
        self.known = known
        self.user = user
    }
}

extension Representation {
    /// What the head makes of it: features · head.weight + head.bias + offset.
    public func output(_ θ: Parameters) -> Output {
        let linear = features.matmul(θ["head.weight"]) + θ["head.bias"]
        return Output(mean: offset.map { linear + $0 } ?? linear)
    }
}

/// The widths of a `Representation`.
public struct RepresentationShape: Hashable, Sendable {
    /// Columns of the features.
    public let features: Int
    /// Columns of the tokens.
    public let tokens: Int
    /// Columns of the user, 0 if there is none.
    public let user: Int

    /// Widths; tokens are as wide as the features unless said otherwise.
    public init(features: Int, tokens: Int? = nil, user: Int = 0) {
        self.features = features
        self.tokens = tokens ?? features
        self.user = user
    }
}

/// What a model says of some rows.
public struct Output {
    /// The output, `[rows, 1]`.
    public var mean: Value
    /// Its predictive variance, `[rows, 1]`, of an algorithm that knows it.
    public var variance: Value?
    /// What is added to the logits of a distribution over levels, `[rows, levels]`.
    public var correction: Value?

    /// The same without a correction.
    public var uncorrected: Output { Output(mean: mean, variance: variance) }

    /// An output.
    public init(mean: Value, variance: Value? = nil, correction: Value? = nil) {
        self.mean = mean
        self.variance = variance
        self.correction = correction
    }
}
