import Foundation
import Graph
import Kernels
import TestSupport
import Testing
@testable import MetaLearning

/// The numbers where kernels may read past the end.
private func padded<T: BitwiseCopyable>(_ numbers: [T]) -> Buffer {
    let buffer = Buffer(byteCount: numbers.count * MemoryLayout<T>.stride)
    buffer.pointer.copyMemory(from: numbers, byteCount: buffer.byteCount)
    return buffer
}

@Suite struct ScheduleTests {
    private func made<S: Schedule>(_: S.Type, _ options: [String: Double]) throws -> S {
        S(try Options(options.mapValues { .numbers([$0]) }, for: S.schema, prefix: ""))
    }

    @Test func aStepDecayFallsEverySoManySteps() throws {
        let schedule = try made(StepDecay.self, ["every": 3, "factor": 0.5])
        #expect((1...10).map(schedule.factor) == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125])
        let warm = try made(StepDecay.self, ["every": 3, "factor": 0.5, "warmup": 4])
        #expect((1...5).map(warm.factor) == [0.25, 0.5, 0.75, 0.5, 0.5])
    }

    @Test func aPlateauLeavesAShare() throws {
        let schedule = try made(ReduceOnPlateau.self, ["warmup": 2])
        #expect((1...3).map(schedule.factor) == [0.5, 1, 1])
        schedule.reduction?.share = 0.25
        #expect((1...3).map(schedule.factor) == [0.125, 0.25, 0.25])
        #expect(try made(ReduceOnPlateau.self, [:]).factor(at: 3) == 1)
        #expect(try made(Cosine.self, [:]).reduction == nil)
    }

    /// Rows that are behind get their missed steps at the rates of those steps, not at the new one.
    @Test func aReductionDoesNotReachBack() throws {
        func values(isTable: Bool) throws -> [Double] {
            let schedule = try made(ReduceOnPlateau.self, [:])
            let optimizer = try Adam(learningRate: 0.1, schedule: schedule)
            let spec = ParameterSpec("t", rows: 2, columns: 1, isTable: isTable, group: "embedding")
            let store = try ParameterStore([spec], precision: .double, optimizer: optimizer)
            let reduction = try #require(schedule.reduction)
            let gradient = SparseGradient(columns: 1, precision: .double)
            for step in 0..<40 {
                if step % 10 == 9 { try store.reduce(reduction, to: 1 / Double(step)) }
                let dense = padded([step % 7 == 0 ? 1.0 : 0, 0])
                if isTable {
                    gradient.removeAll()
                    if step % 7 == 0 { gradient.add([0], count: 1, gradient: dense.pointer) }
                    try store.apply([.sparse(gradient)])
                } else {
                    try store.apply([.dense(dense.pointer, count: 2)])
                }
                withExtendedLifetime(dense) {}
            }
            store.settleAll()
            return (0..<2).map { store.parameters[0].pointer.load(fromByteOffset: 8 * $0, as: Double.self) }
        }
        #expect(try values(isTable: true) == values(isTable: false))
        let store = try ParameterStore([], precision: .double, optimizer: SGD(learningRate: 1))
        for share in [-0.1, 1.1, .nan] {
            #expect(throws: MetarecError.self) { try store.reduce(Reduction(), to: share) }
        }
    }

    @Test func cosineFallsFromOneToItsShare() throws {
        let schedule = Cosine(
            try Options(
                ["steps": .numbers([100]), "warmup": .numbers([10]), "final": .numbers([0.2])], for: Cosine.schema,
                prefix: ""))
        #expect(Swift.abs(schedule.factor(at: 50) - 0.6) < 1e-12)
        #expect(
            Swift.abs(schedule.factor(at: 100) - 0.2) < 1e-12 && schedule.factor(at: 1000) == schedule.factor(at: 100))
        #expect(Swift.abs(schedule.factor(at: 5) - 0.5 * (0.2 + 0.8 * (1 + cos(.pi * 0.05)) / 2)) < 1e-12)
        #expect((1...200).allSatisfy { schedule.factor(at: $0) <= 1 })
    }

    /// A row that is updated late gets the rates of the steps it missed: the bits are those of the dense update, also
    /// where it missed more steps than whose numbers are kept.
    @Test(arguments: [(9, 30), (300, 1000)], ["cosine", "warm cosine", "step decay"])
    func lateRowsGetTheRatesTheyMissed(_ run: (gap: Int, steps: Int), kind: String) throws {
        let (gap, steps) = run
        let length = Double(steps)
        let schedule: any Schedule =
            switch kind {
            case "cosine": try made(Cosine.self, ["steps": 1.3 * length])
            case "warm cosine": try made(Cosine.self, ["steps": 1.3 * length, "warmup": 7])
            default: try made(StepDecay.self, ["every": length / 5, "factor": 0.6])
            }
        func values(isTable: Bool) throws -> [Float] {
            let optimizer = try Adam(learningRate: 0.1, schedule: schedule)
            let spec = ParameterSpec("t", rows: 2, columns: 3, isTable: isTable, group: "embedding")
            let store = try ParameterStore([spec], precision: .float, optimizer: optimizer)
            let gradient = SparseGradient(columns: 3, precision: .float)
            for step in 0..<steps {
                let isTouched = step % gap == 0
                let dense = padded([Float]((isTouched ? [1, -2, 3] : [0, 0, 0]) + [0, 0, 0]))
                if isTable {
                    gradient.removeAll()
                    if isTouched { gradient.add([0], count: 1, gradient: dense.pointer) }
                    try store.apply([.sparse(gradient)])
                } else {
                    try store.apply([.dense(dense.pointer, count: 6)])
                }
                withExtendedLifetime(dense) {}
            }
            store.settleAll()
            return (0..<6).map { store.parameters[0].pointer.load(fromByteOffset: 4 * $0, as: Float.self) }
        }
        let lazy = try values(isTable: true)
        #expect(try lazy == values(isTable: false))
        #expect(lazy[0] != 0)
    }
}
