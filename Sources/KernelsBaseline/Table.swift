public import CMetarec

#if KERNELS_AVX512
private let isa: StaticString = "avx512"
#elseif KERNELS_AVX2
private let isa: StaticString = "avx2"
#else
private let isa: StaticString = "baseline"
#endif

private var isaName: UnsafePointer<CChar> { UnsafeRawPointer(isa.utf8Start).assumingMemoryBound(to: CChar.self) }

// A function of C captures no type, so each table is spelt out.

/// The kernels over `Float`.
public nonisolated(unsafe) let floatKernels = allocate(
    mr_kernels(
        isa: isaName, element_size: Int64(MemoryLayout<Float>.size),
        gemm: { Product<Float>($0).run() },
        transpose: { rows, columns, a, aRow, out, outRow in
            Transpose<Float>.run(Int(rows), Int(columns), typed(a), Int(aRow), typed(out), Int(outRow))
        },
        chain: { Chain<Float>($0).run() },
        sum: { axis, rows, columns, a, aRow, alpha, out, outRow in
            Reduction<Float>.sum(
                axis, Int(rows), Int(columns), typed(a), Int(aRow), Float(alpha), typed(out), Int(outRow))
        },
        row_max: { rows, columns, a, aRow, out, outRow in
            Reduction<Float>.rowMax(Int(rows), Int(columns), typed(a), Int(aRow), typed(out), Int(outRow))
        },
        softmax: { rows, columns, a, aRow, out, outRow in
            Reduction<Float>.softmax(Int(rows), Int(columns), typed(a), Int(aRow), typed(out), Int(outRow))
        },
        log_sum_exp: { rows, columns, a, aRow, out, outRow in
            Reduction<Float>.logSumExp(Int(rows), Int(columns), typed(a), Int(aRow), typed(out), Int(outRow))
        },
        bag: { bag, table, tableRow, out, outRow, adds in
            Bag<Float>(bag).gather(typed(table), Int(tableRow), typed(out), Int(outRow), adds: adds != 0)
        },
        bag_transposed: { bag, g, gRow, table, tableRow in
            Bag<Float>(bag).scatter(typed(g), Int(gRow), typed(table), Int(tableRow))
        },
        copy: { rows, columns, a, aRow, out, outRow in
            Vector<Float>.copy(Int(rows), Int(columns), typed(a), Int(aRow), typed(out), Int(outRow))
        },
        fill: { rows, columns, value, out, outRow in
            Vector<Float>.fillRows(Int(rows), Int(columns), Float(value), typed(out), Int(outRow))
        },
        axpy: { n, alpha, x, y in Vector<Float>.axpy(Int(n), Float(alpha), typed(x), typed(y)) },
        scale: { n, alpha, x in Vector<Float>.scale(Int(n), Float(alpha), typed(x)) },
        clamp: { n, low, high, x in Vector<Float>.clamp(Int(n), Float(low), Float(high), typed(x)) },
        sum_of_squares: { n, x in Reduction<Float>.sumOfSquares(Int(n), typed(x)) },
        add_squares: { rows, columns, a, aRow, out in
            Reduction<Float>.addSquares(Int(rows), Int(columns), typed(a), Int(aRow), typed(out))
        },
        convert_float: { n, x, out in Vector<Float>.convert(Int(n), x, typed(out)) },
        convert_double: { n, x, out in Vector<Float>.convert(Int(n), x, typed(out)) },
        adam: { n, options, x, m, v, g in
            AdamSteps<Float>(options).run(
                Int(n), typed(x), typed(m), typed(v), g?.assumingMemoryBound(to: Float.self))
        },
        cholesky: { n, a, aRow in Int64(Cholesky<Float>.factor(Int(n), typed(a), Int(aRow))) },
        solve_triangular: { n, m, l, lRow, b, bRow, isTransposed in
            Cholesky<Float>.solve(
                Int(n), Int(m), typed(l), Int(lRow), typed(b), Int(bRow), isTransposed: isTransposed != 0)
        },
        log_determinant: { n, l, lRow, out in
            Cholesky<Float>.logDeterminant(Int(n), typed(l), Int(lRow), typed(out))
        },
        level_mixture: { LevelMixture.run($0.pointee) }))

