import Graph
import Kernels
import MetaLearning

extension Learner {
    /// Predictions of the query rows after adaptation to the support, in row order, to `out` [query rows].
    public func predict(_ tasks: TaskSet, into out: UnsafeMutableRawPointer, poll: Poll) throws {
        let state = try initialized()
        let offsets = try tasks.queryOffsets()
        guard offsets.last == tasks.queryRows else { throw TaskSet.changed }
        try run(state.prediction, tasks, poll, queryOffsets: offsets, in: state) { task, worker, _ in
            worker.copyOutput(0, to: out + offsets[task] * precision.elementSize)
        }
    }

    /// The distribution of the query rows over the loss's levels, to `out` [query rows, levels].
    ///
    /// - Throws: the loss has no levels.
    public func distribution(_ tasks: TaskSet, into out: UnsafeMutableRawPointer, poll: Poll) throws {
        let state = try initialized()
        guard let executor = state.distribution else {
            throw MetarecError.state(
                "the loss \"\(type(of: options.loss).schema.name)\" gives no distribution; \"ordinal\" does")
        }
        let offsets = try tasks.queryOffsets()
        guard offsets.last == tasks.queryRows else { throw TaskSet.changed }
        let size = levelCount * precision.elementSize
        try run(executor, tasks, poll, queryOffsets: offsets, in: state) { task, worker, _ in
            worker.copyOutput(0, to: out + offsets[task] * size)
        }
    }

    /// The adapted parameters of every task, `[tasks, shape...]` each, in the order of `tensors()`.
    public func adaptedParameters(_ tasks: TaskSet, into out: [UnsafeMutableRawPointer], poll: Poll) throws {
        let state = try initialized()
        state.store.settleAll()  // whole tables are given back
        let adapted = state.model.adapted.indices.filter { state.model.adapted[$0] }
        try run(state.adaptation, tasks, poll, in: state) { task, worker, memory in
            for (number, index) in adapted.enumerated() {
                let parameter = state.store.parameters[index]
                let size = parameter.spec.count * precision.elementSize
                let target = out[number] + task * size
                guard let table = state.model.tables.firstIndex(where: { $0.parameter == index }) else {
                    worker.copyOutput(number, to: target)
                    continue
                }
                target.copyMemory(from: parameter.pointer, byteCount: size)
                worker.copyRows(number, to: target, memory.working.touchedRows(ofTable: table), precision)
            }
        }
    }

    /// The support loss before and after each inner step, `[tasks, inner steps + 1]`; NaN without support.
    public func supportLosses(_ tasks: TaskSet, into out: UnsafeMutableRawPointer, poll: Poll) throws {
        let state = try initialized()
        let count = innerSteps + 1
        try run(state.supportLosses, tasks, poll, in: state) { task, worker, memory in
            for step in 0..<count {
                let value = memory.working.supportCount == 0 ? Double.nan : worker.scalarOutput(step)
                let place = task * count + step
                switch precision {
                case .float: out.storeBytes(of: Float(value), toByteOffset: 4 * place, as: Float.self)
                case .double: out.storeBytes(of: value, toByteOffset: 8 * place, as: Double.self)
                }
            }
        }
    }

    /// Runs a plan over tasks as they are. With `queryOffsets`, a task whose query has another size by now is refused:
    /// there is no room for it.
    private func run(
        _ executor: Executor, _ tasks: TaskSet, _ poll: Poll, queryOffsets: [Int]? = nil, in state: State,
        store: (_ task: Int, Worker, TaskMemory) -> Void
    ) throws {
        let memory = state.memory(max(1, min(options.threads, tasks.count)))
        try executor.run(
            count: tasks.count, threads: options.threads, parameters: state.parameterPointers, poll: poll,
            load: { task, thread, worker in
                let working = memory[thread].working
                try working.load(task, of: tasks)
                if let queryOffsets, working.queryCount != queryOffsets[task + 1] - queryOffsets[task] {
                    throw TaskSet.changed
                }
                try check(working.targets(.support), count: working.supportCount, task: task)
                memory[thread].gather(from: state.store)
                memory[thread].bind(to: worker)
            },
            store: { task, thread, worker in store(task, worker, memory[thread]) })
    }
}

extension Worker {
    /// Copies the rows of output `number` to their places in a table.
    fileprivate func copyRows(
        _ number: Int, to table: UnsafeMutableRawPointer, _ touched: WorkingSet.TouchedRows, _ precision: Precision
    ) {
        let view = output(number)
        let size = view.columns * precision.elementSize
        for row in 0..<touched.count {
            (table + Int(touched.rows[row]) * size).copyMemory(
                from: view.pointer + row * view.stride * precision.elementSize, byteCount: size)
        }
    }
}
