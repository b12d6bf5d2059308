import Graph
import Kernels
import MetaLearning
import Testing

@testable import Recommenders

@Suite struct AlgebraTests {
    private func normal(_ count: Int, seed: UInt64) -> [Double] {
        var generator = SeededGenerator(seed)
        return (0..<count).map { _ in generator.normal() }
    }

    private func product(
        _ a: [Double], _ b: [Double], rows: Int, columns: Int, terms: Int, transposed: Bool, threads: Int = 2
    ) throws -> [Double] {
        var out = [Double](repeating: .nan, count: rows * columns)
        try MatrixProduct(rows: rows, columns: columns, terms: terms, transposed: transposed, .double).multiply(
            a, b, into: &out, threads: threads, poll: .none)
        return out
    }

    /// Sizes below, at and above blocks, with sums by hand.
    @Test(arguments: [(1, 1, 1), (3, 2, 0), (0, 4, 3), (96, 192, 256), (97, 193, 257), (250, 400, 600)])
    func productsAreSums(rows: Int, columns: Int, terms: Int) throws {
        let (a, b) = (normal(rows * terms, seed: 1), normal(terms * columns, seed: 2))
        for transposed in [false, true] {
            let found = try product(a, b, rows: rows, columns: columns, terms: terms, transposed: transposed)
            for (row, column) in [(0, 0), (rows - 1, columns - 1), (rows / 2, columns / 3)] where rows * columns > 0 {
                let wanted = (0..<terms).reduce(0.0) { sum, k in
                    sum + (transposed ? a[k * rows + row] : a[row * terms + k]) * b[k * columns + column]
                }
                #expect(abs(found[row * columns + column] - wanted) < 1e-11)
            }
        }
    }

    @Test func gramIsTheSameAsItsProduct() throws {
        let a = normal(300 * 411, seed: 3)
        let copy = a
        var whole = [Double](repeating: 0, count: 411 * 411)
        let product = MatrixProduct(rows: 411, columns: 411, terms: 300, transposed: true, .double)
        try copy.withUnsafeBytes { other in
            try a.withUnsafeBytes { a in
                // Of another address, though of the same numbers.
                let moved = UnsafeMutableRawPointer.allocate(byteCount: other.count, alignment: 64)
                defer { moved.deallocate() }
                moved.copyMemory(from: other.baseAddress!, byteCount: other.count)
                try product.multiply(a.baseAddress!, moved, into: &whole, threads: 1, poll: .none)
            }
        }
        for threads in [1, 2, 5] {
            var gram = [Double](repeating: 0, count: 411 * 411)
            try a.withUnsafeBytes { a in
                try product.multiply(a.baseAddress!, a.baseAddress!, into: &gram, threads: threads, poll: .none)
            }
            #expect(gram == whole)
        }
    }

    @Test func columnsBecomeOrthonormalAndDependentOnesZero() throws {
        let (rows, columns) = (50, 7)
        var values = normal(rows * columns, seed: 4)
        for row in 0..<rows { values[row * columns + 4] = 2 * values[row * columns] - values[row * columns + 1] }
        let given = values
        try Orthonormal.columns(of: &values, rows: rows, columns: columns)
        let gram = try product(values, values, rows: columns, columns: columns, terms: rows, transposed: true)
        for i in 0..<columns {
            for j in 0..<columns {
                #expect(abs(gram[i * columns + j] - (i == j && i != 4 ? 1 : 0)) < 1e-13)
            }
        }
        // They span what was given: B = Q Qᵀ B.
        let share = try product(values, given, rows: columns, columns: columns, terms: rows, transposed: true)
        let back = try product(values, share, rows: rows, columns: columns, terms: columns, transposed: false)
        for (found, wanted) in zip(back, given) { #expect(abs(found - wanted) < 1e-12) }
    }

    @Test func eigenvectorsOfAPlantedMatrix() throws {
        let size = 40
        var q = normal(size * size, seed: 5)
        try Orthonormal.columns(of: &q, rows: size, columns: size)
        // Twice the same, one that is tiny, and two that are none.
        let planted: [Double] = [0, 0, 1e-7, 3, 4, 5, 6, 6] + (8..<size).map { Double($0) }
        var scaled = q
        for row in 0..<size { for column in 0..<size { scaled[row * size + column] *= planted[column] } }
        let transposed = (0..<size * size).map { q[$0 % size * size + $0 / size] }
        let matrix = try product(scaled, transposed, rows: size, columns: size, terms: size, transposed: false)
        var (values, vectors) = ([Double](repeating: 0, count: size), [Double](repeating: 0, count: size * size))
        try Eigenvectors.of(matrix, size: size, values: &values, vectors: &vectors)
        for (found, wanted) in zip(values, planted.sorted(by: >)) { #expect(abs(found - wanted) < 1e-12) }
        let times = try product(matrix, vectors, rows: size, columns: size, terms: size, transposed: false)
        for row in 0..<size {
            for column in 0..<size {
                #expect(abs(times[row * size + column] - values[column] * vectors[row * size + column]) < 1e-11)
            }
        }
        let gram = try product(vectors, vectors, rows: size, columns: size, terms: size, transposed: true)
        for i in 0..<size - 3 { #expect(abs(gram[i * size + i] - 1) < 1e-12) }
    }

    @Test func whatIsNotFiniteIsRefused() {
        for bad in [Double.nan, .infinity, 1e300] {
            var values = [1, bad, 0, 1], (found, vectors) = ([0.0, 0], [0.0, 0, 0, 0])
            #expect(throws: MetarecError.self) { try Orthonormal.columns(of: &values, rows: 2, columns: 2) }
            #expect(throws: MetarecError.self) {
                try Eigenvectors.of([1, bad, bad, 1], size: 2, values: &found, vectors: &vectors)
            }
        }
    }
}
