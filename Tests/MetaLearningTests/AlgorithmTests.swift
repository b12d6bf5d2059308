import Graph
import TestSupport
import Testing

@testable import MetaLearning

/// What every algorithm of the registry keeps, on tasks where the right answer is known.
@Suite struct AlgorithmTests {
    /// One setting of one algorithm.
    struct Setting: CustomStringConvertible, Sendable {
        let type: any MetaAlgorithm.Type
        let given: [String: OptionValue]
        var steps: Int { if case .numbers(let n)? = given["inner_steps"] { Int(n[0]) } else { 0 } }
        var isFirstOrder: Bool { given["order"] == .numbers([1]) }
        var description: String { "\(type.schema.className) \(given.sorted { $0.key < $1.key }.map { $0.value })" }

        func algorithm() throws -> any MetaAlgorithm { type.init(try Options(given, for: type.schema, prefix: "")) }
    }

    static let α = 0.2

    /// Those whose inner loop descends, step by step; `ClosedFormTests` has the others.
    static let descending = Registry.algorithms.filter { $0.schema.options.contains { $0.name == "inner_lr" } }

    /// Each of them with 0, 1, 2 and 5 steps, each order and part that it offers.
    static let settings: [Setting] = descending.flatMap { type in
        let names = type.schema.options.map(\.name)
        let orders: [OptionValue?] = names.contains("order") ? [.numbers([1]), .numbers([2])] : [nil]
        let parts: [OptionValue?] = names.contains("adapt") ? AdaptedPart.allCases.map { .text($0.rawValue) } : [nil]
        return [0, 1, 2, 5].flatMap { steps in
            orders.flatMap { order in
                parts.map { part in
                    var given: [String: OptionValue] = [
                        "inner_lr": .numbers([α]), "inner_steps": .numbers([Double(steps)]),
                    ]
                    given["order"] = order
                    given["adapt"] = part
                    return Setting(type: type, given: given)
                }
            }
        }
    }

    private func stepSizes(_ algorithm: any MetaAlgorithm) -> [Double] {
        LinearRegression.mask(algorithm.adapts).map { AlgorithmTests.α * $0 }
    }

    @Test func everyAlgorithmIsThere() {
        let names = Registry.algorithms.map { $0.schema.name }
        #expect(Set(names).count == names.count && names.count >= 7)
        #expect(AlgorithmTests.descending.count == names.count - 2)
        for type in Registry.algorithms {
            #expect(type.schema.documentation.count > 100, "\(type) is not documented")
        }
    }

    /// uᵢ₊₁ = (I − α H) uᵢ + α b, in the adapted elements.
    @Test(arguments: settings) func theInnerLoopDescends(setting: Setting) throws {
        let traced = TracedAlgorithm(try setting.algorithm())
        let task = LinearRegression(support: 6, query: 4, seed: 1)
        let path = task.path(steps: setting.steps, stepSizes(traced.algorithm))
        let names = ["head", "features"]
        let found = try traced.evaluate(names.map { traced.adaptation.parameters[$0] } + traced.adaptation.losses, task)
        #expect(traced.joined(found.prefix(2)).distance(to: path[setting.steps]) < 1e-13)
        #expect(traced.algorithm.innerSteps == setting.steps && traced.adaptation.losses.count == setting.steps + 1)
        for (loss, u) in zip(found.dropFirst(2), path) {
            #expect(Swift.abs(loss.elements[0] - task.support.loss(u)) < 1e-13)
        }
        #expect(traced.problem.adapted == (traced.algorithm.adapts == .head ? ["head"] : names))
    }

    /// Nothing to adapt to: the parameters stay, and nothing is NaN.
    @Test(arguments: settings) func withoutSupportParametersStay(setting: Setting) throws {
        let traced = TracedAlgorithm(try setting.algorithm())
        let task = LinearRegression(support: 0, query: 4, seed: 2)
        let found = try traced.evaluate(
            ["head", "features"].map { traced.adaptation.parameters[$0] } + traced.adaptation.losses
                + traced.objective.gradients, task)
        #expect(traced.joined(found.prefix(2)) == task.u)
        #expect(found.allSatisfy { $0.magnitude.isFinite })
        if traced.algorithm.learnsFrom == .query {
            let gradient = traced.joined(found.suffix(traced.objective.gradients.count).prefix(2))
            #expect(gradient.distance(to: task.query.gradient(task.u)) < 1e-13)
        }
    }

