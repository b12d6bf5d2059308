import Kernels

/// A plan's sizes, coefficients and slots as flat memory: resolving a task allocates nothing and counts no references.
///
/// A size is a number, or the complement of a symbol's number.
final class TaskLayout: @unchecked Sendable {
    private struct Factor {
        var value: Double
        /// Where its sizes lie among `factorSymbols`: those multiplied, then those divided by.
        var start: Int
        var denominator: Int
        var end: Int
    }

    private struct Slot {
        var number: Int
        var rows: Int
        var columns: Int
    }

    private let dimensions: UnsafeMutableBufferPointer<Int>
    private let factors: UnsafeMutableBufferPointer<Factor>
    private let factorSymbols: UnsafeMutableBufferPointer<Int>
    private let arena: UnsafeMutableBufferPointer<Slot>
    private let elementSize: Int

    init(_ plan: Plan, _ precision: Precision) {
        elementSize = precision.elementSize
        dimensions = .copy(plan.dimensions.map(TaskLayout.code))
        var symbols: [Int] = []
        factors = .copy(
            plan.coefficients.map { coefficient in
                let start = symbols.count
                symbols += coefficient.numerator.map(\.id)
                let denominator = symbols.count
                symbols += coefficient.denominator.map(\.id)
                return Factor(value: coefficient.value, start: start, denominator: denominator, end: symbols.count)
            })
        factorSymbols = .copy(symbols)
        arena = .copy(
            plan.slots.indices.filter { plan.slots[$0].owner == .arena }.map { number in
                let slot = plan.slots[number]
                return Slot(number: number, rows: TaskLayout.code(slot.rows), columns: TaskLayout.code(slot.columns))
            })
    }

    deinit {
        dimensions.deallocate()
        factors.deallocate()
        factorSymbols.deallocate()
        arena.deallocate()
    }

    private static func code(_ dimension: Dimension) -> Int {
        switch dimension {
        case .fixed(let size): size
        case .symbol(let symbol): ~symbol.id
        }
    }

    /// Writes the plan's dimensions for a task with these sizes, indexed by symbol.
    func resolve(dimensions out: UnsafeMutablePointer<Int>, sizes: UnsafePointer<Int>) {
        for index in 0..<dimensions.count { out[index] = size(dimensions[index], sizes) }
    }

    /// Writes the plan's coefficients; a size of 0 in the denominator makes 0.
    func resolve(coefficients out: UnsafeMutablePointer<Double>, sizes: UnsafePointer<Int>) {
        for index in 0..<factors.count {
            let factor = factors[index]
            var value = factor.value
            for place in factor.start..<factor.denominator { value *= Double(sizes[factorSymbols[place]]) }
            for place in factor.denominator..<factor.end {
                let size = sizes[factorSymbols[place]]
                value = size == 0 ? 0 : value / Double(size)
            }
            out[index] = value
        }
    }

    /// Bytes of the arena.
    func arenaByteCount(sizes: UnsafePointer<Int>) -> Int {
        var total = 0
        for index in 0..<arena.count { total += byteCount(arena[index], sizes) }
        return total
    }

    /// Gives each slot of the arena its place, one after the other.
    func place(
        _ bases: UnsafeMutablePointer<UnsafeMutableRawPointer>, in memory: UnsafeMutableRawPointer,
        sizes: UnsafePointer<Int>
    ) {
        var next = memory
        for index in 0..<arena.count {
            bases[arena[index].number] = next
            next += byteCount(arena[index], sizes)
        }
    }

    private func size(_ code: Int, _ sizes: UnsafePointer<Int>) -> Int { code >= 0 ? code : sizes[~code] }

    /// A multiple of 64, with room for the kernels' reads past the end.
    private func byteCount(_ slot: Slot, _ sizes: UnsafePointer<Int>) -> Int {
        Buffer.padded(size(slot.rows, sizes) * size(slot.columns, sizes) * elementSize)
    }
}

extension UnsafeMutableBufferPointer {
    /// Memory of its own, to be deallocated.
    static func copy(_ elements: [Element]) -> Self {
        let copy = Self.allocate(capacity: elements.count)
        _ = copy.initialize(from: elements)
        return copy
    }
}
