import Glibc
public import Graph
import Kernels

/// Levels, such as stars, of a rating of which the mean m and the variance v are known: the ordered probit
/// P(y ≤ k) = Φ((c_k − s m) / √v) with cuts c and a slope s, tilted so that the mean of the levels is m.
///
/// The cuts say how the scale is used (many fours, few ones), the tilt keeps what the moments know: of all distributions
/// with the mean m, P(k) exp(a l_k) is the one nearest to P in relative entropy.
///
/// References: McKelvey and Zavoina, "A statistical model for the analysis of ordinal level dependent variables", 1975;
/// Csiszár, "I-divergence geometry of probability distributions and minimization problems", 1975.
public struct OrderedProbit: Sendable {
    /// l, rising.
    public let levels: [Double]
    /// c, rising, one fewer.
    public private(set) var cuts: [Double]
    /// s.
    public private(set) var slope: Double

    /// Least probability of a level before the tilt.
    static let least = 1e-9
    /// Nearest that a mean comes to the ends, in shares of the range.
    static let margin = 0.005

    /// Cuts half way between the levels, unless given.
    ///
    /// Errors: no levels, levels or cuts that do not rise or are too many or few, a slope not above zero.
    public init(levels: [Double], cuts: [Double]? = nil, slope: Double = 1) throws(MetarecError) {
        let cuts = cuts ?? zip(levels, levels.dropFirst()).map { ($0 + $1) / 2 }
        guard !levels.isEmpty, OrderedProbit.isRising(levels) else {
            throw .value("levels: \(levels), wanted finite rising numbers, at least one")
        }
        guard cuts.count == levels.count - 1, OrderedProbit.isRising(cuts) else {
            throw .value("cuts: \(cuts), wanted \(levels.count - 1) finite rising numbers")
        }
        guard slope > 0, slope.isFinite else { throw .value("slope: \(slope), wanted more than 0") }
        (self.levels, self.cuts, self.slope) = (levels, cuts, slope)
    }

    private static func isRising(_ values: [Double]) -> Bool {
        values.allSatisfy(\.isFinite) && zip(values, values.dropFirst()).allSatisfy { $0 < $1 }
    }

    /// The mean as the levels can have it: `mean`, inside the scale.
    public func attainable(_ mean: Double) -> Double {
        guard let low = levels.first, let high = levels.last else { return mean }
        let margin = OrderedProbit.margin * (high - low)
        return min(max(mean, low + margin), high - margin)
    }

    /// The probabilities of the levels for each row of moments.
    ///
    /// - Parameter out: [means.count, levels.count]; every row sums to one and has the mean `attainable(mean)`.
    /// - Throws: a mean that is not finite, a variance that is not above zero. Cost: some ten exponentials a number.
    public func probabilities(
        means: UnsafeBufferPointer<Double>, variances: UnsafeBufferPointer<Double>,
        into out: UnsafeMutablePointer<Double>
    ) throws(MetarecError) {
        for row in means.indices {
            let (mean, variance) = (means[row], variances[row])
            guard mean.isFinite, variance.isFinite, variance > 0 else {
                throw .value(
                    "variances[\(row)] = \(variance), means[\(row)] = \(mean): wanted finite, the variance above 0")
            }
            let p = out + row * levels.count
            let deviation = variance.squareRoot()
            var below = 0.0
            for (level, cut) in cuts.enumerated() {
                let upTo = normalBelow((cut - slope * mean) / deviation)
                p[level] = max(upTo - below, OrderedProbit.least)
                below = upTo
            }
            p[cuts.count] = max(1 - below, OrderedProbit.least)
            tilt(p, to: attainable(mean))
        }
    }

    /// Scales p by exp(a l) so that Σ p l is `mean` and Σ p is 1: Newton's method, whose steps are bounded.
    private func tilt(_ p: UnsafeMutablePointer<Double>, to mean: Double) {
        let count = levels.count
        let range = levels[count - 1] - levels[0]
        for _ in 0..<60 {
            var (sum, first, second) = (0.0, 0.0, 0.0)
            for level in 0..<count {
                sum += p[level]
                first += p[level] * levels[level]
                second += p[level] * levels[level] * levels[level]
            }
            let present = first / sum
            let error = mean - present
            for level in 0..<count { p[level] /= sum }
            guard count > 1, abs(error) > 1e-10 * range else { return }
            let spread = max(second / sum - present * present, 1e-6 * range * range)
            let step = min(max(error / spread, -4 / range), 4 / range)
            for level in 0..<count { p[level] *= exp(step * (levels[level] - present)) }
        }
    }

