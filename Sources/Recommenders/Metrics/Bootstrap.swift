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
        // Eight resamples go side by side, so that a cluster's numbers are read once for all of them.
        var weights = [SIMD8<Double>](repeating: .zero, count: clusters)
        for first in stride(from: 0, to: resamples, by: 8) {
            let lanes = min(8, resamples - first)
            draw(first..<(first + lanes), seed: seed, into: &weights)
            for (statistic, root) in squareRoot.enumerated() {
                var numerator = SIMD8<Double>.zero
                var denominator = SIMD8<Double>.zero
                for cluster in 0..<clusters {
                    numerator += weights[cluster] * numerators[statistic * clusters + cluster]
                    denominator += weights[cluster] * denominators[statistic * clusters + cluster]
                }
                let ratio = numerator / denominator
                for lane in 0..<lanes {
                    out[statistic * resamples + first + lane] = root ? ratio[lane].squareRoot() : ratio[lane]
                }
            }
        }
    }

    /// How often each cluster is drawn, one lane a resample.
    private static func draw(_ resamples: Range<Int>, seed: UInt64, into weights: inout [SIMD8<Double>]) {
        for cluster in weights.indices { weights[cluster] = .zero }
        for (lane, resample) in resamples.enumerated() {
            var generator = SeededGenerator(seed, UInt64(resample))
            for _ in weights.indices { weights[generator.index(below: weights.count)][lane] += 1 }
        }
    }
}
