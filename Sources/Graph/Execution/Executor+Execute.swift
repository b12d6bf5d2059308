import CMetarec

extension Executor {
    /// The interpreter: one kernel call per instruction.
    func execute(_ instructions: UnsafeMutableBufferPointer<Instruction>, _ worker: Worker) {
        for index in instructions.indices { execute(instructions[index], worker) }
    }

    /// One kernel call.
    @inline(__always) func execute(_ i: Instruction, _ worker: Worker) {
        let kernels = kernels
        let (dimensions, coefficients) = (worker.dimensions, worker.coefficients)
        func size(_ index: Int32) -> Int64 { Int64(dimensions[Int(index)]) }

        let out = worker.address(i.out)
        let (rows, columns) = (size(i.rows), size(i.columns))
        let a = i.a.map { worker.address($0) } ?? out
        let aRow = i.a.map { size($0.stride) } ?? 0
        let outRow = size(i.out.stride)
        switch i.kernel {
        case .gemm:
            var product = mr_gemm(
                m: rows, n: columns, k: size(i.inner), a: a, a_row: i.transposesA ? 1 : aRow,
                a_column: i.transposesA ? aRow : 1,
                b: i.b.map { UnsafeRawPointer(worker.address($0)) } ?? UnsafeRawPointer(out),
                b_row: i.b.map { size($0.stride) } ?? 0, c: out, c_row: outRow,
                d: i.d.map { UnsafeRawPointer(worker.address($0)) }, d_row: i.d.map { size($0.stride) } ?? 0,
                mask: i.mask.map { UnsafeRawPointer(worker.address($0)) },
                mask_row: i.mask.map { size($0.stride) } ?? 0,
                bias: i.bias.map { UnsafeRawPointer(worker.address($0)) }, alpha: coefficients[Int(i.coefficient)],
                gamma: i.gamma.map { coefficients[Int($0)] } ?? 1,
                delta: coefficients[Int(i.delta)], epilogue: i.epilogue)
            kernels.gemm(&product)
        case .chain:
            let chain = chains[Int(i.detail)]
            for number in 0..<chain.inputs.count {
                let input = chain.inputs[number]
                worker.chainInputs[number] = mr_chain_input(
                    data: worker.address(input.operand), row: size(input.operand.stride),
                    column: Int64(input.columnStride))
            }
            var call = mr_chain(
                rows: rows, columns: columns, input_count: Int32(chain.inputs.count),
                step_count: chain.stepCount, inputs: worker.chainInputs,
                steps: chain.steps, values: coefficients, out: out, out_row: outRow)
            kernels.chain(&call)
        case .sum:
            kernels.sum(i.detail, rows, columns, a, aRow, coefficients[Int(i.coefficient)], out, outRow)
        case .transpose: kernels.transpose(rows, columns, a, aRow, out, outRow)
        case .copy: kernels.copy(rows, columns, a, aRow, out, outRow)
        case .fill: kernels.fill(rows, columns, coefficients[Int(i.coefficient)], out, outRow)
        case .rowMax: kernels.row_max(rows, columns, a, aRow, out, outRow)
        case .softmax: kernels.softmax(rows, columns, a, aRow, out, outRow)
        case .logSumExp: kernels.log_sum_exp(rows, columns, a, aRow, out, outRow)
        case .cholesky:
            kernels.copy(rows, columns, a, aRow, out, outRow)
            // Not positive definite: what is solved with it is not finite, which the caller reports.
            if kernels.cholesky(rows, out, outRow) != 0 { kernels.fill(rows, columns, .nan, out, outRow) }
        case .solve:
            guard let b = i.b else { return }
            kernels.copy(rows, columns, worker.address(b), size(b.stride), out, outRow)
            kernels.solve_triangular(rows, columns, a, aRow, out, outRow, 0)
            kernels.solve_triangular(rows, columns, a, aRow, out, outRow, 1)
        case .logDeterminant: kernels.log_determinant(rows, a, aRow, out)
        case .identity:
            kernels.fill(rows, columns, 0, out, outRow)
            kernels.fill(rows, min(rows, 1), 1, out, outRow + 1)
        case .bag, .bagTransposed:
            var bag = worker.indices[Int(i.detail)]
            bag.columns = columns
            bag.alpha = coefficients[Int(i.coefficient)]
            if let addend = i.d {
                let d = worker.address(addend)
                if d != out { kernels.copy(rows, columns, d, size(addend.stride), out, outRow) }
            } else if i.kernel == .bagTransposed {
                kernels.fill(rows, columns, 0, out, outRow)
            }
            if i.kernel == .bag {
                kernels.bag(&bag, a, aRow, out, outRow, i.d == nil ? 0 : 1)
            } else {
                kernels.bag_transposed(&bag, a, aRow, out, outRow)
            }
        }
    }
}
