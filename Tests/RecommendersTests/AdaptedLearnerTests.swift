import Graph
import Kernels
import MetaLearning
import TestSupport
import Testing

@testable import Recommenders

@Suite struct AdaptedLearnerTests {
    private static let parts = AdaptedPart.allCases.map(\.rawValue)

    private func learner(_ options: [String: OptionValue] = [:], on world: LearnerWorld) throws -> TestLearner {
        try TestLearner(options, on: world.tasks)
    }

    // MARK: What it predicts

    /// Wide enough that products go by value.
    private static let wide: [String: OptionValue] = [
        "backbone.embedding_dim": .numbers([16]), "backbone.hidden": .numbers([16, 8]),
    ]

    /// With few ratings and with many: then scores read adapted weights instead of their factors.
    @Test(arguments: parts, Registry.algorithms.map { $0.schema.name })
    func itPredictsAsTheTaskWould(part: String, algorithm: String) throws {
        let schema = try #require(Registry.algorithms.first { $0.schema.name == algorithm }).schema
        let isChosen = schema.options.contains { $0.name == "adapt" }
        guard part == "head" || isChosen else { return }
        let world = try LearnerWorld(sizes: [(3, 4), (0, 2), (5, 1), (1, 0), (200, 3), (2, 2)])
        var options: [String: OptionValue] = ["algorithm": .text(algorithm)]
        if isChosen { options["algorithm.adapt"] = .text(part) }
        for more in [[:], AdaptedLearnerTests.wide] {
            let learner = try learner(options.merging(more) { $1 }, on: world)
            for task in 0..<world.tasks.count {
                let adapted = try learner.learner.adapt(try world.ratings(of: task))
                // Something else in between changes nothing.
                _ = try learner.predict(world.tasks)
                let found = try learner.predict(adapted, Array(world.candidates(of: task)), of: world.tasks.items)
                #expect(close(found, try learner.predict(try world.tasks.take([task]))))
            }
        }
    }

    @Test func itPredictsWhatItHasNotSeen() throws {
        let world = try LearnerWorld(sizes: [(4, 1), (0, 9)])
        world.arrays.userIndex?[1] = -1
        let learner = try learner(["algorithm.adapt": .text("all")], on: world)
        let adapted = try learner.learner.adapt(try world.ratings(of: 0))
        let θ = try learner.adapted(try world.tasks.take([0]))[0]
        // Rows of tables that the support did not touch are the shared ones: what `adapted` shows for them.
        let found = try learner.predict(adapted, Array(world.candidates(of: 1)), of: world.tasks.items)
        #expect(close(found, world.rows(of: 1).query.map { world.output(θ, task: 1, row: $0) }))
    }

    @Test(arguments: parts, [[:], wide]) func anItemHasOneScoreWhateverTheOthersAre(
        part: String, more: [String: OptionValue]
    ) throws {
        let world = try LearnerWorld(sizes: [(3, 2), (0, 5), (7, 1), (200, 1)])
        let options: [String: OptionValue] = ["algorithm.adapt": .text(part), "dtype": .text("float32")]
        var found: [[[Double]]] = []
        for threads in [1, 2, 3] {
            let learner = try learner(
                options.merging(more) { $1 }.merging(["threads": .numbers([Double(threads)])]) { $1 }, on: world)
            // So that rows are there that later steps did not touch.
            for task in 0..<2 { _ = try learner.learner.step(try world.tasks.take([task]), poll: .none) }
            found.append([])
            for task in [2, 3] {
                let adapted = try learner.learner.adapt(try world.ratings(of: task))
                // Over many blocks: in order, which is read in place, and not.
                let alone = try (-1..<9).map { try learner.predict(adapted, [Int32($0)], of: world.tasks.items)[0] }
                for stride in [1, 7] {
                    let candidates = (0..<5000).map { Int32($0 * stride % 10 - 1) }
                    let together = try learner.predict(adapted, candidates, of: world.tasks.items)
                    #expect(together == candidates.map { alone[Int($0) + 1] })
                    found[found.count - 1].append(together)
                }
            }
        }
        #expect(found[1] == found[0] && found[2] == found[0])
    }

