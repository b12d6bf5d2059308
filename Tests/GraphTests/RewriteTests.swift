import CMetarec
import TestSupport
import Testing

@testable import Graph

@Suite struct RewriteTests {
    private static let sets: [Set<Rewrite>] = Rewrite.allCases.map { [$0] } + [[], Set(Rewrite.allCases)]
    private static let sizes = [(0, 3), (1, 1), (3, 0), (5, 2), (17, 9), (40, 10)]

    /// Against the interpreter, which knows no plan.
    @Test(arguments: [1, 2, 4], [false, true])
    func resultsAreTheSameWithoutAnyRewrite(steps: Int, firstOrder: Bool) throws {
        var generator = TestGenerator(UInt64(steps))
        let outputs = Recommender().maml(steps: steps, firstOrder: firstOrder)
        let parameters = Recommender.parameters(using: &generator)
        let tasks = Self.sizes.map { Recommender.task(support: $0.0, query: $0.1, using: &generator) }
        let expected = tasks.map { interpret(outputs, parameters: parameters, task: $0) }
        for leftOut in Self.sets {
            let found = try evaluate(
                outputs, expecting: Recommender.tableRows, without: leftOut, parameters: parameters, tasks: tasks)
            for task in tasks.indices {
                for (place, (a, b)) in zip(found[task], expected[task]).enumerated() {
                    #expect(
                        a.distance(to: b) <= 1e-11 * (1 + b.magnitude),
                        "without \(leftOut), task \(Self.sizes[task]), output \(place)")
                }
            }
        }
    }

    /// Functions that no rewrite was made for.
    @Test(arguments: 300..<310, Rewrite.allCases)
    func randomFunctionsAreTheSameWithoutARewrite(seed: UInt64, leftOut: Rewrite) throws {
        let graph = Graph()
        let (θ, inputs) = (RandomFunction.θ(in: graph), RandomFunction.inputs(in: graph))
        let loss = RandomFunction(seed: seed, length: 20).loss(θ, inputs)
        let outputs = [loss] + gradients(of: loss, with: θ)
        var generator = TestGenerator(seed)
        let parameters = RandomFunction.parameters(using: &generator)
        let task = RandomFunction.task(support: 5, query: 4, table: 3, using: &generator)
        let found = try evaluate(outputs, without: [leftOut], parameters: parameters, tasks: [task])[0]
        for (a, b) in zip(found, interpret(outputs, parameters: parameters, task: task)) {
            #expect(a.distance(to: b) <= 1e-10 * (1 + b.magnitude), "\(leftOut) seed \(seed)")
        }
    }

    /// A rewrite that is lost, or that others have taken over, shows here: in instructions or multiply-adds, and what
    /// saves memory alone in that.
    @Test(arguments: Rewrite.allCases) func everyRewriteMakesSomethingCheaper(leftOut: Rewrite) throws {
        let isCheaper = try [(1, false), (4, false), (1, true), (4, true)].map { steps, firstOrder in
            let outputs =
                leftOut == .upperGram
                ? Network(widths: [4, 64, 64, 1]).maml(steps: steps)
                : Recommender().maml(steps: steps, firstOrder: firstOrder)
            let costs = try ([[], [leftOut]] as [Set<Rewrite>]).map { without in
                let plan = try Plan(
                    outputs, summed: [1, 2, 3, 4], expecting: Recommender.tableRows, without: without)
                let sizes = [36, 10, 46, 9, 9, 9]
                return leftOut == .inPlace
                    ? [plan.arena(sizes: sizes).planned] : [plan.instructionCount, plan.multiplyAdds(sizes: sizes)]
            }
            return zip(costs[0], costs[1]).contains { $0 < $1 }
        }
        #expect(isCheaper.contains(true))
    }

    @Test func namesAreChecked() throws {
        #expect(try Rewrite.named("") == [] && Rewrite.named("gram,in-place") == [.gram, .inPlace])
        #expect(try Rewrite.named(Rewrite.allCases.map(\.rawValue).joined(separator: ",")) == Set(Rewrite.allCases))
        let error = #expect(throws: MetarecError.self) { try Rewrite.named("gram,magic") }
        #expect(error?.description.contains("METAREC_WITHOUT: 'magic'") == true)
        #expect(error?.description.contains("repeated-rows, stacks, gram") == true)
    }

    /// Worth most when the suite runs with METAREC_WITHOUT set.
    @Test func theEnvironmentIsHeeded() throws {
        let leftOut = try Rewrite.named(mr_left_out_rewrites().map { String(cString: $0) } ?? "")
        let outputs = Recommender().maml(steps: 2, firstOrder: false)
        #expect(try Plan(outputs).instructionCount == Plan(outputs, without: leftOut).instructionCount)
    }
}
