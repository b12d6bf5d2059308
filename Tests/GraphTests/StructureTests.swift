import TestSupport
import Testing

@testable import Graph

/// MAML on a recommender's first layer: item fields that differ by row, user fields that do not. What the rewrites of
/// `ExploitStructure`, `LowRank` and `NarrowProducts` are made for.
private struct Recommender {
    static let (table, items, users, hidden) = (9, 40, 24, 16)
    let graph = Graph()

    /// Two item tables and a user table as inputs; three layers as parameters.
    var tables: [Value] {
        [(0, Self.items), (1, Self.items), (2, Self.users)].map {
            graph.input($0.0, Shape(.symbol(.table($0.0)), .fixed($0.1)))
        }
    }
    var θ: [Value] {
        let width = 2 * Self.items + Self.users
        return [(width, Self.hidden), (1, Self.hidden), (Self.hidden, 1), (1, 1)].enumerated().map {
            graph.parameter($0.offset, Shape(.fixed($0.element.0), .fixed($0.element.1)))
        }
    }

    func loss(_ θ: [Value], isQuery: Bool) -> Value {
        let rows: Dimension = isQuery ? .query : .support
        let first = isQuery ? 2 : 0
        let items = (0..<2).map { tables[$0].bag(Indices(first + $0, rows: rows)) }
        let user = tables[2].bag(Indices(4, rows: 1)).broadcast(to: Shape(rows, .fixed(Self.users)))
        let h = (concatenate(items + [user]).matmul(θ[0]) + θ[1]).relu
        let target = graph.input(isQuery ? 4 : 3, Shape(rows, 1))
        return (h.matmul(θ[2]) + θ[3] - target).square.mean
    }

    /// The meta-loss after `steps` inner steps and its gradient with respect to layers and tables.
    func maml(steps: Int, firstOrder: Bool) -> [Value] {
        var adapted = θ
        for _ in 0..<steps {
            let g = gradients(of: loss(adapted, isQuery: false), with: adapted)
            adapted = zip(adapted, g).map { $0 - 0.05 * (firstOrder ? $1.stopGradient : $1) }
        }
        let outer = loss(adapted, isQuery: true)
        return [outer] + gradients(of: outer, with: θ + tables)
    }

    static func parameters(using generator: inout TestGenerator) -> [Matrix] {
        [(2 * items + users, hidden), (1, hidden), (hidden, 1), (1, 1)].map {
            Matrix.random($0.0, $0.1, using: &generator)
        }
    }

    static func task(support: Int, query: Int, using generator: inout TestGenerator) -> TestTask {
        func ids(_ count: Int) -> IndexRows {
            IndexRows(ids: (0..<count).map { _ in Int32.random(in: -1..<Int32(table), using: &generator) })
        }
        let tables = [items, items, users].map { Matrix.random(table, $0, using: &generator) }
        let targets = [support, query].map { Matrix.random($0, 1, using: &generator) }
        return TestTask(
            sizes: [
                .support: support, .query: query, .table(0): table, .table(1): table, .table(2): table,
            ],
            inputs: tables + targets,
            indices: [ids(support), ids(support), ids(query), ids(query), ids(1)])
    }
}

@Suite struct StructureTests {
    @Test(arguments: [1, 2, 4], [false, true])
    func rewrittenPlansComputeWhatWasTraced(steps: Int, firstOrder: Bool) throws {
        var generator = TestGenerator(UInt64(steps))
        let outputs = Recommender().maml(steps: steps, firstOrder: firstOrder)
        let parameters = Recommender.parameters(using: &generator)
        let sizes = [(0, 3), (1, 1), (3, 0), (5, 2), (17, 9), (40, 10)]
        let tasks = sizes.map { Recommender.task(support: $0.0, query: $0.1, using: &generator) }
        let found = try evaluate(outputs, parameters: parameters, tasks: tasks)
        for (number, task) in tasks.enumerated() {
            let expected = interpret(outputs, parameters: parameters, task: task)
            for (place, (a, b)) in zip(found[number], expected).enumerated() {
                #expect(
                    a.distance(to: b) <= 1e-11 * (1 + b.magnitude), "task \(sizes[number]), output \(place)")
            }
        }
    }

    /// First order, one step, S support and Q query rows, i item and u user columns, h hidden units. By hand:
    /// support S i h + u h + S h; its gradients S h twice (head, hidden error); Gram Q S i and its use Q S h; rank one
    /// u + h for the user; query Q i h + Q h, the user's part being the support's; outer gradient Q i h, u h, 2 Q h; inputs' gradient Q i h + (Q h) S
    /// + Q S i, and the user's u h + h + u.
    @Test func multiplyAddsAreThoseOfTheCheapestForm() throws {
        let plan = try Plan(Recommender().maml(steps: 1, firstOrder: true))
        let (s, q) = (36, 10)
        let (i, u, h) = (2 * Recommender.items, Recommender.users, Recommender.hidden)
        let support = s * i * h + u * h + 3 * s * h
        let gram = q * s * i + q * s * h
        let query = q * i * h + q * h
        let outer = q * i * h + u * h + 2 * q * h + q * i * h + q * s * h + q * s * i
        let user = u + h + u * h + h + u
        #expect(plan.multiplyAdds(sizes: [s, q, s + q, 9, 9, 9]) == support + gram + query + outer + user)
    }
}
