import TestSupport

@testable import Graph

/// A regression network of relu layers, and MAML on it, traced by hand.
struct Network {
    let widths: [Int]
    let graph = Graph()

    /// Weight and bias of each layer.
    var θ: [Value] {
        (0..<widths.count - 1).flatMap { layer in
            [
                graph.parameter(2 * layer, Shape(.fixed(widths[layer]), .fixed(widths[layer + 1]))),
                graph.parameter(2 * layer + 1, Shape(1, .fixed(widths[layer + 1]))),
            ]
        }
    }

    func loss(_ θ: [Value], _ rows: Dimension, input: Int) -> Value {
        var h = graph.input(input, Shape(rows, .fixed(widths[0])))
        let target = graph.input(input + 1, Shape(rows, 1))
        for layer in 0..<widths.count - 1 {
            h = h.matmul(θ[2 * layer]) + θ[2 * layer + 1]
            if layer < widths.count - 2 { h = h.relu }
        }
        return (h - target).square.mean
    }

    /// The query's loss after `steps` inner steps on the support, and its exact gradient.
    func maml(steps: Int) -> [Value] {
        let start = θ
        var adapted = start
        for _ in 0..<steps {
            let g = gradients(of: loss(adapted, .support, input: 0), with: adapted)
            adapted = zip(adapted, g).map { $0 - 0.1 * $1 }
        }
        let outer = loss(adapted, .query, input: 2)
        return [outer] + gradients(of: outer, with: start)
    }

    func parameters(using generator: inout TestGenerator) -> [Matrix] {
        (0..<widths.count - 1).flatMap { layer in
            [
                Matrix.random(widths[layer], widths[layer + 1], using: &generator),
                Matrix.random(1, widths[layer + 1], using: &generator),
            ]
        }
    }

    func task(support: Int, query: Int, using generator: inout TestGenerator) -> TestTask {
        TestTask(
            sizes: [.support: support, .query: query],
            inputs: [support, query].flatMap { rows in
                [Matrix.random(rows, widths[0], using: &generator), Matrix.random(rows, 1, using: &generator)]
            })
    }
}
