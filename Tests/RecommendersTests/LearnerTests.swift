import Glibc
import Graph
import Kernels
import TestSupport
import Testing

@testable import MetaLearning
@testable import Recommenders

@Suite struct LearnerTests {
    private static let parts = AdaptedPart.allCases.map(\.rawValue)
    private let sizes: [(support: Int, query: Int)] = [(3, 4), (0, 2), (5, 1), (1, 0), (12, 3), (2, 2)]

    private func close(_ a: [Double], _ b: [Double], _ tolerance: Double) -> Bool {
        a.count == b.count && zip(a, b).allSatisfy { Swift.abs($0 - $1) <= tolerance * (1 + Swift.abs($1)) }
    }

    // MARK: Prediction

    @Test(arguments: [true, false], ["float64", "float32"])
    func withoutInnerStepsPredictionIsTheNetwork(hasUsers: Bool, dtype: String) throws {
        let world = try LearnerWorld(sizes: sizes, hasUsers: hasUsers)
        let learner = try TestLearner(
            ["algorithm.inner_steps": .numbers([0]), "dtype": .text(dtype)], on: world.tasks)
        let θ = try learner.θ()
        let expected = (0..<world.tasks.count).flatMap { task in
            world.rows(of: task).query.map { world.output(θ, task: task, row: $0) }
        }
        #expect(close(try learner.predict(world.tasks), expected, dtype == "float64" ? 1e-13 : 1e-5))
        #expect(Set(expected.map { Int(1e6 * $0) }).count > 5)
    }

    @Test func linearNetworksAndLogisticLossPredict() throws {
        let world = try LearnerWorld(sizes: sizes)
        let linear = try TestLearner(
            ["backbone.hidden": .numbers([]), "algorithm.inner_steps": .numbers([0])], on: world.tasks)
        let θ = try linear.θ()
        #expect(Set(θ.keys).isSuperset(of: ["head.weight", "head.bias"]) && θ["dense0.weight"] == nil)
        let outputs = (0..<world.tasks.count).flatMap { task in
            world.rows(of: task).query.map { world.output(θ, task: task, row: $0) }
        }
        #expect(close(try linear.predict(world.tasks), outputs, 1e-13))
        for row in 0..<world.arrays.rowCount { world.arrays.targets[row] = row % 3 == 0 ? 1 : 0 }
        let clicks = try TestLearner(
            ["loss": .text("logistic"), "algorithm.inner_steps": .numbers([0])], on: world.tasks)
        let byHand = try (0..<world.tasks.count).flatMap { task in
            try world.rows(of: task).query.map {
                1 / (1 + (-world.output(try clicks.θ(), task: task, row: $0)).exponential)
            }
        }
        #expect(close(try clicks.predict(world.tasks), byHand, 1e-12))
        // The bias begins at the log-odds of the share of clicks.
        let share = Double((world.arrays.rowCount + 2) / 3) / Double(world.arrays.rowCount)
        let bias = try clicks.θ()["head.bias"]!.elements[0]
        #expect(Swift.abs(1 / (1 + (-bias).exponential) - share) < 1e-12)
    }

