/// The gradient of one parameter.
public enum ParameterGradient {
    /// Every element, of the parameter's shape.
    case dense(UnsafeMutableRawPointer, count: Int)
    /// Some rows of a table.
    case sparse(SparseGradient)

    /// The stored elements, contiguous in both cases.
    var elements: (pointer: UnsafeMutableRawPointer, count: Int) {
        switch self {
        case .dense(let pointer, let count): (pointer, count)
        case .sparse(let rows): (rows.values, rows.count * rows.columns)
        }
    }

    /// Some of the stored elements of one of several gradients; whole rows of a table.
    struct Piece {
        /// Which gradient.
        let gradient: Int
        let elements: Range<Int>

        func rows(columns: Int) -> Range<Int> { elements.lowerBound / columns..<elements.upperBound / columns }
    }

    /// The gradients cut into pieces that threads may take one by one. The cuts depend on the gradients' sizes alone.
    static func pieces(of gradients: [ParameterGradient]) -> [Piece] {
        let most = 1 << 13
        return gradients.indices.flatMap { index in
            let count = gradients[index].elements.count
            var length = most
            if case .sparse(let rows) = gradients[index] { length = max(1, most / rows.columns) * rows.columns }
            return stride(from: 0, to: count, by: length).map {
                Piece(gradient: index, elements: $0..<min($0 + length, count))
            }
        }
    }
}
