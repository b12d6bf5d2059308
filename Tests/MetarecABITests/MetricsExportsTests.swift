import CMetarec
import Graph
import Testing

@testable import MetarecABI

private func text(_ error: mr_error) -> String {
    withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}

@Suite struct BridgeTests {
    @Test func fillsCodeAndMessage() {
        var error = mr_error()
        #expect(bridge(&error) {} == 0)
        #expect(bridge(&error) { throw MetarecError.index("items: 7 of 3") } == 2)
        #expect(error.code == 2 && text(error) == "items: 7 of 3")
    }

    @Test(arguments: 990...1010)
    func cutsLongMessagesBetweenCharacters(length: Int) {
        var error = mr_error()
        let message = String(repeating: "x", count: length - 3) + "é€😀"
        _ = bridge(&error) { throw MetarecError.value(message) }
        let kept = text(error)
        #expect(message.hasPrefix(kept) && kept.utf8.count <= 999)
        #expect(kept.utf8.count >= min(message.utf8.count, 996))
    }
}

@Suite struct MetricsExportsTests {
    private func run(
        _ predictions: [Double], offsets: [Int64], kind: Int32 = 0, k: Int64 = 0, tasks: Int64? = nil
    ) -> (status: Int32, numerators: [Double], message: String) {
        var error = mr_error()
        var metric = mr_metric(kind: kind, k: k, relevant: 1)
        var numerators = [Double](repeating: -1, count: 4)
        var denominators = numerators
        let targets = [Double](repeating: 1, count: predictions.count)
        let status = mr_metrics(
            predictions, targets, offsets, tasks ?? Int64(offsets.count - 1), &metric, 1, &numerators, &denominators,
            &error)
        return (status, numerators, text(error))
    }

    @Test func writesTaskByTask() {
        let result = run([1, 3, 5], offsets: [0, 1, 3])
        #expect(result.status == 0 && result.numerators == [0, 6, -1, -1])
        #expect(run([], offsets: [0]).status == 0)
    }

    @Test func refusesAndWritesNothing() {
        let cases: [(status: Int32, numerators: [Double], message: String)] = [
            run([1, .nan], offsets: [0, 1, 2]), run([1, 1], offsets: [0, 1, 2], kind: 99),
            run([1, 1], offsets: [0, 1, 2], k: -1), run([1, 1], offsets: [1, 2]), run([], offsets: [0, -2]),
            run([1], offsets: [0, 1], tasks: -1), run([1], offsets: [0, 1], tasks: .max),
        ]
        let names = ["predictions", "kind 99", "k:", "offsets", "offsets", "task_count", "task_count"]
        for (result, name) in zip(cases, names) {
            #expect(result.status != 0 && result.message.contains(name), "\(result)")
            #expect(result.numerators == [-1, -1, -1, -1])
        }
    }

    @Test func bootstrapRefusesSizes() {
        var error = mr_error()
        var out = [0.0]
        #expect(mr_bootstrap([1], [1], [0], 1, 1, -1, 0, &out, &error) == 1)
        #expect(text(error).contains("resamples"))
        #expect(mr_bootstrap([1], [1], [0], .max, 4, 1, 0, &out, &error) == 6)
        #expect(mr_bootstrap([3], [1], [0], 1, 1, 1, 0, &out, &error) == 0 && out == [3])
    }

    @Test func distributionRefusesWhatCannotBe() {
        var error = mr_error()
        var out = [Double](repeating: -1, count: 2)
        let (table, levels) = ([0.25, 0.75], [1.0, 2])
        #expect(mr_distribution(table, 1, levels, 2, nil, [0, 1], 2, 0, &out, &error) == 0 && out == [1.75, 2])
        out = [-1, -1]
        #expect(mr_distribution(table, 1, levels, 2, nil, [99], 1, 0, &out, &error) == 1)
        #expect(text(error).contains("99"))
        #expect(mr_distribution(table, -1, levels, 2, nil, [0], 1, 0, &out, &error) == 1)
        #expect(mr_distribution(table, .max, levels, 2, nil, [0], 1, 0, &out, &error) == 6)
        #expect(mr_distribution(nil, 1, levels, 2, nil, [0], 1, 0, &out, &error) == 1)
        #expect(mr_distribution(table, 1, levels, 0, nil, [0], 1, 0, &out, &error) == 1)
        #expect(out == [-1, -1])
    }

    @Test func catalogueRefusesWhatCannotBe() {
        var error = mr_error()
        var (above, below) = ([-1.0], [-1.0])
        var lists: [Int32] = [-7]
        func run(
            _ scores: [Float]?, dtype: Int32 = 0, users: Int64 = 1, catalogue: Int64 = 2, items: [Int32] = [],
            offsets: [Int64] = [0, 0], k: Int64 = 1, kind: Int32 = 10
        ) -> Int32 {
            var metric = mr_metric(kind: kind, k: 1, relevant: 1)
            return offsets.withUnsafeBufferPointer { offsets in
                items.withUnsafeBufferPointer { items in
                    let some = mr_item_lists(offsets: offsets.baseAddress!, items: items.baseAddress)
                    return mr_catalogue(
                        scores, dtype, users, catalogue, some, some, &metric, 1, k, &above, &below, &lists, &error)
                }
            }
        }
        let refused: [Int32] = [
            run(nil), run([1, 2], dtype: 9), run([1, 2], users: -1), run([1, 2], catalogue: .max),
            run([1, 2], offsets: [0, 1]), run([1, 2], items: [2], offsets: [0, 1]), run([1, 2], offsets: [1, 0]),
            run([1, 2], offsets: [0, -1]), run([1, 2], k: -1), run([1, 2], kind: 0), run([1, .nan]),
        ]
        #expect(!refused.contains(0), "\(refused)")
        #expect(above == [-1] && below == [-1])
        #expect(run([1, 2]) == 0 && lists == [1] && above == [0] && below == [0])
        #expect(run(nil, catalogue: 0) == 0 && lists == [-1])
    }
}
