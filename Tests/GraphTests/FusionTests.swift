import CMetarec
import Kernels
import TestSupport
import Testing

@testable import Graph

@Suite struct FusionTests {
    private let graph = Graph()
    private var x: Value { graph.input(0, Shape(.support, 4)) }
    private var y: Value { graph.input(1, Shape(.support, 4)) }

    /// The instructions of a plan whose results are those of the interpreter.
    private func kernels(_ outputs: Value..., sourceLocation: SourceLocation = #_sourceLocation) throws -> [Kernel] {
        var generator = TestGenerator(5)
        let parameters = [(4, 3), (1, 3), (1, 1), (4, 4)].map { Matrix.random($0.0, $0.1, using: &generator) }
        let inputs =
            (0..<12).map { _ in Matrix.random(7, 4, using: &generator) } + [Matrix.random(7, 3, using: &generator)]
        let task = TestTask(sizes: [.support: 7], inputs: inputs)
        let program = try TestProgram(outputs, parameters: parameters, tasks: [task], .double)
        for (a, b) in zip(try program.results()[0], interpret(outputs, parameters: parameters, task: task)) {
            #expect(a.distance(to: b) < 1e-12 * (1 + b.magnitude), sourceLocation: sourceLocation)
        }
        return program.plan.instructions.map(\.kernel)
    }

    private var w: Value { graph.parameter(0, Shape(4, 3)) }
    private var bias: Value { graph.parameter(1, Shape(1, 3)) }
    private var z: Value { graph.input(12, Shape(.support, 3)) }

    @Test func biasAndReluJoinTheProduct() throws {
        #expect(try kernels((x.matmul(w) + bias).relu) == [.gemm])
        #expect(try kernels((bias + 2 * x.matmul(w)).relu) == [.gemm])
        #expect(try kernels(z - x.matmul(w)) == [.gemm])
        #expect(try kernels((3 * x.matmul(w) + z).masked(by: z)) == [.gemm])
        #expect(try kernels(x.matmul(w).scaled(by: .inverseSize(.support))) == [.gemm])
        #expect(try kernels((x.matmul(w) + z + bias).relu) == [.gemm])
        #expect(try kernels((bias + 3 * (2 * x.matmul(w) + z)).masked(by: z)) == [.gemm])
        #expect(try kernels((z - x.matmul(w) + bias).relu) == [.gemm])
        #expect(try kernels(x.matmul(w) - bias) == [.gemm])
        #expect(try kernels(x.matmul(w) - bias + z) == [.gemm])
        #expect(try kernels(x.matmul(w) + z - 5 * bias.broadcast(to: z.shape)) == [.gemm])
        #expect(try kernels(5 * x.sumOverRows) == [.sum])
        #expect(try kernels(x.square.mean) == [.chain, .sum])
    }

