import Graph
import Kernels
import MetaLearning

/// A layer whose hidden units training drops: what its mask looks like.
struct UnitMask {
    /// Those of the support or of the query.
    let rows: Symbol
    let units: Int
    /// Probability of dropping a unit.
    let rate: Double

    static func layers(_ dropout: UnitDropout?, rows: Symbol) -> [UnitMask] {
        dropout.map { dropout in dropout.widths.map { UnitMask(rows: rows, units: $0, rate: dropout.rate) } } ?? []
    }
}

/// The masks of one task, `[rows, units]` each. A thread has them and reuses their memory.
final class UnitMasks {
    private let masks: [UnitMask]
    private let precision: Precision
    private let memory: UnsafeMutablePointer<Scratch>

    init(_ masks: [UnitMask], _ precision: Precision) {
        self.masks = masks
        self.precision = precision
        memory = .allocate(capacity: masks.count)
        for index in masks.indices { (memory + index).initialize(to: Scratch()) }
    }

    deinit { memory.deinitialize(count: masks.count).deallocate() }

    /// The elements of a mask.
    subscript(index: Int) -> UnsafeMutableRawPointer { memory[index].pointer }

    /// Draws all masks from `generator`: 0 with a mask's rate, else 1 / (1 - rate). Without one nothing is dropped: all
    /// are 1.
    func draw(support: Int, query: Int, from generator: SeededGenerator?) {
        var generator = generator
        for (index, mask) in masks.enumerated() {
            let count = (mask.rows == .query ? query : support) * mask.units
            memory[index].reserve(byteCount: count * precision.elementSize)
            switch precision {
            case .float: fill(memory[index].elements(of: Float.self), count, mask.rate, &generator)
            case .double: fill(memory[index].elements(of: Double.self), count, mask.rate, &generator)
            }
        }
    }

    private func fill<T: BinaryFloatingPoint>(
        _ out: UnsafeMutablePointer<T>, _ count: Int, _ rate: Double, _ generator: inout SeededGenerator?
    ) {
        guard var drawn = generator else { return out.update(repeating: 1, count: count) }
        let (kept, bound) = (T(1 / (1 - rate)), UInt32(rate * 0x1p32))
        func unit(_ bits: UInt64) -> T { UInt32(truncatingIfNeeded: bits) < bound ? 0 : kept }
        for pair in 0..<count / 2 {
            let bits = drawn.next()
            (out[2 * pair], out[2 * pair + 1]) = (unit(bits), unit(bits &>> 32))
        }
        if count % 2 == 1 { out[count - 1] = unit(drawn.next()) }
        generator = drawn
    }
}
