import Graph
import Kernels
import TestSupport

@testable import MetaLearning

/// Linear regression with squared error, where all of meta-learning has a closed form.
///
/// Predictions are `X u` with u = (w, v): w is the head, v the layers below it. The mean loss over S rows has the
/// gradient `H u - b` with `H = 2/S XᵀX`, `b = 2/S Xᵀy`; an inner step is `u - a ∘ (H u - b)`.
struct LinearRegression {
    static let (heads, features) = (2, 3)

    struct Rows {
        var x: Matrix
        var y: Matrix

        var curvature: Matrix { scale * x.transposed.times(x) }
        var slope: Matrix { scale * x.transposed.times(y) }
        private var scale: Double { x.rows == 0 ? 0 : 2 / Double(x.rows) }

        func gradient(_ u: Matrix) -> Matrix { curvature.times(u) - slope }
        func loss(_ u: Matrix) -> Double {
            let e = x.times(u) - y
            return x.rows == 0 ? 0 : e.elements.reduce(0) { $0 + $1 * $1 } / Double(x.rows)
        }
        static func + (a: Rows, b: Rows) -> Rows {
            Rows(
                x: Matrix(a.x.rows + b.x.rows, a.x.columns, a.x.elements + b.x.elements),
                y: Matrix(a.y.rows + b.y.rows, 1, a.y.elements + b.y.elements))
        }
    }

    var support: Rows
    var query: Rows
    var u: Matrix

    init(support: Int, query: Int, seed: UInt64) {
        var generator = TestGenerator(seed)
        let n = LinearRegression.heads + LinearRegression.features
        func rows(_ count: Int) -> Rows {
            Rows(x: .random(count, n, using: &generator), y: .random(count, 1, using: &generator))
        }
        (self.support, self.query) = (rows(support), rows(query))
        u = .random(n, 1, using: &generator)
    }

    /// Which of u's elements an algorithm adapts.
    static func mask(_ part: AdaptedPart) -> [Double] {
        [Double](repeating: 1, count: heads) + [Double](repeating: part == .head ? 0 : 1, count: features)
    }

    /// u₀ ... u_K for step sizes `a`.
    func path(steps: Int, _ a: [Double]) -> [Matrix] {
        (0..<steps).reduce(into: [u]) { path, _ in
            let last = path[path.count - 1]
            path.append(last - LinearRegression.scaled(support.gradient(last), a))
        }
    }

    static func scaled(_ x: Matrix, _ a: [Double]) -> Matrix {
        Matrix(x.rows, 1, zip(x.elements, a).map { $0 * $1 })
    }

    /// The exact meta-gradient by u and by the step sizes: λ_K = ∇L(u_K; query), λᵢ = (I − H diag(a)) λᵢ₊₁.
    func metaGradient(steps: Int, _ a: [Double]) -> (u: Matrix, a: Matrix) {
        let path = path(steps: steps, a)
        var λ = query.gradient(path[steps])
        var byStep = Matrix(λ.rows, 1) { _, _ in 0 }
        for step in (0..<steps).reversed() {
            byStep = byStep - LinearRegression.scaled(support.gradient(path[step]), λ.elements)
            λ = λ - support.curvature.times(LinearRegression.scaled(λ, a))
        }
        return (λ, byStep)
    }
}

/// An algorithm traced on linear regression.
struct TracedAlgorithm {
    let algorithm: any MetaAlgorithm
    let problem: TaskProblem
    let adaptation: Adaptation
    let objective: MetaObjective
    let stepSizes: [(spec: ParameterSpec, initialValue: Double)]

    init(_ algorithm: any MetaAlgorithm) {
        self.algorithm = algorithm
        let graph = Graph()
        let (heads, features) = (LinearRegression.heads, LinearRegression.features)
        let own = [
            ParameterSpec("head", rows: heads, columns: 1, group: "head"),
            ParameterSpec("features", rows: features, columns: 1, group: "decision"),
        ]
        let adapted = own.filter { algorithm.adapts.contains($0.group) }
        stepSizes = algorithm.additionalParameters(for: adapted)
        let specs = own + stepSizes.map(\.spec)
        let θ = Parameters(
            specs.enumerated().map { number, spec in
                (spec.name, graph.parameter(number, Shape(.fixed(spec.rows), .fixed(spec.columns))))
            }, in: graph)
        func input(_ segment: Segment, _ number: Int, _ columns: Int) -> Value {
            let isQuery = segment == .query
            return graph.input(isQuery ? 2 + number : number, Shape(isQuery ? .query : .support, .fixed(columns)))
        }
        problem = TaskProblem(
            θ: θ, adapted: adapted.map(\.name),
            represent: { segment, _ in Representation(features: input(segment, 0, heads + features)) },
            output: { segment, θ in
                let x = input(segment, 0, heads + features)
                return Output(
                    mean: x.slice(columns: 0..<heads).matmul(θ["head"])
                        + x.slice(columns: heads..<heads + features).matmul(θ["features"]))
            },
            targets: { input($0, 1, 1) },
            rowLosses: { output, segment, _ in (output.mean - input(segment, 1, 1)).square })
        adaptation = algorithm.adapt(problem)
        objective = algorithm.metaObjective(problem)
    }

    func evaluate(_ outputs: [Value], _ task: LinearRegression, stepSize: Matrix? = nil) throws -> [Matrix] {
        func part(_ name: String, of u: Matrix) -> Matrix {
            let range = name.hasSuffix("head") ? 0..<LinearRegression.heads : LinearRegression.heads..<u.rows
            return Matrix(range.count, 1, Array(u.elements[range]))
        }
        let parameters =
            [part("head", of: task.u), part("features", of: task.u)]
            + stepSizes.map { added in
                stepSize.map { part(added.spec.name, of: $0) }
                    ?? Matrix(added.spec.rows, added.spec.columns) { _, _ in added.initialValue }
            }
        let (s, q) = (task.support, task.query)
        return try TestSupport.evaluate(
            outputs, parameters: parameters,
            tasks: [
                TestTask(
                    sizes: [.support: s.x.rows, .query: q.x.rows, .all: s.x.rows + q.x.rows],
                    inputs: [s.x, s.y, q.x, q.y])
            ])[0]
    }

    /// The values of head and features, one under the other.
    func joined(_ matrices: ArraySlice<Matrix>) -> Matrix {
        Matrix(matrices.reduce(0) { $0 + $1.rows }, 1, matrices.flatMap(\.elements))
    }
}
