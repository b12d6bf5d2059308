import Dispatch

/// What one instruction of a plan costs, a mean over tasks.
public struct InstructionCost: Sendable {
    /// The kernel, its sizes and what is fused into it: "gemm [S, 64] = [S, 128] [128, 64] + addend, relu".
    public let text: String
    /// Multiply-adds, of products; else 0.
    public internal(set) var multiplyAdds = 0.0
    /// Seconds, reading the clock not counted.
    public internal(set) var seconds = 0.0
}

extension Executor {
    /// The cost of every instruction of the plan, measured one by one in the order in which they run.
    ///
    /// On one thread, with nothing stored. Of several rounds over the tasks the fastest counts, instruction by
    /// instruction and task by task: other processes interrupt now and then.
    public func profile(
        count: Int, parameters: [UnsafeRawPointer], rounds: Int = 10, poll: Poll,
        load: (Int, Int, Worker) throws -> Void
    ) throws -> [InstructionCost] {
        prepare(threads: 1, parameters)
        let worker = workers[0]
        var costs = plan.instructions.map { InstructionCost(text: plan.text(of: $0)) }
        var fastest = [UInt64](repeating: .max, count: count * costs.count)
        let clock = Executor.clockSeconds
        for round in 0..<rounds {
            for task in 0..<count {
                try poll.check(Double(round * count + task) / Double(rounds * count))
                try load(task, 0, worker)
                worker.resolve()
                var last = DispatchTime.now().uptimeNanoseconds
                for index in instructions.indices {
                    execute(instructions[index], worker)
                    let now = DispatchTime.now().uptimeNanoseconds
                    let place = task * costs.count + index
                    fastest[place] = min(fastest[place], now &- last)
                    last = now
                }
                guard round == 0 else { continue }
                for index in costs.indices where instructions[index].kernel == .gemm {
                    let i = instructions[index]
                    let sizes = [i.rows, i.columns, i.inner].map { Double(worker.dimensions[Int($0)]) }
                    costs[index].multiplyAdds += sizes[0] * sizes[1] * sizes[2] / Double(count)
                }
            }
        }
        for place in fastest.indices {
            costs[place % costs.count].seconds += max(0, Double(fastest[place]) * 1e-9 - clock) / Double(count)
        }
        return costs
    }

    /// What reading the clock takes when nobody disturbs.
    private static var clockSeconds: Double {
        var fastest = UInt64.max
        var last = DispatchTime.now().uptimeNanoseconds
        for _ in 0..<1000 {
            let now = DispatchTime.now().uptimeNanoseconds
            fastest = min(fastest, now &- last)
            last = now
        }
        return Double(fastest) * 1e-9
    }
}

extension Plan {
    /// An instruction in words and sizes.
    func text(of i: Instruction) -> String {
        func shape(_ rows: Int32, _ columns: Int32) -> String {
            Shape(dimensions[Int(rows)], dimensions[Int(columns)]).description
        }
        switch i.kernel {
        case .gemm:
            let a = i.transposesA ? "\(shape(i.inner, i.rows))'" : shape(i.rows, i.inner)
            var text = "gemm \(shape(i.rows, i.columns)) = \(a) \(shape(i.inner, i.columns))"
            if i.d != nil { text += " + addend" }
            if i.bias != nil { text += " + bias" }
            if i.mask != nil { text += ", mask" } else if i.epilogue != 0 { text += ", relu" }
            return text
        case .chain:
            let functions = chains[Int(i.detail)].steps.map { Chain.functionNames[Int($0.function)] }
            return "chain \(shape(i.rows, i.columns)): \(functions.joined(separator: ", "))"
        default: return "\(i.kernel) \(shape(i.rows, i.columns))\(i.d == nil ? "" : " + addend")"
        }
    }
}
