public import CMetarec
import Graph
import Recommenders

/// A checked table over borrowed arrays.
@c @implementation
public func mr_features_create(
    _ rows: Int64, _ fields: UnsafePointer<mr_field>?, _ fieldCount: Int64,
    _ out: UnsafeMutablePointer<OpaquePointer?>, _ error: UnsafeMutablePointer<mr_error>
) -> Int32 {
    bridge(error) {
        let fields = try UnsafeBufferPointer(start: fields, count: fields == nil ? 0 : count(fieldCount, "field_count"))
            .map(field)
        out.pointee = Handle.make(try FeatureTable(rows: Int(rows), fields: fields))
    }
}

private func field(_ field: mr_field) throws -> Field {
    let values: Field.Values
    switch UInt32(bitPattern: field.kind) {
    case MR_CATEGORICAL.rawValue: values = .categorical(ids: field.ids)
    case MR_BAG.rawValue: values = .bag(ids: field.ids, idCount: Int(field.id_count), offsets: field.offsets)
    case MR_DENSE.rawValue: values = .dense(vectors: try field.vectors.map { try numbers($0, field.dtype) })
    default: throw MetarecError.value("fields: kind \(field.kind) is not an mr_field_kind")
    }
    return Field(
        name: String(cString: field.name), size: Int(field.size), values: values, isConstant: field.is_constant != 0)
}

/// Borrowed floating-point numbers of the type that `dtype` says.
func numbers(_ pointer: UnsafeRawPointer, _ dtype: Int32) throws -> Numbers {
    switch UInt32(bitPattern: dtype) {
    case MR_FLOAT32.rawValue: .float(pointer.assumingMemoryBound(to: Float.self))
    case MR_FLOAT64.rawValue: .double(pointer.assumingMemoryBound(to: Double.self))
    default: throw MetarecError(.type, "dtype \(dtype) is not an mr_dtype")
    }
}

/// Gives a table back.
@c @implementation
public func mr_features_release(_ features: OpaquePointer) { Handle.release(features, FeatureTable.self) }
