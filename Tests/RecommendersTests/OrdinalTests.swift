import Foundation
import Graph
import Kernels
import MetaLearning
import TestSupport
import Testing

@testable import Recommenders

@Suite struct OrdinalTests {
    private func ordinal(_ levels: [Double], squaredError: Double = 0.3) throws -> Ordinal {
        Ordinal(
            try Options(
                ["levels": .numbers(levels), "squared_error": .numbers([squaredError])], for: Ordinal.schema, prefix: ""
            ))
    }

    /// Distribution, loss and mean for some outputs, by differences of the logistic function between the cuts.
    @Test(arguments: [[0.0, 1], [1, 2, 3, 4, 5], [0.5, 1, 2.5, 4]], [true, false])
    func isTheDifferenceOfLogistics(levels: [Double], hasVariance: Bool) throws {
        let loss = try ordinal(levels)
        let graph = Graph()
        let θ = Parameters(
            loss.parameters.enumerated().map { number, request in
                (request.spec.name, graph.parameter(number, Shape(1, .fixed(request.spec.columns))))
            }, in: graph)
        let numbers: [Matrix] = loss.parameters.map { request in
            guard case .values(let values) = request.initializer else { return Matrix(1, 0, []) }
            return Matrix(1, values.count, values.enumerated().map { $1 + 0.1 * Double($0) })
        }
        let outputs = [-3.0, 0.2, 2.5, 3, 7]
        let targets = outputs.indices.map { levels[$0 % levels.count] + ($0 == 4 ? 0.1 : 0) }
        let variances = [0.3, 1, 2, 0.5, 0.1]
        let rows = loss.parameters.count
        let columns = [outputs, targets, variances].map { Matrix(5, 1, $0) }
        let values = (0..<3).map { graph.parameter(rows + $0, Shape(5, 1)) }
        let output = Output(mean: values[0], variance: hasVariance ? values[2] : nil)
        let found = try evaluate(
            [loss.distribution(output, θ)!, loss.rows(output, values[1], θ), loss.prediction(output, θ)],
            parameters: numbers + columns)[0]

        var cuts = [numbers[0].elements[0]]
        if levels.count > 2 { for gap in numbers[1].elements { cuts.append(cuts[cuts.count - 1] + exp(gap)) } }
        for (row, o) in outputs.enumerated() {
            let s = exp(numbers[rows - 1].elements[0]) * (hasVariance ? variances[row].squareRoot() : 1)
            let below = [0] + cuts.map { 1 / (1 + exp(-($0 - o) / s)) } + [1]
            let p = zip(below, below.dropFirst()).map { $1 - $0 }
            for (level, p) in p.enumerated() { #expect(Swift.abs(found[0][row, level] - p) < 1e-12) }
            let given = row % levels.count
            let wanted = -log(p[given]) + 0.3 * (o - targets[row]) * (o - targets[row])
            #expect(Swift.abs(found[1][row, 0] - wanted) < 1e-10 * (1 + wanted))
            let mean = zip(p, levels).map { $0 * $1 }.reduce(0, +)
            #expect(Swift.abs(found[2][row, 0] - mean) < 1e-12)
        }
    }

    /// Far from every cut the probabilities are tiny; their logarithms are not infinite.
    @Test func farOutputsHaveFiniteLosses() throws {
        let world = try LearnerWorld(sizes: [(3, 4), (0, 2)])
        let learner = try TestLearner(["loss": .text("ordinal"), "dtype": .text("float32")], on: world.tasks)
        let bias = try #require(try learner.parameters.first { $0.name == "head.bias" })
        bias.pointer.storeBytes(of: Float(60), as: Float.self)
        let (loss, gradients) = try learner.metaGradient(world.tasks)
        let isFinite = gradients.joined().allSatisfy { $0.isFinite }
        #expect(loss.isFinite && isFinite)
    }
}

@Suite struct ContentEncoderTests {
    private static let options: [String: OptionValue] = [
        "backbone": .text("content_encoder"), "backbone.tokens": .numbers([6]), "backbone.features": .numbers([4]),
        "backbone.user": .numbers([3]), "algorithm": .text("bayesian_linear"), "algorithm.attention": .numbers([2]),
        "algorithm.hidden": .numbers([5]), "loss": .text("ordinal"), "dtype": .text("float64"),
    ]

    @Test(arguments: [true, false]) func theMetaGradientIsTheDerivative(hasUsers: Bool) throws {
        let world = try LearnerWorld(sizes: [(3, 4), (0, 2), (5, 1)], hasUsers: hasUsers)
        var options = ContentEncoderTests.options
        options["backbone.l2"] = .numbers([0.01])
        options["backbone.weight_l2"] = .numbers([0.02])
        let learner = try TestLearner(options, on: world.tasks)
        #expect(try learner.checkMetaGradient(world.tasks, within: 1e-6) > 0)
    }

    /// An adapted learner has the support with it: variance and attention need it.
    @Test func adaptedLearnersPredictAsTheTaskWould() throws {
        let world = try LearnerWorld(sizes: [(3, 4), (0, 2), (5, 1)])
        let learner = try TestLearner(ContentEncoderTests.options, on: world.tasks)
        for task in 0..<3 {
            let adapted = try learner.learner.adapt(world.ratings(of: task))
            let expected = try learner.predict(world.tasks.take([task]))
            let out = Buffer(count: expected.count, .double)
            try adapted.predict(world.candidates(of: task), of: world.tasks.items, into: out.pointer, poll: .none)
            #expect(zip(out.numbers(.double), expected).allSatisfy { Swift.abs($0 - $1) < 1e-12 })
        }
    }

