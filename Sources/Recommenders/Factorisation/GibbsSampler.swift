import Glibc
import Graph
import Kernels
import MetaLearning

/// Draws from the posterior of a Bayesian matrix factorisation with side information,
///
/// y_ui ~ N(g + b_u + b_i + p_u · q_i, σ²), each side's (b, factors) ~ N(Bᵀ x, Λ⁻¹), see `FactorPrior`.
///
/// A sweep draws the users' rows, their prior, the items' rows, theirs, and σ². Every row has a generator of its own,
/// keyed by sweep, side and row, so that the same seed gives the same bits for any number of threads.
final class GibbsSampler {
    private let users, items: RatingMatrix
    private let dimension, threads: Int
    private let seed: UInt64
    private let rowUpdate: RowUpdate
    let userPrior, itemPrior: FactorPrior
    /// (b, factors) of each user and item with ratings.
    let userFactors, itemFactors: DenseMatrix
    /// σ².
    private(set) var noise: Double
    /// Root mean square of the training residuals after the last sweep.
    private(set) var residual = Double.nan
    private var sweeps: UInt64 = 0

    private enum Side: UInt64 { case users = 1, items = 2, noise = 3, start = 4 }

    /// `users` and `items` hold the same ratings, less their mean.
    init(
        users: RatingMatrix, items: RatingMatrix, userDesign: Design, itemDesign: Design, rank: Int, threads: Int,
        seed: UInt64
    ) {
        (self.users, self.items, self.threads, self.seed) = (users, items, threads, seed)
        dimension = rank + 1
        rowUpdate = RowUpdate(dimension: dimension, threads: threads)
        userPrior = FactorPrior(userDesign, dimension: dimension)
        itemPrior = FactorPrior(itemDesign, dimension: dimension)
        userFactors = DenseMatrix(users.rows, dimension)
        itemFactors = DenseMatrix(items.rows, dimension)
        noise = max(users.values.reduce(0) { $0 + $1 * $1 } / Double(max(users.values.count, 1)), 1e-12)
        startFactors(itemFactors, SeededGenerator(seed, Side.start.rawValue))
    }

    /// One sweep; while `learning` the variances of the features' blocks are learned.
    func sweep(learning: Bool, poll: Poll) throws {
        sweeps += 1
        try update(.users, userFactors, from: itemFactors, users, userPrior, learning, poll)
        try update(.items, itemFactors, from: userFactors, items, itemPrior, learning, poll)
        let squares = try rowUpdate.squaredResiduals(
            of: userFactors, and: itemFactors, users, threads: threads, poll: poll)
        let count = Double(users.values.count)
        residual = (squares / max(count, 1)).squareRoot()
        var generator = SeededGenerator(seed, sweeps, Side.noise.rawValue)
        // The prior of σ² is an inverse gamma of shape and scale 1.
        noise = (1 + squares / 2) / generator.gamma(shape: 1 + count / 2)
        guard noise.isFinite else { throw FactorPrior.notFinite }
    }

    private func update(
        _ side: Side, _ factors: DenseMatrix, from other: DenseMatrix, _ ratings: RatingMatrix, _ prior: FactorPrior,
        _ learning: Bool, _ poll: Poll
    ) throws {
        let (seed, sweeps) = (seed, sweeps)
        try rowUpdate.update(
            factors, from: other, ratings, precision: prior.precision, targets: prior.means.times(prior.precision),
            scale: 1 / noise, draw: { SeededGenerator(seed, sweeps, side.rawValue, $0) }, threads: threads, poll: poll)
        try prior.update(
            factors, learning: learning, seed: { SeededGenerator(seed, sweeps, side.rawValue, .max - $0) },
            threads: threads, poll: poll)
    }
}

/// Small random factors, biases of zero.
func startFactors(_ factors: DenseMatrix, _ generator: SeededGenerator) {
    var generator = generator
    generator.fillNormal(factors.pointer, count: factors.count)
    DenseMatrix.kernels.pointee.scale(Int64(factors.count), 0.1, factors.pointer)
    for row in 0..<factors.rows { factors[row, 0] = 0 }
}
