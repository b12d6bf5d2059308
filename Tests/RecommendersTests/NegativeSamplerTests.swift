import Graph
import Recommenders
import Testing

private func draw(_ weights: [Double], own: [[Int32]], counts: [Int64], seed: UInt64 = 0) throws -> [Int32] {
    var out = [Int32](repeating: -7, count: Int(counts.reduce(0, +)))
    let offsets = own.reduce(into: [Int64(0)]) { $0.append($0.last! + Int64($1.count)) }
    try weights.withUnsafeBufferPointer { weights in
        let sampler = try NegativeSampler(weights: weights)
        try offsets.withUnsafeBufferPointer { offsets in
            try own.flatMap { $0 }.withUnsafeBufferPointer { items in
                try counts.withUnsafeBufferPointer { counts in
                    try out.withUnsafeMutableBufferPointer {
                        try sampler.draw(
                            own: .init(offsets: offsets, items: items), counts: counts, seed: seed, epoch: 0, into: $0)
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

    @Test func aTaskThatHasNearlyEverythingIsServedAndOneThatHasItAllIsNot() throws {
        let drawn = try draw([1e6, 1e6, 1e-3], own: [[0, 1], [0, 1, 2], [-1]], counts: [5, 2, 1])
        #expect(drawn[..<5] == [2, 2, 2, 2, 2] && drawn[5..<7] == [-1, -1] && drawn[7] >= 0)
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
