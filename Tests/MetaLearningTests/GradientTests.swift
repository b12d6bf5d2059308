import Graph
import Kernels
import Testing

@testable import MetaLearning

@Suite struct SparseGradientTests {
    @Test(arguments: Precision.allCases, [40, RowSet.directRows + 20_000])
    func sumsRowsOverTasks(precision: Precision, tableRows: Int) {
        let columns = 3
        let gradient = SparseGradient(columns: columns, precision: precision)
        var generator = SeededGenerator(3)
        for _ in 0..<20 {  // batches
            gradient.removeAll()
            var expected = [Double](repeating: 0, count: tableRows * columns)
            var order: [Int32] = []
            for _ in 0..<12 {  // tasks
                let rows = (0..<generator.index(below: 9)).map { _ in
                    // Half of them are the table's last ones.
                    Int32(tableRows - 1 - generator.index(below: generator.index(below: 2) == 0 ? 30 : tableRows)) - 1
                }
                let part = Buffer(count: rows.count * columns, precision)
                for (i, row) in rows.enumerated() {
                    if row >= 0, !order.contains(row) { order.append(row) }
                    for c in 0..<columns {
                        let number = Double(generator.index(below: 64)) - 32  // sums of small integers are exact
                        store(number, part.pointer, i * columns + c, precision)
                        if row >= 0 { expected[Int(row) * columns + c] += number / 2 }
                    }
                }
                withExtendedLifetime(part) {
                    gradient.add(rows, count: rows.count, gradient: part.pointer, scale: 0.5)
                }
            }
            #expect(Array(UnsafeBufferPointer(start: gradient.rows, count: gradient.count)) == order)
            let dense = Buffer(count: tableRows * columns, precision)
            gradient.write(to: dense.pointer)
            withExtendedLifetime(dense) {
                #expect((0..<expected.count).map { load(dense.pointer, $0, precision) } == expected)
            }
        }
    }
}

@Suite struct GradientClippingTests {
    private func numbers(_ values: [Double], _ precision: Precision) -> Buffer {
        let buffer = Buffer(count: values.count, precision)
        for (i, value) in values.enumerated() { store(value, buffer.pointer, i, precision) }
        return buffer
    }

    private func gradients(_ dense: [Double], _ sparse: [Double], _ precision: Precision)
        -> (gradients: [ParameterGradient], dense: Buffer, rows: SparseGradient)
    {
        let buffer = numbers(dense, precision)
        let rows = SparseGradient(columns: sparse.count, precision: precision)
        let values = numbers(sparse, precision)
        withExtendedLifetime(values) { rows.add([123_456], count: 1, gradient: values.pointer) }
        return ([.dense(buffer.pointer, count: dense.count), .sparse(rows)], buffer, rows)
    }

    @Test(arguments: Precision.allCases)
    func byNormOverAllGradients(precision: Precision) throws {
        // 2, 3 and 6 make 7: scaled to 3.5, they are halved.
        let (gradients, dense, rows) = gradients([2, -3], [6], precision)
        defer { withExtendedLifetime(dense) {} }
        #expect(try GradientClipping(norm: 3.5).apply(to: gradients, precision) == 7)
        #expect((0..<2).map { load(dense.pointer, $0, precision) } == [1, -1.5])
        #expect(load(rows.values, 0, precision) == 3)
        #expect(try GradientClipping.norm(of: gradients, precision) == 3.5)
        // Within the bound nothing moves.
        #expect(try GradientClipping(norm: 3.5).apply(to: gradients, precision) == 3.5)
        #expect(load(rows.values, 0, precision) == 3)
    }

    @Test(arguments: Precision.allCases)
    func byValueBeforeNorm(precision: Precision) throws {
        let (gradients, dense, rows) = gradients([4, -9], [2], precision)
        defer { withExtendedLifetime(dense) {} }
        #expect(try GradientClipping(norm: 1.5, value: 2).apply(to: gradients, precision) == 12.0.squareRoot())
        let scaled = 2 * 1.5 / 12.0.squareRoot()
        for (value, expected) in [
            (load(dense.pointer, 0, precision), scaled), (load(dense.pointer, 1, precision), -scaled),
            (load(rows.values, 0, precision), scaled),
        ] { #expect(abs(value - expected) < 1e-7) }
    }

    @Test func anInfiniteGradientIsReportedAndLeft() throws {
        let (gradients, dense, _) = gradients([.infinity, 1], [1], .double)
        defer { withExtendedLifetime(dense) {} }
        #expect(try GradientClipping(norm: 1).apply(to: gradients, .double) == .infinity)
        #expect(load(dense.pointer, 1, .double) == 1)
    }

    @Test func refusesBadBounds() {
        #expect(throws: MetarecError.value("clip_norm: 0.0, wanted a positive number")) {
            try GradientClipping(norm: 0)
        }
        #expect(throws: MetarecError.value("clip_value: nan, wanted a positive number")) {
            try GradientClipping(value: .nan)
        }
    }
}

private func store(_ value: Double, _ pointer: UnsafeMutableRawPointer, _ i: Int, _ precision: Precision) {
    switch precision {
    case .float: pointer.assumingMemoryBound(to: Float.self)[i] = Float(value)
    case .double: pointer.assumingMemoryBound(to: Double.self)[i] = value
    }
}

private func load(_ pointer: UnsafeMutableRawPointer, _ i: Int, _ precision: Precision) -> Double {
    switch precision {
    case .float: Double(pointer.assumingMemoryBound(to: Float.self)[i])
    case .double: pointer.assumingMemoryBound(to: Double.self)[i]
    }
}
