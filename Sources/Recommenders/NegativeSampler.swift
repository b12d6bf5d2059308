public import Graph
import MetaLearning

/// Draws items that a user does not have, for training on implicit feedback, where every row is a positive one.
///
/// Item i comes with a probability in proportion to its weight, the user's own items never.
public struct NegativeSampler: Sendable {
    /// Running sums of the weights.
    private let sums: [Double]

    /// Failed draws before what is left is drawn from by listing it.
    private static let patience = 32

    /// A sampler of items by weight; errors: a weight below 0 or not finite, or none above 0.
    public init(weights: UnsafeBufferPointer<Double>) throws(MetarecError) {
        var sums: [Double] = []
        sums.reserveCapacity(weights.count)
        var sum = 0.0
        for (item, weight) in weights.enumerated() {
            guard weight >= 0, weight.isFinite else {
                throw .value("weights: that of item \(item) is \(weight), wanted a finite number of at least 0")
            }
            sum += weight
            sums.append(sum)
        }
        guard sum > 0, sum.isFinite else { throw .value("weights: they sum to \(sum), wanted more than 0") }
        self.sums = sums
    }

    /// Draws items with replacement for each of several tasks.
    ///
    /// - Parameters:
    ///   - own: the items that a task does not get; −1 is none.
    ///   - counts: how many a task gets.
    ///   - seed, epoch: task t draws from the stream `SeededGenerator(seed, epoch, t)`.
    ///   - out: `Σ counts` items, task after task; −1 for a task that has every item of positive weight.
    public func draw(
        own: ItemLists, counts: UnsafeBufferPointer<Int64>, seed: UInt64, epoch: UInt64,
        into out: UnsafeMutableBufferPointer<Int32>
    ) throws(MetarecError) {
        try own.check("own", users: counts.count, catalogue: sums.count, low: -1)
        var place = 0
        for task in counts.indices {
            guard counts[task] >= 0, Int(counts[task]) <= out.count - place else {
                throw .value("counts: that of task \(task) is \(counts[task]), wanted their sum to be \(out.count)")
            }
            var generator = SeededGenerator(seed, epoch, UInt64(task))
            let excluded = Set(own[task])
            for _ in 0..<counts[task] {
                out[place] = draw(excluded, &generator)
                place += 1
            }
        }
        guard place == out.count else { throw .value("counts: they sum to \(place), wanted \(out.count)") }
    }

    private func draw(_ excluded: Set<Int32>, _ generator: inout SeededGenerator) -> Int32 {
        for _ in 0..<NegativeSampler.patience {
            let item = Int32(first(above: generator.uniform() * sums[sums.count - 1]))
            if !excluded.contains(item) { return item }
        }
        let rest = sums.indices.filter { weight($0) > 0 && !excluded.contains(Int32($0)) }
        let total = rest.reduce(0) { $0 + weight($1) }
        guard total > 0 else { return -1 }
        var left = generator.uniform() * total
        for item in rest {
            left -= weight(item)
            if left < 0 { return Int32(item) }
        }
        return Int32(rest[rest.count - 1])
    }

    private func weight(_ item: Int) -> Double { sums[item] - (item == 0 ? 0 : sums[item - 1]) }

    /// The first item whose running sum lies above `value`: one of weight 0 never does first.
    private func first(above value: Double) -> Int {
        var low = 0
        var high = sums.count - 1
        while low < high {
            let middle = (low + high) / 2
            if sums[middle] > value { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
