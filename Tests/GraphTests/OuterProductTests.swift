import Kernels
import TestSupport
import Testing

@testable import Graph

@Suite struct OuterProductTests {
    private static let layers: Set<Int> = [1, 2, 3, 4]

    /// The gradients of the layers, summed over tasks of many sizes, none and one row among them.
    private func sums(
        tasks: [TestTask], parameters: [Matrix], steps: Int, firstOrder: Bool, without leftOut: Set<Rewrite> = [],
        threads: Int = 1, _ precision: Precision = .double
    ) throws -> [[Double]] {
        let recommender = Recommender()
        let program = try TestProgram(
            recommender.maml(steps: steps, firstOrder: firstOrder), summed: Self.layers, without: leftOut,
            parameters: parameters, tasks: tasks, precision)
        return try program.sums(of: recommender.θ.map(\.shape), scale: 0.25, threads: threads)
    }

    private func tasks(_ count: Int, using generator: inout TestGenerator) -> [TestTask] {
        (0..<count).map { number in
            Recommender.task(
                support: [4, 0, 1, 19, 7][number % 5], query: [3, 1, 8][number % 3], using: &generator)
        }
    }

    @Test(arguments: [1, 2, 33], [(1, false), (1, true), (3, false)])
    func sumsAreThoseOfWhatWasTraced(count: Int, algorithm: (steps: Int, firstOrder: Bool)) throws {
        var generator = TestGenerator(UInt64(count))
        let parameters = Recommender.parameters(using: &generator)
        let tasks = tasks(count, using: &generator)
        let outputs = Recommender().maml(steps: algorithm.steps, firstOrder: algorithm.firstOrder)
        let traced = tasks.map { interpret(outputs, parameters: parameters, task: $0) }
        for leftOut in [[], [.outerProducts], Set(Rewrite.allCases)] as [Set<Rewrite>] {
            let found = try sums(
                tasks: tasks, parameters: parameters, steps: algorithm.steps, firstOrder: algorithm.firstOrder,
                without: leftOut)
            for (number, sum) in found.enumerated() {
                for place in sum.indices {
                    let expected = 1 + 0.25 * traced.reduce(0) { $0 + $1[1 + number].elements[place] }
                    #expect(
                        Swift.abs(sum[place] - expected) <= 1e-11 * (1 + Swift.abs(expected)),
                        "without \(leftOut), parameter \(number)")
                }
            }
        }
    }

    @Test(arguments: [1, 2, 31, 100], Precision.allCases)
    func theNumberOfThreadsChangesNoBit(count: Int, precision: Precision) throws {
        var generator = TestGenerator(7)
        let parameters = Recommender.parameters(using: &generator)
        let tasks = tasks(count, using: &generator)
        let alone = try sums(
            tasks: tasks, parameters: parameters, steps: 1, firstOrder: false, precision)
        for threads in [2, 3, 8] {
            let together = try sums(
                tasks: tasks, parameters: parameters, steps: 1, firstOrder: false, threads: threads, precision)
            #expect(together == alone)
        }
    }

    /// Of whole numbers, so exactly: a product that is computed in several pieces.
    @Test(arguments: [1, 2, 5]) func largeProducts(threads: Int) throws {
        let (rows, columns, count) = (130, 70, 40)
        let graph = Graph()
        let (u, d) = (graph.input(0, Shape(1, .fixed(rows))), graph.input(1, Shape(1, .fixed(columns))))
        let tasks = (0..<count).map { task in
            TestTask(inputs: [Matrix(1, rows) { Double(task + $1) }, Matrix(1, columns) { Double($1 - task) }])
        }
        let output = u.matmul(d, transposed: true, false)
        let program = try TestProgram([output], summed: [0], without: [], tasks: tasks, .double)
        let sum = try program.sums(of: [output.shape], from: 0, scale: 2, threads: threads)[0]
        for place in sum.indices {
            let (row, column) = (place / columns, place % columns)
            #expect(sum[place] == 1 + 2 * Double((0..<count).reduce(0) { $0 + ($1 + row) * (column - $1) }))
        }
    }

    /// A task does without the user's half of the first layer's gradient, and nothing else changes.
    @Test(arguments: [1, 2, 4], [false, true]) func oneProductLessForEachTask(steps: Int, firstOrder: Bool) throws {
        let outputs = Recommender().maml(steps: steps, firstOrder: firstOrder)
        let plans = try [[], [.outerProducts]].map { try Plan(outputs, summed: Self.layers, without: $0) }
        func products(_ plan: Plan) -> Int { plan.instructions.filter { $0.kernel == .gemm }.count }
        #expect(products(plans[1]) - products(plans[0]) == 1)
        let sizes = [36, 10, 46, 9, 9, 9]
        #expect(
            plans[1].multiplyAdds(sizes: sizes) - plans[0].multiplyAdds(sizes: sizes)
                == Recommender.users * Recommender.hidden)
    }

    /// Every form that an outer product may have, two that share a row, and in a stack with what is none.
    @Test func formsOfOuterProducts() throws {
        let graph = Graph()
        let (u, d) = (graph.input(0, Shape(1, 3)), graph.input(1, Shape(1, 4)))
        let outputs = [
            u.matmul(d, transposed: true, false), u.transposed.matmul(d), 3 * u.matmul(d, transposed: true, false),
            d.matmul(u.tanh, transposed: true, false), stack([d, u.matmul(d.square, transposed: true, false), d]),
            2 * stack([u.matmul(d.tanh, transposed: true, false), d.square]),
        ]
        let tasks = (0..<5).map { task in
            TestTask(inputs: [
                Matrix(1, 3) { Double(task + $1) }, Matrix(1, 4) { Double(2 * task - $1) },
            ])
        }
        let program = try TestProgram(outputs, summed: Set(outputs.indices), without: [], tasks: tasks, .double)
        #expect(!program.plan.instructions.contains { $0.kernel == .gemm })
        let sums = try program.sums(of: outputs.map(\.shape), from: 0, scale: 0.5, threads: 2)
        for (number, sum) in sums.enumerated() {
            let whole = try TestProgram([outputs[number]], tasks: tasks, .double).results()
            for place in sum.indices {
                let expected = 1 + 0.5 * whole.reduce(0) { $0 + $1[0].elements[place] }
                #expect(Swift.abs(sum[place] - expected) < 1e-12 * (1 + Swift.abs(expected)), "output \(number)")
            }
        }
    }

    /// What each task gives stays whole; and a product of two rows that saves nothing stays one.
    @Test func whatIsReadOfATaskStaysWhole() throws {
        let graph = Graph()
        let (u, d) = (graph.input(0, Shape(1, 3)), graph.input(1, Shape(1, 4)))
        let outer = u.matmul(d, transposed: true, false)
        #expect(try Plan([outer]).outputCount == 1)
        #expect(try Plan([outer, u], summed: [0], without: []).outputCount == 3)
        #expect(try Plan([u.slice(columns: 0..<1).matmul(d)], summed: [0], without: []).outputCount == 1)
    }
}

extension TestProgram {
    /// Outputs of these shapes, numbered on from the first, summed over the tasks, each on top of 1.
    func sums(of shapes: [Shape], from first: Int = 1, scale: Double, threads: Int) throws -> [[Double]] {
        let targets = shapes.map { shape in
            let count = shape.rows.fixedValue! * shape.columns.fixedValue!
            return Buffer([Double](repeating: 1, count: count), precision)
        }
        try run(
            threads: threads,
            sums: targets.enumerated().map { .init(output: first + $0.offset, into: $0.element.pointer, scale: scale) })
        return targets.map { $0.numbers(precision) }
    }
}
