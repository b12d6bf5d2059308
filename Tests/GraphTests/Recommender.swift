import TestSupport

@testable import Graph

/// MAML on a recommender's first layer: item fields that differ by row, user fields that do not. What the rewrites are
/// made for.
struct Recommender {
    static let (table, items, users, hidden) = (9, 40, 24, 16)
    static let tableRows = [Symbol.table(0): table, .table(1): table, .table(2): table]
    let graph = Graph()
    /// Columns of the items' vectors, after their embeddings.
    var dense = 0

    /// Two item tables and a user table as inputs; three layers as parameters.
    var tables: [Value] {
        [(0, Self.items), (1, Self.items), (2, Self.users)].map {
            graph.input($0.0, Shape(.symbol(.table($0.0)), .fixed($0.1)))
        }
    }
    var θ: [Value] {
        let width = 2 * Self.items + dense + Self.users
        return [(width, Self.hidden), (1, Self.hidden), (Self.hidden, 1), (1, 1)].enumerated().map {
            graph.parameter($0.offset, Shape(.fixed($0.element.0), .fixed($0.element.1)))
        }
    }

    func loss(_ θ: [Value], isQuery: Bool) -> Value {
        let rows: Dimension = isQuery ? .query : .support
        let first = isQuery ? 2 : 0
        let vectors = dense == 0 ? [] : [graph.input(isQuery ? 6 : 5, Shape(rows, .fixed(dense)))]
        let items = (0..<2).map { tables[$0].bag(Indices(first + $0, rows: rows)) } + vectors
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

    static func parameters(dense: Int = 0, using generator: inout TestGenerator) -> [Matrix] {
        [(2 * items + dense + users, hidden), (1, hidden), (hidden, 1), (1, 1)].map {
            Matrix.random($0.0, $0.1, using: &generator)
        }
    }

    /// With no table rows, all ids are unknown.
    static func task(
        support: Int, query: Int, table: Int = table, dense: Int = 0, using generator: inout TestGenerator
    ) -> TestTask {
        func ids(_ count: Int) -> IndexRows {
            IndexRows(ids: (0..<count).map { _ in Int32.random(in: -1..<Int32(table), using: &generator) })
        }
        let tables = [items, items, users].map { Matrix.random(table, $0, using: &generator) }
        let targets = [support, query].map { Matrix.random($0, 1, using: &generator) }
        let vectors = dense == 0 ? [] : [support, query].map { Matrix.random($0, dense, using: &generator) }
        return TestTask(
            sizes: [
                .support: support, .query: query, .table(0): table, .table(1): table, .table(2): table,
            ],
            inputs: tables + targets + vectors,
            indices: [ids(support), ids(support), ids(query), ids(query), ids(1)])
    }
}
