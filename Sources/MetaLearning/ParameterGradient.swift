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
}
