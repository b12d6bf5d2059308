/// Where the relevant rows of one ranking lie: all that metrics of relevance need to know of it.
///
/// Rows of one score have no order. Only blocks of equal scores that hold a relevant row are kept; each metric is its
/// exact expectation over a random order within the blocks.
struct RelevantRanking {
    /// Consecutive places of equal score, best first, and how many of their rows are relevant.
    struct Block: Equatable {
        let places: Range<Int>
        let relevant: Int
    }

    /// Number of rows ranked.
    let count: Int
    /// Number of relevant ones among them.
    let total: Int
    /// Blocks with a relevant row, best first.
    let blocks: [Block]

    /// How many of the first `k` places (0: all) exist for the ranking to fill.
    func places(_ k: Int) -> Int { k == 0 ? count : k }
}

extension ScoredTask {
    /// The ranking of the rows whose target is at least `relevant`.
    func ranking(_ relevant: Double) -> RelevantRanking {
        var total = 0
        var found: [RelevantRanking.Block] = []
        for block in blocks {
            let count = order[block].count { targets[$0] >= relevant }
            if count > 0 { found.append(.init(places: block, relevant: count)) }
            total += count
        }
        return RelevantRanking(count: count, total: total, blocks: found)
    }
}
