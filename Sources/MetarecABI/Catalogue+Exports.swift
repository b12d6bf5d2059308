public import CMetarec
import Graph
import Recommenders

/// `mr_catalogue` of `metarec.h`: rankings of a whole catalogue for each of several users.
@c @implementation
public func mr_catalogue(
    _ scores: UnsafeRawPointer?, _ dtype: Int32, _ users: Int64, _ catalogue: Int64, _ excluded: mr_item_lists,
    _ relevant: mr_item_lists, _ metrics: UnsafePointer<mr_metric>?, _ metricCount: Int64, _ k: Int64,
    _ outNumerators: UnsafeMutablePointer<Double>?, _ outDenominators: UnsafeMutablePointer<Double>?,
    _ outLists: UnsafeMutablePointer<Int32>?, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let users = try count(users, "users")
        let catalogue = try count(catalogue, "catalogue")
        let k = try count(k, "k")
        let wanted = try measures(metrics, metricCount)
        let cells = try checkProduct(users, catalogue, "users x catalogue")
        let results = try checkProduct(users, wanted.count, "users x metric_count")
        let places = try checkProduct(users, k, "users x k")
        guard cells == 0 || scores != nil, places == 0 || outLists != nil,
            results == 0 || (outNumerators != nil && outDenominators != nil)
        else { throw MetarecError.value("scores, out: missing for \(users) users") }
        // Without a cell the scores are never read.
        let none = UnsafeRawPointer(bitPattern: MemoryLayout<Double>.alignment)
        guard let start = scores ?? none else { return }
        let ranking = try CatalogueRanking(
            scores: numbers(start, dtype), users: users, catalogue: catalogue,
            excluded: itemLists(excluded, users, "excluded"), relevant: itemLists(relevant, users, "relevant"))
        var statistics = [Statistic](repeating: Statistic(0, over: 0), count: results)
        try statistics.withUnsafeMutableBufferPointer {
            try ranking.measure(
                wanted, into: $0, k: k, lists: UnsafeMutableBufferPointer(start: outLists, count: places))
        }
        for (index, statistic) in statistics.enumerated() {
            outNumerators?[index] = statistic.numerator
            outDenominators?[index] = statistic.denominator
        }
    }
}

/// `mr_list_diversity` of `metarec.h`: how different the items of each list are.
@c @implementation
public func mr_list_diversity(
    _ lists: UnsafePointer<Int32>?, _ listCount: Int64, _ k: Int64, _ items: OpaquePointer,
    _ out: UnsafeMutablePointer<Double>?, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let number = try count(listCount, "count")
        let k = try count(k, "k")
        let places = try checkProduct(number, k, "count x k")
        guard places == 0 || lists != nil, number == 0 || out != nil else {
            throw MetarecError.value("lists, out: missing for \(number) lists")
        }
        try ListDiversity.measure(
            UnsafeBufferPointer(start: lists, count: places), k: k, table: Handle.object(items),
            into: UnsafeMutableBufferPointer(start: out, count: number))
    }
}

func itemLists(_ lists: mr_item_lists, _ users: Int, _ name: String) throws -> ItemLists {
    let total = try count(lists.offsets[users], name)
    guard total == 0 || lists.items != nil else { throw MetarecError.value("\(name): \(total) items are missing") }
    return ItemLists(
        offsets: UnsafeBufferPointer(start: lists.offsets, count: users + 1),
        items: UnsafeBufferPointer(start: lists.items, count: total))
}