    @Test func distributionsAreThosePredictionsAreTheMeansOf() throws {
        let world = try LearnerWorld(sizes: [(3, 4), (0, 2), (5, 1)])
        let learner = try TestLearner(ContentEncoderTests.options, on: world.tasks)
        let out = Buffer(count: world.tasks.queryRows * 5, .double)
        try learner.learner.distribution(world.tasks, into: out.pointer, poll: .none)
        let p = out.numbers(.double)
        for (row, mean) in try learner.predict(world.tasks).enumerated() {
            let levels = (0..<5).map { p[5 * row + $0] }
            let total = levels.reduce(0, +)
            let stars = levels.enumerated().map { Double($0.offset + 1) * $0.element }.reduce(0, +)
            #expect(Swift.abs(total - 1) < 1e-12 && levels.allSatisfy { $0 > 0 })
            #expect(Swift.abs(stars - mean) < 1e-12)
        }
        let other = try TestLearner(on: world.tasks)
        let error = #expect(throws: MetarecError.self) {
            try other.learner.distribution(world.tasks, into: out.pointer, poll: .none)
        }
        #expect(error?.kind == .state && other.learner.levelCount == 0)
    }

    /// An adapted learner's distribution is the task's, and its mean the prediction; a correction that is zero leaves the
    /// prediction as it is, another does not.
    @Test func adaptedLearnersSayDistributionsAndWhatCorrectionsChange() throws {
        let world = try LearnerWorld(sizes: [(3, 4), (0, 2), (5, 1)])
        let learner = try TestLearner(ContentEncoderTests.options, on: world.tasks)
        func said(_ score: Score, _ task: Int, of learner: TestLearner) throws -> [Double] {
            let adapted = try learner.learner.adapt(world.ratings(of: task))
            let candidates = world.candidates(of: task)
            let out = Buffer(count: candidates.count * adapted.columns(of: score), .double)
            try adapted.predict(candidates, of: world.tasks.items, score: score, into: out.pointer, poll: .none)
            return out.numbers(.double)
        }
        for isCorrected in [true, false] {
            for tensor in try learner.parameters where !isCorrected && tensor.name.hasPrefix("attention.correction") {
                let count = tensor.shape.reduce(1, *)
                tensor.pointer.assumingMemoryBound(to: Double.self).update(repeating: 0, count: count)
            }
            for task in 0..<3 {
                let one = try world.tasks.take([task])
                let out = Buffer(count: one.queryRows * 5, .double)
                try learner.learner.distribution(one, into: out.pointer, poll: .none)
                let distribution = try said(.distribution, task, of: learner)
                #expect(zip(distribution, out.numbers(.double)).allSatisfy { Swift.abs($0 - $1) < 1e-12 })
                let predicted = try said(.prediction, task, of: learner)
                for (row, mean) in predicted.enumerated() {
                    let stars = (0..<5).reduce(0) { $0 + Double($1 + 1) * distribution[5 * row + $1] }
                    #expect(Swift.abs(stars - mean) < 1e-12)
                }
                let uncorrected = try said(.uncorrected, task, of: learner)
                let difference = zip(predicted, uncorrected).map { Swift.abs($0 - $1) }.max() ?? 0
                #expect(isCorrected ? difference > 1e-6 : difference < 1e-12)
            }
        }
        let other = try TestLearner(on: world.tasks)
        let adapted = try other.learner.adapt(world.ratings(of: 0))
        #expect(Score.allCases.map { adapted.columns(of: $0) } == [1, 0, 0])
        for score in [Score.uncorrected, .distribution] {
            let error = #expect(throws: MetarecError.self) { try said(score, 0, of: other) }
            #expect(error?.kind == .state)
        }
    }

    /// In a share of the tasks nearly all ids are hidden, in the others few; other fields keep their own rate.
    @Test func idsAreHiddenByTask() {
        let dropout = FieldDropout(fields: [1], rate: 0.1, highShare: 0.25, highRate: 0.8)
        var (rates, others) = ([Double](), 0)
        for task in 0..<2000 {
            var hiding = Hiding(rate: 0, dropout: dropout, generator: SeededGenerator(3, UInt64(task)))
            hiding.enter(field: 0)
            for _ in 0..<5 where hiding.next() { others += 1 }
            hiding.enter(field: 1)
            rates.append(Double((0..<100).filter { _ in hiding.next() }.count) / 100)
        }
        let high = rates.filter { $0 > 0.5 }
        #expect(others == 0 && Swift.abs(Double(high.count) / 2000 - 0.25) < 0.04)
        let (meanHigh, meanLow) = (
            high.reduce(0, +) / Double(high.count),
            rates.filter { $0 <= 0.5 }.reduce(0, +) / Double(2000 - high.count)
        )
        #expect(Swift.abs(meanHigh - 0.8) < 0.01 && Swift.abs(meanLow - 0.1) < 0.01)
    }
    /// Fields of what new items do not have are hidden in the same rows; what others draw is as without them.
    @Test func fieldsAreHiddenTogether() {
        func draws(_ fields: [Int], of field: Int) -> [Bool] {
            let dropout = FieldDropout(fields: fields, rate: 0.5, highShare: 0, highRate: 1)
            var hiding = Hiding(rate: 0.3, dropout: dropout, generator: SeededGenerator(8))
            var found: [Bool] = []
            for each in [0, 1, 2, 3] {
                hiding.enter(field: each)
                let drawn = (0..<50).map { _ in hiding.next() }
                if each == field { found = drawn }
            }
            return found
        }
        #expect(draws([1, 3], of: 1) == draws([1, 3], of: 3) && draws([1], of: 1) == draws([1, 3], of: 1))
        #expect(draws([1], of: 1) != draws([1], of: 3) && draws([1], of: 2) == draws([1, 3], of: 2))
        #expect(draws([1, 3], of: 0) != draws([1, 3], of: 2))
    }
}