    /// Each inner step is `θ - α ∇L(θ; support)`, the gradient by finite differences of the network by its definition.
    @Test(arguments: parts) func adaptationDescendsTheSupportLoss(part: String) throws {
        let world = try LearnerWorld(sizes: sizes)
        let learner = try TestLearner(["algorithm.adapt": .text(part)], on: world.tasks)
        let shared = try learner.θ()
        let names = try learner.parameters.filter(\.isAdapted).map(\.name)
        let adapted = try learner.adapted(world.tasks)
        let losses = try learner.supportLosses(world.tasks)
        for task in 0..<world.tasks.count {
            let rows = world.rows(of: task).support
            var θ = shared
            var expected = [world.loss(θ, task: task, rows: rows)]
            for _ in 0..<2 {
                var next = θ
                for name in names {
                    for place in θ[name]!.elements.indices {
                        var (above, below) = (θ, θ)
                        above[name]!.elements[place] += 1e-6
                        below[name]!.elements[place] -= 1e-6
                        let slope =
                            (world.loss(above, task: task, rows: rows) - world.loss(below, task: task, rows: rows))
                            / 2e-6
                        next[name]!.elements[place] -= 0.05 * slope
                    }
                }
                θ = next
                expected.append(world.loss(θ, task: task, rows: rows))
            }
            for (name, value) in θ { #expect(adapted[task][name]!.distance(to: value) < 1e-8, "task \(task), \(name)") }
            let found = Array(losses[3 * task..<3 * task + 3])
            #expect(rows.isEmpty ? found.allSatisfy(\.isNaN) : close(found, expected, 1e-8))
        }
    }

    @Test(arguments: parts, Registry.algorithms.map { $0.schema.name })
    func predictionIsTheNetworkWithAdaptedParameters(part: String, algorithm: String) throws {
        let world = try LearnerWorld(sizes: sizes)
        var options: [String: OptionValue] = ["algorithm": .text(algorithm)]
        let type = Registry.algorithms.first { $0.schema.name == algorithm }!
        if type.schema.options.contains(where: { $0.name == "adapt" }) { options["algorithm.adapt"] = .text(part) }
        let learner = try TestLearner(options, on: world.tasks)
        let adapted = try learner.adapted(world.tasks)
        let expected = (0..<world.tasks.count).flatMap { task in
            world.rows(of: task).query.map { world.output(adapted[task], task: task, row: $0) }
        }
        #expect(close(try learner.predict(world.tasks), expected, 1e-12))
    }

    // MARK: The meta-gradient

    @Test(arguments: ["maml", "meta_sgd", "joint_training", "ridge", "bayesian_linear"])
    func theMetaGradientIsTheDerivative(algorithm: String) throws {
        let world = try LearnerWorld(sizes: [(3, 4), (0, 2), (5, 1)])
        var options: [String: OptionValue] = ["algorithm": .text(algorithm), "backbone.hidden": .numbers([4])]
        if !["ridge", "bayesian_linear"].contains(algorithm) { options["algorithm.adapt"] = .text("all") }
        let learner = try TestLearner(options, on: world.tasks)
        let (loss, gradients) = try learner.metaGradient(world.tasks)
        // The loss, from the parts: the mean over tasks of the query loss of the adapted network, or over all rows of
        // the network as it is.
        let (θ, adapted) = (try learner.θ(), try learner.adapted(world.tasks))
        let losses = (0..<3).map { task in
            let (support, query) = world.rows(of: task)
            return algorithm == "joint_training"
                ? world.loss(θ, task: task, rows: support.lowerBound..<query.upperBound)
                : world.loss(adapted[task], task: task, rows: query)
        }
        #expect(Swift.abs(loss - losses.reduce(0, +) / 3) < 1e-12)
        let step = 1e-6
        for (tensor, gradient) in zip(try learner.parameters, gradients) {
            for place in gradient.indices {
                let pointer = tensor.pointer.assumingMemoryBound(to: Double.self) + place
                let value = pointer.pointee
                pointer.pointee = value + step
                let above = try learner.metaGradient(world.tasks).loss
                pointer.pointee = value - step
                let below = try learner.metaGradient(world.tasks).loss
                pointer.pointee = value
                let numeric = (above - below) / (2 * step)
                #expect(
                    Swift.abs(numeric - gradient[place]) < 1e-7 * (1 + Swift.abs(numeric)), "\(tensor.name)[\(place)]")
            }
        }
        #expect(gradients.joined().contains { $0 != 0 })
    }

