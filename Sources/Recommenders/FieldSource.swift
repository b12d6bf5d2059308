/// A field's borrowed arrays without their owners, so that a loop over them counts no references.
struct FieldSource {
    let kind: FieldSchema.Kind
    let size: Int
    let ids: UnsafePointer<Int32>?
    let idCount: Int
    let offsets: UnsafePointer<Int64>?
    let vectors: Numbers?

    init(_ field: Field) {
        let schema = field.schema
        kind = schema.kind
        size = schema.size
        switch field.values {
        case .categorical(let ids): (self.ids, idCount, offsets, vectors) = (ids, 0, nil, nil)
        case .bag(let ids, let count, let offsets):
            (self.ids, idCount, self.offsets, vectors) = (ids, count, offsets, nil)
        case .dense(let vectors): (ids, idCount, offsets, self.vectors) = (nil, 0, nil, vectors)
        }
    }
}
