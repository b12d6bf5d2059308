import Graph
import Kernels
import MetaLearning

extension Learner {
    /// Mean meta-loss over the tasks and its gradient.
    ///
    /// - Parameter out: one buffer per parameter, in the order of `tensors()`, of the parameter's shape.
    /// - Throws: an empty task set, a task without rows to learn from, a result that is not finite, or interrupted.
    public func metaGradient(_ tasks: TaskSet, into out: [UnsafeMutableRawPointer], poll: Poll) throws -> Double {
        let state = try initialized()
        let all = Array(0..<tasks.count)
        let loss = try Team.with(threads: options.threads) { team in
            try accumulate(all, of: tasks, draw: { _ in Draw() }, team, poll, in: state)
        }
        for (index, spec) in state.model.specs.enumerated() where !spec.isTable {
            guard let buffer = state.dense[index] else { continue }
            out[index].copyMemory(from: buffer.pointer, byteCount: spec.count * precision.elementSize)
        }
        for (table, gradient) in zip(state.model.tables, state.sparse) {
            let target = out[table.parameter]
            let byteCount = state.model.specs[table.parameter].count * precision.elementSize
            target.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
            gradient.write(to: target)
        }
        return loss
    }

    /// One outer step on all of the tasks; returns their mean meta-loss before it.
    ///
    /// - Throws: as `metaGradient`. The parameters are then unchanged.
    public func step(_ tasks: TaskSet, poll: Poll) throws -> Double {
        let state = try initialized()
        return try Team.with(threads: options.threads) { team in
            try step(
                Array(0..<tasks.count), of: tasks, episodes: nil, epoch: state.store.steps, team, poll, in: state
            ).loss
        }
    }

    /// How far a pass over the tasks is.
    public struct Pass: Sendable {
        /// Finished steps.
        public var step = 0
        /// Steps of the whole pass.
        public var steps = 0
        /// Tasks trained on so far.
        public var tasks = 0
        /// Sum of their meta-losses.
        public var sum = 0.0
        /// The last step's mean meta-loss, the norm of its gradient before clipping, its learning rate.
        public var last = (loss: Double.nan, norm: Double.nan, rate: Double.nan)

        /// At its beginning.
        public init() {}

        /// Mean meta-loss so far.
        public var loss: Double { sum / Double(tasks) }
    }

    /// An epoch's order of the tasks.
    struct Order {
        weak var tasks: TaskSet?
        let isDrawn: Bool
        let epoch: Int
        let places: [Int]
    }

    /// One pass over the tasks, shuffled by (seed, epoch), in batches; returns the mean meta-loss of its steps.
    ///
    /// With episodes, support and query are drawn anew; else the tasks are taken as they are.
    public func trainEpoch(_ tasks: TaskSet, episodes: Episodes?, epoch: Int, poll: Poll) throws -> Double {
        try train(tasks, episodes: episodes, epoch: epoch, from: Pass(), poll: poll).loss
    }

    /// At most `count` steps of such a pass, from where it is; the bits are those of one call for all of it.
    ///
    /// - Throws: a pass that is not one over these tasks.
    public func train(
        _ tasks: TaskSet, episodes: Episodes?, epoch: Int, from pass: Pass, count: Int = .max, poll: Poll
    ) throws -> Pass {
        let state = try initialized()
        let order = try self.order(of: tasks, isDrawn: episodes != nil, epoch: epoch, poll, in: state)
        var pass = pass
        pass.steps = (order.count - 1) / options.batchSize + 1
        guard (0...pass.steps).contains(pass.step), count >= 0 else {
            throw MetarecError.value("step: \(pass.step), wanted one of 0 ... \(pass.steps), and a count from 0 on")
        }
        let end = pass.step + min(count, pass.steps - pass.step)
        pass.tasks = min(pass.step * options.batchSize, order.count)
        try Team.with(threads: options.threads) { team in
            while pass.step < end {
                let batch = order[pass.tasks..<min(pass.tasks + options.batchSize, order.count)]
                let (done, total) = (Double(pass.tasks), Double(order.count))
                poll.enter(
                    done / total..<(done + Double(batch.count)) / total, loss: pass.tasks == 0 ? .nan : pass.loss)
                let (loss, norm) = try step(
                    Array(batch), of: tasks, episodes: episodes, epoch: epoch, team, poll, in: state)
                pass.step += 1
                pass.tasks += batch.count
                pass.sum += loss * Double(batch.count)
                pass.last = (loss, norm, options.optimizer.learningRate(at: state.store.steps))
            }
        }
        if pass.step == pass.steps { state.order = nil }
        return pass
    }

