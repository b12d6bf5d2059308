import CMetarec
import Glibc
import Kernels
import Testing

@Suite struct LevelMixtureTests {
    private let levels = [1.0, 2, 3.5, 5]
    private let cuts = [1.4, 2.5, 4.25]

    /// The mixture of `p` and the probits of one row, by the definition.
    private func mixed(_ p: [Double], _ weight: Double, _ parts: [(mean: Double, variance: Double, weight: Double)])
        -> [Double]
    {
        var logits = p.map { weight * log(max($0, 1e-9)) }
        for part in parts {
            let mean = 0.25 + 0.9 * part.mean
            let upTo: [Double] = cuts.map { 0.5 * erfc(-($0 - 1.1 * mean) / (2 * part.variance).squareRoot()) }
            let bounds: [Double] = [0] + upTo + [1]
            var q: [Double] = zip(bounds, bounds.dropFirst()).map { max($1 - $0, 1e-9) }
            // The tilt by bisection.
            let target = min(max(mean, 1.02), 4.98)
            func tilted(_ a: Double) -> [Double] {
                let most = levels.map { a * $0 }.max() ?? 0
                let x = zip(q, levels).map { $0 * exp(a * $1 - most) }
                return x.map { $0 / x.reduce(0, +) }
            }
            var (low, high) = (-60.0, 60.0)
            for _ in 0..<200 {
                let middle = (low + high) / 2
                let mean = zip(tilted(middle), levels).reduce(0) { $0 + $1.0 * $1.1 }
                if mean < target { low = middle } else { high = middle }
            }
            q = tilted((low + high) / 2)
            for level in 0..<4 { logits[level] += part.weight * log(max(q[level], 1e-9)) }
        }
        let x = logits.map { exp($0 - logits.max()!) }
        return x.map { $0 / x.reduce(0, +) }
    }

    @Test(arguments: Table.all.filter { $0.precision == .double })
    func agreesWithTheDefinition(_ table: Table) {
        for rows in [1, 7, 8, 9, 30] {
            let filled = (rows + 7) & ~7
            // Means beyond both ends too. Where variances are tiny, what is left of levels far away is rounding.
            let means = Matrix(.double, 2, filled) { part, row in 0.3 + 5.4 * Double((row * 7 + part * 3) % 31) / 31 }
            let variances = Matrix(.double, 2, filled) { part, row in exp(-1 + 4 * Double((row * 5 + part) % 31) / 31) }
            let p = Matrix(.double, 4, filled) { level, row in [0.1, 0, 0.6, 0.3][(level + row) % 4] }
            let given = (0..<rows).map { row in (0..<4).map { p[$0, row] } }
            let weights = [0.3, 0.2]
            run(table, rows, means, variances, p, weights)
            var alone: [Double] = []
            for row in 0..<rows {
                let parts = (0..<2).map { (mean: means[$0, row], variance: variances[$0, row], weight: weights[$0]) }
                let wanted = mixed(given[row], 0.5, parts)
                for level in 0..<4 { #expect(agree(p[level, row], wanted[level], 1e-8), "row \(row) of \(rows)") }
                alone += (0..<4).map { p[$0, row] }
            }
            // A row's bits do not depend on the others.
            for row in 0..<rows {
                let (m, v) = (
                    Matrix(.double, 2, 8) { part, _ in means[part, row] },
                    Matrix(.double, 2, 8) { part, _ in variances[part, row] }
                )
                let one = Matrix(.double, 4, 8) { level, _ in given[row][level] }
                run(table, 1, m, v, one, weights)
                #expect((0..<4).allSatisfy { one[$0, 0] == alone[4 * row + $0] })
            }
        }
    }

    /// AVX2 and AVX-512 give the same bits.
    @Test func fusedVariantsAgreeInEveryBit() {
        let tables = Table.all.filter { $0.precision == .double && $0.isa.hasPrefix("avx") }
        let results = tables.map { table in
            let means = Matrix(.double, 2, 32) { part, row in 0.3 + 5.4 * Double((row * 7 + part * 3) % 31) / 31 }
            let variances = Matrix(.double, 2, 32) { part, row in exp(-1 + 4 * Double((row * 5 + part) % 31) / 31) }
            let p = Matrix(.double, 4, 32) { level, row in [0.1, 0, 0.6, 0.3][(level + row) % 4] }
            run(table, 32, means, variances, p, [0.3, 0.2])
            return p.bits
        }
        #expect(results.count < 2 || results[0] == results[1])
    }

    private func run(
        _ table: Table, _ rows: Int, _ means: Matrix, _ variances: Matrix, _ p: Matrix, _ weights: [Double]
    ) {
        func numbers(_ matrix: Matrix, row: Int) -> UnsafeMutablePointer<Double> {
            matrix.pointer.assumingMemoryBound(to: Double.self) + row * matrix.stride
        }
        let scratch = Matrix(.double, 4, 8)
        cuts.withUnsafeBufferPointer { cuts in
            let parts = (0..<2).map {
                mr_level_part(
                    means: numbers(means, row: $0), variances: numbers(variances, row: $0), cuts: cuts.baseAddress!,
                    slope: 1.1, shift: 0.25, stretch: 0.9, weight: weights[$0])
            }
            parts.withUnsafeBufferPointer { parts in
                levels.withUnsafeBufferPointer { levels in
                    var mixture = mr_level_mixture(
                        rows: Int64(rows), level_count: 4, part_count: 2, levels: levels.baseAddress!,
                        parts: parts.baseAddress!, weight: 0.5, p: numbers(p, row: 0), p_row: Int64(p.stride),
                        scratch: numbers(scratch, row: 0), floor: 1e-9, least: 1e-9, margin: 0.005)
                    table.kernels.level_mixture(&mixture)
                }
            }
        }
        #expect(p.isIntact && scratch.isIntact && means.isIntact && variances.isIntact)
    }
}
