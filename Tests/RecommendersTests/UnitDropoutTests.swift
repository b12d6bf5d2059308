import Graph
import Kernels
import TestSupport
import Testing

@testable import MetaLearning
@testable import Recommenders

@Suite struct UnitDropoutTests {
    private static let attention: [String: OptionValue] = [
        "backbone": .text("content_encoder"), "backbone.tokens": .numbers([6]), "backbone.features": .numbers([4]),
        "backbone.user": .numbers([3]), "algorithm": .text("bayesian_linear"), "algorithm.attention": .numbers([2]),
        "algorithm.hidden": .numbers([5, 4]), "algorithm.dropout": .numbers([0.4]), "loss": .text("ordinal"),
    ]

    // MARK: Masks

    private func drawn(
        _ masks: [UnitMask], _ precision: Precision, support: Int, query: Int, from generator: SeededGenerator?
    ) -> [[Double]] {
        let memory = UnitMasks(masks, precision)
        memory.draw(support: support, query: query, from: generator)
        return masks.enumerated().map { index, mask in
            (0..<(mask.rows == .query ? query : support) * mask.units).map { memory[index].number($0, precision) }
        }
    }

    /// Units are dropped with the rate, independently, and kept ones are scaled so that the mean is 1.
    @Test(arguments: [0.1, 0.5, 0.8]) func masksHaveTheirRateAndMeanOne(rate: Double) {
        let masks =
            UnitMask.layers(UnitDropout(rate: rate, widths: [40, 25]), rows: .support)
            + UnitMask.layers(UnitDropout(rate: rate, widths: [40, 25]), rows: .query)
        let found = drawn(masks, .double, support: 500, query: 500, from: SeededGenerator(1, 2, 3))
        #expect(found.map(\.count) == [20_000, 12_500, 20_000, 12_500])
        let kept = 1 / (1 - rate)
        #expect(found.joined().allSatisfy { $0 == 0 || $0 == kept })
        // Of n independent draws the share is within five deviations, but once in a million.
        func isShare(_ count: Int, of n: Int, _ p: Double) -> Bool {
            let deviation = (p * (1 - p) / Double(n)).squareRoot()
            return Swift.abs(Double(count) / Double(n) - p) < 5 * deviation
        }
        for mask in found {
            #expect(isShare(mask.filter { $0 == 0 }.count, of: mask.count, rate))
            let mean = mask.reduce(0, +) / Double(mask.count)
            #expect(Swift.abs(mean - 1) < 5 * (rate * kept / Double(mask.count)).squareRoot())
        }
        // Both dropped: neighbours in a row, the same unit in neighbouring rows, of support and of query.
        func both(_ a: ArraySlice<Double>, _ b: ArraySlice<Double>) -> Int { zip(a, b).count { $0 == 0 && $1 == 0 } }
        let pairs = [
            (found[0].dropLast(), found[0].dropFirst()), (found[0].dropLast(40), found[0].dropFirst(40)),
            (found[0][...], found[2][...]), (found[1][...], found[3][...]),
        ]
        for (a, b) in pairs { #expect(isShare(both(a, b), of: a.count, rate * rate)) }
    }

    @Test func masksFollowTheGeneratorAlone() {
        let masks = UnitMask.layers(UnitDropout(rate: 0.3, widths: [7]), rows: .support)
        func draw(_ precision: Precision, _ generator: SeededGenerator?) -> [Double] {
            drawn(masks, precision, support: 9, query: 2, from: generator)[0]
        }
        let first = draw(.double, SeededGenerator(4))
        #expect(first == draw(.double, SeededGenerator(4)) && first != draw(.double, SeededGenerator(5)))
        #expect(first.map { $0 == 0 } == draw(.float, SeededGenerator(4)).map { $0 == 0 })
        for precision in [Precision.float, .double] {
            #expect(draw(precision, nil) == [Double](repeating: 1, count: 63))
        }
        #expect(UnitDropout(rate: 0, widths: [3]) == nil && UnitDropout(rate: 0.5, widths: []) == nil)
    }

    // MARK: Training

    /// The mean loss of one epoch of one step, by hand: the support loss of the masked network is descended, by finite
    /// differences, with the same masks in every step; then the query's masks.
    @Test(arguments: [0, 2]) func theLossIsThatOfTheMaskedNetwork(steps: Int) throws {
        let world = try LearnerWorld(sizes: [(3, 4), (0, 2), (5, 1)])
        let learner = try TestLearner(
            ["backbone.dropout": .numbers([0.4]), "algorithm.inner_steps": .numbers([Double(steps)])], on: world.tasks)
        let (shared, model) = (try learner.θ(), try learner.learner.initialized().model)
        let names = try learner.parameters.filter(\.isAdapted).map(\.name)
        var (sum, plain) = (0.0, 0.0)
        for task in 0..<3 {
            let (support, query) = world.rows(of: task)
            let found = drawn(
                model.masks, .double, support: support.count, query: query.count,
                from: SeededGenerator(0, 0xD20F, 6, UInt64(task)))
            func loss(_ θ: [String: Matrix], _ rows: Range<Int>, _ first: Int) -> Double {
                rows.enumerated().reduce(0) { sum, row in
                    let masks = [6, 4].enumerated().map { layer, width in
                        Matrix(1, width, Array(found[first + layer][row.offset * width..<(row.offset + 1) * width]))
                    }
                    let output = world.output(θ, task: task, row: row.element, masks: masks)
                    return sum + (output - world.arrays.targets[row.element]).squared
                } / Double(max(rows.count, 1))
            }
            var θ = shared
            for _ in 0..<steps {
                var next = θ
                for name in names {
                    for place in θ[name]!.elements.indices {
                        var (above, below) = (θ, θ)
                        above[name]!.elements[place] += 1e-6
                        below[name]!.elements[place] -= 1e-6
                        next[name]!.elements[place] -= 0.05 * (loss(above, support, 0) - loss(below, support, 0)) / 2e-6
                    }
                }
                θ = next
            }
            sum += loss(θ, query, 2)
            plain += world.loss(θ, task: task, rows: query)
        }
        let loss = try learner.learner.trainEpoch(world.tasks, episodes: nil, epoch: 6, poll: .none)
        #expect(Swift.abs(loss - sum / 3) < 1e-8 * sum && Swift.abs(loss - plain / 3) > 1e-3 * sum)
    }

    /// One step of gradient descent on all tasks in an epoch, undone: the loss with that epoch's masks, and its gradient.
    private func masked(
        _ learner: TestLearner, _ tasks: TaskSet, epoch: Int
    ) throws -> (loss: Double, gradient: [[Double]]) {
        let tensors = try learner.parameters
        let before = tensors.map(learner.numbers)
        let loss = try learner.learner.trainEpoch(tasks, episodes: nil, epoch: epoch, poll: .none)
        let gradient = zip(before, tensors.map(learner.numbers)).map { zip($0, $1).map { $0 - $1 } }
        for (tensor, numbers) in zip(tensors, before) {
            tensor.pointer.assumingMemoryBound(to: Double.self).update(from: numbers, count: numbers.count)
        }
        return (loss, gradient)
    }

    @Test(arguments: ["maml", "anil", "meta_sgd", "joint_training", "ridge", "bayesian_linear", "attention"])
    func theMetaGradientIsTheDerivativeAtFixedMasks(algorithm: String) throws {
        let world = try LearnerWorld(sizes: [(3, 4), (0, 2), (5, 1)])
        var options: [String: OptionValue] = [
            "algorithm": .text(algorithm), "backbone.hidden": .numbers([4, 3]), "backbone.dropout": .numbers([0.4]),
        ]
        if ["maml", "meta_sgd", "joint_training"].contains(algorithm) { options["algorithm.adapt"] = .text("all") }
        if algorithm == "attention" { options = UnitDropoutTests.attention }
        options.merge(["optimizer": .text("sgd"), "optimizer.lr": .numbers([1])]) { $1 }
        let learner = try TestLearner(options, on: world.tasks)
        // The attention's last layer begins at zero: then units under it would not count.
        for tensor in try learner.parameters where tensor.name == "attention.correction.weight" {
            let pointer = tensor.pointer.assumingMemoryBound(to: Double.self)
            for place in 0..<tensor.shape.reduce(1, *) { pointer[place] = 0.1 * Double(place % 5) - 0.2 }
        }
        let (loss, gradients) = try masked(learner, world.tasks, epoch: 0)
        #expect(try masked(learner, world.tasks, epoch: 0).loss == loss)
        #expect(try masked(learner, world.tasks, epoch: 1).loss != loss)
        for (tensor, gradient) in zip(try learner.parameters, gradients) {
            let pointer = tensor.pointer.assumingMemoryBound(to: Double.self)
            for place in gradient.indices {
                let value = pointer[place]
                pointer[place] = value + 1e-6
                let above = try masked(learner, world.tasks, epoch: 0).loss
                pointer[place] = value - 1e-6
                let below = try masked(learner, world.tasks, epoch: 0).loss
                pointer[place] = value
                let numeric = (above - below) / 2e-6
                #expect(
                    Swift.abs(numeric - gradient[place]) < 1e-6 * (1 + Swift.abs(numeric)), "\(tensor.name)[\(place)]")
            }
        }
    }

