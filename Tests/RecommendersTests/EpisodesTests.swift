import Graph
import Recommenders
import Testing

@Suite struct EpisodesTests {
    private func draw(_ episode: Episode, from count: Int) -> (support: [Int32], query: [Int32]) {
        var rows = [Int32](repeating: -7, count: count)
        let sizes = episode.draw(from: count, into: &rows)
        return (
            Array(rows[..<sizes.supportCount]), Array(rows[sizes.supportCount..<sizes.supportCount + sizes.queryCount])
        )
    }

    @Test(arguments: [0, 1, 2, 3, 7, 12, 100])
    func sizesAndRowsKeepTheRules(count: Int) throws {
        let episodes = try Episodes(supportLow: 2, supportHigh: 6, queryLow: 1, queryHigh: 4)
        var supportSizes = Set<Int>()
        var querySizes = Set<Int>()
        for task in 0..<300 {
            let (support, query) = draw(episodes.episode(seed: 1, epoch: 2, task: task), from: count)
            #expect(Set(support + query).count == support.count + query.count)
            #expect((support + query).allSatisfy { (0..<Int32(count)).contains($0) })
            #expect(query.count <= max(1, count / 2) && query.count <= 4)
            #expect(support.count <= min(6, count - query.count))
            supportSizes.insert(support.count)
            querySizes.insert(query.count)
        }
        if count == 100 {
            #expect(supportSizes == Set(2...6))
            #expect(querySizes == Set(1...4))
        }
        if count == 2 { #expect(supportSizes == [1] && querySizes == [1]) }
        if count == 7 { #expect(querySizes == [1, 2, 3] && supportSizes == Set(2...6)) }
        #expect(Episodes.canDraw(from: count) == (count >= 2))
    }

    @Test func theSameKeysDrawTheSame() throws {
        let episodes = try Episodes(supportLow: 5, supportHigh: 5, queryLow: 5, queryHigh: 5)
        func rows(_ seed: UInt64, _ epoch: Int, _ task: Int) -> [Int32] {
            let (support, query) = draw(episodes.episode(seed: seed, epoch: epoch, task: task), from: 50)
            return support + query
        }
        #expect(rows(1, 2, 3) == rows(1, 2, 3))
        #expect(Set([rows(1, 2, 3), rows(2, 2, 3), rows(1, 3, 3), rows(1, 2, 4), rows(1, 3, 2)]).count == 5)
    }

    /// Every row is as likely in the support as in the query, and as any other row: 6000 draws of 3 and 2 of 10 rows.
    @Test func rowsAreUniform() throws {
        let episodes = try Episodes(supportLow: 3, supportHigh: 3, queryLow: 2, queryHigh: 2)
        var counts = [[Int]](repeating: [0, 0], count: 10)
        for task in 0..<6000 {
            let (support, query) = draw(episodes.episode(seed: 9, epoch: 0, task: task), from: 10)
            for row in support { counts[Int(row)][0] += 1 }
            for row in query { counts[Int(row)][1] += 1 }
        }
        // Five standard deviations of a binomial count.
        for count in counts {
            #expect(abs(Double(count[0]) - 1800) < 5 * (6000 * 0.3 * 0.7).squareRoot())
            #expect(abs(Double(count[1]) - 1200) < 5 * (6000 * 0.2 * 0.8).squareRoot())
        }
    }

    @Test func refusesBadRanges() {
        for (support, query, message) in [
            ((-1, 2), (1, 2), "support: -1 ... 2, wanted 0 <= low <= high <= 2147483647"),
            ((3, 2), (1, 2), "support: 3 ... 2, wanted 0 <= low <= high <= 2147483647"),
            ((0, 2), (0, 2), "query: 0 ... 2, wanted 1 <= low <= high <= 2147483647"),
            ((0, 2), (3, 2), "query: 3 ... 2, wanted 1 <= low <= high <= 2147483647"),
            ((0, Int.max), (1, 2), "support: 0 ... \(Int.max), wanted 0 <= low <= high <= 2147483647"),
        ] {
            #expect(throws: MetarecError.value(message)) {
                try Episodes(
                    supportLow: support.0, supportHigh: support.1, queryLow: query.0, queryHigh: query.1)
            }
        }
    }
}
