import CMetarec
import Kernels

/// Runs a plan over many tasks.
///
/// A worker takes tasks in contiguous runs. How tasks fall into runs depends on their number alone, sums over tasks add
/// up within a run in task order and over runs in run order: so the same tasks give the same bits whatever the number of
/// threads. One call at a time.
public final class Executor {
    /// How many inputs, index inputs and sizes a task brings.
    public struct Interface: Sendable {
        var inputCount: Int
        var indexCount: Int
        var symbolCount: Int

        /// The counts.
        public init(inputCount: Int, indexCount: Int, symbolCount: Int) {
            self.inputCount = inputCount
            self.indexCount = indexCount
            self.symbolCount = symbolCount
        }
    }

    /// An output to be summed over the tasks: `target += scale * sum`.
    public struct TaskSum: @unchecked Sendable {
        let output: Int
        let target: UnsafeMutableRawPointer
        let scale: Double

        /// Sums output number `output` into `target`, contiguous memory of the output's size.
        public init(output: Int, into target: UnsafeMutableRawPointer, scale: Double) {
            self.output = output
            self.target = target
            self.scale = scale
        }
    }

    /// The most runs that tasks are divided into: enough for many threads, few enough to sum cheaply.
    public static let maximumRuns = 16

    /// What is run.
    public let plan: Plan
    private let precision: Precision
    private let interface: Interface
    let instructions: UnsafeMutableBufferPointer<Instruction>
    private let prologue: UnsafeMutableBufferPointer<Instruction>
    let chains: UnsafeMutableBufferPointer<PreparedChain>
    let kernels: mr_kernels
    private(set) var workers: [Worker] = []
    private let layout: TaskLayout
    private let shared: Worker
    private let sharedMemory: Buffer
    private let sums: TaskSums

    /// Prepares to run `plan` in `precision`.
    public init(_ plan: Plan, _ precision: Precision, _ interface: Interface) {
        self.plan = plan
        self.precision = precision
        self.interface = interface
        instructions = .copy(plan.instructions)
        prologue = .copy(plan.prologue)
        chains = .copy(plan.chains.map(PreparedChain.init))
        kernels = precision.kernels.pointee
        layout = TaskLayout(plan, precision)
        sums = TaskSums(plan, precision)
        shared = Worker(plan, layout, precision, interface)
        shared.resolve()
        var total = 0
        var offsets: [(slot: Int, offset: Int)] = []
        for (index, slot) in plan.slots.enumerated() where slot.owner == .shared {
            offsets.append((index, total))
            let count = (slot.rows.fixedValue ?? 0) * (slot.columns.fixedValue ?? 0)
            total += Buffer.padded(count * precision.elementSize)
        }
        sharedMemory = Buffer(byteCount: total)
        for (slot, offset) in offsets { shared.bases[slot] = sharedMemory.pointer + offset }
    }

    deinit {
        for chain in chains { chain.deallocate() }
        chains.deallocate()
        instructions.deallocate()
        prologue.deallocate()
    }

    /// How often any worker's arena has grown since the beginning.
    public var growthCount: Int { workers.reduce(0) { $0 + $1.growthCount } }

    /// Runs the plan for tasks 0 ..< count.
    ///
    /// - Parameters:
    ///   - team: the threads.
    ///   - parameters: the memory of each parameter, rows contiguous, padded as `Buffer` is.
    ///   - sums: outputs to be summed over the tasks.
    ///   - cost: of a task, in any unit: the dearest runs then go first, so that threads end at nearly the same time.
    ///   - load: sets sizes, inputs and indices of a task. Called on any thread, once per task; the first argument is the
    ///     task, the second the thread's number.
    ///   - store: reads a task's outputs, on the thread that has loaded it; the arguments are those of `load`.
    /// - Throws: what `load` throws for a task that fails, the earliest in the order of runs, or interrupted. Targets of
    ///   sums are then unchanged.
    public func run(
        count: Int, team: Team, parameters: [UnsafeRawPointer], sums: [TaskSum] = [], poll: Poll = .none,
        cost: ((Int) -> Int)? = nil, load: (Int, Int, Worker) throws -> Void,
        store: (Int, Int, Worker) -> Void = { _, _, _ in }
    ) throws {
        guard count > 0 else { return }
        let runs = min(count, Executor.maximumRuns)
        prepare(threads: team.threads, parameters)
        let order = order(of: runs, count: count, cost)

        self.sums.begin(sums, count: count, runs: runs)
        try team.parallel(count: runs, poll: poll) { place, thread, tick in
            let run = order[place]
            let worker = workers[thread]
            let tasks = Executor.tasks(of: run, of: runs, count: count)
            for task in tasks {
                try tick((Double(place) + Double(task - tasks.lowerBound) / Double(tasks.count)) / Double(runs))
                let isFirst = task == tasks.lowerBound
                try load(task, thread, worker)
                self.sums.request(from: worker, task: task, run: run, isFirst: isFirst)
                worker.resolve()
                execute(instructions, worker)
                self.sums.take(from: worker, task: task, run: run, isFirst: isFirst)
                store(task, thread, worker)
            }
        }
        try self.sums.end(count: count, runs: runs, team)
    }

    /// `run` by a team of its own.
    public func run(
        count: Int, threads: Int, parameters: [UnsafeRawPointer], sums: [TaskSum] = [], poll: Poll = .none,
        load: (Int, Int, Worker) throws -> Void, store: (Int, Int, Worker) -> Void = { _, _, _ in }
    ) throws {
        try Team.with(threads: min(threads, count)) {
            try run(count: count, team: $0, parameters: parameters, sums: sums, poll: poll, load: load, store: store)
        }
    }

    private static func tasks(of run: Int, of runs: Int, count: Int) -> Range<Int> {
        run * count / runs..<(run + 1) * count / runs
    }

    /// The order in which runs are taken.
    private func order(of runs: Int, count: Int, _ cost: ((Int) -> Int)?) -> [Int] {
        guard let cost else { return Array(0..<runs) }
        let costs = (0..<runs).map { Executor.tasks(of: $0, of: runs, count: count).reduce(0) { $0 + cost($1) } }
        return (0..<runs).sorted { (-costs[$0], $0) < (-costs[$1], $1) }
    }

    // MARK: Before the tasks

    /// Makes workers `0 ..< threads` ready to load tasks.
    func prepare(threads: Int, _ parameters: [UnsafeRawPointer]) {
        while workers.count < threads { workers.append(Worker(plan, layout, precision, interface)) }
        runPrologue(parameters, workers[..<threads])
    }

    private func runPrologue(_ parameters: [UnsafeRawPointer], _ workers: ArraySlice<Worker>) {
        for (index, slot) in plan.slots.enumerated() {
            guard case .parameter(let number) = slot.owner else { continue }
            shared.bases[index] = UnsafeMutableRawPointer(mutating: parameters[number])
        }
        execute(prologue, shared)
        for (index, slot) in plan.slots.enumerated() {
            switch slot.owner {
            case .parameter, .shared: for worker in workers { worker.bases[index] = shared.bases[index] }
            case .input, .arena: break
            }
        }
    }
}
