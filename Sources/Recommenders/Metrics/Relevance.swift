import Glibc

/// Rankings of relevant and other rows. In a tied block of n rows, r of them relevant, every order is equally likely;
/// each metric is the exact expectation. All are nil for a task without a relevant row.
extension RelevantRanking {
    /// Expected number of relevant rows among the first k places: Σ over blocks of r/n times the block's places below k.
    private func hits(_ k: Int) -> Double {
        let end = min(places(k), count)
        var hits = 0.0
        for block in blocks {
            let seen = block.places.clamped(to: 0..<end).count
            if seen == 0 { break }
            hits += Double(seen * block.relevant) / Double(block.places.count)
        }
        return hits
    }

    /// hits@k / k, also where the task has fewer than k rows (as trec_eval).
    func precision(_ k: Int) -> Double? { total == 0 ? nil : hits(k) / Double(places(k)) }

    /// hits@k / relevant rows.
    func recall(_ k: Int) -> Double? { total == 0 ? nil : hits(k) / Double(total) }

    /// 2PR / (P + R) = 2·hits@k / (k + relevant rows): linear in the hits, so its expectation is that of the hits.
    func f1(_ k: Int) -> Double? { total == 0 ? nil : 2 * hits(k) / (Double(places(k)) + Double(total)) }

    /// Σ over relevant places i ≤ k of hits@i / i, divided by min(k, relevant rows), so that the best ranking has 1.
    ///
    /// Place i, the t-th of its block (t from 0), is relevant with probability r/n; given that, the t rows tied
    /// before it hold t·(r − 1)/(n − 1) relevant ones on average.
    func averagePrecision(_ k: Int) -> Double? {
        guard total > 0 else { return nil }
        let end = min(places(k), count)
        var sum = 0.0
        var before = 0.0
        for block in blocks {
            let r = Double(block.relevant)
            let n = Double(block.places.count)
            for place in block.places.clamped(to: 0..<end) {
                let tied = n > 1 ? Double(place - block.places.lowerBound) * (r - 1) / (n - 1) : 0
                sum += r / n * (before + 1 + tied) / Double(place + 1)
            }
            if block.places.upperBound >= end { break }
            before += r
        }
        return sum / Double(min(places(k), total))
    }

    /// 1 / place of the first relevant row, 0 where it lies beyond k.
    func reciprocalRank(_ k: Int) -> Double? {
        var sum = 0.0
        let found = firstRelevant(k) { place, probability in sum += probability / Double(place + 1) }
        return found ? sum : nil
    }

    /// Probability that a relevant row is among the first k.
    func hitRate(_ k: Int) -> Double? {
        var sum = 0.0
        let found = firstRelevant(k) { _, probability in sum += probability }
        return found ? sum : nil
    }

    /// Normalised discounted cumulative gain where a relevant row has gain 1 and others none.
    func ndcg(_ k: Int) -> Double? {
        guard total > 0 else { return nil }
        let end = min(places(k), count)
        var ideal = 0.0
        for place in 0..<min(end, total) { ideal += Gain.discount(place) }
        var sum = 0.0
        for block in blocks {
            var discounts = 0.0
            for place in block.places.clamped(to: 0..<end) { discounts += Gain.discount(place) }
            sum += Double(block.relevant) / Double(block.places.count) * discounts
        }
        return sum / ideal
    }

    /// P(score of a relevant row > score of another row) + ½ P(equal): the area under the ROC curve (Mann and Whitney).
    /// nil where all rows are of one class.
    var areaUnderCurve: Double? {
        let negatives = count - total
        guard total > 0, negatives > 0 else { return nil }
        var wins = 0.0
        var before = 0  // relevant rows of the blocks passed
        for block in blocks {
            // Other rows with a lower score: all that are not above this block and not in it.
            let others = block.places.count - block.relevant
            let above = block.places.lowerBound - before
            wins += Double(block.relevant) * (Double(negatives - above - others) + Double(others) / 2)
            before += block.relevant
        }
        return wins / (Double(total) * Double(negatives))
    }

    /// Calls `body` with each place below k where the first relevant row can lie, and the probability that it does.
    ///
    /// Only the first block with a relevant row counts. Drawing it without replacement, the t-th draw is the first
    /// relevant one with probability q·r/(n − t), where q, the chance of none before, shrinks by 1 − r/(n − t).
    private func firstRelevant(_ k: Int, _ body: (Int, Double) -> Void) -> Bool {
        guard let block = blocks.first else { return false }
        var none = 1.0
        for place in block.places.clamped(to: 0..<min(places(k), count)) {
            let share = Double(block.relevant) / Double(block.places.upperBound - place)
            body(place, none * min(share, 1))
            none *= max(0, 1 - share)
            if none == 0 { break }
        }
        return true
    }
}
