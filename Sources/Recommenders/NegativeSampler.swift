public import Graph
import MetaLearning

/// Draws items that a user does not have, for training on implicit feedback, where every row is a positive one.
///
/// Item i comes with a probability in proportion to its weight, the user's own items never.
public struct NegativeSampler: Sendable {
    /// Running sums of the weights.
    private let sums: [Double]
    /// What the weights are of; nil: items 0, 1, ...
    private let items: [Int32]?

    /// Failed draws before what is left is drawn from by listing it.
    private static let patience = 32

    /// A sampler of items by weight; errors: a weight below 0 or not finite, or none above 0.
    public init(weights: UnsafeBufferPointer<Double>) throws(MetarecError) {
        let sums = try NegativeSampler.sums(weights)
        guard let sum = sums.last, sum > 0, sum.isFinite else {
            throw .value("weights: they sum to \(sums.last ?? 0), wanted more than 0")
        }
        (self.sums, items) = (sums, nil)
    }

    /// A sampler of some items, ascending; nil where none has a weight above 0.
    private init?(_ items: [Int32], weights: [Double]) {
        var sum = 0.0
        sums = weights.map { weight in
            sum += weight
            return sum
        }
        self.items = items
        guard sum > 0 else { return nil }
    }

    private static func sums(_ weights: UnsafeBufferPointer<Double>) throws(MetarecError) -> [Double] {
        var sums: [Double] = []
        sums.reserveCapacity(weights.count)
        var sum = 0.0
        for (item, weight) in weights.enumerated() {
            guard weight >= 0, weight.isFinite else {
                throw .value("weights: that of item \(item) is \(weight), wanted 0 or more")
            }
            sum += weight
            sums.append(sum)
        }
        return sums
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
        into out: UnsafeMutableBufferPointer<Int32>, poll: Poll = .none
    ) throws(MetarecError) {
        try own.check("own", users: counts.count, catalogue: sums.count, low: -1)
        let starts = try NegativeSampler.starts(counts, total: out.count)
        for task in counts.indices {
            var generator = SeededGenerator(seed, epoch, UInt64(task))
            try draw(own[task], into: out[starts[task]..<starts[task + 1]], &generator, poll)
        }
    }

    /// Draws for each task among what the other tasks of its batch have: an item's weight counts as often as they do.
    ///
    /// Batches are those of the epoch that trains on these tasks in steps of `batchSize`. Errors and the other arguments
    /// as in `draw`; −1 for a task whose batch has nothing that it does not.
    public static func drawInBatches(
        of batchSize: Int, weights: UnsafeBufferPointer<Double>, own: ItemLists, counts: UnsafeBufferPointer<Int64>,
        seed: UInt64, epoch: UInt64, into out: UnsafeMutableBufferPointer<Int32>, poll: Poll = .none
    ) throws {
        guard batchSize > 0 else { throw MetarecError.value("batch_size: got \(batchSize), wanted 1 or more") }
        _ = try NegativeSampler(weights: weights)
        try own.check("own", users: counts.count, catalogue: weights.count, low: -1)
        let starts = try starts(counts, total: out.count)
        var order = Array(counts.indices)
        try Learner.shuffle(&order, seed: seed, epoch: epoch, poll)
        for start in stride(from: 0, to: order.count, by: batchSize) {
            let batch = order[start..<min(start + batchSize, order.count)]
            let sampler = NegativeSampler(of: batch.map { Set(own[$0]) }, weights)
            for task in batch {
                let places = out[starts[task]..<starts[task + 1]]
                var generator = SeededGenerator(seed, epoch, UInt64(task))
                if let sampler {
                    try sampler.draw(own[task], into: places, &generator, poll)
                } else {
                    for place in places.indices { out[place] = -1 }
                }
            }
        }
    }

    /// A sampler of the items of a batch's tasks.
    private init?(of tasks: [Set<Int32>], _ weights: UnsafeBufferPointer<Double>) {
        var counts: [Int32: Int] = [:]
        for item in tasks.joined() where item >= 0 { counts[item, default: 0] += 1 }
        let items = counts.keys.sorted()
        self.init(items, weights: items.map { Double(counts[$0] ?? 0) * weights[Int($0)] })
    }

    /// Where each task's items begin in the output.
    private static func starts(_ counts: UnsafeBufferPointer<Int64>, total: Int) throws(MetarecError) -> [Int] {
        var starts = [0]
        starts.reserveCapacity(counts.count + 1)
        for (task, count) in counts.enumerated() {
            guard count >= 0, Int(count) <= total - starts[task] else {
                throw .value("counts: that of task \(task) is \(count), wanted their sum to be \(total)")
            }
            starts.append(starts[task] + Int(count))
        }
        guard starts[counts.count] == total else {
            throw .value("counts: they sum to \(starts[counts.count]), wanted \(total)")
        }
        return starts
    }

    private func draw(
        _ own: Slice<UnsafeBufferPointer<Int32>>, into out: Slice<UnsafeMutableBufferPointer<Int32>>,
        _ generator: inout SeededGenerator, _ poll: Poll
    ) throws(MetarecError) {
        var out = out
        let excluded = Set(own)
        try poll.check(after: own.count + 1)
        for place in out.indices { out[place] = try draw(excluded, &generator, poll) }
    }

    private func draw(
        _ excluded: Set<Int32>, _ generator: inout SeededGenerator, _ poll: Poll
    ) throws(MetarecError) -> Int32 {
        try poll.check(after: 1)
        for _ in 0..<NegativeSampler.patience {
            let item = item(first(above: generator.uniform() * sums[sums.count - 1]))
            if !excluded.contains(item) { return item }
        }
        try poll.check(after: sums.count)
        let rest = sums.indices.filter { weight($0) > 0 && !excluded.contains(item($0)) }
        let total = rest.reduce(0) { $0 + weight($1) }
        guard total > 0 else { return -1 }
        var left = generator.uniform() * total
        for place in rest {
            left -= weight(place)
            if left < 0 { return item(place) }
        }
        return item(rest[rest.count - 1])
    }

    private func item(_ place: Int) -> Int32 { items?[place] ?? Int32(place) }

    private func weight(_ place: Int) -> Double { sums[place] - (place == 0 ? 0 : sums[place - 1]) }

    /// The first place whose running sum lies above `value`: one of weight 0 never does first.
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
