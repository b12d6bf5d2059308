/// Ratings by row of one side: row r holds `values[offsets[r] ..< offsets[r + 1]]`, of the other side's `columns`.
struct RatingMatrix: Sendable {
    let offsets: [Int]
    let columns: [Int32]
    let values: [Double]

    var rows: Int { offsets.count - 1 }

    /// Sorted by row; within a row in the order given.
    init(rows: Int, row: [Int32], column: [Int32], value: [Double]) {
        var offsets = [Int](repeating: 0, count: rows + 1)
        for r in row { offsets[Int(r) + 1] += 1 }
        for r in 0..<rows { offsets[r + 1] += offsets[r] }
        var next = offsets
        var columns = [Int32](repeating: 0, count: row.count)
        var values = [Double](repeating: 0, count: row.count)
        for (index, r) in row.enumerated() {
            columns[next[Int(r)]] = column[index]
            values[next[Int(r)]] = value[index]
            next[Int(r)] += 1
        }
        (self.offsets, self.columns, self.values) = (offsets, columns, values)
    }
}
