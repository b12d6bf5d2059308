public import Graph
import Kernels
import MetaLearning

/// What `Factorisation` learns, in the caller's memory: a posterior in S samples of D = rank + 1 numbers a row, the
/// first of them the bias. Least squares is the case of one sample.
public struct FactorArrays: @unchecked Sendable {
    /// S, D and the number of items I.
    public let samples, dimension, items: Int
    /// [S, I + 1, D]: (b_i, q_i); row I is an item of which nothing is known.
    public let itemFactors: UnsafeMutablePointer<Float>
    /// [I + 1]: 0 for items with ratings; of the others the variance of a factor given the features, over that of a
    /// factor about its prior mean.
    public let itemNovelty: UnsafeMutablePointer<Float>
    /// Rows of `userWeights`: as many as a design of the users' features has columns, or 1, the intercept alone.
    public let userColumns: Int
    /// [S, userColumns, D]: the prior mean of a user's (b_u, p_u) is his features times these.
    public let userWeights: UnsafeMutablePointer<Float>
    /// [S, D, D]: its precision Λ_U.
    public let userPrecision: UnsafeMutablePointer<Double>
    /// [S]: σ².
    public let noise: UnsafeMutablePointer<Double>
    /// [S]: what a novelty of 1 adds to σ².
    public let contentNoise: UnsafeMutablePointer<Double>

    /// Arrays of the shapes given at each property.
    public init(
        samples: Int, dimension: Int, items: Int, itemFactors: UnsafeMutablePointer<Float>,
        itemNovelty: UnsafeMutablePointer<Float>, userColumns: Int, userWeights: UnsafeMutablePointer<Float>,
        userPrecision: UnsafeMutablePointer<Double>, noise: UnsafeMutablePointer<Double>,
        contentNoise: UnsafeMutablePointer<Double>
    ) {
        (self.samples, self.dimension, self.items) = (samples, dimension, items)
        (self.itemFactors, self.itemNovelty, self.userColumns) = (itemFactors, itemNovelty, userColumns)
        (self.userWeights, self.userPrecision) = (userWeights, userPrecision)
        (self.noise, self.contentNoise) = (noise, contentNoise)
    }
}

/// How items are placed by their features alone, in the caller's memory: for new items, then or later.
public struct ContentArrays: @unchecked Sendable {
    /// Columns P of a design of the items' features, 1 + the number of its fields.
    public let columns, blocks: Int
    /// [S, P, D]: the posterior mean of the weights.
    public let weights: UnsafeMutablePointer<Float>
    /// [S, P, D]: what is left of a draw of them, its D columns independent.
    public let residuals: UnsafeMutablePointer<Float>
    /// [blocks]: the prior variance of each block's weights, the intercept's first.
    public let variances: UnsafeMutablePointer<Double>

    /// Arrays of the shapes given at each property.
    public init(
        columns: Int, blocks: Int, weights: UnsafeMutablePointer<Float>, residuals: UnsafeMutablePointer<Float>,
        variances: UnsafeMutablePointer<Double>
    ) {
        (self.columns, self.blocks) = (columns, blocks)
        (self.weights, self.residuals, self.variances) = (weights, residuals, variances)
    }
}

/// Bayesian matrix factorisation with side information, and its point estimate.
public enum Factorisation {
    /// Columns of the weights of a table's features, or of no features.
    public static func columns(of features: FeatureTable?) -> Int { Design.columns(of: features) }

