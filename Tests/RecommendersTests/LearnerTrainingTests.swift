import Graph
import TestSupport
import Testing

@testable import MetaLearning
@testable import Recommenders

@Suite struct LearnerTrainingTests {
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
}
