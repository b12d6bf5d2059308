/// Products of embeddings by value instead of by row. A field of few values, such as an age rating of six, has fewer rows
/// in its table T than a task has. So what is looked up, `B T`, is multiplied before it is looked up:
///
///     [B T | X] [W₁; W₂]  = B (T W₁) + X W₂
///     [B T | X]ᵀ G        = [Tᵀ (Bᵀ G); Xᵀ G]
///     Bᵀ (G W)            = (Bᵀ G) W
///
/// B is a bag: a product with it or its transpose gathers or scatters rows and has no multiply-adds.
///
/// To be done when nothing else is left to rewrite: what is known of a product with `[B T | X]` is not of its parts.
///
/// - Parameter expected: how many rows a table has, by the symbol of how many a task touches; and how many rows segments have
///   that are not those of an ordinary task.
/// - Returns: the same values in a cheaper form, nil where there is none.
func productsByValue(_ outputs: [Value], _ expected: [Symbol: Int], _ rewrites: [Rewrite]) -> [Value]? {
    let byValue = ByValue(outputs, expected)
    return byValue.isEmpty
        ? nil
        : rebuild(outputs, in: Graph(simplifying: rewrites)) { node, id, operands in
            switch node.operation {
            case let product as MatMul where product.transposeA:
                byValue.gradientOfWeight(product, operands[0], operands[1])
            case let product as MatMul: byValue.layer(product, operands[0], operands[1], weight: node.operands[1])
            case let bag as BagTransposed: byValue.gradientOfTable(bag, operands[0], of: id)
            default: nil
            }
        }
}

private struct ByValue {
    /// What products have in common that by value are one, whichever segment of a task they are of. Gradients are one
    /// where they are summed.
    private struct Kind: Hashable {
        enum Form { case layer, gradientOfWeight, gradientOfTable }
        var form: Form
        var table: Dimension
        /// The second factor's node, of a layer.
        var weight: Int?
    }

    private typealias Part = (value: Value, columns: Range<Int>, lookup: Lookup?)
    private typealias Lookup = (table: Value, indices: Indices)

    /// Those that pay: whose table's values are at most half as many as the rows, in a task of ordinary size, and fill a
    /// vector. A product of few rows is slower for its size, and looking up is not for nothing.
    private var kinds: Set<Kind> = []
    /// Gradients of tables that spare columns of a product: nobody reads others on both sides.
    private var summedFirst: Set<Int> = []

    init(_ outputs: [Value], _ expected: [Symbol: Int]) {
        guard let graph = outputs.first?.graph else { return }
        func known(_ dimension: Dimension) -> Int? {
            if case .symbol(let symbol) = dimension { expected[symbol] } else { nil }
        }
        func rows(_ segment: Dimension) -> Int { known(segment) ?? nominal(segment) }
        let order = reachable(from: outputs)
        var segments: [Kind: Set<Dimension>] = [:]
        for id in order where graph.nodes[id].isWide {
            let node = graph.nodes[id]
            if let bag = node.operation as? BagTransposed {
                let kind = Kind(form: .gradientOfTable, table: bag.tableRows)
                segments[kind, default: []].insert(bag.indices.rows)
            } else if let product = node.operation as? MatMul {
                for part in parts(Value(graph: graph, id: node.operands[0])) where part.columns.count >= 8 {
                    guard let (table, indices) = part.lookup else { continue }
                    let layer = Kind(form: .layer, table: table.shape.rows, weight: node.operands[1])
                    let kind = product.transposeA ? Kind(form: .gradientOfWeight, table: table.shape.rows) : layer
                    segments[kind, default: []].insert(indices.rows)
                }
            }
        }
        for (kind, segments) in segments where segments.allSatisfy({ $0.fixedValue == nil }) {
            guard let count = known(kind.table) else { continue }
            let all = rows(.support) + rows(.query)
            let absent = (0..<all).reduce(1) { share, _ in share * (1 - 1 / Double(count)) }
            if 2 * Double(count) * (1 - absent) <= Double(segments.reduce(0) { $0 + rows($1) }) {
                kinds.insert(kind)
            }
        }
        findSummedFirst(order, outputs)
    }

    /// Of a product one range of columns is computed, from the first to the last that is read.
    private mutating func findSummedFirst(_ order: [Int], _ outputs: [Value]) {
        guard let graph = outputs.first?.graph else { return }
        var candidates: [(node: Int, sum: Int, columns: Range<Int>)] = []
        var others: [Int: Range<Int>] = [:]
        func read(_ columns: Range<Int>, of sum: Int) {
            let known = others[sum] ?? columns
            others[sum] = min(known.lowerBound, columns.lowerBound)..<max(known.upperBound, columns.upperBound)
        }
        func all(_ id: Int) -> Range<Int> { 0..<(graph.nodes[id].shape.columns.fixedValue ?? 0) }
        for output in outputs { read(all(output.id), of: output.id) }
        for id in order where !(graph.nodes[id].operation is Slice) {
            let node = graph.nodes[id]
            let table = (node.operation as? BagTransposed)?.tableRows
            for operand in node.operands {
                let slice = graph.nodes[operand].operation as? Slice
                let (sum, columns) = (
                    slice == nil ? operand : graph.nodes[operand].operands[0], slice?.columns ?? all(operand)
                )
                if let table, kinds.contains(Kind(form: .gradientOfTable, table: table)) {
                    candidates.append((id, sum, columns))
                } else {
                    read(columns, of: sum)
                }
            }
        }
        let sparing = candidates.filter { !(others[$0.sum]?.overlaps($0.columns) ?? false) }
        summedFirst = Set(sparing.map(\.node))
    }

