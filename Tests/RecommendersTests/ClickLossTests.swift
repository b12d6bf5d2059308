import Foundation
import Graph
import MetaLearning
import TestSupport
import Testing

@testable import Recommenders

/// Losses of clicks: against loops by their definition, and against differences.
@Suite struct ClickLossTests {
    private static let outputs = [0.3, -1.2, 2, 0.7, -0.4, 1.1]
    /// Clicks with weights and negatives in turn; no negative; no click.
    private static let targets: [[Double]] = [[1, 0, 2.5, 0, 0, 0.5], [1, 1, 3, 1, 1, 1], [0, 0, 0, 0, 0, 0]]

    private static func loss(_ name: String, _ given: [String: OptionValue] = [:]) throws -> any Loss {
        let type = try #require(Registry.losses.first { $0.schema.name == name })
        return type.init(try Options(given, for: type.schema, prefix: ""))
    }

    /// Rows, gradient of their sum, curvature.
    private func evaluated(_ loss: any Loss, _ outputs: [Double], _ targets: [Double]) throws -> [Matrix] {
        let graph = Graph()
        let (o, y) = (graph.parameter(0, Shape(6, 1)), graph.parameter(1, Shape(6, 1)))
        let (output, θ) = (Output(mean: o), Parameters([], in: graph))
        let rows = loss.rows(output, y, θ)
        return try evaluate(
            [rows, gradients(of: rows.sum, with: [o])[0], loss.curvature(output, y, θ)],
            parameters: [Matrix(6, 1, outputs), Matrix(6, 1, targets)])[0]
    }

    private func byHand(_ name: String, _ o: [Double], _ y: [Double]) -> [Double] {
        let negatives = y.indices.filter { y[$0] == 0 }
        return y.indices.map { i in
            if y[i] == 0 || negatives.isEmpty { return 0 }
            if name == "softmax" {
                let clicked = exp(o[i])
                return -y[i] * log(clicked / negatives.reduce(clicked) { $0 + exp(o[$1]) })
            }
            let sum = negatives.reduce(0) { $0 - log(1 / (1 + exp(o[$1] - o[i]))) }
            return y[i] * sum / Double(negatives.count)
        }
    }

    @Test(arguments: ["softmax", "bpr"], targets) func rowsAreTheirDefinition(name: String, y: [Double]) throws {
        let o = ClickLossTests.outputs
        let found = try evaluated(ClickLossTests.loss(name), o, y)[0].elements
        #expect(zip(found, byHand(name, o, y)).allSatisfy { Swift.abs($0 - $1) < 1e-12 })
        // What is common to all scores does not matter, however large.
        let far = try evaluated(ClickLossTests.loss(name), o.map { $0 + 500 }, y)[0].elements
        #expect(zip(found, far).allSatisfy { Swift.abs($0 - $1) < 1e-10 })
    }

    @Test(arguments: ["softmax", "bpr"], targets) func curvatureIsTheHessian(name: String, y: [Double]) throws {
        let loss = try ClickLossTests.loss(name)
        let found = try evaluated(loss, ClickLossTests.outputs, y)[2]
        for column in 0..<6 {
            func gradient(_ step: Double) throws -> [Double] {
                var o = ClickLossTests.outputs
                o[column] += step
                return try evaluated(loss, o, y)[1].elements
            }
            for (row, (above, below)) in zip(try gradient(1e-5), try gradient(-1e-5)).enumerated() {
                #expect(Swift.abs((above - below) / 2e-5 - found[row, column]) < 1e-8)
            }
        }
    }

    /// A click of weight 3 is three clicks; of weight 1 it is the usual loss.
    @Test(arguments: [1.0, 3]) func logisticWeighsClicks(weight: Double) throws {
        let loss = try ClickLossTests.loss("logistic", ["positive_weight": .numbers([weight])])
        let y = [1.0, 0, 1, 0, 0.25, 1]
        let found = try evaluated(loss, ClickLossTests.outputs, y)[0].elements
        for (row, o) in ClickLossTests.outputs.enumerated() {
            let wanted = weight * y[row] * log(1 + exp(-o)) + (1 - y[row]) * log(1 + exp(o))
            #expect(Swift.abs(found[row] - wanted) < 1e-12)
        }
        // The best constant output of a share of clicks p has the odds w p / (1 - p).
        #expect(Swift.abs(exp(loss.outputBias(forMean: 0.2)) - weight / 4) < 1e-12)
    }

    /// Exactly, through the inner loop of ragged tasks: one without support, one whose support is clicks alone.
    @Test(arguments: ["softmax", "bpr"], ["maml", "meta_sgd", "joint_training", "ridge", "dual"])
    func theMetaGradientIsTheDerivative(name: String, algorithm: String) throws {
        let world = try LearnerWorld(sizes: [(5, 4), (0, 3), (2, 3)])
        for row in 0..<world.arrays.rowCount { world.arrays.targets[row] = [1, 0, 0, 2][row % 4] }
        let support = world.rows(of: 2).support
        for row in support { world.arrays.targets[row] = 1 }
        var options: [String: OptionValue] = [
            "loss": .text(name), "algorithm": .text(algorithm == "dual" ? "ridge" : algorithm),
        ]
        if algorithm == "dual" { options["algorithm.form"] = .text("dual") }
        if algorithm == "maml" { options["algorithm.adapt"] = .text("all") }
        let learner = try TestLearner(options, on: world.tasks)
        #expect(try learner.checkMetaGradient(world.tasks, within: 1e-6) > 1e-3)
    }

    @Test(arguments: ["softmax", "bpr"]) func weightsThatCannotBeAreRefused(name: String) throws {
        let world = try LearnerWorld(tasks: 3)
        world.arrays.targets[1] = -1
        let learner = try TestLearner(["loss": .text(name)], on: world.tasks)
        let error = #expect(throws: MetarecError.self) { try learner.learner.step(world.tasks, poll: .none) }
        #expect(error?.description.contains("wanted the weight of a click, or 0") == true)
    }
}
