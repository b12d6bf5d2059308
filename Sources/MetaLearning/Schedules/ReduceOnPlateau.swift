import Graph
import Synchronization

/// A rate that falls when training no longer gets better. When that is, the epoch loop says.
public struct ReduceOnPlateau: Schedule {
    /// Name, options, documentation.
    public static let schema = ComponentSchema(
        "reduce_on_plateau", className: "ReduceOnPlateau",
        options: [
            OptionSchema("factor", .fraction, default: .numbers([0.5]), "What multiplies the rate on a plateau."),
            .integer("patience", default: 1, minimum: 1, "Epochs without a better score that make a plateau."),
            OptionSchema(
                "final", .fraction, default: .numbers([0.01]), "Share of the rate below which it does not fall."),
            .integer("warmup", default: 0, minimum: 0, "Steps over which the rate rises linearly from nothing."),
        ],
        documentation: """
            A learning rate that falls whenever so many epochs in a row brought no better score.

            The score is that of the validation, or the training loss where there is none. After n plateaus the rate is
            η min(1, t / warmup) max(final, factorⁿ). The learner's own patience, by which training ends, is to be larger.
            """)

    private let warmup: Int
    /// The share of the rate that is left.
    public let reduction: Reduction? = Reduction()

    /// From checked options.
    public init(_ options: Options) { warmup = options.integer("warmup") }

    /// min(1, t / warmup) times the share that is left.
    public func factor(at step: Int) -> Double { warmedUp(step, warmup) * (reduction?.share ?? 1) }
}

/// A share of the learning rate, from 0 to 1, that may change between two steps.
public final class Reduction: Sendable {
    private let bits = Atomic<UInt64>((1.0).bitPattern)

    /// The share.
    public internal(set) var share: Double {
        get { Double(bitPattern: bits.load(ordering: .relaxed)) }
        set { bits.store(newValue.bitPattern, ordering: .relaxed) }
    }
}

extension ParameterStore {
    /// Multiplies the rate of all later steps by `share`; rows that miss earlier steps get them at their own rates.
    ///
    /// Errors: a share outside 0 ... 1. Cost: the tables.
    public func reduce(_ reduction: Reduction, to share: Double) throws {
        guard (0...1).contains(share) else { throw MetarecError.value("rate_share: \(share), wanted 0 ... 1") }
        settleAll()
        reduction.share = share
    }
}
