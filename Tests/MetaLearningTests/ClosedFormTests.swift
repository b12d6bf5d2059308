import Foundation
import Graph
import TestSupport
import Testing

@testable import MetaLearning

/// Linear regression on given features, for the algorithms that solve it: rows [support], [query] of 3 features, an
/// offset and a flag, and a user of 2 numbers.
private struct Regression {
    static let (width, userWidth) = (3, 2)

    struct Rows {
        var features: Matrix
        var offset: Matrix
        var known: Matrix
        var y: Matrix
        var Φ: Matrix { Matrix(features.rows, width + 1) { $1 < width ? features[$0, $1] : 1 } }
    }

    var support: Rows
    var query: Rows
    var user: Matrix

    init(support: Int, query: Int, seed: UInt64) {
        var generator = TestGenerator(seed)
        func rows(_ count: Int) -> Rows {
            Rows(
                features: .random(count, Regression.width, using: &generator),
                offset: .random(count, 1, using: &generator),
                known: Matrix(count, 1) { row, _ in row % 3 == 0 ? 0 : 1 },
                y: .random(count, 1, using: &generator))
        }
        (self.support, self.query) = (rows(support), rows(query))
        user = .random(1, Regression.userWidth, using: &generator)
    }

    var task: TestTask {
        TestTask(
            sizes: [
                .support: support.y.rows, .query: query.y.rows, .all: support.y.rows + query.y.rows,
            ],
            inputs: [support, query].flatMap { [$0.features, $0.offset, $0.known, $0.y] } + [user])
    }
}

/// A closed-form algorithm traced on it.
private struct Traced {
    let algorithm: any MetaAlgorithm
    let problem: TaskProblem
    let specs: [ParameterSpec]
    /// Values of all parameters.
    var parameters: [Matrix]

    /// `isPlain`: no offset, flag or user.
    init(
        _ type: any MetaAlgorithm.Type, _ given: [String: OptionValue] = [:], isPlain: Bool = false,
        levels: Int = 0, loss: @escaping (Value, Value) -> Value = { ($0 - $1).square }
    ) throws {
        algorithm = type.init(try Options(given, for: type.schema, prefix: ""))
        let graph = Graph()
        let width = Regression.width
        let shape = RepresentationShape(features: width, user: isPlain ? 0 : Regression.userWidth)
        let added = algorithm.parameters(for: shape, levels: levels)
        specs =
            [
                ParameterSpec("head.weight", rows: width, columns: 1, group: "head"),
                ParameterSpec("head.bias", rows: 1, columns: 1, rank: 1, group: "head"),
            ] + added.map(\.spec)
        let θ = Parameters(
            specs.enumerated().map { number, spec in
                (spec.name, graph.parameter(number, Shape(.fixed(spec.rows), .fixed(spec.columns))))
            }, in: graph)
        func input(_ segment: Segment, _ number: Int, _ columns: Int) -> Value {
            let isQuery = segment == .query
            return graph.input((isQuery ? 4 : 0) + number, Shape(isQuery ? .query : .support, .fixed(columns)))
        }
        func represent(_ segment: Segment) -> Representation {
            let features = input(segment, 0, width)
            return isPlain
                ? Representation(features: features)
                : Representation(
                    features: features, offset: input(segment, 1, 1), known: input(segment, 2, 1),
                    user: graph.input(8, Shape(1, .fixed(Regression.userWidth))))
        }
        problem = TaskProblem(
            θ: θ, adapted: ["head.weight", "head.bias"], represent: { segment, _ in represent(segment) },
            output: { represent($0).output($1) }, targets: { input($0, 3, 1) },
            levels: { segment in
                levels == 0
                    ? nil
                    : concatenate(
                        (0..<levels).map { _ in input(segment, 3, 1) })
            },
            rowLosses: { output, segment, _ in
                let rows = loss(output.mean, input(segment, 3, 1))
                return output.correction.map { rows + $0.square.sumOverColumns } ?? rows
            })
        var generator = TestGenerator(5)
        parameters = specs.map { spec in 0.5 * Matrix.random(spec.rows, spec.columns, using: &generator) }
    }

    func value(_ name: String) -> Matrix { parameters[specs.firstIndex { $0.name == name }!] }
    var head: Matrix {
        Matrix(Regression.width + 1, 1, value("head.weight").elements + value("head.bias").elements)
    }

    func evaluate(_ outputs: [Value], _ regression: Regression, shifted: [Matrix]? = nil) throws -> [Matrix] {
        try TestSupport.evaluate(outputs, parameters: shifted ?? parameters, tasks: [regression.task])[0]
    }

    /// The head after the inner loop.
    func adaptedHead(_ regression: Regression) throws -> Matrix {
        let adapted = algorithm.adapt(problem).parameters
        let parts = try evaluate([adapted["head.weight"], adapted["head.bias"]], regression)
        return Matrix(Regression.width + 1, 1, parts.flatMap(\.elements))
    }

