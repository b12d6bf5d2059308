/// Rankings of relevant and other rows. In a tied block of n rows, r of them relevant, every order is equally likely;
/// each metric is the exact expectation. All are nil for a task without a relevant row.
extension ScoredTask {
    /// Expected number of relevant rows among the first k places: Σ over blocks of r/n times the block's places below k.
    private func hits(_ k: Int, _ relevant: Double) -> Double {
        let end = min(places(k), count)
        var hits = 0.0
        for block in blocks {
            let seen = block.clamped(to: 0..<end).count
            if seen == 0 { break }
            hits += Double(seen * relevantCount(relevant, in: block)) / Double(block.count)
        }
        return hits
    }

    /// hits@k / k, also where the task has fewer than k rows (as trec_eval).
    func precision(_ k: Int, _ relevant: Double) -> Double? {
        relevantCount(relevant) == 0 ? nil : hits(k, relevant) / Double(places(k))
    }

    /// hits@k / relevant rows.
    func recall(_ k: Int, _ relevant: Double) -> Double? {
        let total = relevantCount(relevant)
        return total == 0 ? nil : hits(k, relevant) / Double(total)
    }

    /// 2PR / (P + R) = 2·hits@k / (k + relevant rows): linear in the hits, so its expectation is that of the hits.
    func f1(_ k: Int, _ relevant: Double) -> Double? {
        let total = relevantCount(relevant)
        return total == 0 ? nil : 2 * hits(k, relevant) / (Double(places(k)) + Double(total))
    }

    /// Σ over relevant places i ≤ k of hits@i / i, divided by min(k, relevant rows), so that the best ranking has 1.
    ///
    /// Place i, the t-th of its block (t from 0), is relevant with probability r/n; given that, the t rows tied
    /// before it hold t·(r − 1)/(n − 1) relevant ones on average.
    func averagePrecision(_ k: Int, _ relevant: Double) -> Double? {
        let total = relevantCount(relevant)
        guard total > 0 else { return nil }
        let end = min(places(k), count)
        var sum = 0.0
        var before = 0.0
        for block in blocks {
            let r = Double(relevantCount(relevant, in: block))
            let n = Double(block.count)
            for place in block.clamped(to: 0..<end) where r > 0 {
                let tied = n > 1 ? Double(place - block.lowerBound) * (r - 1) / (n - 1) : 0
                sum += r / n * (before + 1 + tied) / Double(place + 1)
            }
            if block.upperBound >= end { break }
            before += r
        }
        return sum / Double(min(places(k), total))
    }

    /// 1 / place of the first relevant row, 0 where it lies beyond k.
    func reciprocalRank(_ k: Int, _ relevant: Double) -> Double? {
        var sum = 0.0
        let found = firstRelevant(k, relevant) { place, probability in sum += probability / Double(place + 1) }
        return found ? sum : nil
    }

    /// Probability that a relevant row is among the first k.
    func hitRate(_ k: Int, _ relevant: Double) -> Double? {
        var sum = 0.0
        let found = firstRelevant(k, relevant) { _, probability in sum += probability }
        return found ? sum : nil
    }

    /// Calls `body` with each place below k where the first relevant row can lie, and the probability that it does.
    ///
    /// Only the first block with a relevant row counts. Drawing it without replacement, the t-th draw is the first
    /// relevant one with probability q·r/(n − t), where q, the chance of none before, shrinks by 1 − r/(n − t).
    private func firstRelevant(_ k: Int, _ relevant: Double, _ body: (Int, Double) -> Void) -> Bool {
        let end = min(places(k), count)
        for block in blocks {
            let r = Double(relevantCount(relevant, in: block))
            if r == 0 { continue }
            var none = 1.0
            for place in block.clamped(to: 0..<end) {
                let share = r / Double(block.upperBound - place)
                body(place, none * min(share, 1))
                none *= max(0, 1 - share)
                if none == 0 { break }
            }
            return true
        }
        return false
    }
}
