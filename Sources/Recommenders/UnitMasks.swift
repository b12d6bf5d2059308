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
        let kept = T(1 / (1 - rate))
        for place in 0..<count { out[place] = drawn.uniform() < rate ? 0 : kept }
        generator = drawn
    }
}