    /// Samples the posterior by Gibbs; returns the mean of the ratings, g.
    ///
    /// - Parameters:
    ///   - burnIn: sweeps before the first sample, in which the features' variances are learned.
    ///   - interval: sweeps from one sample to the next.
    /// - Throws: sizes that do not fit, a result that is not finite, or interrupted; the arrays then hold nothing of use.
    /// Cost of a sweep: ratings × D², and some tens of times the values of all features × 3 D.
    public static func sample(
        _ ratings: Ratings, items: FeatureTable, users: FeatureTable?, burnIn: Int, interval: Int, threads: Int,
        seed: UInt64, into factors: FactorArrays, _ content: ContentArrays, poll: Poll
    ) throws -> Double {
        guard items.rows == ratings.itemCount, users.map({ $0.rows == ratings.userCount }) ?? true else {
            throw MetarecError.value("items, users: \(items.rows), \(users?.rows ?? 0) rows, not those of the ratings")
        }
        let centred = try CentredRatings(ratings)
        let itemDesign = try Design(items, rows: centred.itemCodes, standardised: true)
        let userDesign = try Design(users, rows: centred.userCodes, standardised: true)
        let sampler = GibbsSampler(
            users: centred.byUser, items: centred.byItem, userDesign: userDesign, itemDesign: itemDesign,
            rank: factors.dimension - 1, threads: threads, seed: seed)
        factors.itemNovelty.update(repeating: 0, count: factors.items + 1)
        let sweeps = burnIn + (factors.samples - 1) * interval + 1
        for sweep in 0..<sweeps {
            poll.enter(Double(sweep) / Double(sweeps)..<Double(sweep + 1) / Double(sweeps), loss: sampler.residual)
            try sampler.sweep(learning: sweep < burnIn, poll: poll)
            let (sample, rest) = (sweep - burnIn).quotientAndRemainder(dividingBy: interval)
            if sweep >= burnIn, rest == 0 { keep(sampler, as: sample, centred.itemCodes, factors, content) }
        }
        for (index, variance) in sampler.itemPrior.variances.enumerated() { content.variances[index] = variance }
        var isWarm = [Bool](repeating: false, count: items.rows)
        for code in centred.itemCodes { isWarm[code] = true }
        let cold = isWarm.indices.filter { !isWarm[$0] }
        try place(items, rows: cold + [-1], at: cold + [factors.items], content, into: factors, poll: poll)
        return centred.mean
    }

    /// Places every item of a table by its features alone, as new items.
    public static func place(
        _ items: FeatureTable, _ content: ContentArrays, into factors: FactorArrays, poll: Poll
    ) throws {
        let rows = Array(0..<items.rows)
        try place(items, rows: rows + [-1], at: rows + [factors.items], content, into: factors, poll: poll)
    }

    private static func keep(
        _ sampler: GibbsSampler, as sample: Int, _ itemCodes: [Int], _ factors: FactorArrays, _ content: ContentArrays
    ) {
        let d = factors.dimension
        let first = factors.itemFactors + sample * (factors.items + 1) * d
        for (place, code) in itemCodes.enumerated() {
            for k in 0..<d { first[code * d + k] = Float(sampler.itemFactors[place, k]) }
        }
        let users = sampler.userPrior
        let size = factors.userColumns * d
        users.design.raw(users.weights).store(rows: factors.userColumns, in: factors.userWeights + sample * size)
        (factors.userPrecision + sample * d * d).update(from: users.precision.pointer, count: d * d)
        factors.noise[sample] = sampler.noise
        factors.contentNoise[sample] = contentNoise(sampler)
        let (items, columns) = (sampler.itemPrior, content.columns)
        items.design.raw(items.weights).store(rows: columns, in: content.weights + sample * columns * d)
        items.design.raw(items.residuals).store(rows: columns, in: content.residuals + sample * columns * d)
    }

    /// tr(Λ_I⁻¹ E[a aᵀ]) of a = (1, p_u) over the training users: the variance that an item's own deviation from its
    /// features' prediction gives a rating.
    private static func contentNoise(_ sampler: GibbsSampler) -> Double {
        let users = sampler.userFactors.copy()
        for row in 0..<users.rows { users[row, 0] = 1 }
        let image = users.times(sampler.itemPrior.inverseRoot.transposed)
        return image.sumOfSquares / Double(users.rows)
    }

