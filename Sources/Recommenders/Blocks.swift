/// Rows in blocks that stay in a processor's cache.
struct Blocks {
    static let size = 512
    let rows: Int

    init(_ rows: Int) { self.rows = rows }

    var count: Int { (rows + Blocks.size - 1) / Blocks.size }
    subscript(block: Int) -> Range<Int> { block * Blocks.size..<min(rows, (block + 1) * Blocks.size) }
}
