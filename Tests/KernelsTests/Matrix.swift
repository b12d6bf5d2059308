import CMetarec
import Glibc
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
///
/// Behind the canaries memory ends: `overRead` bytes after the last element a read is a crash.
final class Matrix: @unchecked Sendable {
    let rows, columns, stride: Int
    let precision: Precision
    /// First element; its alignment is no better than an element's.
    let pointer: UnsafeMutableRawPointer
    private let pages: UnsafeMutableRawPointer
    private let pagesByteCount, overRead: Int
    private static let canaries = (float: UInt32(0x7fc0_bad1), double: UInt64(0x7ff8_0000_0bad_bad1))
    private static let lead = 64

    /// `slack`: columns between the end of a row and the start of the next.
    init(
        _ precision: Precision, _ rows: Int, _ columns: Int, slack: Int = 0, overRead: Int = 64,
        _ value: (Int, Int) -> Double
    ) {
        (self.precision, self.rows, self.columns, self.overRead) = (precision, rows, columns, overRead)
        stride = columns + slack
        let page = 4096
        let extent = rows == 0 ? 0 : ((rows - 1) * stride + columns) * precision.elementSize
        let readable = (Matrix.lead + extent + overRead + page - 1) / page * page
        pagesByteCount = readable + page
        pages = mmap(nil, pagesByteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        mprotect(pages + readable, page, PROT_NONE)
        pointer = pages + (readable - overRead - extent)
        for k in canaryRange {
            switch precision {
            case .float: pointer.storeBytes(of: Matrix.canaries.float, toByteOffset: 4 * k, as: UInt32.self)
            case .double: pointer.storeBytes(of: Matrix.canaries.double, toByteOffset: 8 * k, as: UInt64.self)
            }
        }
        for i in 0..<rows { for j in 0..<columns { self[i, j] = value(i, j) } }
    }

    /// Canaries only: a result to be.
    convenience init(_ precision: Precision, _ rows: Int, _ columns: Int, slack: Int = 0) {
        self.init(precision, rows, columns, slack: slack) { _, _ in .nan }
    }

    deinit { munmap(pages, pagesByteCount) }

    /// The elements from before the first to behind the last.
    private var canaryRange: Range<Int> {
        let size = precision.elementSize
        let extent = rows == 0 ? 0 : (rows - 1) * stride + columns
        return -Matrix.lead / size..<extent + overRead / size
    }

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

    /// Whether everything outside of the matrix is as it was made.
    var isIntact: Bool {
        for k in canaryRange {
            if k >= 0, stride > 0, k / stride < rows, k % stride < columns { continue }
            let intact =
                precision == .float
                ? pointer.load(fromByteOffset: 4 * k, as: UInt32.self) == Matrix.canaries.float
                : pointer.load(fromByteOffset: 8 * k, as: UInt64.self) == Matrix.canaries.double
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
    static func random(
        _ precision: Precision, _ rows: Int, _ columns: Int, slack: Int = 0, overRead: Int = 64, seed: Int
    ) -> Matrix {
        var numbers = Numbers(seed)
        return Matrix(precision, rows, columns, slack: slack, overRead: overRead) { _, _ in numbers.next() }
    }
}

/// Whether the two agree to within `tolerance`, or are both NaN or the same infinity.
func agree(_ a: Double, _ b: Double, _ tolerance: Double) -> Bool {
    a == b || abs(a - b) <= tolerance || (a.isNaN && b.isNaN)
}
