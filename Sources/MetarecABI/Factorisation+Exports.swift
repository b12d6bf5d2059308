public import CMetarec
import Graph
import Recommenders

/// Columns of the weights of a table's features.
@c @implementation
public func mr_features_columns(_ features: OpaquePointer?) -> Int64 {
    Int64(Factorisation.columns(of: features.map { Handle.object($0, FeatureTable.self) }))
}

/// Rows of a table.
@c @implementation
public func mr_features_rows(_ features: OpaquePointer) -> Int64 {
    Int64(Handle.object(features, FeatureTable.self).rows)
}

/// Fields of a table.
@c @implementation
public func mr_features_fields(_ features: OpaquePointer) -> Int64 {
    Int64(Handle.object(features, FeatureTable.self).fields.count)
}

/// The posterior of a Bayesian matrix factorisation.
@c @implementation
public func mr_factorisation_sample(
    _ given: UnsafePointer<mr_ratings>, _ items: OpaquePointer, _ users: OpaquePointer?,
    _ options: UnsafePointer<mr_gibbs>, _ poll: mr_poll, _ outFactors: UnsafePointer<mr_factors>,
    _ outContent: UnsafePointer<mr_content>, _ outMean: UnsafeMutablePointer<Double>,
    _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let options = options.pointee
        let factors = try arrays(outFactors.pointee)
        let items = Handle.object(items, FeatureTable.self)
        let users = users.map { Handle.object($0, FeatureTable.self) }
        let content = try arrays(outContent.pointee)
        guard content.columns == Factorisation.columns(of: items), content.blocks == items.fields.count + 1,
            factors.userColumns == Factorisation.columns(of: users), factors.items == items.rows
        else { throw MetarecError.value("out: not of the shapes that the features have") }
        outMean.pointee = try Factorisation.sample(
            try ratings(given.pointee), items: items, users: users, burnIn: count(options.burn_in, "burn_in", from: 0),
            interval: count(options.interval, "interval", from: 1), threads: threads(options.threads),
            seed: options.seed, into: factors, content, poll: Poll(poll))
    }
}

/// The point estimate by alternating least squares.
@c @implementation
public func mr_factorisation_least_squares(
    _ given: UnsafePointer<mr_ratings>, _ options: UnsafePointer<mr_least_squares>, _ poll: mr_poll,
    _ outFactors: UnsafePointer<mr_factors>, _ outObjectives: UnsafeMutablePointer<Double>,
    _ outMean: UnsafeMutablePointer<Double>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let options = options.pointee
        let factors = try arrays(outFactors.pointee)
        let ratings = try ratings(given.pointee)
        guard factors.samples == 1, factors.items == ratings.itemCount else {
            throw MetarecError.value("out: wanted one sample of \(ratings.itemCount) items")
        }
        outMean.pointee = try Factorisation.leastSquares(
            ratings, sweeps: count(options.sweeps, "sweeps", from: 1), penalty: options.penalty,
            biasPenalty: options.bias_penalty, threads: threads(options.threads), seed: options.seed, into: factors,
            objectives: outObjectives, poll: Poll(poll))
    }
}

/// Items placed by their features.
@c @implementation
public func mr_factorisation_place(
    _ items: OpaquePointer, _ content: UnsafePointer<mr_content>, _ poll: mr_poll,
    _ outFactors: UnsafePointer<mr_factors>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let factors = try arrays(outFactors.pointee)
        let items = Handle.object(items, FeatureTable.self)
        guard factors.items == items.rows else {
            throw MetarecError.value("out: \(factors.items) items, wanted \(items.rows)")
        }
        try Factorisation.place(items, try arrays(content.pointee), into: factors, poll: Poll(poll))
    }
}

/// Moments of the query rows' ratings after folding the users in.
@c @implementation
public func mr_factorisation_predict(
    _ given: UnsafePointer<mr_factors>, _ mean: Double, _ tasks: OpaquePointer, _ threadCount: Int64, _ poll: mr_poll,
    _ outMeans: UnsafeMutablePointer<Double>, _ outVariances: UnsafeMutablePointer<Double>?,
    _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        try FoldIn(try arrays(given.pointee), mean: mean).predict(
            Handle.object(tasks), means: outMeans, variances: outVariances, threads: threads(threadCount),
            poll: Poll(poll))
    }
}

/// One user folded in.
@c @implementation
public func mr_factorisation_fold(
    _ given: UnsafePointer<mr_factors>, _ mean: Double, _ tasks: OpaquePointer, _ threadCount: Int64, _ poll: mr_poll,
    _ outUser: UnsafeMutablePointer<Float>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        try FoldedUser(FoldIn(try arrays(given.pointee), mean: mean), matrices: outUser).load(
            Handle.object(tasks), threads: threads(threadCount), poll: Poll(poll))
    }
}