    /// 150 tasks are worked on in three parts; the mean is that of any other division.
    @Test func manyTasksAreTheMeanOfTheirParts() throws {
        let world = try LearnerWorld(tasks: 150)
        let learner = try TestLearner(["algorithm.adapt": .text("all"), "threads": .numbers([2])], on: world.tasks)
        let (loss, gradients) = try learner.metaGradient(world.tasks)
        var sums = gradients.map { $0.map { _ in 0.0 } }
        var sum = 0.0
        for range in [0..<1, 1..<40, 40..<104, 104..<150] {
            let part = try learner.metaGradient(try world.tasks.take(Array(range)))
            let weight = Double(range.count) / 150
            sum += weight * part.loss
            sums = zip(sums, part.gradients).map { zip($0, $1).map { $0 + weight * $1 } }
        }
        #expect(Swift.abs(sum - loss) < 1e-12 * loss)
        for (a, b) in zip(sums, gradients) { #expect(close(a, b, 1e-12)) }
    }

    // MARK: Training

    @Test(arguments: Registry.algorithms.map { $0.schema.name }) func trainingReducesTheLoss(algorithm: String) throws {
        let world = try LearnerWorld(sizes: (0..<40).map { (2 + $0 % 4, 3) })
        world.makeLearnable()
        let learner = try TestLearner(
            ["algorithm": .text(algorithm), "optimizer.lr": .numbers([0.01]), "batch_size": .numbers([7])],
            on: world.tasks)
        var losses: [Double] = []
        for epoch in 0..<12 {
            losses.append(try learner.learner.trainEpoch(world.tasks, episodes: nil, epoch: epoch, poll: .none))
        }
        #expect(losses[11] < 0.7 * losses[0], "\(losses)")
        // 40 tasks in batches of 7: six steps, the last of five tasks.
        #expect(try learner.learner.steps == 12 * 6)
    }

    private func trained(threads: Int, _ dtype: String, on world: LearnerWorld) throws -> [[Double]] {
        let learner = try TestLearner(
            [
                "threads": .numbers([Double(threads)]), "dtype": .text(dtype), "algorithm.adapt": .text("all"),
                "batch_size": .numbers([70]), "clip_norm": .numbers([0.5]), "unknown_rate": .numbers([0.2]),
                "optimizer.lr": .numbers([0.01]), "seed": .numbers([5]), "backbone.dropout": .numbers([0.3]),
            ], on: world.tasks)
        let episodes = try Episodes(supportLow: 1, supportHigh: 6, queryLow: 1, queryHigh: 4)
        let losses = try (0..<3).map {
            try learner.learner.trainEpoch(world.tasks, episodes: episodes, epoch: $0, poll: .none)
        }
        return try [losses, learner.predict(world.tasks)] + learner.everything()
    }

    @Test(arguments: ["float32", "float64"]) func theNumberOfThreadsChangesNoBit(dtype: String) throws {
        let world = try LearnerWorld(tasks: 100)
        let one = try trained(threads: 1, dtype, on: world)
        #expect(one.allSatisfy { $0.allSatisfy(\.isFinite) })
        for threads in [1, 2, 4] { #expect(try trained(threads: threads, dtype, on: world) == one) }
    }

    @Test func seedsMatter() throws {
        let world = try LearnerWorld(tasks: 5)
        let learners = try [1.0, 1, 2].map { try TestLearner(["seed": .numbers([$0])], on: world.tasks).everything() }
        #expect(learners[0] == learners[1] && learners[0] != learners[2])
    }

    /// An outer step of SGD is `θ - lr · gradient`, exactly; Adam's first one moves each touched number by lr.
    @Test func stepsMoveAgainstTheGradient() throws {
        let world = try LearnerWorld(tasks: 6)
        let learner = try TestLearner(
            ["optimizer": .text("sgd"), "optimizer.lr": .numbers([0.1]), "algorithm.adapt": .text("all")],
            on: world.tasks)
        let before = try learner.everything()
        let (loss, gradients) = try learner.metaGradient(world.tasks)
        #expect(try learner.learner.step(world.tasks, poll: .none) == loss)
        for (place, after) in try learner.everything().enumerated() {
            #expect(close(after, zip(before[place], gradients[place]).map { $0 - 0.1 * $1 }, 1e-14))
        }
        #expect(try learner.learner.steps == 1)
    }

    // MARK: What goes wrong

    @Test(arguments: ["float32", "float64"]) func overflowIsReportedAndChangesNothing(dtype: String) throws {
        let world = try LearnerWorld(sizes: sizes.filter { $0.query > 0 })
        let learner = try TestLearner(
            ["algorithm.inner_lr": .numbers([1e200]), "dtype": .text(dtype), "optimizer.lr": .numbers([0.1])],
            on: world.tasks)
        let before = try learner.everything()
        let calls: [() throws -> Void] = [
            { _ = try learner.learner.step(world.tasks, poll: .none) }, { _ = try learner.metaGradient(world.tasks) },
            { _ = try learner.learner.trainEpoch(world.tasks, episodes: nil, epoch: 0, poll: .none) },
            { _ = try learner.learner.adapt(try world.ratings(of: 0)) },
        ]
        for call in calls {
            let error = #expect(throws: MetarecError.self) { try call() }
            #expect(error?.kind == .arithmetic)
        }
        #expect(try learner.everything() == before && (try learner.learner.steps) == 0)
    }

    /// However a pass is cut into calls, even of another learner that takes the first one's numbers over.
    @Test(arguments: [1, 2, 5]) func aPassInPartsHasTheBitsOfTheWhole(count: Int) throws {
        let world = try LearnerWorld(tasks: 40)
        let options: [String: OptionValue] = [
            "batch_size": .numbers([7]), "algorithm.inner_steps": .numbers([1]), "backbone.dropout": .numbers([0.3]),
        ]
        let (whole, parts) = (try TestLearner(options, on: world.tasks), try TestLearner(options, on: world.tasks))
        let episodes = try Episodes(supportLow: 1, supportHigh: 3, queryLow: 1, queryHigh: 2)
        for epoch in 0..<2 {
            let loss = try whole.learner.trainEpoch(world.tasks, episodes: episodes, epoch: epoch, poll: .none)
            var pass = Learner.Pass()
            while pass.steps == 0 || pass.step < pass.steps {
                let from = pass.step
                pass = try parts.learner.train(
                    world.tasks, episodes: episodes, epoch: epoch, from: pass, count: count, poll: .none)
                // Tasks of one row sit out: six steps all the same, the last of fewer than seven tasks.
                #expect(pass.step == min(from + count, 6) && pass.steps == 6)
                #expect(pass.step == 6 ? (35..<42).contains(pass.tasks) : pass.tasks == 7 * pass.step)
                #expect(pass.last.loss.isFinite && pass.last.norm > 0 && pass.last.rate == 1e-3)
            }
            #expect(pass.loss == loss)
        }
        #expect(try whole.everything() == parts.everything())
    }

    @Test func onlyAScheduleForPlateausIsReducedFromOutside() throws {
        let world = try LearnerWorld(tasks: 8)
        let learner = try TestLearner(["schedule": .text("reduce_on_plateau")], on: world.tasks).learner
        try learner.reduceRate(to: 0.25)
        #expect(learner.rateShare == 0.25)
        let pass = try learner.train(world.tasks, episodes: nil, epoch: 0, from: .init(), poll: .none)
        #expect(pass.last.rate == 0.25e-3)
        let other = try TestLearner(["schedule": .text("cosine")], on: world.tasks).learner
        #expect(throws: MetarecError.self) { try other.reduceRate(to: 0.5) }
        #expect(other.rateShare == 1)
    }

    /// The penalty λ Σ x² adds 2 λ x to the gradient: of all weights, and of the rows that a step touches.
    @Test func penaltiesOfTheNetworkShrinkWhatTheySay() throws {
        let world = try LearnerWorld(tasks: 6)
        func stepped(_ penalties: [String: OptionValue]) throws -> (before: [String: Matrix], after: [String: Matrix]) {
            let options: [String: OptionValue] = [
                "optimizer": .text("sgd"), "optimizer.lr": .numbers([1]), "algorithm.inner_steps": .numbers([0]),
            ]
            let learner = try TestLearner(options.merging(penalties) { $1 }, on: world.tasks)
            let before = try learner.θ()
            _ = try learner.learner.step(world.tasks, poll: .none)
            try learner.learner.settle()
            return (before, try learner.θ())
        }
        let plain = try stepped([:])
        for (option, isPenalised) in [
            ("backbone.l2", { (name: String) in name.hasPrefix("embedding") }),
            ("backbone.weight_l2", { (name: String) in name.hasSuffix("weight") }),
        ] {
            let shrunk = try stepped([option: .numbers([0.05])])
            for (name, value) in plain.after {
                let x = try #require(plain.before[name]).elements
                let y = try #require(shrunk.after[name]).elements
                let moved = zip(value.elements, y).map { $0 - $1 }
                let expected = isPenalised(name) ? x.map { 0.1 * $0 } : x.map { _ in 0 }
                let isTable = name.hasPrefix("embedding")
                // Rows that no task has are left alone.
                #expect(
                    zip(moved, expected).allSatisfy { Swift.abs($0 - $1) < 1e-9 || (isTable && $0 == 0) },
                    "\(option) \(name)")
                #expect(isPenalised(name) == moved.contains { $0 != 0 }, "\(option) \(name)")
            }
        }
    }

    @Test func tasksWithNothingToLearnFromAreNamed() throws {
        let world = try LearnerWorld(sizes: sizes)
        let learner = try TestLearner(on: world.tasks)
        let error = #expect(throws: MetarecError.self) { try learner.learner.step(world.tasks, poll: .none) }
        #expect(error?.description == "tasks: task 3 has no query rows to learn from")
        let none = try world.tasks.take([])
        #expect(throws: MetarecError.self) { try learner.learner.step(none, poll: .none) }
        #expect(throws: MetarecError.self) {
            try learner.learner.trainEpoch(none, episodes: nil, epoch: 0, poll: .none)
        }
        #expect(try learner.predict(none) == [])
    }

