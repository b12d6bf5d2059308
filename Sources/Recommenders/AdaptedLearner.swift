import Graph
import Kernels
import MetaLearning

/// A learner adapted to one task: the parameters that the inner loop changed, and the learner for the rest.
public final class AdaptedLearner {
    /// The learner, which must not train on meanwhile.
    public let learner: Learner
    private let state: Learner.State
    private let steps: Int
    /// By parameter: its adapted values, or those of the touched rows of a table.
    private var values: [Int: Buffer] = [:]
    /// By table: the rows that were adapted, by their place in the table.
    private var rows: [Int: [Int32: Int]] = [:]
    /// Of an algorithm that does not predict by adapted parameters alone: the task that it was adapted to.
    private let support: TaskSet?

    init(_ learner: Learner, _ state: Learner.State, _ worker: Worker, _ memory: TaskMemory, _ tasks: TaskSet) {
        self.learner = learner
        support = learner.options.algorithm.predictsByParameters ? nil : tasks
        self.state = state
        steps = state.store.steps
        let adapted = state.model.adapted.indices.filter { state.model.adapted[$0] }
        for (output, index) in adapted.enumerated() {
            let view = worker.output(output)
            let buffer = Buffer(count: view.rows * view.columns, learner.precision)
            worker.copyOutput(output, to: buffer.pointer)
            values[index] = buffer
            guard let table = state.model.tables.firstIndex(where: { $0.parameter == index }) else { continue }
            let touched = memory.working.touchedRows(ofTable: table)
            rows[table] = Dictionary(uniqueKeysWithValues: (0..<touched.count).map { (touched.rows[$0], $0) })
        }
    }

    /// Whether every adapted number is finite.
    var isFinite: Bool {
        values.values.allSatisfy { buffer in
            let count = buffer.byteCount / learner.precision.elementSize
            return learner.precision.kernels.pointee.sum_of_squares(Int64(count), buffer.pointer).isFinite
        }
    }

    /// Predictions for the query rows of the one task of `tasks`, to `out` [query rows].
    ///
    /// - Throws: the learner has trained on since; adapt again.
    public func predict(_ tasks: TaskSet, into out: UnsafeMutableRawPointer) throws {
        guard state.store.steps == steps else {
            throw MetarecError.state("the model has been trained since this user was adapted: call adapt again")
        }
        guard tasks.count == 1 else { throw MetarecError.value("tasks: \(tasks.count) tasks, wanted exactly one") }
        if let support { return try predict(tasks, from: support, into: out) }
        var parameters = state.parameterPointers
        for (index, buffer) in values where !state.model.specs[index].isTable {
            parameters[index] = UnsafeRawPointer(buffer.pointer)
        }
        let memory = state.memory(1)[0]
        try state.scoring.run(
            count: 1, threads: 1, parameters: parameters,
            load: { _, _, worker in
                try memory.working.load(0, of: tasks)
                guard memory.working.queryCount == tasks.queryRows else { throw TaskSet.changed }
                memory.gather(from: state.store)
                overlay(memory)
                memory.bind(to: worker)
            },
            store: { _, worker in worker.copyOutput(0, to: out) })
    }

    /// Query rows that are predicted at once: their values stay in the second cache.
    private static let block = 192

    /// By adapting anew to the support, for block after block of the query rows, on several threads.
    private func predict(_ tasks: TaskSet, from support: TaskSet, into out: UnsafeMutableRawPointer) throws {
        let (rows, block) = (tasks.queryRows, AdaptedLearner.block)
        let blocks = (rows + block - 1) / block
        let threads = learner.options.threads
        let memory = state.memory(max(1, min(threads, blocks)))
        let size = learner.precision.elementSize
        try state.prediction.run(
            count: blocks, threads: threads, parameters: state.parameterPointers,
            load: { index, thread, worker in
                let range = index * block..<min((index + 1) * block, rows)
                try memory[thread].working.load(range, of: tasks, support: support)
                memory[thread].gather(from: state.store)
                memory[thread].bind(to: worker)
            },
            store: { index, worker in worker.copyOutput(0, to: out + index * block * size) })
    }

    /// Puts adapted rows over gathered ones.
    private func overlay(_ memory: TaskMemory) {
        for (number, adapted) in rows {
            let table = state.model.tables[number]
            guard let buffer = values[table.parameter] else { continue }
            let size = table.columns * learner.precision.elementSize
            let touched = memory.working.touchedRows(ofTable: number)
            for row in 0..<touched.count {
                guard let place = adapted[touched.rows[row]] else { continue }
                (memory.gathered(number) + row * size).copyMemory(from: buffer.pointer + place * size, byteCount: size)
            }
        }
    }
}
