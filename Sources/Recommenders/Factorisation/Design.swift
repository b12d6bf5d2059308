import CMetarec
import Graph
import Kernels

/// What is known of some rows of a table, as a matrix X: a column of ones, then a block of columns per field.
///
/// A categorical value is a one; the values of a bag are ones divided by the root of their number; vectors are centred
/// and scaled to a mean squared length of one. So every block's rows have length one, or zero where nothing is known.
final class Design: @unchecked Sendable {
    /// The columns of one field. Its last column is 1 where a dense field's vector is known, and of no use in training.
    struct Block {
        let first, size: Int
        let values: Values
        /// Whether nothing is known of a row here.
        let isMissing: [Bool]
    }

    enum Values {
        case sparse(ids: Buffer, offsets: Buffer?, weights: Buffer?)
        case dense(DenseMatrix, scaling: Scaling?)
    }

    /// How dense vectors were centred and scaled.
    struct Scaling {
        var center: [Double]
        var factor: Double
    }

    let rows: Int
    let blocks: [Block]
    /// Columns of X.
    var columns: Int { blocks.last.map { $0.first + $0.size } ?? 0 }

    /// Columns of X for a table of these fields, or of none.
    static func columns(of table: FeatureTable?) -> Int {
        1 + (table?.schema.reduce(0) { $0 + width(of: $1) } ?? 0)
    }

    private static func width(of field: FieldSchema) -> Int { field.size + (field.isEmbedded ? 0 : 1) }

    /// The table's `rows` (−1: one of which nothing is known). Raw vectors unless `standardised`.
    init(_ table: FeatureTable?, rows: [Int], standardised: Bool) throws {
        self.rows = rows.count
        let ones = Buffer(byteCount: 4 * rows.count)
        var blocks = [
            Block(
                first: 0, size: 1, values: .sparse(ids: ones, offsets: nil, weights: nil),
                isMissing: [Bool](repeating: false, count: rows.count))
        ]
        var first = 1
        for field in table?.fields ?? [] {
            let size = Design.width(of: field.schema)
            let (values, isMissing) = try field.values(of: rows, standardised: standardised)
            blocks.append(Block(first: first, size: size, values: values, isMissing: isMissing))
            first += size
        }
        self.blocks = blocks
    }

    /// out += factor · X_b M, M [size, n]; `scratch` of the size of `out`.
    func multiply(
        _ block: Block, _ m: UnsafePointer<Double>, columns n: Int, into out: DenseMatrix, factor: Double,
        scratch: DenseMatrix
    ) {
        switch block.values {
        case .sparse:
            with(block, n) { DenseMatrix.kernels.pointee.bag($0, m, Int64(n), scratch.pointer, Int64(n), 0) }
        case .dense(let vectors, _):
            DenseMatrix.multiply(
                vectors.pointer, (block.size, 1), m, n, into: scratch.pointer, n, (rows, n, block.size))
        }
        out.add(scratch, times: factor)
    }

    /// out = X_bᵀ G, G [rows, n].
    func multiplyTransposed(
        _ block: Block, _ g: UnsafePointer<Double>, columns n: Int, into out: UnsafeMutablePointer<Double>
    ) {
        switch block.values {
        case .sparse:
            out.update(repeating: 0, count: block.size * n)
            with(block, n) { DenseMatrix.kernels.pointee.bag_transposed($0, g, Int64(n), out, Int64(n)) }
        case .dense(let vectors, _):
            DenseMatrix.multiply(vectors.pointer, (1, block.size), g, n, into: out, n, (block.size, n, rows))
        }
    }

    /// X M, M [columns, n].
    func times(_ m: DenseMatrix) -> DenseMatrix {
        let out = DenseMatrix(rows, m.columns)
        let scratch = DenseMatrix(rows, m.columns)
        for block in blocks {
            multiply(block, m.row(block.first), columns: m.columns, into: out, factor: 1, scratch: scratch)
        }
        return out
    }

    /// out += x_row M of one row, M [columns, n] in memory that is read only where the row has values.
    func addRow(_ row: Int, times m: UnsafePointer<Float>, columns n: Int, to out: UnsafeMutablePointer<Double>) {
        for block in blocks {
            let first = m + block.first * n
            switch block.values {
            case .sparse(let ids, let offsets, let weights):
                let bounds = offsets?.pointer.assumingMemoryBound(to: Int32.self)
                let entries = bounds.map { Int($0[row])..<Int($0[row + 1]) } ?? row..<row + 1
                let factor = weights?.pointer.assumingMemoryBound(to: Double.self)[row] ?? 1
                for entry in entries {
                    let id = Int(ids.pointer.assumingMemoryBound(to: Int32.self)[entry])
                    guard id >= 0 else { continue }
                    for k in 0..<n { out[k] += factor * Double(first[id * n + k]) }
                }
            case .dense(let vectors, _):
                for column in 0..<block.size where vectors[row, column] != 0 {
                    for k in 0..<n { out[k] += vectors[row, column] * Double(first[column * n + k]) }
                }
            }
        }
    }