    /// What an algorithm says it learns by, from its equation.
    private func expected(_ algorithm: any MetaAlgorithm, _ setting: Setting, _ task: LinearRegression)
        -> (loss: Double, u: Matrix, stepSize: Matrix?)
    {
        let a = stepSizes(algorithm)
        let path = task.path(steps: setting.steps, a)
        let adapted = path[setting.steps]
        switch algorithm {
        case is JointTraining:
            let all = task.support + task.query
            return (all.loss(task.u), all.gradient(task.u), nil)
        case is Reptile:
            // (θ − θ_K) / α where adapted; everywhere the sum of the support's gradients.
            let sum = path.dropLast().reduce(0 * task.u) { $0 + task.support.gradient($1) }
            let moved = (1 / AlgorithmTests.α) * (task.u - adapted)
            for (index, isAdapted) in LinearRegression.mask(algorithm.adapts).enumerated() where isAdapted == 1 {
                #expect(Swift.abs(moved.elements[index] - sum.elements[index]) < 1e-12)
            }
            return (task.query.loss(adapted), sum, nil)
        case is MAML, is ANIL, is MetaSGD:
            let exact = task.metaGradient(steps: setting.steps, a)
            guard setting.isFirstOrder else { return (task.query.loss(adapted), exact.u, exact.a) }
            // Inner gradients are constants: θ moves θ_K one to one, and a step size moves it by minus its gradients.
            let atEnd = task.query.gradient(adapted)
            let inner = path.dropLast().reduce(0 * task.u) { $0 - task.support.gradient($1) }
            return (task.query.loss(adapted), atEnd, LinearRegression.scaled(inner, atEnd.elements))
        default:
            Issue.record("no closed form for \(algorithm): add its equation here")
            return (.nan, task.u, nil)
        }
    }

    @Test(arguments: settings) func theOuterGradientIsThatOfTheEquation(setting: Setting) throws {
        let traced = TracedAlgorithm(try setting.algorithm())
        let task = LinearRegression(support: 6, query: 4, seed: 3)
        let wanted = expected(traced.algorithm, setting, task)
        let found = try traced.evaluate([traced.objective.loss] + traced.objective.gradients, task)
        #expect(Swift.abs(found[0].elements[0] - wanted.loss) < 1e-13)
        #expect(traced.joined(found[1...2]).distance(to: wanted.u) < 1e-12)
        #expect(found.count == 3 + traced.stepSizes.count)
        if let stepSize = wanted.stepSize, !traced.stepSizes.isEmpty {
            let byStep = traced.joined(found[3...])
            let some = Matrix(byStep.rows, 1, Array(stepSize.elements.prefix(byStep.rows)))
            #expect(byStep.distance(to: some) < 1e-12)
        }
    }

    /// A meta-gradient is the derivative of the meta-loss, unless the algorithm says otherwise.
    @Test(arguments: settings.filter { !$0.isFirstOrder && $0.type.schema.name != "reptile" })
    func theOuterGradientIsTheDerivativeOfTheLoss(setting: Setting) throws {
        let traced = TracedAlgorithm(try setting.algorithm())
        let task = LinearRegression(support: 5, query: 4, seed: 4)
        let a = Matrix(5, 1) { row, _ in 0.1 + 0.05 * Double(row) }
        func loss(_ task: LinearRegression, _ a: Matrix) throws -> Double {
            try traced.evaluate([traced.objective.loss], task, stepSize: a)[0].elements[0]
        }
        let gradients = try traced.evaluate(traced.objective.gradients, task, stepSize: a)
        let step = 1e-5
        for index in 0..<5 {
            var (above, below) = (task, task)
            above.u.elements[index] += step
            below.u.elements[index] -= step
            let numeric = (try loss(above, a) - loss(below, a)) / (2 * step)
            #expect(Swift.abs(numeric - traced.joined(gradients.prefix(2)).elements[index]) < 1e-8)
        }
        let byStep = traced.joined(gradients.dropFirst(2))
        for index in byStep.elements.indices {
            var (above, below) = (a, a)
            above.elements[index] += step
            below.elements[index] -= step
            let numeric = (try loss(task, above) - loss(task, below)) / (2 * step)
            #expect(Swift.abs(numeric - byStep.elements[index]) < 1e-8)
        }
    }

    @Test func stepSizesHaveTheShapesOfWhatTheyStep() throws {
        let algorithm = MetaSGD(try Options(["inner_lr": .numbers([0.3])], for: MetaSGD.schema, prefix: ""))
        let added = algorithm.additionalParameters(for: [
            ParameterSpec("a", rows: 3, columns: 4, group: "head"),
            ParameterSpec("b", rows: 1, columns: 4, rank: 1, group: "head"),
            ParameterSpec("t", rows: 1000, columns: 4, isTable: true, group: "embedding"),
        ])
        #expect(added.map(\.spec.name) == ["step_size.a", "step_size.b", "step_size.t"])
        #expect(added.map(\.spec.shape) == [[3, 4], [4], [4]] && added.allSatisfy { $0.initialValue == 0.3 })
        #expect(added.allSatisfy { !$0.spec.isTable && !algorithm.adapts.contains($0.spec.group) })
        #expect(!AdaptedPart.all.contains("step_size"))
    }

    @Test func partsNestAsTheirNamesSay() {
        let groups = ["head", "decision", "embedding", "step_size"]
        #expect(groups.filter(AdaptedPart.head.contains) == ["head"])
        #expect(groups.filter(AdaptedPart.decision.contains) == ["head", "decision"])
        #expect(groups.filter(AdaptedPart.all.contains) == ["head", "decision", "embedding"])
    }
}

@Test func aMissingParameterIsReportedWhenCompiling() {
    let graph = Graph()
    let θ = Parameters([(name: "w", value: graph.parameter(0, Shape(2, 2)))], in: graph)
    #expect(throws: MetarecError.value("no parameter \"v\"; there are [\"w\"]")) {
        try Plan([θ["w"] * θ["v"]])
    }
}
