import Glibc
public import Graph

/// Probabilities of levels, such as stars, under a normal distribution of the rating.
public enum NormalLevels {
    /// P(level k) = Φ((c_k − m) / √v) − Φ((c_{k−1} − m) / √v), c_k half way between levels k and k + 1.
    ///
    /// - Parameters:
    ///   - levels: [levelCount], rising, at least one.
    ///   - out: [rows, levelCount]; every row sums to one.
    /// - Throws: levels that do not rise; moments that are not finite, or a variance not above zero.
    public static func probabilities(
        means: UnsafePointer<Double>, variances: UnsafePointer<Double>, rows: Int, levels: UnsafePointer<Double>,
        levelCount: Int, into out: UnsafeMutablePointer<Double>
    ) throws(MetarecError) {
        guard levelCount > 0, levels[0].isFinite else { throw .value("levels: empty, wanted at least one") }
        for level in 1..<levelCount where !(levels[level] > levels[level - 1] && levels[level].isFinite) {
            throw .value("levels[\(level)] = \(levels[level]): wanted more than \(levels[level - 1]), before it")
        }
        for row in 0..<rows {
            guard means[row].isFinite, variances[row].isFinite, variances[row] > 0 else {
                throw .value("variances[\(row)]: mean \(means[row]), variance \(variances[row]), wanted above 0")
            }
            let scale = 1 / (2 * variances[row]).squareRoot()
            var below = 0.0
            for level in 0..<levelCount {
                let isLast = level == levelCount - 1
                let cut = isLast ? .infinity : (levels[level] + levels[level + 1]) / 2
                let upTo = isLast ? 1 : 0.5 * erfc((means[row] - cut) * scale)
                out[row * levelCount + level] = max(upTo - below, 0)
                below = max(upTo, below)
            }
        }
    }
}