    /// Writes the factors and the novelty of the table's `rows`, at the items `places`.
    private static func place(
        _ items: FeatureTable, rows: [Int], at places: [Int], _ content: ContentArrays, into factors: FactorArrays,
        poll: Poll
    ) throws {
        let design = try Design(items, rows: rows, standardised: false)
        guard design.columns == content.columns else {
            throw MetarecError.value(
                "items: features of \(design.columns) columns, wanted \(content.columns), as item_weights has")
        }
        guard design.blocks.count == content.blocks else {
            throw MetarecError.value(
                "item_variances: \(content.blocks) elements, wanted \(design.blocks.count), 1 + the fields of items")
        }
        let (d, size) = (factors.dimension, content.columns * factors.dimension)
        let weights = DenseMatrix(content.columns, d)
        var novelty = [Double](repeating: 0, count: rows.count)
        for sample in 0..<factors.samples {
            try poll.check(1)
            weights.load(content.weights + sample * size)
            let means = design.times(weights)
            weights.load(content.residuals + sample * size)
            let residuals = design.times(weights)
            let first = factors.itemFactors + sample * (factors.items + 1) * d
            for (place, code) in places.enumerated() {
                for k in 0..<d {
                    first[code * d + k] = Float(means[place, k])
                    novelty[place] += residuals[place, k] * residuals[place, k]
                }
            }
        }
        for (place, code) in places.enumerated() {
            let unknown = zip(design.blocks, 0...).reduce(0.0) {
                $0 + ($1.0.isMissing[place] ? content.variances[$1.1] : 0)
            }
            factors.itemNovelty[code] = Float(1 + novelty[place] / Double(factors.samples * d) + unknown)
        }
    }

    /// Alternating least squares: the point estimate with Λ = diag(biasPenalty, penalty, …), no prior mean and σ² = 1.
    ///
    /// Minimises Σ (y − g − b_u − b_i − p_u · q_i)² + biasPenalty (Σ b_u² + Σ b_i²) + penalty (Σ ‖p_u‖² + Σ ‖q_i‖²).
    ///
    /// - Parameter objectives: [sweeps], the objective after each sweep, which never rises.
    /// - Returns: the mean of the ratings, g.
    public static func leastSquares(
        _ ratings: Ratings, sweeps: Int, penalty: Double, biasPenalty: Double, threads: Int, seed: UInt64,
        into factors: FactorArrays, objectives: UnsafeMutablePointer<Double>, poll: Poll
    ) throws -> Double {
        for (name, value) in [("penalty", penalty), ("bias_penalty", biasPenalty)] {
            guard value > 0, value.isFinite else { throw MetarecError.value("\(name): \(value), wanted more than 0") }
        }
        let centred = try CentredRatings(ratings)
        let d = factors.dimension
        let precision = DenseMatrix(identity: d, times: penalty)
        precision[0, 0] = biasPenalty
        let rowUpdate = RowUpdate(dimension: d, threads: threads)
        let users = DenseMatrix(centred.byUser.rows, d)
        let items = DenseMatrix(centred.byItem.rows, d)
        let (userTargets, itemTargets) = (DenseMatrix(users.rows, d), DenseMatrix(items.rows, d))
        startFactors(items, SeededGenerator(seed))
        for sweep in 0..<sweeps {
            let objective = sweep == 0 ? .nan : objectives[sweep - 1]
            poll.enter(Double(sweep) / Double(sweeps)..<Double(sweep + 1) / Double(sweeps), loss: objective)
            try rowUpdate.update(
                users, from: items, centred.byUser, precision: precision, targets: userTargets, scale: 1, draw: nil,
                threads: threads, poll: poll)
            try rowUpdate.update(
                items, from: users, centred.byItem, precision: precision, targets: itemTargets, scale: 1, draw: nil,
                threads: threads, poll: poll)
            let squares = try rowUpdate.squaredResiduals(
                of: users, and: items, centred.byUser, threads: threads, poll: poll)
            objectives[sweep] = [users, items].reduce(squares) { sum, rows in
                (0..<rows.rows).reduce(sum) { sum, row in
                    (0..<d).reduce(sum) { $0 + precision[$1, $1] * rows[row, $1] * rows[row, $1] }
                }
            }
            guard objectives[sweep].isFinite else { throw FactorPrior.notFinite }
        }
        factors.itemFactors.update(repeating: 0, count: (factors.items + 1) * d)
        factors.itemNovelty.update(repeating: 0, count: factors.items + 1)
        for (place, code) in centred.itemCodes.enumerated() {
            for k in 0..<d { factors.itemFactors[code * d + k] = Float(items[place, k]) }
        }
        factors.userWeights.update(repeating: 0, count: factors.userColumns * d)
        for k in 0..<d * d { factors.userPrecision[k] = precision[k / d, k % d] }
        factors.noise[0] = 1
        factors.contentNoise[0] = 0
        return centred.mean
    }
}
