import CMetarec

/// `mr_bag`: rows of a table, gathered and summed, and the transpose of that.
struct Bag<E: KernelElement> {
    private let rows, columns: Int
    private let ids: UnsafePointer<Int32>
    private let offsets: UnsafePointer<Int32>?
    private let weights: UnsafePointer<E>?

    init(_ p: UnsafePointer<mr_bag>) {
        let bag = p.pointee
        (rows, columns) = (Int(bag.rows), Int(bag.columns))
        ids = bag.ids
        offsets = bag.offsets
        weights = bag.weights?.assumingMemoryBound(to: E.self)
    }

    @inline(__always) private func entries(_ row: Int) -> Range<Int> {
        guard let offsets else { return Range(uncheckedBounds: (row, row + 1)) }
        return Range(uncheckedBounds: (Int(offsets[row]), Int(offsets[row + 1])))
    }

    /// out[r] = weight_r * sum of the table's rows in row r, in order. The table may be a caller's array, so no read
    /// leaves it.
    func gather(_ table: UnsafePointer<E>, _ tableRow: Int, _ out: UnsafeMutablePointer<E>, _ outRow: Int) {
        if offsets == nil, weights == nil { return gatherRows(table, tableRow, out, outRow) }
        for r in 0..<rows {
            let entries = entries(r)
            let weight = E.Vector(repeating: weights?[r] ?? 1)
            fill(columns, out + r * outRow) { j in
                var sum = E.Vector(repeating: 0)
                for entry in entries where ids[entry] >= 0 {
                    sum = sum + load(table + Int(ids[entry]) * tableRow + j, atMost: columns - j)
                }
                return weights == nil ? sum : weight * sum
            }
        }
    }

    /// out[r] = the table's row `ids[r]`, or zeros.
    private func gatherRows(
        _ table: UnsafePointer<E>, _ tableRow: Int, _ out: UnsafeMutablePointer<E>, _ outRow: Int
    ) {
        let zero = E.Vector(repeating: 0)
        for r in 0..<rows {
            let (id, out) = (Int(ids[r]), out + r * outRow)
            if id < 0 {
                fill(columns, out) { _ in zero }
            } else {
                // A sum with zero, as where there are several: −0 becomes 0.
                fill(columns, out) { j in zero + load(table + id * tableRow + j, atMost: columns - j) }
            }
        }
    }

    /// table[id] += weight_r * g[r] for each id of each row r, in order
    func scatter(_ g: UnsafePointer<E>, _ gRow: Int, _ table: UnsafeMutablePointer<E>, _ tableRow: Int) {
        for r in 0..<rows {
            let weight = E.Vector(repeating: weights?[r] ?? 1)
            for entry in entries(r) where ids[entry] >= 0 {
                let row = table + Int(ids[entry]) * tableRow
                fill(columns, row) { j in multiplyAdd(weight, load(g + r * gRow + j), load(row + j)) }
            }
        }
    }
}
