import CMetarec
import Kernels
import Testing

/// One kernel table under test.
struct Table: CustomTestStringConvertible, Sendable {
    let isa: String
    let precision: Precision

    var kernels: mr_kernels {
        Kernels.available.first { $0.isa == isa }!.table(precision).pointee
    }
    var testDescription: String { "\(isa), \(precision)" }
    /// Unit roundoff.
    var epsilon: Double { precision == .float ? 0x1p-24 : 0x1p-53 }

    static let all = Kernels.available.flatMap { variant in
        Precision.allCases.map { Table(isa: variant.isa, precision: $0) }
    }
}

/// Sizes around the vectors (16 floats, 8 doubles) and the tiles (64 columns, 6 rows).
let awkward = [0, 1, 2, 3, 5, 15, 16, 17, 31, 33, 64, 65, 100]

/// A matrix in the middle of NaN canaries: reading one poisons a result, writing one shows.
final class Matrix: @unchecked Sendable {
    let rows, columns, stride: Int
    let precision: Precision
    private let bytes: UnsafeMutableRawPointer
    private let byteCount: Int
    private static let canaries = (float: UInt32(0x7fc0_bad1), double: UInt64(0x7ff8_0000_0bad_bad1))

    /// `slack`: columns between the end of a row and the start of the next.
    init(
        _ precision: Precision, _ rows: Int, _ columns: Int, slack: Int = 0, _ value: (Int, Int) -> Double
    ) {
        (self.precision, self.rows, self.columns) = (precision, rows, columns)
        stride = columns + slack
        byteCount = 256 + rows * stride * precision.elementSize
        bytes = .allocate(byteCount: byteCount, alignment: 64)
        for k in 0..<(byteCount / precision.elementSize) {
            switch precision {
            case .float: bytes.storeBytes(of: Matrix.canaries.float, toByteOffset: 4 * k, as: UInt32.self)
            case .double: bytes.storeBytes(of: Matrix.canaries.double, toByteOffset: 8 * k, as: UInt64.self)
            }
        }
        for i in 0..<rows { for j in 0..<columns { self[i, j] = value(i, j) } }
    }

    /// Canaries only: a result to be.
    convenience init(_ precision: Precision, _ rows: Int, _ columns: Int, slack: Int = 0) {
        self.init(precision, rows, columns, slack: slack) { _, _ in .nan }
    }

    deinit { bytes.deallocate() }

    /// First element; an odd number of elements into the memory, so that nothing is aligned.
    var pointer: UnsafeMutableRawPointer { bytes + 64 + precision.elementSize }

    subscript(i: Int, j: Int) -> Double {
        get {
            let offset = (i * stride + j) * precision.elementSize
            return precision == .float
                ? Double(pointer.load(fromByteOffset: offset, as: Float.self))
                : pointer.load(fromByteOffset: offset, as: Double.self)
        }
        set {
            let offset = (i * stride + j) * precision.elementSize
            switch precision {
            case .float: pointer.storeBytes(of: Float(newValue), toByteOffset: offset, as: Float.self)
            case .double: pointer.storeBytes(of: newValue, toByteOffset: offset, as: Double.self)
            }
        }
    }

    /// Whether every byte outside of the matrix is as it was made.
    var isIntact: Bool {
        let size = precision.elementSize
        let lead = 64 / size + 1
        for k in 0..<(byteCount / size) {
            let inside = k - lead
            if inside >= 0, stride > 0, inside / stride < rows, inside % stride < columns { continue }
            let intact =
                precision == .float
                ? bytes.load(fromByteOffset: 4 * k, as: UInt32.self) == Matrix.canaries.float
                : bytes.load(fromByteOffset: 8 * k, as: UInt64.self) == Matrix.canaries.double
            if !intact { return false }
        }
        return true
    }

    /// The elements' bits, row by row.
    var bits: [UInt64] { values.map(\.bitPattern) }
    var values: [Double] { (0..<rows).flatMap { i in (0..<columns).map { j in self[i, j] } } }
}

/// A small deterministic generator (SplitMix64), so that failures repeat.
struct Numbers {
    private var state: UInt64

    init(_ seed: Int) { state = UInt64(truncatingIfNeeded: seed) }

    mutating func bits() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// Uniform in -1 ... 1.
    mutating func next() -> Double { Double(Int64(bitPattern: bits())) * 0x1p-63 }
    mutating func index(below n: Int) -> Int { Int(bits() % UInt64(n)) }
}

extension Matrix {
    /// Uniform in -1 ... 1.
    static func random(_ precision: Precision, _ rows: Int, _ columns: Int, slack: Int = 0, seed: Int) -> Matrix {
        var numbers = Numbers(seed)
        return Matrix(precision, rows, columns, slack: slack) { _, _ in numbers.next() }
    }
}

/// Whether the two agree to within `tolerance`, or are both NaN or the same infinity.
func agree(_ a: Double, _ b: Double, _ tolerance: Double) -> Bool {
    a == b || abs(a - b) <= tolerance || (a.isNaN && b.isNaN)
}
