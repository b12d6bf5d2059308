import Dispatch
public import Graph
import Synchronization

/// Rankings of a whole catalogue for each of several users, some items excluded: no sampled candidates.
public struct CatalogueRanking {
    /// Scores `[users, catalogue]`.
    public let scores: Numbers
    /// Number of users.
    public let users: Int
    /// Number of items.
    public let catalogue: Int
    /// Items that are no candidates, such as those that the user was shown to have.
    public let excluded: ItemLists
    /// What should come first.
    public let relevant: ItemLists

    /// Rankings of borrowed arrays, whose numbers are checked here.
    public init(scores: Numbers, users: Int, catalogue: Int, excluded: ItemLists, relevant: ItemLists)
        throws(MetarecError)
    {
        guard users >= 0, catalogue >= 0, catalogue <= Int(Int32.max) else {
            throw .value("scores: \(users) users x \(catalogue) items, wanted 0 or more and at most \(Int32.max) items")
        }
        try excluded.check("excluded", users: users, catalogue: catalogue)
        try relevant.check("relevant", users: users, catalogue: catalogue)
        self.scores = scores
        self.users = users
        self.catalogue = catalogue
        self.excluded = excluded
        self.relevant = relevant
    }

    /// The statistics of every user, and the best items of each.
    ///
    /// - Parameters:
    ///   - metrics: of relevance; a relevant item has gain 1. Tied items share in expectation.
    ///   - statistics: `[metrics.count, users]`; 0 / 0 for a user without a relevant candidate.
    ///   - k: length of the lists.
    ///   - lists: `[users, k]`, best first, of tied items the lowest number first; −1 where candidates are fewer.
    /// - Throws: `.value` for metrics of something else, `.arithmetic` for a score that is not finite.
    ///   Cost: one pass over the scores.
    public func measure(
        _ metrics: [Metric], into statistics: UnsafeMutableBufferPointer<Statistic>, k: Int,
        lists: UnsafeMutableBufferPointer<Int32>
    ) throws(MetarecError) {
        for metric in metrics where !metric.ranksRelevance {
            throw .value("metrics: \(metric.kind) is not one of a ranking")
        }
        let failed = Atomic<Int>(.max)
        nonisolated(unsafe) let (ranking, statistics, lists) = (self, statistics, lists)
        let block = 8
        DispatchQueue.concurrentPerform(iterations: (users + block - 1) / block) { index in
            var marks = [Mark](repeating: .candidate, count: ranking.catalogue)
            for user in (index * block)..<min((index + 1) * block, ranking.users) {
                let list = UnsafeMutableBufferPointer(rebasing: lists[(user * k)..<((user + 1) * k)])
                let found =
                    switch ranking.scores {
                    case .float(let scores): ranking.ranked(scores, user: user, marks: &marks, list: list)
                    case .double(let scores): ranking.ranked(scores, user: user, marks: &marks, list: list)
                    }
                guard let found else {
                    failed.min(user, ordering: .relaxed)
                    return
                }
                for (number, metric) in metrics.enumerated() {
                    statistics[number * ranking.users + user] = Statistic(task: metric.value(of: found))
                }
            }
        }
        let user = failed.load(ordering: .relaxed)
        if user < users {
            throw MetarecError(.arithmetic, "scores: those of user \(user) are not all finite")
        }
    }

    private enum Mark: UInt8 { case candidate, relevant, excluded }

    /// The ranking of one user, whose best items go to `list`; nil where a score is not finite. `marks` come and go
    /// all `.candidate`.
    private func ranked<Scalar: BinaryFloatingPoint>(
        _ scores: UnsafePointer<Scalar>, user: Int, marks: inout [Mark], list: UnsafeMutableBufferPointer<Int32>
    ) -> RelevantRanking? {
        let scores = scores + user * catalogue
        for item in relevant[user] { marks[Int(item)] = .relevant }
        for item in excluded[user] { marks[Int(item)] = .excluded }
        defer {
            for item in relevant[user] { marks[Int(item)] = .candidate }
            for item in excluded[user] { marks[Int(item)] = .candidate }
        }
        // The distinct scores of relevant items, descending, with how many have each.
        var levels: [(score: Scalar, relevant: Int, tied: Int, above: Int)] = []
        for item in Set(relevant[user]) where marks[Int(item)] == .relevant {
            levels.append((scores[Int(item)], 1, 0, 0))
        }
        let total = levels.count
        levels.sort { $0.score > $1.score }
        var distinct = 0
        for level in levels.indices {
            if distinct > 0, levels[distinct - 1].score == levels[level].score {
                levels[distinct - 1].relevant += 1
            } else {
                levels[distinct] = levels[level]
                distinct += 1
            }
        }
        levels.removeLast(levels.count - distinct)

        var best = Best(list, scores)
        var count = 0
        for item in 0..<catalogue {
            let score = scores[item]
            guard score.isFinite else { return nil }
            if marks[item] == .excluded { continue }
            count += 1
            best.offer(Int32(item))
            guard let lowest = levels.last, score >= lowest.score else { continue }
            // The first level that the score reaches: there it is tied, or it lies above all from there on.
            var low = 0
            var high = levels.count - 1
            while low < high {
                let middle = (low + high) / 2
                if score >= levels[middle].score { high = middle } else { low = middle + 1 }
            }
            if score == levels[low].score { levels[low].tied += 1 } else { levels[low].above += 1 }
        }
        var place = 0
        let blocks = levels.map { level in
            let start = place + level.above
            place = start + level.tied
            return RelevantRanking.Block(places: start..<place, relevant: level.relevant)
        }
        return RelevantRanking(count: count, total: total, blocks: blocks)
    }
}

/// The best items seen so far, in order.
private struct Best<Scalar: BinaryFloatingPoint> {
    private let list: UnsafeMutableBufferPointer<Int32>
    private let scores: UnsafePointer<Scalar>
    private var filled = 0

    init(_ list: UnsafeMutableBufferPointer<Int32>, _ scores: UnsafePointer<Scalar>) {
        self.list = list
        self.scores = scores
        list.update(repeating: -1)
    }

    /// Items are offered by ascending number, so that an equal score does not go ahead of one that is there.
    mutating func offer(_ item: Int32) {
        if filled == list.count {
            guard filled > 0, scores[Int(item)] > scores[Int(list[filled - 1])] else { return }
            filled -= 1
        }
        var place = filled
        while place > 0, scores[Int(item)] > scores[Int(list[place - 1])] {
            list[place] = list[place - 1]
            place -= 1
        }
        list[place] = item
        filled += 1
    }
}
