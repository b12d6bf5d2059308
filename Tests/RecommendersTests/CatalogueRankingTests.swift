import Graph
import MetaLearning
import Recommenders
import Testing

private struct Found {
    var statistics: [Statistic]
    var lists: [Int32]
}

private func rank<Scalar>(
    _ scores: [Scalar], users: Int, excluded: [[Int32]], relevant: [[Int32]], _ metrics: [Metric], k: Int,
    _ numbers: (UnsafePointer<Scalar>) -> Numbers
) throws -> Found {
    func offsets(_ lists: [[Int32]]) -> [Int64] { lists.reduce(into: [0]) { $0.append($0.last! + Int64($1.count)) } }
    var found = Found(
        statistics: Array(repeating: Statistic(-1, over: -1), count: metrics.count * users),
        lists: Array(repeating: -7, count: users * k))
    let (a, b) = (offsets(excluded), offsets(relevant))
    let (known, wanted) = (excluded.flatMap { $0 }, relevant.flatMap { $0 })
    try scores.withUnsafeBufferPointer { scores in
        try a.withUnsafeBufferPointer { a in
            try known.withUnsafeBufferPointer { known in
                try b.withUnsafeBufferPointer { b in
                    try wanted.withUnsafeBufferPointer { wanted in
                        let ranking = try CatalogueRanking(
                            scores: numbers(scores.baseAddress!), users: users, catalogue: scores.count / users,
                            excluded: .init(offsets: a, items: known), relevant: .init(offsets: b, items: wanted))
                        try found.statistics.withUnsafeMutableBufferPointer { statistics in
                            try found.lists.withUnsafeMutableBufferPointer {
                                try ranking.measure(metrics, into: statistics, k: k, lists: $0)
                            }
                        }
                    }
                }
            }
        }
    }
    return found
}

@Suite struct CatalogueRankingTests {
    @Test func byHand() throws {
        // Candidates 0, 2, 3, 4 with scores 5, 3, 3, 1; relevant 2 and 4, and 1, which is excluded.
        let metrics = try [
            Metric(.hitRate, k: 1), Metric(.hitRate, k: 2), Metric(.recall, k: 3), Metric(.reciprocalRank),
            Metric(.auc), Metric(.precision, k: 10),
        ]
        let scores: [Float] = [5, 9, 3, 3, 1]
        let found = try rank(scores, users: 1, excluded: [[1]], relevant: [[4, 2, 1, 4]], metrics, k: 3) { .float($0) }
        // 2 is tied with 3 on the places 2 and 3.
        let expected = [0, 0.5, 0.5, (0.5 + 1.0 / 3) / 2, (0.5 + 0.0) / 4, 0.2]
        for (statistic, value) in zip(found.statistics, expected) {
            #expect(abs(statistic.numerator - value) < 1e-12 && statistic.denominator == 1)
        }
        #expect(found.lists == [0, 2, 3])
    }

    @Test func nothingRelevantIsLeftOutAndShortCataloguesArePadded() throws {
        let found = try rank(
            [1.0, 2, 3, 1, 1, 1], users: 2, excluded: [[2], [0, 1, 2]], relevant: [[2], []],
            [try Metric(.ndcg, k: 5)], k: 4
        ) { .double($0) }
        #expect(found.statistics == [Statistic(0, over: 0), Statistic(0, over: 0)])
        #expect(found.lists == [1, 0, -1, -1, -1, -1, -1, -1])
    }

    /// The metrics of query rows, where every item is a row, are an implementation by sorting.
    @Test func agreesWithSortingEveryItem() throws {
        var random = SeededGenerator(3)
        let (users, items) = (37, 29)
        let kinds: [Metric.Kind] = [.precision, .recall, .f1, .averagePrecision, .reciprocalRank, .hitRate, .auc]
        let metrics = try kinds.flatMap { [try Metric($0, relevant: 1), try Metric($0, k: 4, relevant: 1)] }
        let scores = (0..<(users * items)).map { _ in Double(random.index(below: 6)) }
        let relevant = (0..<users).map { _ in (0..<3).map { _ in Int32(random.index(below: items)) } }
        let none = relevant.map { _ in [Int32]() }
        let found = try rank(scores, users: users, excluded: none, relevant: relevant, metrics, k: 0) { .double($0) }
        let targets = relevant.flatMap { wanted in (0..<Int32(items)).map { wanted.contains($0) ? 1.0 : 0 } }
        let offsets = (0...users).map { Int64($0 * items) }
        let expected = try scores.withUnsafeBufferPointer { scores in
            try targets.withUnsafeBufferPointer { targets in
                try offsets.withUnsafeBufferPointer {
                    try Metric.statistics(of: metrics, predictions: scores, targets: targets, offsets: $0)
                }
            }
        }
        for (one, other) in zip(found.statistics, expected) {
            #expect(abs(one.numerator - other.numerator) < 1e-12 && one.denominator == other.denominator)
        }
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity])
    func scoresAreFinite(bad: Float) throws {
        var scores = [Float](repeating: 0, count: 40)
        scores[27] = bad
        let none = [[Int32]](repeating: [], count: 20)
        let error = #expect(throws: MetarecError.self) {
            try rank(scores, users: 20, excluded: none, relevant: none, [], k: 1) { .float($0) }
        }
        #expect(error?.kind == .arithmetic && error?.description.contains("user 13") == true)
    }

    @Test func errorsOfRatingsAreNoRankings() {
        #expect(throws: MetarecError.self) {
            try rank([1.0], users: 1, excluded: [[]], relevant: [[]], [Metric(.squaredError)], k: 1) { .double($0) }
        }
    }
}
