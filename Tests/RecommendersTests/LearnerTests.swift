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
        let loss = try learner.metaGradient(world.tasks).loss
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
        #expect(try learner.checkMetaGradient(world.tasks, within: 1e-7) > 0)
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
        // Stopped in the middle of an epoch, or never: the clock decides in which.
        let poll = Poll { fraction, _ in fraction == 0 }
        let error = #expect(throws: MetarecError.self) {
            for epoch in 0..<1000 {
                _ = try learner.learner.trainEpoch(world.tasks, episodes: nil, epoch: epoch, poll: poll)
            }
        }
        #expect(error?.kind == .interrupted)
        // A learner that did just the finished steps has the same numbers.
        let other = try TestLearner(options, on: world.tasks)
        for step in 0..<(try learner.learner.steps) {
            let (epoch, place) = step.quotientAndRemainder(dividingBy: 40)
            var order = Array(0..<400)
            var generator = SeededGenerator(0, 0x5481, UInt64(epoch))
            order.shuffle(using: &generator)
            let batch = Array(order[10 * place..<10 * place + 10])
            _ = try other.learner.step(try world.tasks.take(batch), poll: .none)
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