    /// The largest difference between the outer gradient and finite differences of the outer loss.
    func gradientError(_ regression: Regression) throws -> Double {
        let objective = algorithm.metaObjective(problem)
        let exact = try evaluate(objective.gradients, regression)
        var worst = 0.0
        for index in parameters.indices {
            // Some of the elements of large parameters: every evaluation compiles a plan.
            let count = parameters[index].elements.count
            for place in stride(from: min(index % 3, count - 1), to: count, by: (count + 3) / 4) {
                func loss(_ step: Double) throws -> Double {
                    var shifted = parameters
                    shifted[index].elements[place] += step
                    return try evaluate([objective.loss], regression, shifted: shifted)[0].elements[0]
                }
                let numeric = (try loss(1e-5) - loss(-1e-5)) / 2e-5
                worst = max(worst, Swift.abs(numeric - exact[index].elements[place]) / (1 + Swift.abs(numeric)))
            }
        }
        return worst
    }
}

/// Gauss and Jordan's elimination.
private func solve(_ a: Matrix, _ b: Matrix) -> Matrix {
    var (a, x) = (a, b)
    for k in 0..<a.rows {
        let pivot = a[k, k]
        for j in 0..<a.columns { a[k, j] /= pivot }
        for j in 0..<x.columns { x[k, j] /= pivot }
        for i in 0..<a.rows where i != k {
            let factor = a[i, k]
            for j in 0..<a.columns { a[i, j] -= factor * a[k, j] }
            for j in 0..<x.columns { x[i, j] -= factor * x[k, j] }
        }
    }
    return x
}

private func diagonal(_ x: [Double]) -> Matrix { Matrix(x.count, x.count) { $0 == $1 ? x[$0] : 0 } }

@Suite struct RidgeTests {
    /// w₀ + (ΦᵀΦ + diag λ)⁻¹ Φᵀ (y − Φ w₀), by elimination.
    private func expected(_ traced: Traced, _ regression: Regression) -> Matrix {
        let (Φ, w) = (regression.support.Φ, traced.head)
        let λ = traced.value("ridge.log_precision").elements.map { exp($0) }
        let gram = Φ.transposed.times(Φ) + diagonal(λ)
        return w + solve(gram, Φ.transposed.times(regression.support.y - Φ.times(w)))
    }

    @Test(arguments: ["primal", "dual"], [0, 1, 3, 4, 9]) func isRidgeRegression(form: String, rows: Int) throws {
        let traced = try Traced(Ridge.self, ["form": .text(form)], isPlain: true)
        let regression = Regression(support: rows, query: 2, seed: UInt64(rows))
        #expect(try traced.adaptedHead(regression).distance(to: expected(traced, regression)) < 1e-12)
        if rows == 0 { #expect(try traced.adaptedHead(regression) == traced.head) }
    }

    /// At the minimum of Σ loss + Σ λ (w − w₀)² for the quadratic loss; towards it by Newton's step for the logistic one.
    @Test(arguments: ["primal", "dual"]) func isNewtonsStepForOtherLosses(form: String) throws {
        let traced = try Traced(
            Ridge.self, ["form": .text(form)], isPlain: true, loss: { o, y in o.softplus - o * y.sigmoid })
        let regression = Regression(support: 7, query: 2, seed: 3)
        let (Φ, w) = (regression.support.Φ, traced.head)
        let o = Φ.times(w).elements
        let p = o.map { 1 / (1 + exp(-$0)) }
        let y = regression.support.y.elements.map { 1 / (1 + exp(-$0)) }
        let λ = traced.value("ridge.log_precision").elements.map { 2 * exp($0) }
        let curvature = Φ.transposed.times(diagonal(p.map { $0 * (1 - $0) })).times(Φ) + diagonal(λ)
        let slope = Φ.transposed.times(Matrix(7, 1, zip(p, y).map { $0 - $1 }))
        #expect(try traced.adaptedHead(regression).distance(to: w - solve(curvature, slope)) < 1e-12)
    }

    @Test(arguments: ["primal", "dual"], [0, 2, 6]) func theOuterGradientIsTheDerivative(form: String, rows: Int) throws
    {
        let traced = try Traced(Ridge.self, ["form": .text(form)], isPlain: true)
        #expect(try traced.gradientError(Regression(support: rows, query: 3, seed: 8)) < 1e-8)
    }
}

@Suite struct BayesianLinearTests {
    /// Mean and covariance of the head, and the query's, from the Gaussian conditional over the support's targets:
    /// another route than the algorithm's, which never forms their covariance.
    private func expected(_ traced: Traced, _ regression: Regression) -> (
        head: Matrix, mean: Matrix, variance: [Double]
    ) {
        let (Φ, φ) = (regression.support.Φ, regression.query.Φ)
        let prior = traced.head + regression.user.times(traced.value("prior.user")).transposed
        let Σ = diagonal(self.prior(traced, rows: Φ.rows))
        func noise(_ rows: Regression.Rows) -> [Double] {
            rows.known.elements.map {
                exp(traced.value("prior.log_noise").elements[0])
                    + (1 - $0) * exp(traced.value("prior.log_content_noise").elements[0])
            }
        }
        let covariance = Φ.times(Σ).times(Φ.transposed) + diagonal(noise(regression.support))
        let gain = solve(covariance, Φ.times(Σ)).transposed
        let residual = regression.support.y - regression.support.offset - Φ.times(prior)
        let head = prior + gain.times(residual)
        let posterior = Σ - gain.times(Φ).times(Σ)
        let variance = φ.times(posterior).times(φ.transposed)
        let own = noise(regression.query)
        return (
            head, φ.times(head) + regression.query.offset, own.indices.map { variance[$0, $0] + own[$0] }
        )
    }