    @Test func targetsThatTheLossDoesNotKnowAreRefused() throws {
        let world = try LearnerWorld(tasks: 3)
        let learner = try TestLearner(["loss": .text("logistic")], on: world.tasks)
        let error = #expect(throws: MetarecError.self) { try learner.learner.step(world.tasks, poll: .none) }
        #expect(error?.description.contains("wanted a number in [0, 1] for the loss \"logistic\"") == true)
    }

    @Test func callsOutOfOrderAreRefused() throws {
        let world = try LearnerWorld(tasks: 3)
        let learner = try Learner([:])
        for call in [
            { try learner.settle() }, { _ = try learner.tensors() }, { _ = try learner.steps },
            { _ = try learner.step(world.tasks, poll: .none) }, { _ = try learner.adapt(try world.ratings(of: 0)) },
        ] as [() throws -> Void] {
            let error = #expect(throws: MetarecError.self) { try call() }
            #expect(error?.kind == .state)
        }
        try learner.initialize(world.tasks)
        #expect(throws: MetarecError.self) { try learner.initialize(world.tasks) }
    }

    @Test func otherFieldsAreRefused() throws {
        let world = try LearnerWorld(tasks: 3)
        let learner = try TestLearner(on: world.tasks)
        let other = try LearnerWorld(sizes: [(2, 2)], hasUsers: false)
        let error = #expect(throws: MetarecError.self) { try learner.predict(other.tasks) }
        #expect(error?.kind == .value && error?.description.contains("age: categorical of 3") == true)
    }