    var isEmpty: Bool { kinds.isEmpty }

    // MARK: Products

    func layer(_ product: MatMul, _ a: Value, _ b: Value, weight: Int) -> Value? {
        guard b.shape.rows.fixedValue != nil, b.shape.columns.fixedValue != nil,
            let parts = parts(a, where: { Kind(form: .layer, table: $0, weight: weight) })
        else { return nil }
        let terms = parts.map { part, columns, lookup in
            let weight = product.transposeB ? b.slice(columns: columns) : b.slice(rows: columns)
            let product = (lookup?.table ?? part).matmul(weight, transposed: false, product.transposeB)
            return lookup.map { product.bag($0.indices) } ?? product
        }
        // Products last: they take what is looked up as an addend.
        return sum(terms.filter { $0.operation is Bag } + terms.filter { !($0.operation is Bag) })
    }

    func gradientOfWeight(_ product: MatMul, _ a: Value, _ g: Value) -> Value? {
        guard !product.transposeB, g.shape.columns.fixedValue != nil,
            let parts = parts(a, where: { Kind(form: .gradientOfWeight, table: $0) })
        else { return nil }
        return stack(
            parts.map { part, _, lookup in
                guard let lookup else { return part.matmul(g, transposed: true) }
                return lookup.table.matmul(g.scattered(lookup.indices, lookup.table.shape.rows), transposed: true)
            })
    }

    /// Of columns of a sum that has products `G W` in it.
    func gradientOfTable(_ bag: BagTransposed, _ value: Value, of node: Int) -> Value? {
        guard summedFirst.contains(node), kinds.contains(Kind(form: .gradientOfTable, table: bag.tableRows)) else {
            return nil
        }
        let columns = (value.operation as? Slice)?.columns
        guard let terms = terms(columns == nil ? value : value.operands[0]) else { return nil }
        var (products, others): ([Value], [Value]) = ([], [])
        for term in terms {
            guard let product = term.value.operation as? MatMul else {
                others.append(
                    (columns.map { term.value.slice(columns: $0) } ?? term.value).scaled(by: term.coefficient))
                continue
            }
            let (a, b) = (term.value.operands[0], term.value.operands[1])
            let g = (product.transposeA ? a.transposed : a).scattered(bag.indices, bag.tableRows)
            let weight = columns.map { product.transposeB ? b.slice(rows: $0) : b.slice(columns: $0) } ?? b
            products.append(g.matmul(weight, transposed: false, product.transposeB).scaled(by: term.coefficient))
        }
        guard !products.isEmpty else { return nil }
        return sum(products + (others.isEmpty ? [] : [sum(others).scattered(bag.indices, bag.tableRows)]))
    }

    // MARK: Parts

    /// Matrices side by side, each with what it is looked up in.
    private func parts(_ value: Value) -> [Part] {
        var column = 0
        return (value.operation is Concatenate ? value.operands : [value]).map { part in
            let columns = column..<column + (part.shape.columns.fixedValue ?? 0)
            column = columns.upperBound
            return (part, columns, (part.operation as? Bag).map { (part.operands[0], $0.indices) })
        }
    }

    /// Those that pay by value, and what is between them; nil where there are none.
    private func parts(_ value: Value, where kind: (Dimension) -> Kind) -> [Part]? {
        var joined: [Part] = []
        for part in parts(value) {
            if let table = part.lookup?.table.shape.rows, kinds.contains(kind(table)) {
                joined.append(part)
            } else if let last = joined.last, last.lookup == nil {
                let columns = last.columns.lowerBound..<part.columns.upperBound
                joined[joined.count - 1] = (value.slice(columns: columns), columns, nil)
            } else {
                joined.append((part.value, part.columns, nil))
            }
        }
        return joined.contains { $0.lookup != nil } ? joined : nil
    }
}

extension Graph.Node {
    /// Whether a row fills a vector.
    fileprivate var isWide: Bool { shape.columns.fixedValue.map { $0 >= 8 } ?? false }
}

extension Value {
    /// The sums of its rows by index: `[index rows, d] -> [table rows, d]`.
    fileprivate func scattered(_ indices: Indices, _ tableRows: Dimension) -> Value {
        graph.append(BagTransposed(indices: indices, tableRows: tableRows), self)
    }
}
