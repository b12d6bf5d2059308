import Dispatch
public import Graph
import MetaLearning

/// The bootstrap of pooled statistics over clusters (Efron 1979): clusters, here users, are drawn with replacement.
///
/// Resample b draws its clusters from the stream `SeededGenerator(seed, b)`, the same for every statistic: differences
/// of two statistics are paired, and more resamples leave the first ones as they were.
public enum Bootstrap {
    /// The statistics of every resample: √? (Σ numerators / Σ denominators) over the clusters drawn.
    ///
    /// - Parameters:
    ///   - numerators, denominators: `[squareRoot.count, clusters]`, finite; denominators at least 0.
    ///   - squareRoot: whether the root is taken of the statistic (RMSE); its numerators are then at least 0.
    ///   - out: `[squareRoot.count, resamples]`; NaN where the denominators drawn sum to 0.
    /// - Throws: `.value` for a number that cannot be. Cost: statistics × clusters × resamples.
    public static func resample(
        numerators: UnsafeBufferPointer<Double>, denominators: UnsafeBufferPointer<Double>, squareRoot: [Bool],
        clusters: Int, resamples: Int, seed: UInt64, into out: UnsafeMutableBufferPointer<Double>
    ) throws(MetarecError) {
        try check(numerators, denominators, squareRoot, clusters)
        let owner = firstWithSameRow(denominators, statistics: squareRoot.count, clusters: clusters)
        nonisolated(unsafe) let (numerators, denominators, out) = (numerators, denominators, out)
        let total = resamples
        // Eight resamples go side by side, so that a cluster's numbers are read once for all of them.
        DispatchQueue.concurrentPerform(iterations: (resamples + 7) / 8) { block in
            let resamples = (8 * block)..<min(8 * block + 8, resamples)
            let weights = draws(resamples, of: clusters, seed: seed)
            var divisors = [SIMD8<Double>](repeating: .zero, count: squareRoot.count)
            for (statistic, root) in squareRoot.enumerated() {
                if owner[statistic] == statistic {
                    divisors[statistic] = weighted(weights, denominators, row: statistic)
                }
                let ratio = weighted(weights, numerators, row: statistic) / divisors[owner[statistic]]
                for (lane, resample) in resamples.enumerated() {
                    out[statistic * total + resample] = root ? ratio[lane].squareRoot() : ratio[lane]
                }
            }
        }
    }

    /// Σ weights · row, in the order of the clusters.
    private static func weighted(
        _ weights: [SIMD8<Double>], _ rows: UnsafeBufferPointer<Double>, row: Int
    ) -> SIMD8<Double> {
        var sum = SIMD8<Double>.zero
        for cluster in weights.indices { sum += weights[cluster] * rows[row * weights.count + cluster] }
        return sum
    }

    /// How often each cluster is drawn, one lane a resample.
    private static func draws(_ resamples: Range<Int>, of clusters: Int, seed: UInt64) -> [SIMD8<Double>] {
        var weights = [SIMD8<Double>](repeating: .zero, count: clusters)
        for (lane, resample) in resamples.enumerated() {
            var generator = SeededGenerator(seed, UInt64(resample))
            for _ in 0..<clusters { weights[generator.index(below: clusters)][lane] += 1 }
        }
        return weights
    }

    /// For each statistic the first with the same row: most denominators are equal, and each is summed once.
    private static func firstWithSameRow(
        _ rows: UnsafeBufferPointer<Double>, statistics: Int, clusters: Int
    ) -> [Int] {
        var known: [Int: [Int]] = [:]
        return (0..<statistics).map { statistic in
            let row = rows[(statistic * clusters)..<((statistic + 1) * clusters)]
            var hasher = Hasher()
            hasher.combine(bytes: UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: row)))
            let key = hasher.finalize()
            let same = known[key, default: []].first {
                row.elementsEqual(rows[($0 * clusters)..<(($0 + 1) * clusters)])
            }
            if let same { return same }
            known[key, default: []].append(statistic)
            return statistic
        }
    }

    private static func check(
        _ numerators: UnsafeBufferPointer<Double>, _ denominators: UnsafeBufferPointer<Double>, _ squareRoot: [Bool],
        _ clusters: Int
    ) throws(MetarecError) {
        for statistic in squareRoot.indices {
            for cluster in 0..<clusters {
                let numerator = numerators[statistic * clusters + cluster]
                let denominator = denominators[statistic * clusters + cluster]
                guard numerator.isFinite, numerator >= 0 || !squareRoot[statistic] else {
                    throw .value(
                        "numerators: [\(statistic), \(cluster)] is \(numerator), wanted finite"
                            + (squareRoot[statistic] ? " and at least 0 for a square root" : ""))
                }
                guard denominator.isFinite, denominator >= 0 else {
                    throw .value(
                        "denominators: [\(statistic), \(cluster)] is \(denominator), wanted finite and at least 0")
                }
            }
        }
    }
}