/// Moments of that user's ratings.
@c @implementation
public func mr_factorisation_score(
    _ given: UnsafePointer<mr_factors>, _ mean: Double, _ user: UnsafeMutablePointer<Float>,
    _ columns: UnsafePointer<Float>, _ blocks: Int64, _ items: UnsafePointer<Int32>?, _ itemCount: Int64,
    _ threadCount: Int64, _ poll: mr_poll, _ outMeans: UnsafeMutablePointer<Double>,
    _ outVariances: UnsafeMutablePointer<Double>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let items = UnsafeBufferPointer(start: items, count: try count(itemCount, "items"))
        let factors = try arrays(given.pointee)
        let columns = try ItemColumns(
            values: columns, blocks: count(blocks, "item_columns"), items: factors.items)
        try FoldedUser(FoldIn(factors, mean: mean), matrices: user).predict(
            items, columns, means: outMeans, variances: outVariances, threads: threads(threadCount), poll: Poll(poll))
    }
}

/// Distributions mixed.
@c @implementation
public func mr_mixture_probabilities(
    _ mixture: UnsafePointer<mr_mixture>, _ rows: Int64, _ given: UnsafePointer<Double>, _ kind: UnsafePointer<UInt8>,
    _ means: UnsafePointer<Double>, _ variances: UnsafePointer<Double>, _ threadCount: Int64,
    _ out: UnsafeMutablePointer<Double>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let mixture = mixture.pointee
        try LevelMixture(
            levels: count(mixture.level_count, "levels"), parts: count(mixture.part_count, "probits"),
            kinds: count(mixture.kind_count, "kinds"), values: mixture.levels, cuts: mixture.cuts,
            lines: mixture.lines, weights: mixture.weights
        ).probabilities(
            rows: count(rows, "rows"), given: given, kind: kind, means: means, variances: variances, into: out,
            threads: threads(threadCount))
    }
}

/// Probabilities of levels.
@c @implementation
public func mr_ordered_probit(
    _ given: UnsafePointer<mr_probit>, _ means: UnsafePointer<Double>, _ variances: UnsafePointer<Double>,
    _ rows: Int64, _ out: UnsafeMutablePointer<Double>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let rows = try count(rows, "rows")
        try probit(given.pointee).probabilities(
            means: UnsafeBufferPointer(start: means, count: rows),
            variances: UnsafeBufferPointer(start: variances, count: rows), into: out)
    }
}

/// Cuts and slope that make levels most likely.
@c @implementation
public func mr_ordered_probit_fit(
    _ given: UnsafePointer<mr_probit>, _ means: UnsafePointer<Double>, _ variances: UnsafePointer<Double>,
    _ places: UnsafePointer<Int64>, _ rows: Int64, _ outCuts: UnsafeMutablePointer<Double>,
    _ outSlope: UnsafeMutablePointer<Double>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let rows = try count(rows, "rows")
        var probit = try probit(given.pointee)
        try probit.fit(
            means: UnsafeBufferPointer(start: means, count: rows),
            variances: UnsafeBufferPointer(start: variances, count: rows),
            places: UnsafeBufferPointer(start: places, count: rows))
        for (index, cut) in probit.cuts.enumerated() { outCuts[index] = cut }
        outSlope.pointee = probit.slope
    }
}

private func probit(_ given: mr_probit) throws -> OrderedProbit {
    let levels = try count(given.level_count, "levels", from: 1)
    return try OrderedProbit(
        levels: Array(UnsafeBufferPointer(start: given.levels, count: levels)),
        cuts: given.cuts.map { Array(UnsafeBufferPointer(start: $0, count: levels - 1)) }, slope: given.slope)
}

private func ratings(_ given: mr_ratings) throws -> Ratings {
    try Ratings(
        count: count(given.count, "rating"), user: given.user, item: given.item,
        rating: numbers(given.rating, given.dtype), userCount: count(given.user_count, "user_count"),
        itemCount: count(given.item_count, "item_count"))
}

private func arrays(_ given: mr_factors) throws -> FactorArrays {
    let dimension = try count(given.dimension, "rank + 1", from: 1)
    guard dimension <= 257 else { throw MetarecError.value("rank: \(dimension - 1), wanted at most 256") }
    return FactorArrays(
        samples: try count(given.samples, "samples", from: 1), dimension: dimension,
        items: try count(given.items, "items"), itemFactors: given.item_factors, itemNovelty: given.item_novelty,
        userColumns: try count(given.user_columns, "user_columns", from: 1), userWeights: given.user_weights,
        userPrecision: given.user_precision, noise: given.noise, contentNoise: given.content_noise)
}

private func arrays(_ given: mr_content) throws -> ContentArrays {
    ContentArrays(
        columns: try count(given.columns, "item_weights: item columns", from: 1),
        blocks: try count(given.blocks, "item_variances: elements", from: 1),
        weights: given.weights, residuals: given.residuals, variances: given.variances)
}

private func count(_ value: Int64, _ name: String, from low: Int) throws(MetarecError) -> Int {
    guard value >= low, value <= Int64(Int32.max) else {
        throw .value("\(name): got \(value), wanted \(low) ... \(Int32.max)")
    }
    return Int(value)
}
