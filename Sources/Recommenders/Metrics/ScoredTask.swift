/// The rows of one task with their scores, ranked: best first, equal scores together.
///
/// Tied rows have no order, so every ranking metric is its exact expectation over a random order of each tied block.
struct ScoredTask: ~Copyable {
    let predictions: UnsafeBufferPointer<Double>
    let targets: UnsafeBufferPointer<Double>
    /// Row numbers, best prediction first.
    let order: [Int]
    /// Places `blocks[b]` hold rows of one and the same score.
    let blocks: [Range<Int>]

    var count: Int { predictions.count }

    init(predictions: UnsafeBufferPointer<Double>, targets: UnsafeBufferPointer<Double>) {
        self.predictions = predictions
        self.targets = targets
        let order = predictions.indices.sorted { predictions[$0] > predictions[$1] }
        var blocks: [Range<Int>] = []
        var start = 0
        for place in order.indices
        where place + 1 == order.count
            || predictions[order[place]] != predictions[order[place + 1]]
        {
            blocks.append(start..<(place + 1))
            start = place + 1
        }
        self.order = order
        self.blocks = blocks
    }

    /// How many of the first `k` places (0: all) exist for the ranking to fill.
    func places(_ k: Int) -> Int { k == 0 ? count : k }
}
