@testable import Graph

extension Plan {
    /// Elements of all slots of the arena, and of all results had each a slot of its own.
    func arena(sizes: [Int]) -> (planned: Int, withoutReuse: Int) {
        func elements(_ slot: Plan.Slot) -> Int {
            func size(_ dimension: Dimension) -> Int {
                if case .symbol(let symbol) = dimension { sizes[symbol.id] } else { dimension.fixedValue! }
            }
            return slot.owner == .arena ? size(slot.rows) * size(slot.columns) : 0
        }
        return (
            slots.map(elements).reduce(0, +), instructions.map { elements(slots[Int($0.out.slot)]) }.reduce(0, +)
        )
    }
}