    @Test func interruptionKeepsTheLastFinishedStep() throws {
        let world = try LearnerWorld(tasks: 400)
        let options: [String: OptionValue] = ["batch_size": .numbers([10]), "algorithm.inner_steps": .numbers([5])]
        let learner = try TestLearner(options, on: world.tasks)
        let poll = Poll { _, _ in false }
        let error = #expect(throws: MetarecError.self) {
            for epoch in 0..<1000 {
                _ = try learner.learner.trainEpoch(world.tasks, episodes: nil, epoch: epoch, poll: poll)
            }
        }
        #expect(error?.kind == .interrupted)
        // A learner that did just the finished steps has the same numbers.
        let steps = try learner.learner.steps
        #expect(steps < 40)
        let other = try TestLearner(options, on: world.tasks)
        var order = Array(0..<400)
        var generator = SeededGenerator(0, 0x5481, 0)
        order.shuffle(using: &generator)
        for step in 0..<steps {
            _ = try other.learner.step(try world.tasks.take(Array(order[10 * step..<10 * step + 10])), poll: .none)
        }
        #expect(try other.everything() == learner.everything())
    }

    // MARK: Memory

    /// A warm step over twice the tasks allocates no more.
    @Test(arguments: ["float32", "float64"]) func nothingIsAllocatedPerTask(dtype: String) throws {
        let world = try LearnerWorld(tasks: 60)
        let learner = try TestLearner(
            ["dtype": .text(dtype), "algorithm.adapt": .text("all"), "unknown_rate": .numbers([0.2])], on: world.tasks)
        func allocations(_ tasks: TaskSet) throws -> Int? {
            guard let start = allocationCount() else { return nil }
            // Making the list of tasks: one block, but one for each element where nothing is optimised.
            _ = Array(0..<tasks.count)
            let before = allocationCount()!
            _ = try learner.learner.step(tasks, poll: .none)
            return allocationCount()! - before - (before - start)
        }
        let half = try world.tasks.take(Array(0..<30))
        for _ in 0..<3 {
            _ = try allocations(world.tasks)
            _ = try allocations(half)
        }
        guard let few = try allocations(half), let many = try allocations(world.tasks) else { return }
        #expect(many <= few, "\(many - few) blocks for 30 tasks")
    }
}

extension Double {
    fileprivate var exponential: Double { exp(self) }
}