    @Test func nothingIsCompiledOrGrownForAnotherNumberOfRatings() throws {
        let world = try LearnerWorld(sizes: (0..<12).map { ($0, 2) })
        let learner = try learner(on: world)
        let state = try learner.learner.initialized()
        let plans = state.stages.map { ObjectIdentifier($0) }
        for task in [11] + Array(0..<11) {
            let adapted = try learner.learner.adapt(try world.ratings(of: task))
            _ = try learner.predict(adapted, Array(world.candidates(of: task)), of: world.tasks.items)
        }
        #expect(state.stages.map { ObjectIdentifier($0) } == plans)
        #expect(
            state.stages.allSatisfy {
                $0.user.growthCount <= 1 && $0.scores.values.allSatisfy { $0.executor.growthCount <= 1 }
            })
    }

    // MARK: What is kept of items

    private func output(_ learner: TestLearner, _ world: LearnerWorld) throws -> [Double] {
        let adapted = try learner.learner.adapt(try world.ratings(of: 1))
        return try learner.predict(adapted, Array(-1..<9), of: world.tasks.items)
    }

    /// With many ratings scores read adapted weights instead of their factors: of the same items.
    @Test func itemsAreComputedOnceWhateverTheNumberOfRatings() throws {
        let world = try LearnerWorld(sizes: [(2, 9), (200, 9)])
        let learner = try learner(["backbone.embedding_dim": .numbers([32])], on: world)
        let state = try learner.learner.initialized()
        let adapted = try (0..<2).map { try learner.learner.adapt(try world.ratings(of: $0)) }
        #expect(adapted[0].stages !== adapted[1].stages)
        let items = try #require(adapted[0].stages.items)
        #expect(adapted[1].stages.items === items)
        let candidates = (-1..<9).map { Int32($0) }
        _ = try learner.predict(adapted[0], candidates, of: world.tasks.items)
        let version = try #require(learner.learner.version(state))
        let catalogue = try #require(items.catalogue(world.tasks.items, version))
        var places = [Int32](repeating: 0, count: candidates.count)
        #expect(catalogue.locate(candidates, count: candidates.count, places: &places).isEmpty)
        let expected = try learner.predict(world.tasks)
        let found = try learner.predict(adapted[1], Array(world.candidates(of: 1)), of: world.tasks.items)
        #expect(close(found, Array(expected.suffix(9))))
    }

    /// Also those of tables of few rows, which scores multiply whole. Only the first step touches any.
    @Test func rowsThatNoStepTouchedLatelyAreUpToDate() throws {
        let world = try LearnerWorld(sizes: [(200, 9), (100, 1)])
        for row in 209..<310 { world.arrays.itemIndex[row] = -1 }
        let options: [String: OptionValue] = ["batch_size": .numbers([1]), "algorithm.adapt": .text("decision")]
        let found = try [false, true].map { isSettled in
            let learner = try learner(options.merging(AdaptedLearnerTests.wide) { $1 }, on: world)
            for task in [0, 1, 1] { _ = try learner.learner.step(try world.tasks.take([task]), poll: .none) }
            if isSettled { try learner.learner.settle() }
            let adapted = try learner.learner.adapt(try world.ratings(of: 1))
            #expect(try adapted.stages.scores(.prediction).tables == [0, 1])
            return try learner.predict(adapted, (0..<100).map { Int32($0 % 10 - 1) }, of: world.tasks.items)
        }
        #expect(found[0] == found[1])
    }

    private func add(_ number: Double, to name: String, of learner: TestLearner) throws {
        for tensor in try learner.parameters where tensor.name == name {
            let values = tensor.pointer.assumingMemoryBound(to: Double.self)
            for place in 0..<tensor.shape.reduce(1, *) { values[place] += number }
        }
    }

    /// What another learner gives, which has kept nothing.
    private func afresh(_ learner: TestLearner, _ world: LearnerWorld) throws -> [Double] {
        let other = try TestLearner(on: world.tasks)
        for (from, to) in zip(try learner.learner.tensors(), try other.learner.tensors()) {
            let count = 8 * from.shape.reduce(1, *)
            to.pointer.copyMemory(from: from.pointer, byteCount: count)
        }
        return try output(other, world)
    }

    @Test func itemsAreComputedAnewWhenParametersMayHaveChanged() throws {
        let world = try LearnerWorld(tasks: 5)
        let learner = try learner(on: world)
        var before = try output(learner, world)
        for name in ["embedding.genre", "dense0.weight", "head.bias"] {
            learner.learner.beginLoan()
            for _ in 0..<2 {
                // While the loan lasts, every call may find other numbers.
                try add(0.25, to: name, of: learner)
                let during = try output(learner, world)
                let expected = try afresh(learner, world)
                #expect(during != before && during == expected)
                before = during
            }
            try add(0.25, to: name, of: learner)
            learner.learner.endLoan()
            let after = try output(learner, world)
            let expected = try afresh(learner, world)
            #expect(after != before && after == expected)
            before = after
        }
        _ = try learner.learner.step(world.tasks, poll: .none)
        let after = try output(learner, world)
        let expected = try afresh(learner, world)
        #expect(after != before && after == expected)
    }

    @Test func continuingAtAnEarlierStepIsAnotherVersion() throws {
        let world = try LearnerWorld(tasks: 5)
        let learner = try learner(on: world)
        _ = try output(learner, world)
        _ = try learner.learner.step(world.tasks, poll: .none)
        try learner.learner.settle()
        try learner.learner.resume(at: 0)
        let expected = try afresh(learner, world)
        #expect(try output(learner, world) == expected)
    }

    @Test func itemsAreComputedAnewWhenTheirFeaturesChange() throws {
        let world = try LearnerWorld(tasks: 5)
        let learner = try learner(on: world)
        let adapted = try learner.learner.adapt(try world.ratings(of: 1))
        let every = Array(Int32(-1)..<9)
        let before = try learner.predict(adapted, every, of: world.tasks.items)
        world.genre[4] = world.genre[4] == 1 ? 2 : 1
        world.plot[7 * LearnerWorld.plotWidth] += 1
        let after = try learner.predict(adapted, every, of: world.tasks.items)
        #expect(zip(before, after).map { $0 != $1 } == every.map { $0 == 4 || $0 == 7 })
    }

    // MARK: What it refuses

    @Test func itGoesStale() throws {
        let world = try LearnerWorld(tasks: 5)
        let learner = try learner(on: world)
        let adapted = try learner.learner.adapt(try world.ratings(of: 0))
        _ = try learner.predict(adapted, [0], of: world.tasks.items)
        _ = try learner.learner.step(world.tasks, poll: .none)
        let error = #expect(throws: MetarecError.self) {
            try learner.predict(adapted, [0], of: world.tasks.items)
        }
        #expect(error?.kind == .state)
    }

    @Test(arguments: parts) func aScoreThatIsNotFiniteIsReported(part: String) throws {
        let world = try LearnerWorld(tasks: 5)
        let learner = try learner(["algorithm.adapt": .text(part)], on: world)
        let adapted = try learner.learner.adapt(try world.ratings(of: 0))
        try add(.infinity, to: "embedding.genre", of: learner)
        learner.learner.beginLoan()
        let error = #expect(throws: MetarecError.self) {
            try learner.predict(adapted, Array(0..<9), of: world.tasks.items)
        }
        #expect(error?.kind == .arithmetic)
    }
}
