import TestSupport
import Testing

@testable import Graph

@Suite struct StructureTests {
    @Test(arguments: [(1, 0), (2, 0), (4, 0), (1, 7), (3, 7)], [false, true])
    func rewrittenPlansComputeWhatWasTraced(form: (steps: Int, dense: Int), firstOrder: Bool) throws {
        var generator = TestGenerator(UInt64(form.steps))
        let dense = form.dense
        let outputs = Recommender(dense: dense).maml(steps: form.steps, firstOrder: firstOrder)
        let parameters = Recommender.parameters(dense: dense, using: &generator)
        let sizes = [(0, 3), (1, 1), (3, 0), (5, 2), (17, 9), (40, 10)]
        let tasks =
            sizes.map { Recommender.task(support: $0.0, query: $0.1, dense: dense, using: &generator) }
            + [Recommender.task(support: 5, query: 2, table: 0, dense: dense, using: &generator)]
        let expected = tasks.map { interpret(outputs, parameters: parameters, task: $0) }
        for few in [0..<0, 0..<1, 1..<2, 0..<3] {
            let rows = Recommender.tableRows.filter { few.map { Symbol.table($0) }.contains($0.key) }
            let found = try evaluate(outputs, expecting: rows, parameters: parameters, tasks: tasks)
            for number in tasks.indices {
                for (place, (a, b)) in zip(found[number], expected[number]).enumerated() {
                    #expect(
                        a.distance(to: b) <= 1e-11 * (1 + b.magnitude),
                        "task \(number), output \(place), few rows in tables \(few)")
                }
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

    /// One step, S support and Q query rows, two tables of 9 rows and i columns together, h hidden units. By value are the
    /// first layer, S + Q rows of i h; exact, the gradients of its weight and of its input as well, and the derivatives
    /// of the Gram matrix, S rows of Q i and Q rows of S i.
    @Test func embeddingsOfFewValuesAreMultipliedByValue() throws {
        let (s, q, i, h, few) = (36, 10, 2 * Recommender.items, Recommender.hidden, Recommender.table)
        func spared(firstOrder: Bool, _ rows: [Symbol: Int]) throws -> Int {
            let outputs = Recommender().maml(steps: 1, firstOrder: firstOrder)
            let costs = try [[:], rows].map {
                try Plan(outputs, expecting: $0).multiplyAdds(sizes: [s, q, s + q, few, few, few])
            }
            return costs[0] - costs[1]
        }
        let items = Recommender.tableRows.filter { $0.key != .table(2) }
        let layer = (s + q - few) * i * h
        #expect(try spared(firstOrder: true, items) == layer)
        #expect(try spared(firstOrder: false, items) == 3 * layer + (s - few) * q * i + (q - few) * s * i)
        #expect(try spared(firstOrder: true, [.table(0): few]) == layer / 2)
        // A user has one row already.
        #expect(try spared(firstOrder: false, [.table(2): few]) == 0)
        // In 46 rows are 22.7 of 28 values, and 23.2 of 29.
        #expect(try spared(firstOrder: true, [.table(0): 28]) == layer / 2)
        #expect(try spared(firstOrder: true, [.table(0): 29]) == 0)
    }

    /// With d columns more, of vectors, a first layer and the gradient of its weight cost (S + Q) d h more and the Gram
    /// matrix Q S d. The inputs have no gradient, and none of the embeddings' becomes dearer.
    @Test(arguments: [1, 3], [false, true]) func vectorsCostNoGradientOfEmbeddings(steps: Int, byValue: Bool) throws {
        let (s, q, d, h) = (36, 10, 7, Recommender.hidden)
        let costs = try [0, d].map { dense in
            try Plan(
                Recommender(dense: dense).maml(steps: steps, firstOrder: false),
                expecting: byValue ? Recommender.tableRows : [:]
            ).multiplyAdds(sizes: [s, q, s + q, 9, 9, 9])
        }
        let gram = steps == 1 ? q * s * d : q * s * d + s * s * d
        #expect(costs[1] - costs[0] == 2 * (s + q) * d * h + gram)
    }

    /// Where a Gram matrix reads the whole of `[B T | X]` and the layer X alone, X is a part of it; else it is all there is.
    @Test func onlyWhatIsReadIsLookedUp() throws {
        let graph = Graph()
        let parts = (0..<3).map { number in
            graph.input(number, Shape(.symbol(.table(number)), 8)).bag(Indices(number, rows: .support))
        }
        let x = concatenate(parts)
        let layer = x.matmul(graph.parameter(0, Shape(24, 16)))
        func kernels(_ outputs: Value...) throws -> [String] {
            let plan = try Plan(outputs, expecting: [.table(0): 9])
            return plan.instructions.map(plan.text)
        }
        let byValue = ["gemm [U0, 16] = [U0, 8] [8, 16]", "bag [S, 16]", "gemm [S, 16] = [S, 16] [16, 16] + addend"]
        #expect(try kernels(layer).sorted() == (byValue + ["bag [S, 8]", "bag [S, 8]"]).sorted())
        let gram = x.matmul(x, transposed: false, true)
        #expect(
            try kernels(layer, gram).filter { $0.hasPrefix("bag") || $0.hasPrefix("copy") }.sorted()
                == ["bag [S, 16]", "bag [S, 8]", "bag [S, 8]", "bag [S, 8]"])
    }

    /// Between two tables that are read by row nothing of the product is spared, which computes one range of columns.
    @Test(arguments: [(0, true), (1, false), (2, true)]) func gradientsOfTablesAtAnEndAreSummedFirst(
        table: Int, isSpared: Bool
    ) throws {
        let graph = Graph()
        let tables = (0..<3).map { graph.input($0, Shape(.symbol(.table($0)), 8)) }
        let (weight, g) = (graph.parameter(0, Shape(24, 16)), graph.input(3, Shape(.support, 16)))
        let parts = tables.enumerated().map { $1.bag(Indices($0, rows: .support)) }
        let loss = (concatenate(parts).matmul(weight) * g).sum
        let plan = try Plan(gradients(of: loss, with: tables), expecting: [.table(table): 9])
        let expected = isSpared ? 9 * 16 * 8 + 36 * 16 * 16 : 36 * 16 * 24
        #expect(plan.multiplyAdds(sizes: [36, 10, 46, 9, 9, 9]) == expected)
    }

    /// What nobody reads a column of is left as it is.
    @Test func emptySlicesAreNothing() throws {
        let x = Graph().input(0, Shape(.support, 4))
        #expect(try Plan([concatenate([x.tanh, x.exp]).slice(columns: 5..<5)]).outputColumns(0) == 0)
    }

    /// One step, two layers of h: the second's adapted weight is not formed, S h h, and a Gram matrix Q S h with its use
    /// takes the place of it in the query, forward and back; the same two serve where the gradient of that weight, h h,
    /// went back to the support by S h h each.
    @Test func anUpperLayersAdaptedWeightIsNotFormed() throws {
        let (s, q, h) = (36, 10, 64)
        let outputs = Network(widths: [128, h, h, 1]).maml(steps: 1)
        let costs = try ([[], [.upperGram]] as [Set<Rewrite>]).map { leftOut in
            try Plan(outputs, summed: [1], without: leftOut).multiplyAdds(sizes: [s, q])
        }
        #expect(costs[1] - costs[0] == 3 * s * h * h - 6 * q * s * h)
        // What is predicted may have a long query.
        #expect(try Plan(outputs).multiplyAdds(sizes: [s, q]) == costs[1])
        // Of two steps it spares enough where the first layer is narrow.
        for (width, isSpared) in [(64, true), (512, false)] {
            let twice = Network(widths: [width, h, h, 1]).maml(steps: 2)
            let costs = try ([[], [.upperGram]] as [Set<Rewrite>]).map { leftOut in
                try Plan(twice, summed: [1], without: leftOut).multiplyAdds(sizes: [s, q])
            }
            #expect((costs[0] < costs[1]) == isSpared)
        }
        // Of more it would spare too little.
        let further = Network(widths: [128, h, h, 1]).maml(steps: 3)
        #expect(
            try Plan(further, summed: [1]).instructionCount
                == Plan(further, summed: [1], without: [.upperGram]).instructionCount)
    }

