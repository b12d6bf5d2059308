import Graph
import Kernels

/// The outputs of an item stage for a number of rows, a matrix each. Memory that is not written is not resident.
final class ItemValues {
    let columns: [Int]
    /// Bytes of a row, by matrix.
    private let strides: [Int]
    private let memory: [UnsafeMutableRawPointer]

    init(rows: Int, columns: [Int], _ precision: Precision) {
        self.columns = columns
        strides = columns.map { $0 * precision.elementSize }
        memory = strides.map { .allocate(byteCount: rows * $0 + Buffer.padding, alignment: 64) }
    }

    deinit { for pointer in memory { pointer.deallocate() } }

    /// Where row `row` of matrix `number` begins.
    func pointer(_ number: Int, row: Int) -> UnsafeMutableRawPointer { memory[number] + row * strides[number] }

    /// Copies the rows of `view` to the places given in matrix `number`.
    func store(_ view: MatrixView, _ number: Int, at places: ArraySlice<Int32>, _ precision: Precision) {
        var source = UnsafeRawPointer(view.pointer)
        for place in places {
            pointer(number, row: Int(place)).copyMemory(from: source, byteCount: strides[number])
            source += view.stride * precision.elementSize
        }
    }

    /// Copies the rows at the places given of matrix `number` of `source`, which has the same columns, to the first rows.
    func gather(_ number: Int, from source: ItemValues, _ places: UnsafePointer<Int32>, count: Int) {
        for row in 0..<count {
            pointer(number, row: row).copyMemory(
                from: source.pointer(number, row: Int(places[row])), byteCount: strides[number])
        }
    }
}
