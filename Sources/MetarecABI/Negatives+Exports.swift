public import CMetarec
import Graph
import Recommenders

/// `mr_negatives` of `metarec.h`: items that tasks do not have.
@c @implementation
public func mr_negatives(
    _ weights: UnsafePointer<Double>, _ catalogue: Int64, _ own: mr_item_lists, _ counts: UnsafePointer<Int64>,
    _ taskCount: Int64, _ batchSize: Int64, _ seed: UInt64, _ epoch: UInt64, _ poll: mr_poll,
    _ out: UnsafeMutablePointer<Int32>?, _ outCount: Int64, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let items = try count(catalogue, "catalogue")
        let tasks = try count(taskCount, "task_count")
        let total = try count(outCount, "out_count")
        guard items <= Int(Int32.max) else {
            throw MetarecError.value("catalogue: got \(items), wanted at most \(Int32.max)")
        }
        guard total == 0 || out != nil else { throw MetarecError.value("out: missing for \(total) items") }
        let weights = UnsafeBufferPointer(start: weights, count: items)
        let counts = UnsafeBufferPointer(start: counts, count: tasks)
        let out = UnsafeMutableBufferPointer(start: out, count: total)
        let own = try itemLists(own, tasks, "own")
        if batchSize == 0 {
            try NegativeSampler(weights: weights).draw(
                own: own, counts: counts, seed: seed, epoch: epoch, into: out, poll: Poll(poll))
        } else {
            try NegativeSampler.drawInBatches(
                of: count(batchSize, "batch_size"), weights: weights, own: own, counts: counts, seed: seed,
                epoch: epoch, into: out, poll: Poll(poll))
        }
    }
}