    /// Dropout draws nothing but in training: everything else has the bits of a learner without it.
    @Test(arguments: [false, true]) func onlyTrainingDrops(isAttention: Bool) throws {
        let world = try LearnerWorld(sizes: [(3, 4), (0, 2), (5, 1)])
        let dropped = isAttention ? UnitDropoutTests.attention : ["backbone.dropout": .numbers([0.4])]
        let plain = dropped.filter { !$0.key.hasSuffix("dropout") }
        let learners = try [dropped, plain].map { try TestLearner($0, on: world.tasks) }
        let losses = try learners.map { try $0.learner.trainEpoch(world.tasks, episodes: nil, epoch: 0, poll: .none) }
        #expect(isAttention ? losses[0] == losses[1] : losses[0] != losses[1])
        // The same parameters again: training has changed them.
        for (to, from) in zip(try learners[1].parameters, try learners[0].parameters) {
            to.pointer.copyMemory(from: from.pointer, byteCount: 8 * from.shape.reduce(1, *))
        }
        #expect(try learners[0].predict(world.tasks) == learners[1].predict(world.tasks))
        let gradients = try learners.map { try $0.metaGradient(world.tasks) }
        #expect(Swift.abs(gradients[0].loss - gradients[1].loss) < 1e-13 * gradients[1].loss)
        for (a, b) in zip(gradients[0].gradients, gradients[1].gradients) {
            #expect(zip(a, b).allSatisfy { Swift.abs($0 - $1) < 1e-12 * (1 + Swift.abs($1)) })
        }
        let answers = try learners.map { learner in
            try learner.predict(
                learner.learner.adapt(world.ratings(of: 0)), Array(world.candidates(of: 0)), of: world.tasks.items)
        }
        #expect(answers[0] == answers[1])
        if !isAttention {
            let losses = try learners.map { try $0.supportLosses(world.tasks).filter(\.isFinite) }
            #expect(losses[0] == losses[1] && losses[0].count == 6)
            #expect(try learners[0].adapted(world.tasks) == learners[1].adapted(world.tasks))
        }
    }
}

extension Double {
    fileprivate var squared: Double { self * self }
}
