import Glibc

/// Normalised discounted cumulative gain (Järvelin and Kekäläinen, TOIS 2002), tied scores sharing the mean gain of
/// their places (McSherry and Najork, ECIR 2008).
enum Gain {
    /// 2^r − 1 (Burges et al., ICML 2005).
    static func exponential(_ target: Double) -> Double { exp2(target) - 1 }

    /// 1 / log₂(place + 1) with places counted from 1; `place` here counts from 0.
    static func discount(_ place: Int) -> Double { 1 / log2(Double(place + 2)) }
}

extension ScoredTask {
    /// DCG@k / ideal DCG@k; nil where no row has a gain.
    func ndcg(_ k: Int, gain: (Double) -> Double) -> Double? {
        let end = min(places(k), count)
        var best = targets.map(gain)
        best.sort(by: >)
        var ideal = 0.0
        for place in 0..<end { ideal += best[place] * Gain.discount(place) }
        guard ideal > 0 else { return nil }

        var sum = 0.0
        for block in blocks {
            let seen = block.clamped(to: 0..<end)
            if seen.isEmpty { break }
            var discounts = 0.0
            for place in seen { discounts += Gain.discount(place) }
            var gains = 0.0
            for place in block { gains += gain(targets[order[place]]) }
            sum += gains / Double(block.count) * discounts
        }
        return sum / ideal
    }
}
