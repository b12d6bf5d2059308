import Graph
import MetaLearning

/// How training draws support and query anew from all rows of a task.
///
/// With n rows: the query size is uniform in `query`, but at most max(1, ⌊n / 2⌋); the support size is uniform in
/// `support`, but at most what the query leaves; the rows are a random permutation's first ones.
public struct Episodes: Hashable, Sendable {
    /// Sizes of the support.
    public let support: ClosedRange<Int>
    /// Sizes of the query.
    public let query: ClosedRange<Int>

    /// Errors: a range that is empty, a support below 0, a query below 1.
    public init(supportLow: Int, supportHigh: Int, queryLow: Int, queryHigh: Int) throws {
        let most = Int(Int32.max)
        guard supportLow >= 0, supportLow <= supportHigh, supportHigh <= most else {
            throw MetarecError.value("support: \(supportLow) ... \(supportHigh), wanted 0 <= low <= high <= \(most)")
        }
        guard queryLow >= 1, queryLow <= queryHigh, queryHigh <= most else {
            throw MetarecError.value("query: \(queryLow) ... \(queryHigh), wanted 1 <= low <= high <= \(most)")
        }
        support = supportLow...supportHigh
        query = queryLow...queryHigh
    }

    /// Whether a task of `rowCount` rows takes part: one row is needed for each side.
    public static func canDraw(from rowCount: Int) -> Bool { rowCount >= 2 }

    /// The episode of one task in one epoch: the same for the same numbers, on whatever thread.
    public func episode(seed: UInt64, epoch: Int, task: Int) -> Episode {
        Episode(
            sizes: self,
            generator: SeededGenerator(seed, UInt64(truncatingIfNeeded: epoch), UInt64(truncatingIfNeeded: task)))
    }
}

/// One draw of support and query.
public struct Episode: Sendable {
    let sizes: Episodes
    let generator: SeededGenerator

    /// Writes a random permutation's first rows to `rows` (room for `rowCount`): the support, then the query.
    ///
    /// Cost: O(`rowCount`); allocates nothing.
    public func draw(
        from rowCount: Int, into rows: UnsafeMutablePointer<Int32>
    ) -> (supportCount: Int, queryCount: Int) {
        var generator = generator
        let query = min(Episode.size(in: sizes.query, &generator), max(1, rowCount / 2), rowCount)
        let support = min(Episode.size(in: sizes.support, &generator), rowCount - query)
        for row in 0..<rowCount { rows[row] = Int32(truncatingIfNeeded: row) }
        for place in 0..<support + query {
            let other = place + generator.index(below: rowCount - place)
            (rows[place], rows[other]) = (rows[other], rows[place])
        }
        return (support, query)
    }

    private static func size(in range: ClosedRange<Int>, _ generator: inout SeededGenerator) -> Int {
        range.lowerBound + generator.index(below: range.upperBound - range.lowerBound + 1)
    }
}
