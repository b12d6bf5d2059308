import Glibc
import Kernels
import TestSupport
import Testing

@testable import Graph

@Suite struct ExecutorTests {
    private let network = Network(widths: [5, 16, 8, 1])

    /// MAML on tasks of many sizes, none and one row among them.
    private func program(
        tasks count: Int, steps: Int = 2, seed: UInt64 = 1, _ precision: Precision = .float
    ) throws -> TestProgram {
        var generator = TestGenerator(seed)
        let parameters = network.parameters(using: &generator)
        let tasks = (0..<count).map { number in
            network.task(support: [4, 0, 1, 19, 7][number % 5], query: [3, 1, 8][number % 3], using: &generator)
        }
        return try TestProgram(network.maml(steps: steps), parameters: parameters, tasks: tasks, precision)
    }

    /// All outputs but the first summed over the tasks, each on top of 1.
    private func sums(_ program: TestProgram, threads: Int, scale: Double) throws -> [[Double]] {
        try program.sums(of: network.θ.map(\.shape), scale: scale, threads: threads)
    }

    @Test(arguments: [1, 2, 31, 32, 33, 100], Precision.allCases)
    func theNumberOfThreadsChangesNoBit(count: Int, precision: Precision) throws {
        let reference = try program(tasks: count, precision)
        let outputs = try reference.results()
        let sums = try sums(reference, threads: 1, scale: 0.25)
        for threads in [2, 3, 8] {
            let other = try program(tasks: count, precision)
            #expect(try other.results(threads: threads) == outputs)
            #expect(try self.sums(other, threads: threads, scale: 0.25) == sums)
        }
    }

    @Test(arguments: [1, 2, 31, 32, 33, 100]) func sumsAreTheSumsOfTheOutputs(count: Int) throws {
        let program = try program(tasks: count, .double)
        let outputs = try program.results()
        for (number, sum) in try sums(program, threads: 2, scale: 0.25).enumerated() {
            for place in sum.indices {
                let expected = 1 + 0.25 * outputs.reduce(0) { $0 + $1[1 + number].elements[place] }
                #expect(Swift.abs(sum[place] - expected) < 1e-12 * (1 + Swift.abs(expected)))
            }
        }
    }

    /// Whoever of the threads comes first may do all the work: no sum may depend on a worker that had none.
    @Test func sumsDoNotDependOnWhoDidTheWork() throws {
        let graph = Graph()
        let plan = try Plan([graph.input(0, Shape(1, 1)).square])
        let one = Buffer([1], .double)
        for _ in 0..<300 {
            let executor = Executor(plan, .double, .init(inputCount: 1, indexCount: 0, symbolCount: 3))
            let target = Buffer([0], .double)
            try executor.run(
                count: 2, threads: 2, parameters: [], sums: [.init(output: 0, into: target.pointer, scale: 1)],
                load: { _, _, worker in worker.setInput(0, one.pointer) })
            #expect(target.numbers(.double) == [2])
        }
    }

    @Test func sumsOfViewsKeepTheirPlaces() throws {
        let graph = Graph()
        let (x, row) = (graph.input(0, Shape(3, 4)), graph.parameter(0, Shape(1, 4)))
        let program = try TestProgram(
            [x.slice(columns: 1..<3), row.broadcast(to: Shape(3, 4)), x.tanh.slice(columns: 3..<4)],
            parameters: [Matrix(1, 4, [1, 2, 3, 4])],
            tasks: [TestTask(inputs: [Matrix(3, 4) { Double(4 * $0 + $1) }])], .double)
        let targets = [6, 12, 3].map { Buffer(count: $0, .double) }
        try program.run(sums: targets.enumerated().map { .init(output: $0.offset, into: $0.element.pointer, scale: 2) })
        #expect(targets[0].numbers(.double) == [2, 4, 10, 12, 18, 20])
        #expect(targets[1].numbers(.double) == [2, 4, 6, 8, 2, 4, 6, 8, 2, 4, 6, 8])
        for (sum, x) in zip(targets[2].numbers(.double), [3.0, 7, 11]) { #expect(Swift.abs(sum - 2 * tanh(x)) < 1e-14) }
    }

    @Test func noTasksAreNothingToDo() throws {
        let target = Buffer([7], .double)
        let program = try TestProgram(
            [Graph().parameter(0, .scalar)], parameters: [Matrix(1, 1, [1])], tasks: [], .double)
        try program.run(sums: [.init(output: 0, into: target.pointer, scale: 1)], loaded: { _, _, _ in Issue.record() })
        #expect(target.numbers(.double) == [7])
    }

    // MARK: Ends before the end

    private struct Refusal: Error, Equatable { let task: Int }

    @Test(arguments: [1, 2, 3, 8]) func theEarliestTaskThatFailsIsReported(threads: Int) throws {
        let program = try program(tasks: 100, .double)
        for refused in [[0], [99], [41, 3], [97, 98, 55], Array(0..<100)] {
            let target = Buffer([5], .double)
            let error = #expect(throws: Refusal.self) {
                try program.run(
                    threads: threads, sums: [.init(output: 0, into: target.pointer, scale: 1)],
                    loaded: { task, _, _ in if refused.contains(task) { throw Refusal(task: task) } })
            }
            #expect(error?.task == refused.min())
            #expect(target.numbers(.double) == [5])
        }
        // And the executor is as good as before.
        #expect(try program.results(threads: threads) == self.program(tasks: 100, .double).results())
    }

