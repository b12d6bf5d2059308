import Glibc
import Synchronization
import Testing

@testable import Graph

@Suite struct TeamTests {
    private struct Refusal: Error, Equatable { let index: Int }

    @Test(arguments: [0, 1, 7, 100], [1, 2, 8, 1000]) func everyIndexRunsOnce(count: Int, threads: Int) throws {
        let runs = Mutex([Int](repeating: 0, count: count))
        try parallel(count: count, threads: threads) { index, thread, _ in
            #expect(thread < max(1, min(threads, count)))
            runs.withLock { $0[index] += 1 }
        }
        #expect(runs.withLock { $0 } == [Int](repeating: 1, count: count))
    }

    /// A later index fails first; the earlier one is told about all the same.
    @Test func theLowestFailureIsReportedEvenIfItComesLast() {
        let error = #expect(throws: Refusal.self) {
            try parallel(count: 2, threads: 2) { index, _, tick in
                if index == 0 { usleep(20_000) }
                try tick(0)
                throw Refusal(index: index)
            }
        }
        #expect(error == Refusal(index: 0))
    }

    @Test func indicesAfterAFailureNeedNotRun() {
        let last = Atomic<Int>(0)
        #expect(throws: Refusal(index: 3)) {
            try parallel(count: 1000, threads: 1) { index, _, _ in
                last.store(index, ordering: .relaxed)
                if index == 3 { throw Refusal(index: 3) }
            }
        }
        #expect(last.load(ordering: .relaxed) == 3)
    }

    @Test(arguments: [1, 2]) func interruptionWinsOverFailures(threads: Int) {
        let poll = Poll { _, _ in false }
        usleep(25_000)
        let error = #expect(throws: MetarecError.self) {
            try parallel(count: 8, threads: threads, poll: poll) { index, _, tick in
                for _ in 0..<100 {
                    usleep(300)
                    try tick(0)
                }
                throw Refusal(index: index)
            }
        }
        #expect(error?.kind == .interrupted)
    }
}
