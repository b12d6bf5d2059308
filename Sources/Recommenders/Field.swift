/// The shape of a field: all that a model needs to know of it.
public struct FieldSchema: Hashable, Sendable {
    /// How a field's values are stored.
    public enum Kind: Int32, Sendable {
        /// One of `size` values.
        case categorical = 0
        /// Several of `size` values, averaged.
        case bag = 1
        /// A vector of `size` numbers.
        case dense = 2
    }

    /// Unique among the fields of its table.
    public let name: String
    /// How its values are stored.
    public let kind: Kind
    /// Number of values, or of columns if dense.
    public let size: Int

    /// A field's shape.
    public init(name: String, kind: Kind, size: Int) {
        self.name = name
        self.kind = kind
        self.size = size
    }

    /// Whether its values are rows of an embedding table.
    public var isEmbedded: Bool { kind != .dense }
}

/// A column of a table of users or items. Its arrays are borrowed.
public struct Field: @unchecked Sendable {
    /// The borrowed arrays. An id of −1 is unknown.
    public enum Values {
        /// ids [rows].
        case categorical(ids: UnsafePointer<Int32>?)
        /// Row r holds ids[offsets[r] ..< offsets[r + 1]]; ids [idCount], offsets [rows + 1].
        case bag(ids: UnsafePointer<Int32>?, idCount: Int, offsets: UnsafePointer<Int64>?)
        /// vectors [rows, size].
        case dense(vectors: Numbers?)
    }

    /// Its name.
    public let name: String
    /// Number of values, or of columns if dense.
    public let size: Int
    /// Its arrays.
    public let values: Values
    /// Whether nobody writes them; else what was kept of them is compared at every use.
    public let isConstant: Bool

    /// A field. Nothing is checked before `FeatureTable.init`.
    public init(name: String, size: Int, values: Values, isConstant: Bool = false) {
        self.name = name
        self.size = size
        self.values = values
        self.isConstant = isConstant
    }

    /// Its shape.
    public var schema: FieldSchema {
        let kind: FieldSchema.Kind =
            switch values {
            case .categorical: .categorical
            case .bag: .bag
            case .dense: .dense
            }
        return FieldSchema(name: name, kind: kind, size: size)
    }
}
