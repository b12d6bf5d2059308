import Graph
import MetaLearning
import Recommenders
import Testing

/// The statistics of ragged tasks, `[metric][task]`.
private func statistics(
    _ metrics: [Metric], _ predictions: [Double], _ targets: [Double], offsets: [Int64]? = nil
) throws -> [[Statistic]] {
    let offsets = offsets ?? [0, Int64(predictions.count)]
    let flat = try predictions.withUnsafeBufferPointer { predictions in
        try targets.withUnsafeBufferPointer { targets in
            try offsets.withUnsafeBufferPointer {
                try Metric.statistics(of: metrics, predictions: predictions, targets: targets, offsets: $0)
            }
        }
    }
    let tasks = offsets.count - 1
    return metrics.indices.map { Array(flat[($0 * tasks)..<(($0 + 1) * tasks)]) }
}

/// The value for one task; nil where it is left out.
private func value(
    _ kind: Metric.Kind, _ predictions: [Double], _ targets: [Double], k: Int = 0, relevant: Double = 4
) throws -> Double? {
    let statistic = try statistics([Metric(kind, k: k, relevant: relevant)], predictions, targets)[0][0]
    return statistic.denominator == 0 ? nil : statistic.numerator / statistic.denominator
}

private func isClose(_ a: Double?, _ b: Double?, _ tolerance: Double = 1e-12) -> Bool {
    guard let a, let b else { return a == nil && b == nil }
    return abs(a - b) <= tolerance
}

@Suite struct HandComputedMetricsTests {
    let predictions = [3.6, 1.0, 2.5, 5.0]
    let targets = [4.0, 3.0, 2.0, 5.0]

    @Test func ratingErrors() throws {
        #expect(try isClose(value(.absoluteError, predictions, targets), 2.9 / 4))
        #expect(try isClose(value(.squaredError, predictions, targets), 4.41 / 4))
        #expect(try isClose(value(.rmsePerTask, predictions, targets), 1.05))
        // 3.6 -> 4 hits, 1 misses, 2.5 -> 3 (halves up) misses, 5 hits.
        #expect(try value(.accuracy, predictions, targets) == 0.5)
    }

    @Test func gains() throws {
        // Ranked: 5, 4, 2, 3; ideal: 5, 4, 3, 2. Discounts 1, 1/log2(3), 1/2, 1/log2(5).
        let d = [1, 0.630929753571457, 0.5, 0.430676558073393]
        let exponential = (31 * d[0] + 15 * d[1] + 3 * d[2] + 7 * d[3]) / (31 * d[0] + 15 * d[1] + 7 * d[2] + 3 * d[3])
        let linear = (5 * d[0] + 4 * d[1] + 2 * d[2] + 3 * d[3]) / (5 * d[0] + 4 * d[1] + 3 * d[2] + 2 * d[3])
        #expect(try isClose(value(.ndcg, predictions, targets), exponential))
        #expect(try isClose(value(.ndcgLinear, predictions, targets), linear))
        #expect(try value(.ndcg, predictions, targets, k: 2) == 1)
        // All tied: places 1 and 2 share the mean gain of the four rows.
        let tied = (31 + 15 + 7 + 3) / 4.0 * (d[0] + d[1]) / (31 * d[0] + 15 * d[1])
        #expect(try isClose(value(.ndcg, [1, 1, 1, 1], targets, k: 2), tied))
    }

    @Test func relevance() throws {
        // Ranked: relevant, other, relevant, other, relevant.
        let scores = [5.0, 4, 3, 2, 1]
        let targets = [5.0, 1, 4, 2, 4]
        #expect(try isClose(value(.precision, scores, targets, k: 3), 2.0 / 3))
        #expect(try isClose(value(.recall, scores, targets, k: 3), 2.0 / 3))
        #expect(try isClose(value(.f1, scores, targets, k: 4), 2 * 0.5 * (2.0 / 3) / (0.5 + 2.0 / 3)))
        #expect(try isClose(value(.averagePrecision, scores, targets), (1 + 2.0 / 3 + 3.0 / 5) / 3))
        #expect(try isClose(value(.averagePrecision, scores, targets, k: 2), 0.5))
        #expect(try value(.reciprocalRank, [1, 9, 3, 8, 2], targets) == 1.0 / 3)
        #expect(try value(.reciprocalRank, [1, 9, 3, 8, 2], targets, k: 2) == 0)
        #expect(try value(.hitRate, [1, 9, 3, 8, 2], targets, k: 2) == 0)
        #expect(try value(.hitRate, [1, 9, 3, 8, 2], targets, k: 3) == 1)
        // Pairs (relevant, other) in order: 5 beats 1, 2; 4 beats 2 only; the last none: 3 of 6.
        #expect(try value(.auc, scores, targets) == 0.5)
        #expect(try value(.auc, [1, 1, 1, 1, 1], targets) == 0.5)
    }

    @Test func logLoss() throws {
        #expect(try isClose(value(.logLoss, [0.25, 0.5], [0, 1]), 0.490414626505863))
        // A certain mistake costs −log ε, not infinity.
        #expect(try isClose(value(.logLoss, [0], [1]), 36.04365338911715, 1e-9))
    }

    @Test func aTaskShorterThanKIsPaddedWithMisses() throws {
        #expect(try value(.precision, [2, 1], [5, 5], k: 5) == 0.4)
        #expect(try value(.recall, [2, 1], [5, 5], k: 5) == 1)
        #expect(try value(.averagePrecision, [2, 1], [5, 5], k: 5) == 1)
        #expect(try value(.ndcg, [2, 1], [5, 5], k: 5) == 1)
    }
}