/// The kernels over `Double`.
public nonisolated(unsafe) let doubleKernels = allocate(
    mr_kernels(
        isa: isaName, element_size: Int64(MemoryLayout<Double>.size),
        gemm: { Product<Double>($0).run() },
        transpose: { rows, columns, a, aRow, out, outRow in
            Transpose<Double>.run(Int(rows), Int(columns), typed(a), Int(aRow), typed(out), Int(outRow))
        },
        chain: { Chain<Double>($0).run() },
        sum: { axis, rows, columns, a, aRow, alpha, out, outRow in
            Reduction<Double>.sum(
                axis, Int(rows), Int(columns), typed(a), Int(aRow), Double(alpha), typed(out), Int(outRow))
        },
        row_max: { rows, columns, a, aRow, out, outRow in
            Reduction<Double>.rowMax(Int(rows), Int(columns), typed(a), Int(aRow), typed(out), Int(outRow))
        },
        softmax: { rows, columns, a, aRow, out, outRow in
            Reduction<Double>.softmax(Int(rows), Int(columns), typed(a), Int(aRow), typed(out), Int(outRow))
        },
        log_sum_exp: { rows, columns, a, aRow, out, outRow in
            Reduction<Double>.logSumExp(Int(rows), Int(columns), typed(a), Int(aRow), typed(out), Int(outRow))
        },
        bag: { bag, table, tableRow, out, outRow, adds in
            Bag<Double>(bag).gather(typed(table), Int(tableRow), typed(out), Int(outRow), adds: adds != 0)
        },
        bag_transposed: { bag, g, gRow, table, tableRow in
            Bag<Double>(bag).scatter(typed(g), Int(gRow), typed(table), Int(tableRow))
        },
        copy: { rows, columns, a, aRow, out, outRow in
            Vector<Double>.copy(Int(rows), Int(columns), typed(a), Int(aRow), typed(out), Int(outRow))
        },
        fill: { rows, columns, value, out, outRow in
            Vector<Double>.fillRows(Int(rows), Int(columns), Double(value), typed(out), Int(outRow))
        },
        axpy: { n, alpha, x, y in Vector<Double>.axpy(Int(n), Double(alpha), typed(x), typed(y)) },
        scale: { n, alpha, x in Vector<Double>.scale(Int(n), Double(alpha), typed(x)) },
        clamp: { n, low, high, x in Vector<Double>.clamp(Int(n), Double(low), Double(high), typed(x)) },
        sum_of_squares: { n, x in Reduction<Double>.sumOfSquares(Int(n), typed(x)) },
        add_squares: { rows, columns, a, aRow, out in
            Reduction<Double>.addSquares(Int(rows), Int(columns), typed(a), Int(aRow), typed(out))
        },
        convert_float: { n, x, out in Vector<Double>.convert(Int(n), x, typed(out)) },
        convert_double: { n, x, out in Vector<Double>.convert(Int(n), x, typed(out)) },
        adam: { n, options, x, m, v, g in
            AdamSteps<Double>(options).run(
                Int(n), typed(x), typed(m), typed(v), g?.assumingMemoryBound(to: Double.self))
        },
        cholesky: { n, a, aRow in Int64(Cholesky<Double>.factor(Int(n), typed(a), Int(aRow))) },
        solve_triangular: { n, m, l, lRow, b, bRow, isTransposed in
            Cholesky<Double>.solve(
                Int(n), Int(m), typed(l), Int(lRow), typed(b), Int(bRow), isTransposed: isTransposed != 0)
        },
        log_determinant: { n, l, lRow, out in
            Cholesky<Double>.logDeterminant(Int(n), typed(l), Int(lRow), typed(out))
        },
        level_mixture: { LevelMixture.run($0.pointee) }))

/// A copy that lives as long as the process.
private func allocate(_ table: mr_kernels) -> UnsafePointer<mr_kernels> {
    let pointer = UnsafeMutablePointer<mr_kernels>.allocate(capacity: 1)
    pointer.initialize(to: table)
    return UnsafePointer(pointer)
}

@inline(__always) private func typed<E>(_ p: UnsafeRawPointer) -> UnsafePointer<E> { p.assumingMemoryBound(to: E.self) }

@inline(__always) private func typed<E>(_ p: UnsafeMutableRawPointer) -> UnsafeMutablePointer<E> {
    p.assumingMemoryBound(to: E.self)
}