    /// Gathers and scatters take a factor and one addend.
    @Test func bagsAddToWhatIsThere() throws {
        let indices = Indices(0, rows: .support)
        let table = graph.input(0, Shape(.symbol(.table(0)), 4))
        var generator = TestGenerator(6)
        let task = TestTask(
            sizes: [.support: 7, .table(0): 3],
            inputs: [(3, 4), (7, 4)].map { Matrix.random($0.0, $0.1, using: &generator) },
            indices: [
                IndexRows(ids: [0, 2, -1, 1, 1, 0, 2]), IndexRows(ids: [1, 2], offsets: [0, 2], weights: [0.5]),
            ])
        func texts(_ outputs: Value..., sourceLocation: SourceLocation = #_sourceLocation) throws -> [String] {
            let program = try TestProgram(outputs, tasks: [task], .double)
            for (a, b) in zip(try program.results()[0], interpret(outputs, task: task)) {
                #expect(a.distance(to: b) < 1e-12 * (1 + b.magnitude), sourceLocation: sourceLocation)
            }
            return program.plan.instructions.map(program.plan.text)
        }
        let bag = table.bag(indices)
        let scattered = gradients(of: (y * bag).sum, with: [table])[0]
        #expect(try texts(3 * bag) == ["bag [S, 4]"])
        #expect(try texts(3 * bag + y) == ["bag [S, 4] + addend"])
        #expect(try texts(y - bag) == ["bag [S, 4] + addend"])
        #expect(try texts(y.tanh - 2 * bag) == ["chain [S, 4]: tanh", "bag [S, 4] + addend"])
        #expect(try texts(scattered.scaled(by: .inverseSize(.support))) == ["bagTransposed [U0, 4]"])
        #expect(try texts(table - 3 * scattered) == ["bagTransposed [U0, 4] + addend"])
        #expect(try texts(bag - y) == ["bag [S, 4]", "chain [S, 4]: subtract"])
        #expect(try texts(bag + y, bag) == ["bag [S, 4]", "chain [S, 4]: add"])
        // In a part of a whole, to what lies elsewhere; over a scatter that dies, and to what is read again or is a view.
        #expect(try texts(concatenate([y.square, bag + y])) == ["bag [S, 4] + addend", "chain [S, 4]: square"])
        let other = gradients(of: (y.square * bag).sum, with: [table])[0]
        #expect(try texts(scattered + other).filter { $0.hasPrefix("bag") }.count == 2)
        #expect(try texts(scattered + other, other).last == "bagTransposed [U0, 4] + addend")
        let wide = concatenate([y.tanh, y.exp])
        #expect(try texts(wide, bag + wide.slice(columns: 4..<8)).last == "bag [S, 4] + addend")
        // One row: what is added is no bias, and what is taken away is taken.
        let one = table.bag(Indices(1, rows: 1))
        let row = y.sumOverRows
        #expect(try texts(one - row).sorted() == ["bag [1, 4]", "chain [1, 4]: subtract", "sum [S, 4]"])
        #expect(try texts(row - one) == ["sum [S, 4]", "bag [1, 4] + addend"])
        #expect(try texts(2 * one + row) == ["sum [S, 4]", "bag [1, 4] + addend"])
    }

    /// What is taken away changes the sign of all that it is made of.
    @Test func whatIsTakenAwayHasTheOtherSign() throws {
        #expect(try kernels(z - (x.matmul(w) - bias)) == [.gemm])
        #expect(try kernels(z - (x.matmul(w) + 2 * bias.broadcast(to: z.shape))).contains(.gemm))
        #expect(try kernels(z - (x.matmul(w) - 5 * bias.broadcast(to: z.shape))) == [.gemm])
        let row = x.sumOverRows.matmul(w)
        #expect(try kernels(bias - (row - bias.square)) == [.sum, .gemm])
        #expect(try kernels((z - (x.matmul(w) - bias)).masked(by: z)) == [.gemm])
    }

    @Test func whatTheProductCannotDoIsAChain() throws {
        #expect(try kernels((x.matmul(w) + bias).tanh) == [.gemm, .chain])
        #expect(try kernels(x.matmul(w) + z + z.square) == [.gemm, .chain])
        #expect(try kernels(z.masked(by: x.matmul(w))) == [.gemm, .chain])
        #expect(try kernels(x.matmul(w) + graph.parameter(2, .scalar)) == [.gemm, .chain])
    }

    /// A value that two read is stored: the product must not swallow it.
    @Test func valuesUsedTwiceAreStored() throws {
        let product = x.matmul(w)
        #expect(try kernels(product + product.relu) == [.gemm, .chain])
        #expect(try kernels(product.relu, product) == [.gemm, .chain])
        let pre = product + bias
        #expect(try kernels(pre.relu, pre.sumOverRows) == [.gemm, .chain, .sum])
        #expect(try kernels(product * product) == [.gemm, .chain])
        let shared = x.tanh
        #expect(try kernels(shared.exp.sumOverRows, shared.sigmoid) == [.chain, .chain, .sum, .chain])
    }

