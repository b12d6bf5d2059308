import Graph
import Testing

@testable import Recommenders

private func draw(
    _ weights: [Double], own: [[Int32]], counts: [Int64], seed: UInt64 = 0, batch: Int? = nil, poll: Poll = .none
) throws -> [Int32] {
    var out = [Int32](repeating: -7, count: Int(counts.reduce(0, +)))
    let offsets = own.reduce(into: [Int64(0)]) { $0.append($0.last! + Int64($1.count)) }
    try weights.withUnsafeBufferPointer { weights in
        try offsets.withUnsafeBufferPointer { offsets in
            try own.flatMap { $0 }.withUnsafeBufferPointer { items in
                try counts.withUnsafeBufferPointer { counts in
                    try out.withUnsafeMutableBufferPointer {
                        let own = ItemLists(offsets: offsets, items: items)
                        if let batch {
                            try NegativeSampler.drawInBatches(
                                of: batch, weights: weights, own: own, counts: counts, seed: seed, epoch: 0, into: $0,
                                poll: poll)
                        } else {
                            try NegativeSampler(weights: weights).draw(
                                own: own, counts: counts, seed: seed, epoch: 0, into: $0, poll: poll)
                        }
                    }
                }
            }
        }
    }
    return out
}

@Suite struct NegativeSamplerTests {
    @Test func sharesAreTheWeights() throws {
        let drawn = try draw([0, 1, 3, 0, 4, 0], own: [[4], []], counts: [8000, 8000])
        func share(_ item: Int32, _ range: Range<Int>) -> Double { Double(drawn[range].count { $0 == item }) / 8000 }
        // Four standard errors.
        #expect(abs(share(1, 0..<8000) - 0.25) < 0.02 && abs(share(2, 0..<8000) - 0.75) < 0.02)
        #expect(abs(share(1, 8000..<16000) - 0.125) < 0.02 && abs(share(4, 8000..<16000) - 0.5) < 0.03)
        #expect(drawn.allSatisfy { [1, 2, 4].contains($0) } && !drawn[..<8000].contains(4))
    }

    /// Also where a task has everything, and each draw lists what is left.
    @Test(arguments: [nil, 2], [[0], [0, 1, 2]]) func canBeStopped(batch: Int?, own: [Int32]) throws {
        var asked = 0
        let poll = Poll { _, _ in
            asked += 1
            return asked < 3
        }
        let error = #expect(throws: MetarecError.self) {
            try draw([1, 1, 1], own: [own, [1]], counts: [50_000_000, 0], batch: batch, poll: poll)
        }
        #expect(error?.kind == .interrupted && asked == 3)
    }

    @Test func aTaskThatHasNearlyEverythingIsServedAndOneThatHasItAllIsNot() throws {
        let drawn = try draw([1e6, 1e6, 1e-3], own: [[0, 1], [0, 1, 2], [-1]], counts: [5, 2, 1])
        #expect(drawn[..<5] == [2, 2, 2, 2, 2] && drawn[5..<7] == [-1, -1] && drawn[7] >= 0)
    }

    /// Of one batch: each item as often as the other tasks have it, times its weight; repeated and unknown ones once.
    @Test func batchesGiveWhatTheOthersHave() throws {
        let own: [[Int32]] = [[0, 1, 1, -1], [1, 2], [1, 2, 3]]
        let drawn = try draw([1, 1, 1, 3, 1], own: own, counts: [8000, 8000, 8000], batch: 3)
        func share(_ item: Int32, _ range: Range<Int>) -> Double { Double(drawn[range].count { $0 == item }) / 8000 }
        #expect(abs(share(2, 0..<8000) - 0.4) < 0.03 && abs(share(3, 0..<8000) - 0.6) < 0.03)
        #expect(abs(share(0, 8000..<16000) - 0.25) < 0.02 && abs(share(3, 8000..<16000) - 0.75) < 0.02)
        #expect(share(0, 16000..<24000) == 1)
        #expect(drawn == (try draw([1, 1, 1, 3, 1], own: own, counts: [8000, 8000, 8000], batch: 3)))
    }

    /// A task never gets what its batch does not have, and batches are those of the shuffled epoch.
    @Test func batchesAreThoseOfTraining() throws {
        let own = (0..<10).map { [Int32($0)] }
        let drawn = try draw(
            [Double](repeating: 1, count: 10), own: own, counts: .init(repeating: 200, count: 10), batch: 3)
        var order = Array(0..<10)
        try Learner.shuffle(&order, seed: 0, epoch: 0, .none)
        for start in stride(from: 0, to: 10, by: 3) {
            let batch = order[start..<min(start + 3, 10)]
            for task in batch {
                let others = Set(batch.filter { $0 != task }.map { Int32($0) })
                #expect(Set(drawn[200 * task..<200 * task + 200]) == (others.isEmpty ? [-1] : others))
            }
        }
        #expect(throws: MetarecError.self) { try draw([1], own: [[]], counts: [1], batch: 0) }
        #expect(try draw([1], own: [[0]], counts: [2], batch: 5) == [-1, -1])
    }

    @Test(arguments: [[], [0, 0], [1, -1], [.nan], [.infinity]] as [[Double]])
    func weightsThatCannotBe(weights: [Double]) {
        #expect(throws: MetarecError.self) { try draw(weights, own: [[]], counts: [1]) }
    }

    @Test func itemsThatAreNotThere() {
        for item in [Int32(2), -2] {
            #expect(throws: MetarecError.self) { try draw([1, 1], own: [[item]], counts: [1]) }
        }
        #expect(throws: MetarecError.self) { try draw([1, 1], own: [[]], counts: [-1, 2]) }
    }
}
