import CMetarec
import Graph
import Kernels

/// A log-linear mixture of distributions over levels: one that is given, and ordered probits of moments.
///
/// P(l) ∝ Π_k P_k(l)^{w_k}, with other weights and probits for each kind of row. See `OrderedProbit`, whose
/// probabilities these are, eight rows at a time.
public struct LevelMixture: @unchecked Sendable {
    /// Number of levels, of probits and of kinds.
    public let levels, parts, kinds: Int
    /// [levels], rising.
    public let values: UnsafePointer<Double>
    /// [kinds, parts, levels − 1]
    public let cuts: UnsafePointer<Double>
    /// [kinds, parts, 3]: slope, then shift and stretch, which correct the mean to shift + stretch m.
    public let lines: UnsafePointer<Double>
    /// [kinds, 1 + parts]: of the given distribution, then of the probits.
    public let weights: UnsafePointer<Double>

    /// Least probability of a distribution that is mixed.
    private static let floor = 1e-9
    private static let block = 256
    /// Blocks from which on another thread is worth waking.
    private static let blocksPerThread = 4

    /// Arrays of the shapes given at each property.
    public init(
        levels: Int, parts: Int, kinds: Int, values: UnsafePointer<Double>, cuts: UnsafePointer<Double>,
        lines: UnsafePointer<Double>, weights: UnsafePointer<Double>
    ) {
        (self.levels, self.parts, self.kinds) = (levels, parts, kinds)
        (self.values, self.cuts, self.lines, self.weights) = (values, cuts, lines, weights)
    }

    /// The mixture of every row.
    ///
    /// - Parameters:
    ///   - given: [rows, levels]: the given distribution.
    ///   - kind: [rows]: 0 ..< kinds.
    ///   - means, variances: [parts, rows].
    ///   - out: [rows, levels]; rows sum to one. A row's are the same whatever the others, and the threads, are.
    /// - Throws: a number that is not finite, a variance that is not above 0, levels or cuts that do not rise, a slope
    ///   that is not above 0, a probability or a weight below 0, a kind that there is not.
    public func probabilities(
        rows: Int, given: UnsafePointer<Double>, kind: UnsafePointer<UInt8>, means: UnsafePointer<Double>,
        variances: UnsafePointer<Double>, into out: UnsafeMutablePointer<Double>, threads: Int
    ) throws {
        guard levels > 0, parts > 0 else { throw MetarecError.value("levels, probits: none, wanted at least one") }
        try check()
        for row in 0..<rows where Int(kind[row]) >= kinds {
            throw MetarecError.value("kind[\(row)] = \(kind[row]), wanted one of \(kinds)")
        }
        var blocks: [(kind: Int, rows: ArraySlice<Int>)] = []
        for one in 0..<kinds {
            let chosen = (0..<rows).filter { kind[$0] == one }
            for start in stride(from: 0, to: chosen.count, by: LevelMixture.block) {
                blocks.append((one, chosen[start..<min(start + LevelMixture.block, chosen.count)]))
            }
        }
        let threads = min(threads, max(1, blocks.count / LevelMixture.blocksPerThread))
        let memory = (0..<threads).map { _ in Memory(levels: levels, parts: parts) }
        nonisolated(unsafe) let (given, means, variances, out) = (given, means, variances, out)
        try parallel(count: blocks.count, threads: threads) { block, thread, _ in
            let (kind, chosen) = blocks[block]
            try mix(kind, chosen, of: rows, given, means, variances, into: out, memory[thread])
        }
    }

    /// Refuses what are no probits, and weights that cannot be.
    private func check() throws(MetarecError) {
        let values = Array(UnsafeBufferPointer(start: values, count: levels))
        for probit in 0..<kinds * parts {
            let cuts = Array(UnsafeBufferPointer(start: cuts + probit * (levels - 1), count: levels - 1))
            let line = lines + 3 * probit
            guard line[0] > 0, (0..<3).allSatisfy({ line[$0].isFinite }) else {
                throw .value(
                    "lines: slope \(line[0]), shift \(line[1]), stretch \(line[2]), wanted finite numbers, the slope above 0"
                )
            }
            _ = try OrderedProbit(levels: values, cuts: cuts, slope: line[0])
        }
        for place in 0..<kinds * (1 + parts) where !(weights[place] >= 0 && weights[place].isFinite) {
            throw .value("weights: \(weights[place]), wanted finite numbers from 0 on")
        }
    }

    private final class Memory {
        /// [levels, block], [levels, 8], then the means and the variances of every part, [block] each.
        let p, scratch, moments: UnsafeMutablePointer<Double>
        private let buffer: Buffer

        init(levels: Int, parts: Int) {
            let buffer = Buffer(count: levels * (LevelMixture.block + 8) + 2 * parts * LevelMixture.block, .double)
            self.buffer = buffer
            p = buffer.pointer.assumingMemoryBound(to: Double.self)
            scratch = p + levels * LevelMixture.block
            moments = scratch + levels * 8
        }
    }

    private func mix(
        _ kind: Int, _ chosen: ArraySlice<Int>, of rows: Int, _ given: UnsafePointer<Double>,
        _ means: UnsafePointer<Double>, _ variances: UnsafePointer<Double>, into out: UnsafeMutablePointer<Double>,
        _ memory: Memory
    ) throws(MetarecError) {
        let size = LevelMixture.block
        guard let last = chosen.last else { return }
        // Rows count in eights: the last one fills them up.
        for place in 0..<(chosen.count + 7) & ~7 {
            let row = place < chosen.count ? chosen[chosen.startIndex + place] : last
            for level in 0..<levels {
                let p = given[row * levels + level]
                guard p >= 0, p.isFinite else {
                    throw .value("given[\(row), \(level)] = \(p), wanted a probability")
                }
                memory.p[level * size + place] = p
            }
            for part in 0..<parts {
                let (mean, variance) = (means[part * rows + row], variances[part * rows + row])
                guard mean.isFinite, variance.isFinite, variance > 0 else {
                    throw .value(
                        "variances[\(row)] = \(variance), means[\(row)] = \(mean): wanted finite, the variance above 0")
                }
                memory.moments[2 * part * size + place] = mean
                memory.moments[(2 * part + 1) * size + place] = variance
            }
        }
        let specs = (0..<parts).map { part in
            let line = lines + (kind * parts + part) * 3
            return mr_level_part(
                means: memory.moments + 2 * part * size, variances: memory.moments + (2 * part + 1) * size,
                cuts: cuts + (kind * parts + part) * (levels - 1), slope: line[0], shift: line[1], stretch: line[2],
                weight: weights[kind * (1 + parts) + 1 + part])
        }
        specs.withUnsafeBufferPointer { specs in
            guard let first = specs.baseAddress else { return }
            var mixture = mr_level_mixture(
                rows: Int64(chosen.count), level_count: Int64(levels), part_count: Int64(parts), levels: values,
                parts: first, weight: weights[kind * (1 + parts)],
                p: memory.p, p_row: Int64(size), scratch: memory.scratch, floor: LevelMixture.floor,
                least: OrderedProbit.least, margin: OrderedProbit.margin)
            Precision.double.kernels.pointee.level_mixture(&mixture)
        }
        for (place, row) in chosen.enumerated() {
            for level in 0..<levels { out[row * levels + level] = memory.p[level * size + place] }
        }
    }
}