    @Test(arguments: [1, 2]) func interruptionLeavesTargetsAlone(threads: Int) throws {
        let program = try program(tasks: 64, .double)
        let target = Buffer([5], .double)
        var asked = 0
        let poll = Poll { _, _ in
            asked += 1
            return asked < 2
        }
        let error = #expect(throws: MetarecError.self) {
            // Slow tasks, so that the poll's interval passes.
            try program.run(
                threads: threads, sums: [.init(output: 0, into: target.pointer, scale: 1)], poll: poll,
                loaded: { _, _, _ in usleep(3000) })
        }
        #expect(error?.kind == .interrupted && asked == 2)
        #expect(target.numbers(.double) == [5])
        #expect(try program.results(threads: threads) == self.program(tasks: 64, .double).results())
    }

    @Test func thePollHearsHowFarItIs() throws {
        var fractions: [Double] = []
        let poll = Poll { fraction, loss in
            fractions.append(fraction)
            #expect(loss == 3)
            return true
        }
        poll.enter(0.5..<0.75, loss: 3)
        try program(tasks: 40).run(poll: poll, loaded: { _, _, _ in usleep(3000) })
        #expect(fractions.count >= 3 && fractions == fractions.sorted())
        #expect(fractions.allSatisfy { (0.5..<0.75).contains($0) })
    }

    // MARK: Memory

    /// Fills a worker's arena with NaN before the task runs: what is read was written, over-read or not.
    private func poison(_ worker: Worker, _ program: TestProgram) {
        worker.resolve()
        for (index, slot) in program.plan.slots.enumerated() where slot.owner == .arena {
            func size(_ dimension: Dimension) -> Int {
                if case .symbol(let symbol) = dimension { worker.sizes[symbol.id] } else { dimension.fixedValue! }
            }
            let bytes = size(slot.rows) * size(slot.columns) * program.precision.elementSize + Buffer.padding
            memset(worker.bases[index], 0xFF, bytes)
        }
    }

    @Test(arguments: Precision.allCases) func whatTheArenaHeldDoesNotMatter(precision: Precision) throws {
        let program = try program(tasks: 20, precision)
        let clean = try program.results()
        #expect(try program.results { _, _, worker in poison(worker, program) } == clean)
        #expect(clean.joined().allSatisfy { $0.magnitude.isFinite })
    }

    @Test(arguments: 300..<340, Precision.allCases)
    func whatTheArenaHeldDoesNotMatterToAnyOperation(seed: UInt64, precision: Precision) throws {
        let graph = Graph()
        let (θ, inputs) = (RandomFunction.θ(in: graph), RandomFunction.inputs(in: graph))
        let function = RandomFunction(seed: seed, length: 30)
        var generator = TestGenerator(seed)
        let parameters = RandomFunction.parameters(using: &generator)
        let tasks = [(3, 2, 5), (17, 9, 6), (0, 1, 0), (1, 1, 1)].map { support, query, table in
            RandomFunction.task(support: support, query: query, table: table, using: &generator)
        }
        let program = try TestProgram(
            gradients(of: function.loss(θ, inputs), with: θ), parameters: parameters, tasks: tasks, precision)
        let clean = try program.results()
        #expect(try program.results { _, _, worker in poison(worker, program) } == clean)
    }

    @Test func theArenaGrowsToTheLargestTaskAndStays() throws {
        let program = try program(tasks: 40)
        try program.run()
        let grown = program.executor.growthCount
        #expect(grown >= 1)
        for _ in 0..<3 { try program.run() }
        #expect(program.executor.growthCount == grown)
    }

    /// A warm run over twice the tasks allocates as much as over half of them: none is per task.
    @Test(arguments: Precision.allCases) func nothingIsAllocatedPerTask(precision: Precision) throws {
        func allocations(tasks: Int) throws -> Int? {
            let program = try program(tasks: tasks, precision)
            for _ in 0..<2 { _ = try sums(program, threads: 1, scale: 1) }
            let targets = network.θ.enumerated().map { index, value in
                Executor.TaskSum(
                    output: 1 + index,
                    into: Buffer(count: value.shape.rows.fixedValue! * value.shape.columns.fixedValue!, precision)
                        .leaked.pointer, scale: 1)
            }
            guard let before = allocationCount() else { return nil }
            try program.run(sums: targets, store: { _, _, worker in _ = worker.scalarOutput(0) })
            return allocationCount()! - before
        }
        guard
            let (few, many) = try allocations(tasks: 40).flatMap({ few in try allocations(tasks: 80).map { (few, $0) } }
            )
        else { return }  // cannot be counted here
        #expect(few == many, "\(many - few) blocks for 40 tasks")
    }

    /// On every thread: from its first task to its last, not one block. Other tests' threads may share what is counted,
    /// so the quietest of several runs counts.
    @Test func noThreadAllocatesBetweenItsTasks() throws {
        guard allocationCount() != nil else { return }
        let program = try program(tasks: 200)
        for _ in 0..<3 { try program.run(threads: 2) }
        let counts = UnsafeMutableBufferPointer<(first: Int, last: Int)?>.allocate(capacity: 2)
        defer { counts.deallocate() }
        nonisolated(unsafe) let seen = counts
        var fewest = Int.max
        for _ in 0..<20 where fewest > 0 {
            counts.initialize(repeating: nil)
            try program.run(
                threads: 2,
                loaded: { _, thread, _ in
                    guard let count = allocationCount() else { return }
                    seen[thread] = (seen[thread]?.first ?? count, count)
                })
            fewest = min(fewest, counts.reduce(0) { $0 + ($1.map { $0.last - $0.first } ?? 0) })
        }
        #expect(fewest == 0)
    }

    @Test func allocationsAreCounted() {
        guard let before = allocationCount() else { return }
        _ = Buffer(byteCount: 10_000)
        #expect(allocationCount()! > before)
    }
}

extension Buffer {
    /// Kept for ever: tests are short.
    fileprivate var leaked: Buffer { Unmanaged.passRetained(self).takeUnretainedValue() }
}
