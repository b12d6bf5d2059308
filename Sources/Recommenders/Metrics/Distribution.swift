import Glibc
public import Graph
import MetaLearning

/// What is read off a predictive distribution over levels, such as the stars, row by row.
///
/// Each decision is the best answer for one loss: the median for absolute error, the mean for squared error, the mode
/// for hits, the expected gain for nDCG (it ranks as the expected gain does).
public enum Distribution {
    /// What is read off, numbered as `mr_distribution_value` in `metarec.h`.
    public enum Value: Int32, Sendable, CaseIterable {
        /// Σ P(l)·l.
        case mean = 0
        /// The lowest level with P(≤ l) ≥ ½.
        case median
        /// The most probable level; of several the lowest.
        case mode
        /// Σ P(l)·(2^l − 1).
        case gain
        /// The probability of the mode.
        case confidence
        /// −log P(target), P not below the machine epsilon, 2⁻⁵².
        case negativeLog
        /// The randomised probability integral transform P(< target) + u·P(target), u uniform in [0, 1): uniform for
        /// calibrated distributions, discrete ones too (Czado, Gneiting and Held, Biometrics 2009).
        case transform
    }

    /// The values of every row.
    ///
    /// - Parameters:
    ///   - wanted: what to read off.
    ///   - probabilities: `[rows, levels]`, at least 0, a row summing to 1 within 10⁻³ (it is divided by its sum).
    ///   - levels: ascending.
    ///   - targets: one a row, each a level within a thousandth of the smallest gap; only for what needs them.
    ///   - seed: row r draws its u from the stream `SeededGenerator(seed, r)`.
    ///   - out: `[wanted.count, rows]`.
    /// - Throws: `.value` for arguments that cannot be, `.arithmetic` for probabilities.
    public static func values(
        _ wanted: [Value], probabilities: UnsafeBufferPointer<Double>, levels: UnsafeBufferPointer<Double>,
        targets: UnsafeBufferPointer<Double>?, seed: UInt64, into out: UnsafeMutableBufferPointer<Double>
    ) throws(MetarecError) {
        let tolerance = try smallestGap(levels) / 1000
        let rows = probabilities.count / levels.count
        if let targets {
            guard targets.count == rows else { throw .value("targets: got \(targets.count), wanted \(rows) rows") }
        } else if wanted.contains(.negativeLog) || wanted.contains(.transform) {
            throw .value("targets: missing, and the likelihood needs them")
        }
        for row in 0..<rows {
            let p = UnsafeBufferPointer(rebasing: probabilities[(row * levels.count)..<((row + 1) * levels.count)])
            let distribution = try Row(p, levels, row: row)
            var target = 0
            if let targets {
                guard let found = levels.firstIndex(where: { abs($0 - targets[row]) <= tolerance }) else {
                    throw .value("targets: row \(row) is \(targets[row]), which is none of the \(levels.count) levels")
                }
                target = found
            }
            for (index, value) in wanted.enumerated() {
                out[index * rows + row] = distribution.value(value, target: target, seed: seed, row: row)
            }
        }
    }

    private static func smallestGap(_ levels: UnsafeBufferPointer<Double>) throws(MetarecError) -> Double {
        guard let first = levels.first, first.isFinite else {
            throw .value("levels: got \(levels.first.map { "\($0)" } ?? "none"), wanted finite numbers, ascending")
        }
        var gap = Double.infinity
        for index in 1..<max(levels.count, 1) {
            guard levels[index].isFinite, levels[index] > levels[index - 1] else {
                throw .value(
                    "levels: \(levels[index - 1]) comes before \(levels[index]), wanted finite numbers, ascending")
            }
            gap = min(gap, levels[index] - levels[index - 1])
        }
        return gap.isFinite ? gap : 1
    }

    /// One row's distribution.
    private struct Row {
        let probabilities: UnsafeBufferPointer<Double>
        let levels: UnsafeBufferPointer<Double>
        let sum: Double

        init(_ probabilities: UnsafeBufferPointer<Double>, _ levels: UnsafeBufferPointer<Double>, row: Int)
            throws(MetarecError)
        {
            var sum = 0.0
            for (level, p) in probabilities.enumerated() {
                guard p >= 0, p.isFinite else {
                    throw MetarecError(
                        .arithmetic, "probabilities: row \(row), level \(level) is \(p), wanted a probability")
                }
                sum += p
            }
            guard abs(sum - 1) <= 1e-3 else {
                throw MetarecError(.arithmetic, "probabilities: row \(row) sums to \(sum), wanted 1")
            }
            self.probabilities = probabilities
            self.levels = levels
            self.sum = sum
        }

        func value(_ value: Value, target: Int, seed: UInt64, row: Int) -> Double {
            switch value {
            case .mean: expected { $0 }
            case .gain: expected(Gain.exponential)
            case .median: levels[median]
            case .mode: levels[mode]
            case .confidence: probabilities[mode] / sum
            case .negativeLog: -log(max(probabilities[target] / sum, .ulpOfOne))
            case .transform: transform(target, seed: seed, row: row)
            }
        }

        private func expected(_ function: (Double) -> Double) -> Double {
            var total = 0.0
            for level in levels.indices { total += probabilities[level] * function(levels[level]) }
            return total / sum
        }

        private var mode: Int {
            var best = 0
            for level in levels.indices where probabilities[level] > probabilities[best] { best = level }
            return best
        }

        private var median: Int {
            // Sums are rounded: what is within a hair of a half is the half.
            let half = sum * (0.5 - 1e-12)
            var below = 0.0
            for level in levels.indices {
                below += probabilities[level]
                if below >= half { return level }
            }
            return levels.count - 1
        }

        private func transform(_ target: Int, seed: UInt64, row: Int) -> Double {
            var generator = SeededGenerator(seed, UInt64(row))
            var below = 0.0
            for level in 0..<target { below += probabilities[level] }
            return (below + generator.uniform() * probabilities[target]) / sum
        }
    }
}