    /// The order of an epoch, kept until it is through.
    private func order(of tasks: TaskSet, isDrawn: Bool, epoch: Int, _ poll: Poll, in state: State) throws -> [Int] {
        if let known = state.order, known.tasks === tasks, known.isDrawn == isDrawn, known.epoch == epoch {
            return known.places
        }
        let places = try order(of: tasks, isDrawn: isDrawn, epoch: epoch, poll)
        state.order = Order(tasks: tasks, isDrawn: isDrawn, epoch: epoch, places: places)
        return places
    }

    /// The tasks that can be trained on, shuffled by (seed, epoch).
    private func order(of tasks: TaskSet, isDrawn: Bool, epoch: Int, _ poll: Poll) throws -> [Int] {
        let block = 1 << 16  // Millions of tasks take a while: so ask now and then whether to go on.
        var order: [Int] = []
        for task in 0..<tasks.count {
            if task % block == 0 { try poll.check(0) }
            let extent = try tasks.extent(of: task)
            if !isDrawn || Episodes.canDraw(from: extent.count) { order.append(task) }
        }
        guard !order.isEmpty else {
            throw MetarecError.value("tasks: none of the \(tasks.count) has rows to learn from")
        }
        try Learner.shuffle(&order, seed: options.seed, epoch: UInt64(bitPattern: Int64(epoch)), poll)
        return order
    }

    /// The order in which an epoch trains on tasks.
    static func shuffle(_ order: inout [Int], seed: UInt64, epoch: UInt64, _ poll: Poll) throws {
        var generator = SeededGenerator(seed, 0x5481, epoch)
        for place in order.indices.dropLast() {
            if place % (1 << 16) == 0 { try poll.check(0) }
            order.swapAt(place, Int.random(in: place..<order.count, using: &generator))
        }
    }

    /// What is random in training on a task; nothing unless it is given.
    private struct Draw {
        var episode: Episode?
        var hiding: Hiding?
        /// Of the masks of hidden units.
        var masks: SeededGenerator?
    }

    private func step(
        _ batch: [Int], of tasks: TaskSet, episodes: Episodes?, epoch: Int, _ team: Team, _ poll: Poll,
        in state: State
    ) throws -> (loss: Double, norm: Double) {
        let (seed, rate, dropout) = (options.seed, options.unknownRate, state.model.dropout)
        let (isMasked, number) = (!state.model.masks.isEmpty, UInt64(bitPattern: Int64(epoch)))
        let loss = try accumulate(
            batch, of: tasks,
            draw: { task in
                let episode = episodes?.episode(seed: seed, epoch: epoch, task: task)
                let keys = SeededGenerator(seed, 0x41DE, number, UInt64(task))
                let hides = rate > 0 || dropout != nil
                return Draw(
                    episode: episode, hiding: hides ? Hiding(rate: rate, dropout: dropout, generator: keys) : nil,
                    masks: isMasked ? SeededGenerator(seed, 0xD20F, number, UInt64(task)) : nil)
            },
            team, poll, in: state)
        var gradients: [ParameterGradient] = []
        for (index, spec) in state.model.specs.enumerated() {
            if let buffer = state.dense[index] {
                gradients.append(.dense(buffer.pointer, count: spec.count))
            } else if let table = state.model.tables.firstIndex(where: { $0.parameter == index }) {
                gradients.append(.sparse(state.sparse[table]))
            }
        }
        addPenalties(in: state)
        let norm = try options.clipping.apply(to: gradients, precision, team)
        guard norm.isFinite else { throw Learner.notFinite("gradient") }
        try state.store.apply(gradients, team)
        return (loss, norm)
    }

    /// Adds the gradient 2 λ x of the penalties λ |x|², of tables to the touched rows.
    private func addPenalties(in state: State) {
        let (requests, axpy) = (state.model.requests, precision.kernels.pointee.axpy)
        for (index, request) in requests.enumerated() where request.l2 > 0 {
            guard let buffer = state.dense[index] else { continue }
            axpy(Int64(request.spec.count), 2 * request.l2, state.store.parameters[index].pointer, buffer.pointer)
        }
        for (table, gradient) in zip(state.model.tables, state.sparse) where requests[table.parameter].l2 > 0 {
            let stride = table.columns * precision.elementSize
            let values = state.store.parameters[table.parameter].pointer
            for row in 0..<gradient.count {
                axpy(
                    Int64(table.columns), 2 * requests[table.parameter].l2,
                    values + Int(gradient.rows[row]) * stride, gradient.values + row * stride)
            }
        }
    }

    private static func notFinite(_ what: String) -> MetarecError {
        MetarecError(
            .arithmetic,
            "the meta-\(what) is not finite; the parameters are unchanged. Smaller lr or inner_lr, or clip_norm, may help"
        )
    }