    /// Improves cuts and slope to the most likely ones for rows of known levels (the log-likelihood is concave), with
    /// what it starts from as prior, as if of ten rows: Fisher scoring.
    ///
    /// - Parameter places: the level of each row, 0 ..< levels.count.
    public mutating func fit(
        means: UnsafeBufferPointer<Double>, variances: UnsafeBufferPointer<Double>, places: UnsafeBufferPointer<Int64>
    ) throws(MetarecError) {
        for row in means.indices {
            guard means[row].isFinite, variances[row].isFinite, variances[row] > 0 else {
                throw .value("variances[\(row)] = \(variances[row]): wanted finite moments, a variance above 0")
            }
            guard places[row] >= 0, places[row] < levels.count else {
                throw .index("places[\(row)] = \(places[row]): outside 0 ..< \(levels.count)")
            }
        }
        guard !means.isEmpty, !cuts.isEmpty else { return }
        let start = self
        let weight = 10 * Double(means.count) / variances.reduce(0, +)
        var value = objective(means, variances, places, start, weight)
        for _ in 0..<50 {
            let (gradient, information) = derivatives(means, variances, start, weight, places)
            guard let factor = information.cholesky else { return }
            factor.solveLower(gradient, transposed: false)
            factor.solveLower(gradient, transposed: true)
            var share = 1.0
            var hasImproved = false
            while share > 1e-4 {
                var next = self
                for cut in cuts.indices { next.cuts[cut] += share * gradient[cut, 0] }
                next.slope += share * gradient[cuts.count, 0]
                if OrderedProbit.isRising(next.cuts), next.slope > 0 {
                    let now = next.objective(means, variances, places, start, weight)
                    if now > value {
                        hasImproved = now - value > 1e-9 * Double(means.count)
                        (self, value) = (next, now)
                        break
                    }
                }
                share /= 2
            }
            if !hasImproved { return }
        }
    }

    private func objective(
        _ means: UnsafeBufferPointer<Double>, _ variances: UnsafeBufferPointer<Double>,
        _ places: UnsafeBufferPointer<Int64>, _ start: OrderedProbit, _ weight: Double
    ) -> Double {
        var sum = 0.0
        for row in means.indices {
            let deviation = variances[row].squareRoot()
            let place = Int(places[row])
            let above = place == cuts.count ? 1 : normalBelow((cuts[place] - slope * means[row]) / deviation)
            let below = place == 0 ? 0 : normalBelow((cuts[place - 1] - slope * means[row]) / deviation)
            sum += log(max(above - below, 1e-12))
        }
        let distance = zip(cuts, start.cuts).reduce((slope - start.slope) * (slope - start.slope)) {
            $0 + ($1.0 - $1.1) * ($1.0 - $1.1)
        }
        return sum - weight / 2 * distance
    }

    /// Gradient of the objective, a column, and its expected information.
    private func derivatives(
        _ means: UnsafeBufferPointer<Double>, _ variances: UnsafeBufferPointer<Double>, _ start: OrderedProbit,
        _ weight: Double, _ places: UnsafeBufferPointer<Int64>
    ) -> (DenseMatrix, DenseMatrix) {
        let last = cuts.count
        let gradient = DenseMatrix(last + 1, 1)
        let information = DenseMatrix(identity: last + 1, times: weight)
        for cut in 0..<last { gradient[cut, 0] = -weight * (cuts[cut] - start.cuts[cut]) }
        gradient[last, 0] = -weight * (slope - start.slope)
        for row in means.indices {
            let scale = 1 / variances[row].squareRoot()
            var (below, densityBelow) = (0.0, 0.0)
            for level in levels.indices {
                let z = level < last ? (cuts[level] - slope * means[row]) * scale : .infinity
                let (above, density) = (normalBelow(z), exp(-z * z / 2) / (2 * Double.pi).squareRoot())
                let p = max(above - below, 1e-12)
                let parts: InlineArray<3, (index: Int, value: Double)> = [
                    (last, (densityBelow - density) * means[row] * scale),
                    (level < last ? level : -1, density * scale),
                    (level - 1, -densityBelow * scale),
                ]
                for first in 0..<3 where parts[first].index >= 0 {
                    let (index, value) = parts[first]
                    if level == Int(places[row]) { gradient[index, 0] += value / p }
                    for second in 0..<3 where parts[second].index >= 0 {
                        information[index, parts[second].index] += value * parts[second].value / p
                    }
                }
                (below, densityBelow) = (above, density)
            }
        }
        return (gradient, information)
    }
}

/// Φ(z).
private func normalBelow(_ z: Double) -> Double { 0.5 * erfc(-z / 2.0.squareRoot()) }