    /// Variances of the prior: precisions, and what every support row adds to them.
    private func prior(_ traced: Traced, rows: Int) -> [Double] {
        let p = traced.value("prior.log_precision").elements.map { exp($0) }
        guard traced.specs.contains(where: { $0.name == "prior.log_growth" }) else { return p.map { 1 / $0 } }
        return zip(p, traced.value("prior.log_growth").elements).map { 1 / ($0 + Double(rows) * exp($1)) }
    }

    @Test(arguments: [0, 1, 5, 12], [0, 0.7]) func isTheGaussianPosterior(rows: Int, growth: Double) throws {
        let traced = try Traced(BayesianLinear.self, ["growth": .numbers([growth])])
        let regression = Regression(support: rows, query: 4, seed: UInt64(rows + 1))
        let wanted = expected(traced, regression)
        #expect(try traced.adaptedHead(regression).distance(to: wanted.head) < 1e-12)
        let output = traced.algorithm.output(traced.problem)
        let found = try traced.evaluate([output.mean, output.variance!], regression)
        #expect(found[0].distance(to: wanted.mean) < 1e-12)
        #expect(found[1].distance(to: Matrix(4, 1, wanted.variance)) < 1e-12)
    }

    /// −log N(y) / S with the determinant of the support's own covariance.
    @Test(arguments: [1, 6], [0, 0.7]) func theMarginalObjectiveIsTheLikelihood(rows: Int, growth: Double) throws {
        let traced = try Traced(
            BayesianLinear.self, ["objective": .text("marginal"), "growth": .numbers([growth])])
        let regression = Regression(support: rows, query: 0, seed: 4)
        let Φ = regression.support.Φ
        let prior = traced.head + regression.user.times(traced.value("prior.user")).transposed
        let Σ = diagonal(self.prior(traced, rows: rows))
        let noise = regression.support.known.elements.map {
            exp(traced.value("prior.log_noise").elements[0])
                + (1 - $0) * exp(traced.value("prior.log_content_noise").elements[0])
        }
        let covariance = Φ.times(Σ).times(Φ.transposed) + diagonal(noise)
        let r = regression.support.y - regression.support.offset - Φ.times(prior)
        // The product of the pivots is the determinant.
        var (a, logDeterminant) = (covariance, 0.0)
        for k in 0..<rows {
            logDeterminant += log(a[k, k])
            for i in k + 1..<max(rows, k + 1) {
                let factor = a[i, k] / a[k, k]
                for j in k..<rows { a[i, j] -= factor * a[k, j] }
            }
        }
        let fit = r.transposed.times(solve(covariance, r)).elements[0]
        let wanted = 0.5 * (fit + logDeterminant + Double(rows) * log(2 * .pi)) / Double(rows)
        let loss = try traced.evaluate([traced.algorithm.metaObjective(traced.problem).loss], regression)[0].elements[0]
        #expect(Swift.abs(loss - wanted) < 1e-12 * (1 + Swift.abs(wanted)))
        #expect(traced.algorithm.learnsFrom == .support)
        #expect(try traced.gradientError(regression) < 1e-8)
    }

    @Test(arguments: [0, 1, 6], [0, 2]) func theOuterGradientIsTheDerivative(rows: Int, attention: Int) throws {
        for levels in [0, 3] where attention > 0 || levels == 0 {
            let traced = try Traced(
                BayesianLinear.self, ["attention": .numbers([Double(attention)]), "hidden": .numbers([3])],
                levels: levels)
            #expect(try traced.gradientError(Regression(support: rows, query: 3, seed: 8)) < 1e-7)
        }
    }

    /// Attention sums over the support: the order of its rows is nothing to it.
    @Test func attentionDoesNotSeeTheOrder() throws {
        let traced = try Traced(BayesianLinear.self, ["attention": .numbers([2])], levels: 3)
        let regression = Regression(support: 6, query: 3, seed: 9)
        var reversed = regression
        func turned(_ x: Matrix) -> Matrix { Matrix(x.rows, x.columns) { x[x.rows - 1 - $0, $1] } }
        reversed.support = Regression.Rows(
            features: turned(regression.support.features), offset: turned(regression.support.offset),
            known: turned(regression.support.known), y: turned(regression.support.y))
        let output = traced.algorithm.output(traced.problem)
        let (a, b) = try (
            traced.evaluate([output.mean, output.correction!], regression),
            traced.evaluate([output.mean, output.correction!], reversed)
        )
        for (a, b) in zip(a, b) { #expect(a.distance(to: b) < 1e-12) }
        #expect(a[1].magnitude > 1e-3)
    }
}