    @Test func elementwiseOperationsBecomeOneInstruction() throws {
        let row = graph.parameter(1, Shape(1, 3)).matmul(w, transposed: false, true)  // [1, 4], once per run
        #expect(try kernels(((x + y).tanh * (x - row)).sigmoid + x) == [.chain])
        #expect(try kernels((x + x.sumOverRows.broadcast(to: x.shape)).exp) == [.sum, .chain])
        // A value inside a chain used twice by it: the diamond stays in registers.
        let inside = (x + y).tanh
        #expect(try kernels(inside * inside.exp + inside) == [.chain])
        // Outputs inside a chain are stored.
        #expect(try kernels(inside, 2 * inside.exp) == [.chain, .chain])
    }

    /// A profile says what a chain does.
    @Test func textNamesTheFunctionsOfAChain() throws {
        let plan = try Plan([(2 * x.tanh - y).sigmoid, (x.square + 1).reciprocal])
        #expect(
            plan.instructions.map(plan.text) == [
                "chain [S, 4]: tanh, scale, subtract, sigmoid", "chain [S, 4]: square, offset, reciprocal",
            ])
        let functions = [
            MR_ADD, MR_SUBTRACT, MR_MULTIPLY, MR_DIVIDE, MR_MAXIMUM, MR_MINIMUM, MR_MASK, MR_EQUAL, MR_SELECT, MR_SCALE,
            MR_OFFSET, MR_RELU, MR_SIGMOID, MR_TANH, MR_SOFTPLUS, MR_EXP, MR_LOG, MR_SQRT, MR_SQUARE, MR_ABS, MR_SIGN,
            MR_RECIPROCAL,
        ]
        #expect(functions.map(\.rawValue) == Array(0..<MR_FUNCTION_COUNT.rawValue))
        #expect(Chain.functionNames.count == Int(MR_FUNCTION_COUNT.rawValue))
    }

    /// A chain has room for 8 inputs and 16 steps; more become several.
    @Test(arguments: 2...12) func chainsKeepWithinTheirInputs(count: Int) throws {
        let inputs = (0..<count).map { graph.input($0, Shape(.support, 4)) }
        let sum = inputs.dropFirst().reduce(inputs[0]) { ($0 + $1).tanh }
        #expect(try kernels(sum).count == (count <= Int(MR_CHAIN_INPUTS) ? 1 : 2))
    }

    @Test(arguments: [1, 15, 16, 17, 32, 33]) func chainsKeepWithinTheirSteps(count: Int) throws {
        let value = (0..<count).reduce(x) { value, _ in value.tanh }
        let limit = Int(MR_CHAIN_STEPS)
        #expect(try kernels(value).count == (count + limit - 1) / limit)
    }

    @Test func selectCountsAllItsInputs() throws {
        let inputs = (0..<9).map { graph.input($0, Shape(.support, 4)) }
        let first = inputs[0].select(inputs[1], inputs[2])
        let second = inputs[3].select(inputs[4], inputs[5])
        let third = inputs[6].select(inputs[7], inputs[8])
        let kernels = try kernels(third.select(first, second))
        #expect(kernels.allSatisfy { $0 == .chain } && kernels.count == 2)
    }

    /// Every plan keeps the kernels' limits.
    @Test(arguments: 0..<20) func limitsHoldForRandomFunctions(seed: UInt64) throws {
        let graph = Graph()
        let (θ, inputs) = (RandomFunction.θ(in: graph), RandomFunction.inputs(in: graph))
        let loss = RandomFunction(seed: seed, length: 40).loss(θ, inputs)
        let plan = try Plan(gradients(of: loss, with: θ))
        #expect(
            plan.chains.allSatisfy { $0.inputs.count <= Int(MR_CHAIN_INPUTS) && $0.steps.count <= Int(MR_CHAIN_STEPS) })
    }
}
