import Graph
import MetaLearning
import Testing

@testable import Recommenders

/// The plans of MeLU and FineTune on MovieLens-1M's fields, 32-wide embeddings, 64-64-1, for 36 support and 10 query rows.
@Suite struct PresetPlanTests {
    private func model(_ options: [String: OptionValue]) throws -> Model {
        let items = [("rate", 6, false), ("genre", 25, true), ("director", 2186, true), ("actor", 8030, true)]
        let users = [("gender", 2), ("age", 7), ("occupation", 21), ("zip", 3402)]
        let learner = try LearnerOptions(options)
        return try Model(
            items: items.map { FieldSchema(name: $0.0, kind: $0.2 ? .bag : .categorical, size: $0.1) },
            users: users.map { FieldSchema(name: $0.0, kind: .categorical, size: $0.1) },
            backbone: learner.backbone, algorithm: learner.algorithm, loss: learner.loss)
    }

    /// Support, query and all rows, and the touched rows of every table.
    private let sizes = [36, 10, 46, 6, 21, 50, 50, 1, 1, 1, 1]

    private func training(_ options: [String: OptionValue]) throws -> Plan { try Plans(try model(options)).training }

    /// Counted, not reasoned: a lost rewrite shows here. Fewer is better; then lower the numbers.
    @Test(arguments: [(1, 2, 121, 2125), (5, 2, 314, 9089), (1, 1, 70, 1136), (5, 1, 145, 3431)])
    func melu(steps: Int, order: Int, instructions: Int, thousandMultiplyAdds: Int) throws {
        let plan = try training([
            "algorithm": .text("maml"), "algorithm.inner_steps": .numbers([Double(steps)]),
            "algorithm.order": .numbers([Double(order)]),
        ])
        #expect(plan.instructionCount == instructions)
        #expect(plan.multiplyAdds(sizes: sizes) / 1000 == thousandMultiplyAdds)
    }

    /// Dropped units: products with masks, in training alone; the arithmetic of products is the same.
    @Test func dropout() throws {
        let options: [String: OptionValue] = ["algorithm": .text("maml"), "algorithm.inner_steps": .numbers([5])]
        let plain = try Plans(try model(options))
        let dropped = try Plans(try model(options.merging(["backbone.dropout": .numbers([0.5])]) { $1 }))
        #expect(dropped.training.instructionCount == 353)
        #expect(dropped.training.multiplyAdds(sizes: sizes) == plain.training.multiplyAdds(sizes: sizes))
        for plan in [\Plans.prediction, \.adaptation, \.supportLosses] {
            #expect(dropped[keyPath: plan].instructionCount == plain[keyPath: plan].instructionCount)
        }
    }

    /// What the inner loop leaves alone is not differentiated in it: a further step of ANIL costs a few products of the
    /// support's 64 activations with a vector, and Gram matrices of theirs, but none of a layer below the head.
    @Test(arguments: [1, 2]) func anil(order: Int) throws {
        func cost(steps: Int) throws -> Int {
            let options: [String: OptionValue] = [
                "algorithm": .text("anil"), "algorithm.inner_steps": .numbers([Double(steps)]),
                "algorithm.order": .numbers([Double(order)]),
            ]
            return try training(options).multiplyAdds(sizes: sizes)
        }
        let further = try (cost(steps: 9) - cost(steps: 5)) / 4
        #expect(further > 0 && further <= 4 * order * 36 * (64 + 36))
    }

    @Test func fineTune() throws {
        let plan = try training(["algorithm": .text("joint_training")])
        #expect(plan.instructionCount == 71)
        #expect(plan.multiplyAdds(sizes: sizes) / 1000 == 1329)
    }

    /// Candidates of an adapted user, by hand: with factors, 128 S + S 64 for the first layer of 128 item columns, whose
    /// shared part is kept, and 64 64 + 64 above it; else 64 64 for half of the columns, and 31 32 64 a block for the
    /// others, which are looked up in two tables of 6 and 25 rows.
    @Test(arguments: [1, 5]) func scoring(steps: Int) throws {
        let model = try model(["algorithm": .text("maml"), "algorithm.inner_steps": .numbers([Double(steps)])])
        let factored = try Stages(model, lowRank: true)
        let formed = try Stages(model, lowRank: false)
        func cost(_ plan: Plan?, support: Int) -> Int? {
            plan?.multiplyAdds(
                sizes: [support, 1, support] + Array(repeating: 50, count: 8) + [6, 25, 50, 50, 1, 1, 1, 1])
        }
        let (above, tables) = (64 * 64 + 64, (6 + 25) * 32)
        for support in [0, 10, 50] {
            #expect(cost(factored.scores, support: support) == support * (128 + 64) + above)
            #expect(cost(formed.scores, support: support) == 64 * 64 + tables * 64 + above)
        }
        let items = try #require(try ItemStage([factored, formed], model, .float))
        #expect(items.columns.sorted() == [64, 64, 128] && cost(items.executor.plan, support: 10) == 128 * 64)
        #expect(items.reads.map { $0.map { items.columns[$0] }.sorted() } == [[64, 128], [64]])
        // Where tables of items are adapted nothing is left to them alone.
        let all = try self.model(["algorithm": .text("maml"), "algorithm.adapt": .text("all")])
        let whole = try Stages(all, lowRank: false)
        let some = try #require(try ItemStage([factored, whole], model, .float))
        #expect(some.reads.map(\.count) == [2, 0])
        #expect(try ItemStage([whole, whole], all, .float) == nil)
        #expect(factored.cost(model, support: 20) < formed.cost(model, support: 20))
        #expect(factored.cost(model, support: 40) > formed.cost(model, support: 40))
    }
}
