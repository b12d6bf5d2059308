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
        // Twice the same, one that is tiny, one below zero, and two that are none.
        let planted: [Double] = [0, 0, 1e-7, -3, 4, 5, 6, 6] + (8..<size).map { Double($0) }
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
        for i in 0..<size { for j in 0..<size { #expect(abs(gram[i * size + j] - (i == j ? 1 : 0)) < 1e-12) } }
    }

    /// Of many rows, low rank, and powers of one number: what depends is zero, the rest is orthonormal and spans all.
    @Test(arguments: [(2000, 80, 20), (3000, 40, 40)]) func dependenceIsFoundBeneathRounding(
        rows: Int, columns: Int, rank: Int
    ) throws {
        var values: [Double]
        if rank < columns {
            let (left, right) = (normal(rows * rank, seed: 6), normal(rank * columns, seed: 7))
            values = try product(left, right, rows: rows, columns: columns, terms: rank, transposed: false)
        } else {
            values = (0..<rows * columns).map { place in
                (0..<place % columns).reduce(1.0) { x, _ in x * Double(place / columns) / Double(rows) }
            }
        }
        let given = values
        try Orthonormal.columns(of: &values, rows: rows, columns: columns)
        let gram = try product(values, values, rows: columns, columns: columns, terms: rows, transposed: true)
        let kept = (0..<columns).filter { gram[$0 * columns + $0] != 0 }
        if rank < columns { #expect(kept.count == rank) }
        for i in kept { for j in kept { #expect(abs(gram[i * columns + j] - (i == j ? 1 : 0)) < 1e-13) } }
        let share = try product(values, given, rows: columns, columns: columns, terms: rows, transposed: true)
        let back = try product(values, share, rows: rows, columns: columns, terms: columns, transposed: false)
        let most = given.reduce(0) { max($0, abs($1)) }
        for (found, wanted) in zip(back, given) { #expect(abs(found - wanted) < 1e-10 * most) }
    }

    @Test(arguments: [1e-170, 1e77, 1e200]) func scaleDoesNotMatter(scale: Double) throws {
        var (found, vectors) = ([0.0, 0], [0.0, 0, 0, 0])
        try Eigenvectors.of([2, 1, 1, -3].map { $0 * scale }, size: 2, values: &found, vectors: &vectors)
        let root = 29.0.squareRoot()
        #expect(abs(found[0] / scale - (root - 1) / 2) < 1e-14 && abs(found[1] / scale + (root + 1) / 2) < 1e-14)
        var columns = [3 * scale, 0, 4 * scale, 5 * scale]
        try Orthonormal.columns(of: &columns, rows: 2, columns: 2)
        for (value, wanted) in zip(columns, [0.6, -0.8, 0.8, 0.6]) { #expect(abs(value - wanted) < 1e-15) }
    }

    @Test func sizesThatAreNothing() throws {
        #expect(try product([], [], rows: 0, columns: 0, terms: 1 << 55, transposed: true).isEmpty)
        var none: [Double] = []
        try Orthonormal.columns(of: &none, rows: 0, columns: 1 << 50)
        var nothing: [Double] = []
        try Eigenvectors.of([], size: 0, values: &none, vectors: &nothing)
        var (value, vector) = ([0.0], [0.0])
        try Eigenvectors.of([-4], size: 1, values: &value, vectors: &vector)
        #expect(value == [-4] && vector == [1])
        var wide = normal(200_000, seed: 8)
        try Orthonormal.columns(of: &wide, rows: 1, columns: 200_000)
        #expect(abs(wide[0]) == 1 && wide[1...].allSatisfy { $0 == 0 })
    }

    @Test func stopsWhenAsked() {
        let stop = Poll { _, _ in false }
        // Each takes longer than the time between two questions.
        let (size, half) = (1200, 600)
        var values = normal(size * half, seed: 9), out = [Double](repeating: 0, count: size * size)
        var numbers = [Double](repeating: 0, count: size)
        let symmetric = [Double](repeating: 1, count: size * size)
        #expect(throws: MetarecError.self) {
            try Orthonormal.columns(of: &values, rows: size, columns: half, poll: stop)
        }
        #expect(throws: MetarecError.self) {
            try Eigenvectors.of(symmetric, size: size, values: &numbers, vectors: &out, poll: stop)
        }
        #expect(throws: MetarecError.self) {
            try MatrixProduct(rows: size, columns: size, terms: size, transposed: false, .double).multiply(
                symmetric, symmetric, into: &out, threads: 1, poll: stop)
        }
    }

    @Test func whatCannotBeIsRefused() {
        for bad in [Double.nan, .infinity] {
            var values = [1, bad, 0, 1], (found, vectors) = ([0.0, 0], [0.0, 0, 0, 0])
            #expect(throws: MetarecError.self) { try Orthonormal.columns(of: &values, rows: 2, columns: 2) }
            #expect(throws: MetarecError.self) {
                try Eigenvectors.of([1, bad, bad, 1], size: 2, values: &found, vectors: &vectors)
            }
        }
        var (found, vectors) = ([0.0, 0], [0.0, 0, 0, 0])
        #expect(throws: MetarecError.self) {
            try Eigenvectors.of([1, 5, 0, 1], size: 2, values: &found, vectors: &vectors)
        }
    }
}