    /// The weights that give raw vectors what `weights` give standardised ones.
    func raw(_ weights: DenseMatrix) -> DenseMatrix {
        let raw = weights.copy()
        for block in blocks {
            guard case .dense(_, let scaling?) = block.values else { continue }
            for column in 0..<weights.columns {
                var shift = 0.0
                for (place, center) in scaling.center.enumerated() {
                    raw[block.first + place, column] *= scaling.factor
                    shift -= center * raw[block.first + place, column]
                }
                raw[block.first + scaling.center.count, column] = shift
            }
        }
        return raw
    }

    private func with(_ block: Block, _ columns: Int, _ body: (UnsafePointer<mr_bag>) -> Void) {
        guard case .sparse(let ids, let offsets, let weights) = block.values else { return }
        var bag = mr_bag(
            rows: Int64(rows), columns: Int64(columns),
            ids: UnsafePointer(ids.pointer.assumingMemoryBound(to: Int32.self)),
            offsets: offsets.map { UnsafePointer($0.pointer.assumingMemoryBound(to: Int32.self)) },
            weights: weights.map { UnsafeRawPointer($0.pointer) }, alpha: 1)
        body(&bag)
    }
}

extension Field {
    /// This field's columns of a design.
    fileprivate func values(of rows: [Int], standardised: Bool) throws -> (Design.Values, isMissing: [Bool]) {
        switch values {
        case .categorical(let ids):
            let chosen = Buffer(byteCount: 4 * rows.count)
            let out = chosen.pointer.assumingMemoryBound(to: Int32.self)
            for (place, row) in rows.enumerated() {
                let id = row < 0 ? -1 : ids?[row] ?? -1
                guard id >= -1, id < size else { throw TaskSet.changed }
                out[place] = id
            }
            return (.sparse(ids: chosen, offsets: nil, weights: nil), rows.indices.map { out[$0] < 0 })
        case .bag(let ids, let idCount, let offsets):
            return try bag(rows, ids, idCount, offsets)
        case .dense(let vectors):
            return dense(rows, vectors, standardised: standardised)
        }
    }

    private func bag(
        _ rows: [Int], _ ids: UnsafePointer<Int32>?, _ idCount: Int, _ offsets: UnsafePointer<Int64>?
    ) throws -> (Design.Values, isMissing: [Bool]) {
        var chosen: [Int32] = []
        var ends: [Int32] = [0]
        let weights = Buffer(count: rows.count, .double)
        let factors = weights.pointer.assumingMemoryBound(to: Double.self)
        var isMissing: [Bool] = []
        for (place, row) in rows.enumerated() {
            let before = chosen.count
            if row >= 0, let ids, let offsets {
                let (start, end) = (Int(offsets[row]), Int(offsets[row + 1]))
                guard start >= 0, start <= end, end <= idCount else { throw TaskSet.changed }
                for entry in start..<end where ids[entry] >= 0 {
                    guard ids[entry] < size else { throw TaskSet.changed }
                    chosen.append(ids[entry])
                }
            }
            guard chosen.count <= Int(Int32.max) else {
                throw MetarecError(.memory, "field \"\(name)\": over \(Int32.max) values")
            }
            factors[place] = 1 / Double(max(chosen.count - before, 1)).squareRoot()
            isMissing.append(chosen.count == before)
            ends.append(Int32(chosen.count))
        }
        return (.sparse(ids: Buffer(copying: chosen), offsets: Buffer(copying: ends), weights: weights), isMissing)
    }

    private func dense(
        _ rows: [Int], _ vectors: Numbers?, standardised: Bool
    ) -> (Design.Values, isMissing: [Bool]) {
        let matrix = DenseMatrix(rows.count, size + 1)
        var known: [Int] = []
        for (place, row) in rows.enumerated() where row >= 0 {
            guard let vectors else { continue }
            vectors.copy(row * size, count: size, to: matrix.row(place), .double)
            if (0..<size).contains(where: { matrix[place, $0] != 0 }) { known.append(place) }
        }
        var isMissing = [Bool](repeating: true, count: rows.count)
        for place in known { isMissing[place] = false }
        guard standardised else {
            for place in known { matrix[place, size] = 1 }
            return (.dense(matrix, scaling: nil), isMissing)
        }
        let count = Double(max(known.count, 1))
        var scaling = Design.Scaling(center: [Double](repeating: 0, count: size), factor: 1)
        for column in 0..<size { scaling.center[column] = known.reduce(0) { $0 + matrix[$1, column] } / count }
        var squares = 0.0
        for place in known {
            for column in 0..<size {
                matrix[place, column] -= scaling.center[column]
                squares += matrix[place, column] * matrix[place, column]
            }
        }
        if squares > 0 { scaling.factor = (count / squares).squareRoot() }
        DenseMatrix.kernels.pointee.scale(Int64(matrix.count), scaling.factor, matrix.pointer)
        return (.dense(matrix, scaling: scaling), isMissing)
    }
}

extension Buffer {
    fileprivate convenience init(copying elements: [Int32]) {
        self.init(byteCount: 4 * elements.count)
        elements.withUnsafeBytes { bytes in
            if let first = bytes.baseAddress { pointer.copyMemory(from: first, byteCount: bytes.count) }
        }
    }
}