@Suite struct TiesTests {
    /// Every order of the tied rows, each equally likely, scored without ties.
    private func expectation(
        _ kind: Metric.Kind, _ predictions: [Double], _ targets: [Double], k: Int
    ) throws -> Double? {
        var sum = 0.0
        var orders = 0
        for order in permutations(Array(targets.indices))
        where zip(order, order.dropFirst()).allSatisfy({ predictions[$0] >= predictions[$1] }) {
            let scores = order.indices.map { -Double($0) }
            guard let one = try value(kind, scores, order.map { targets[$0] }, k: k) else { return nil }
            sum += one
            orders += 1
        }
        return sum / Double(orders)
    }

    private func permutations(_ rows: [Int]) -> [[Int]] {
        guard rows.count > 1 else { return [rows] }
        return rows.indices.flatMap { index in
            var rest = rows
            let first = rest.remove(at: index)
            return permutations(rest).map { [first] + $0 }
        }
    }

    @Test(arguments: [
        Metric.Kind.ndcg, .ndcgLinear, .precision, .recall, .f1, .averagePrecision, .reciprocalRank, .hitRate, .auc,
    ])
    func areTheMeanOverAllOrders(kind: Metric.Kind) throws {
        var random = SeededGenerator(7)
        for _ in 0..<12 {
            let rows = Int.random(in: 1...6, using: &random)
            let predictions = (0..<rows).map { _ in Double(Int.random(in: 0...2, using: &random)) }
            let targets = (0..<rows).map { _ in Double(Int.random(in: 1...5, using: &random)) }
            for k in [0, 1, 2, 3, 8] {
                let exact = try value(kind, predictions, targets, k: k)
                let brute = try expectation(kind, predictions, targets, k: k)
                #expect(isClose(exact, brute), "\(kind)@\(k) of \(predictions) for \(targets)")
            }
        }
    }
}

@Suite struct LeftOutTests {
    @Test(arguments: Metric.Kind.allCases)
    func emptyTasksAreLeftOut(kind: Metric.Kind) throws {
        let result = try statistics([Metric(kind)], [0.5], [1], offsets: [0, 0, 1, 1])[0]
        #expect(result[0] == Statistic(0, over: 0) && result[2] == Statistic(0, over: 0))
    }

    @Test(arguments: [Metric.Kind.precision, .recall, .f1, .averagePrecision, .reciprocalRank, .hitRate, .auc])
    func tasksWithoutRelevantRows(kind: Metric.Kind) throws {
        #expect(try value(kind, [1, 2], [1, 3]) == nil)
    }

    @Test func oneClassHasNoCurveButItHasRanks() throws {
        #expect(try value(.auc, [1, 2], [4, 5]) == nil)
        #expect(try value(.reciprocalRank, [1, 2], [4, 5]) == 1)
    }

    @Test func noGainHasNoIdeal() throws {
        #expect(try value(.ndcg, [1, 2], [0, 0]) == nil)
    }

    @Test func pooledMetricsCountRowsAndTaskMetricsCountTasks() throws {
        let metrics = try [Metric(.absoluteError), Metric(.reciprocalRank, relevant: 1)]
        let result = try statistics(metrics, [1, 2, 3], [1, 1, 1], offsets: [0, 1, 3])
        #expect(result[0] == [Statistic(0, over: 1), Statistic(3, over: 2)])
        #expect(result[1] == [Statistic(1, over: 1), Statistic(1, over: 1)])
    }
}

@Suite struct MetricErrorsTests {
    private func message(_ body: () throws -> Void) -> (MetarecError.Kind, String)? {
        do {
            try body()
            return nil
        } catch {
            return (error as? MetarecError).map { ($0.kind, $0.description) }
        }
    }

    @Test func nameTaskAndRow() throws {
        for bad in [Double.nan, .infinity, -.infinity] {
            let thrown = try #require(
                message { _ = try statistics([Metric(.auc)], [1, 2, 3, bad], [1, 1, 1, 1], offsets: [0, 2, 4]) })
            #expect(thrown.0 == .arithmetic && thrown.1.contains("predictions: task 1, row 1"))
        }
        let target = try #require(message { _ = try statistics([Metric(.auc)], [1], [.nan]) })
        #expect(target.0 == .value && target.1.contains("targets: task 0, row 0"))
    }

    @Test(arguments: [[], [1, 2], [0, 2, 1, 2], [0, 1], [0, 3], [0, -1, 2]] as [[Int64]])
    func offsetsThatCannotBe(offsets: [Int64]) throws {
        let thrown = try #require(
            message { _ = try statistics([Metric(.absoluteError)], [1, 2], [1, 2], offsets: offsets) })
        #expect(thrown.0 == .value && thrown.1.contains("offsets"))
    }

    @Test func metricsThatCannotBe() throws {
        #expect(message { _ = try Metric(.ndcg, k: -1) }?.1.contains("k: got -1") == true)
        #expect(message { _ = try Metric(.auc, relevant: .nan) }?.1.contains("relevant") == true)
        #expect(message { _ = try statistics([Metric(.logLoss)], [0.5], [3]) }?.1.contains("0 or 1") == true)
        #expect(message { _ = try statistics([Metric(.logLoss)], [1.5], [1]) }?.1.contains("probability") == true)
        #expect(message { _ = try statistics([Metric(.ndcg)], [1], [-1]) }?.1.contains("nDCG") == true)
    }

    @Test func resultsTooLargeForADouble() throws {
        let error = message { _ = try statistics([Metric(.squaredError)], [1e200], [0]) }
        #expect(error?.0 == .arithmetic)
        #expect(message { _ = try statistics([Metric(.ndcg)], [1], [5000]) }?.0 == .arithmetic)
    }
}