    /// Leaves the mean gradient over `batch` in `state.dense` and `state.sparse`; returns the mean loss.
    private func accumulate(
        _ batch: [Int], of tasks: TaskSet, draw: (Int) -> Draw, _ team: Team, _ poll: Poll,
        in state: State
    ) throws -> Double {
        guard !batch.isEmpty else { throw MetarecError.value("tasks: empty, wanted at least one task") }
        let model = state.model
        for gradient in state.sparse { gradient.removeAll() }
        for case let buffer? in state.dense {
            buffer.pointer.initializeMemory(as: UInt8.self, repeating: 0, count: buffer.byteCount)
        }
        let scale = 1 / Double(batch.count)
        let sums = model.specs.indices.compactMap { index in
            state.dense[index].map { Executor.TaskSum(output: 1 + index, into: $0.pointer, scale: scale) }
        }
        let memory = state.memory(team.threads)
        let touched = state.tableGradients(min(Learner.chunk, batch.count))
        var losses = [Double](repeating: 0, count: touched.count)
        var loss = 0.0
        for start in stride(from: 0, to: batch.count, by: Learner.chunk) {
            let chunk = batch[start..<min(start + Learner.chunk, batch.count)]
            try losses.withUnsafeMutableBufferPointer { losses in
                nonisolated(unsafe) let losses = losses
                try state.training.run(
                    count: chunk.count, team: team, parameters: state.parameterPointers, sums: sums, poll: poll,
                    cost: { (try? tasks.extent(of: chunk[start + $0]).count) ?? 0 },
                    load: { index, thread, worker in
                        let task = chunk[start + index]
                        let drawn = draw(tasks.id(of: task))
                        try load(task, of: tasks, drawn, into: memory[thread], for: worker, in: state)
                        touched[index].request(from: worker, memory[thread], precision)
                    },
                    store: { index, _, worker in
                        losses[index] = worker.scalarOutput(0)
                        touched[index].take(from: worker)
                    })
            }
            // The longest work first, so that threads end at nearly the same time.
            try team.parallel(count: model.tables.count) { place, _, _ in
                let table = state.tablesBySize[place]
                let sum = state.sparse[table]
                for index in 0..<chunk.count { touched[index].add(table, to: sum, scale: scale) }
            }
            for index in 0..<chunk.count { loss += losses[index] }
        }
        guard loss.isFinite else { throw Learner.notFinite("loss") }
        return loss * scale
    }

    /// Gives a task to a worker that is to train on it.
    private func load(
        _ task: Int, of tasks: TaskSet, _ drawn: Draw, into memory: TaskMemory, for worker: Worker, in state: State
    ) throws {
        try memory.working.load(task, of: tasks, episode: drawn.episode, hiding: drawn.hiding)
        try check(memory.working, task: task)
        memory.gather(from: state.store)
        memory.bind(to: worker)
        memory.bindMasks(from: drawn.masks, to: worker)
    }

    /// Number of instructions of the training plan.
    public var instructionCount: Int {
        get throws { try initialized().plans.training.instructionCount }
    }

    /// What each instruction of the training plan costs, a mean over the tasks, on one thread.
    public func profile(_ tasks: TaskSet, poll: Poll) throws -> [InstructionCost] {
        let state = try initialized()
        guard tasks.count > 0 else { throw MetarecError.value("tasks: empty, wanted at least one task") }
        let memory = state.memory(1)[0]
        return try state.training.profile(count: tasks.count, parameters: state.parameterPointers, poll: poll) {
            task, _, worker in
            try load(task, of: tasks, Draw(), into: memory, for: worker, in: state)
        }
    }

    /// Refuses a task from which the algorithm cannot learn, and targets that the loss is not defined for.
    private func check(_ working: WorkingSet, task: Int) throws {
        let count =
            switch options.algorithm.learnsFrom {
            case .support: working.supportCount
            case .query: working.queryCount
            case .all: working.supportCount + working.queryCount
            }
        guard count > 0 else {
            throw MetarecError.value("tasks: task \(task) has no \(options.algorithm.learnsFrom) rows to learn from")
        }
        try check(working.targets(.support), count: working.supportCount, task: task)
        try check(working.targets(.query), count: working.queryCount, task: task)
    }

    /// Refuses targets that the loss is not defined for; without a task they are one user's ratings.
    func check(_ targets: UnsafeRawPointer, count: Int, task: Int?) throws {
        for row in 0..<count {
            let target =
                precision == .float
                ? Double(targets.load(fromByteOffset: 4 * row, as: Float.self))
                : targets.load(fromByteOffset: 8 * row, as: Double.self)
            guard options.loss.accepts(target) else {
                throw MetarecError.value(
                    (task.map { "targets: \(target) in task \($0)" } ?? "ratings: \(target)")
                        + ", wanted \(options.loss.wanted) for the loss "
                        + "\"\(type(of: options.loss).schema.name)\"")
            }
        }
    }
}
