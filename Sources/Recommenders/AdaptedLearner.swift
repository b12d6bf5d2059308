import CMetarec
import Graph
import Kernels
import MetaLearning

/// A learner adapted to one user: what its user stage gave, and the learner for the rest.
public final class AdaptedLearner {
    /// The learner, which must not train on meanwhile.
    public let learner: Learner
    let state: Learner.State
    let stages: StageExecutors
    private let steps: Int
    private let support: Int
    /// By table: the number of rows that were touched.
    private let touched: [Int]
    /// By adapted table: its touched rows, numbered.
    private let adaptedRows: [[Int32: Int]]
    /// The outputs of the user stage: the adapted tables, then what scores read.
    private let values: Buffer
    private let offsets: [Int]

    /// `worker` has run the user stage on what `memory` holds.
    init(
        _ learner: Learner, _ state: Learner.State, _ stages: StageExecutors, _ worker: Worker, _ memory: TaskMemory
    ) {
        self.learner = learner
        self.state = state
        self.stages = stages
        steps = state.store.steps
        support = memory.working.supportCount
        touched = state.model.tables.indices.map { memory.working.touchedRows(ofTable: $0).count }
        adaptedRows = stages.plans.adaptedTables.map { table in
            let touched = memory.working.touchedRows(ofTable: table)
            return Dictionary(uniqueKeysWithValues: (0..<touched.count).map { (touched.rows[$0], $0) })
        }
        var (offsets, size) = ([Int](), 0)
        for output in 0..<stages.plans.user.outputCount {
            let view = worker.output(output)
            offsets.append(size)
            size += Buffer.padded(view.rows * view.columns * learner.precision.elementSize)
        }
        self.offsets = offsets
        values = Buffer(byteCount: size)
        for (output, offset) in offsets.enumerated() { worker.copyOutput(output, to: values.pointer + offset) }
    }

    /// Whether all numbers are finite, and far enough from the largest to be multiplied.
    var isFinite: Bool {
        let (precision, kernels) = (learner.precision, learner.precision.kernels.pointee)
        let count = Int64(values.byteCount / precision.elementSize)
        let sum = Buffer(count: 1, precision)
        kernels.sum(Int32(MR_OVER_ALL.rawValue), 1, count, values.pointer, count, 1, sum.pointer, 1)
        // Of numbers that are not finite no sum is small. Squares in double are dearer, and say the rest.
        let magnitude =
            switch precision {
            case .float: Double(abs(sum.pointer.load(as: Float.self)))
            case .double: abs(sum.pointer.load(as: Double.self))
            }
        return magnitude < 1e30 || kernels.sum_of_squares(count, values.pointer).isFinite
    }

    /// Throws once the learner has trained on.
    func checkIsCurrent() throws {
        guard state.store.steps == steps else {
            throw MetarecError.state("the model has been trained since this user was adapted: call adapt again")
        }
    }

    /// Gives what is known of the user to the worker of a score stage.
    func bind(to worker: Worker) {
        worker.setSize(.support, support)
        worker.setSize(.all, support)
        for (table, count) in touched.enumerated() { worker.setSize(.table(table), count) }
        let first = stages.plans.adaptedTables.count
        for output in first..<offsets.count {
            worker.setInput(state.model.firstStageInput + output - first, values.pointer + offsets[output])
        }
    }

    /// Puts adapted rows of items' tables over gathered ones.
    func overlay(_ memory: TaskMemory) {
        for (output, number) in stages.plans.adaptedTables.enumerated() {
            let size = state.model.tables[number].columns * learner.precision.elementSize
            let touched = memory.working.touchedRows(ofTable: number)
            for row in 0..<touched.count {
                guard let place = adaptedRows[output][touched.rows[row]] else { continue }
                (memory.gathered(number) + row * size).copyMemory(
                    from: values.pointer + offsets[output] + place * size, byteCount: size)
            }
        }
    }
}

extension Learner {
    /// Adapts to what one user has rated. The learner is unchanged.
    ///
    /// Errors: a rating that does not suit the loss or is not finite, an item outside its table, other fields than the
    /// learner's; adapted numbers that are not finite.
    public func adapt(_ ratings: UserRatings) throws -> AdaptedLearner {
        let state = try initialized()
        let stages = state.stages(support: ratings.count)
        let memory = state.memory(1)[0]
        var result: AdaptedLearner?
        try stages.user.run(
            count: 1, threads: 1, parameters: state.parameterPointers,
            load: { _, _, worker in
                try memory.working.load(ratings)
                try check(memory.working.targets(.support), count: ratings.count, task: nil)
                memory.gather(from: state.store)
                memory.bind(to: worker)
            },
            store: { _, _, worker in result = AdaptedLearner(self, state, stages, worker, memory) })
        guard let result else { throw MetarecError.state("adapt: the task did not run") }
        guard result.isFinite else {
            throw MetarecError(.arithmetic, "adaptation left the finite numbers; a smaller inner_lr may help")
        }
        return result
    }
}
