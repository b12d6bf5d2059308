import CMetarec

/// `mr_bag`: rows of a table, gathered and summed, and the transpose of that.
struct Bag<E: KernelElement> {
    private let rows, columns: Int
    private let ids: UnsafePointer<Int32>
    private let offsets: UnsafePointer<Int32>?
    private let weights: UnsafePointer<E>?
    private let alpha: E

    init(_ p: UnsafePointer<mr_bag>) {
        let bag = p.pointee
        (rows, columns) = (Int(bag.rows), Int(bag.columns))
        ids = bag.ids
        offsets = bag.offsets
        weights = bag.weights?.assumingMemoryBound(to: E.self)
        alpha = E(bag.alpha)
    }

    @inline(__always) private func weight(_ row: Int) -> E.Vector {
        E.Vector(repeating: weights.map { alpha * $0[row] } ?? alpha)
    }

    @inline(__always) private func entries(_ row: Int) -> Range<Int> {
        guard let offsets else { return Range(uncheckedBounds: (row, row + 1)) }
        return Range(uncheckedBounds: (Int(offsets[row]), Int(offsets[row + 1])))
    }

    /// out[r] = alpha weight_r * sum of the table's rows in row r, in order, or out[r] + that. The table may be a caller's
    /// array, so no read leaves it.
    func gather(
        _ table: UnsafePointer<E>, _ tableRow: Int, _ out: UnsafeMutablePointer<E>, _ outRow: Int, adds: Bool
    ) {
        if offsets == nil, weights == nil { return gatherRows(table, tableRow, out, outRow, adds: adds) }
        let zero = E.Vector(repeating: 0)
        for r in 0..<rows {
            let (entries, weight, out) = (entries(r), weight(r), out + r * outRow)
            fill(columns, out) { j in
                var sum = zero
                for entry in entries where ids[entry] >= 0 {
                    sum = sum + load(table + Int(ids[entry]) * tableRow + j, atMost: columns - j)
                }
                return multiplyAdd(weight, sum, adds ? load(out + j) : zero)
            }
        }
    }

    /// out[r] = alpha * the table's row `ids[r]`, or zeros; or out[r] + that.
    private func gatherRows(
        _ table: UnsafePointer<E>, _ tableRow: Int, _ out: UnsafeMutablePointer<E>, _ outRow: Int, adds: Bool
    ) {
        let (zero, alpha) = (E.Vector(repeating: 0), E.Vector(repeating: alpha))
        for r in 0..<rows {
            let (id, out) = (Int(ids[r]), out + r * outRow)
            if id >= 0 {
                // A sum with zero, as where there are several: −0 becomes 0.
                fill(columns, out) { j in
                    let row = load(table + id * tableRow + j, atMost: columns - j)
                    return multiplyAdd(alpha, row, adds ? load(out + j) : zero)
                }
            } else if !adds {
                fill(columns, out) { _ in zero }
            }
        }
    }

    /// table[id] += alpha weight_r * g[r] for each id of each row r, in order
    func scatter(_ g: UnsafePointer<E>, _ gRow: Int, _ table: UnsafeMutablePointer<E>, _ tableRow: Int) {
        for r in 0..<rows {
            let weight = weight(r)
            for entry in entries(r) where ids[entry] >= 0 {
                let row = table + Int(ids[entry]) * tableRow
                fill(columns, row) { j in multiplyAdd(weight, load(g + r * gRow + j), load(row + j)) }
            }
        }
    }
}
