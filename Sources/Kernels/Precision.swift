/// The element type of a model: everything it stores and computes is of this one type.
public enum Precision: Int32, Sendable, CaseIterable {
    /// 32-bit floating point.
    case float = 0
    /// 64-bit floating point, for exact checks and small problems.
    case double = 1

    /// Bytes of one element.
    public var elementSize: Int { self == .float ? 4 : 8 }
}