    @Test(arguments: [(0, 3), (1, 1), (3, 0), (5, 2), (17, 9)], [1, 2])
    func whatUpperLayersDoInsteadIsTheSame(sizes: (support: Int, query: Int), steps: Int) throws {
        var generator = TestGenerator(9)
        let network = Network(widths: [4, 64, 64, 1])
        let outputs = network.maml(steps: steps)
        let rewritten = simplify(outputs)
        #expect(
            nominalMultiplyAdds(rewritten)
                < nominalMultiplyAdds(simplify(outputs, Rewrite.allCases.filter { $0 != .upperGram })))
        let parameters = network.parameters(using: &generator)
        let task = network.task(support: sizes.support, query: sizes.query, using: &generator)
        let expected = interpret(outputs, parameters: parameters, task: task)
        for (a, b) in zip(interpret(rewritten, parameters: parameters, task: task), expected) {
            #expect(a.distance(to: b) <= 1e-10 * (1 + b.magnitude))
        }
        let program = try TestProgram(
            outputs, summed: [1], without: [.outerProducts], parameters: parameters, tasks: [task], .double)
        for (a, b) in zip(try program.results()[0], expected) {
            #expect(a.distance(to: b) <= 1e-10 * (1 + b.magnitude))
        }
    }

    /// Of products `[S, h] [h, S]` there is one for each step but the first, though both orders of their sum are asked for.
    @Test(arguments: [3, 4, 6]) func gramDerivativesAreSummedByParts(steps: Int) throws {
        func count(_ rewrites: [Rewrite]) -> Int {
            let outputs = simplify(Recommender().maml(steps: steps, firstOrder: false), rewrites)
            return reachable(from: outputs).map { outputs[0].graph.nodes[$0] }.filter { node in
                node.operation is MatMul && node.shape == Shape(.support, .support)
                    && outputs[0].graph.nodes[node.operands[0]].shape.columns == .fixed(Recommender.hidden)
            }.count
        }
        #expect(count(Rewrite.allCases) == steps - 1)
        #expect(count(Rewrite.allCases.filter { $0 != .byParts }) == 2 * (steps - 1))
    }
}
