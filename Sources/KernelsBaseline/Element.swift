import CMetarec

/// `Float` or `Double`: what the kernels are generic over. Every generic here is specialised for both.
/// (`Codable` is there only because SIMD vectors ask it of their elements.)
protocol KernelElement: BinaryFloatingPoint, SIMDScalar, BitwiseCopyable, Codable {
    /// 64 bytes of elements on every instruction set, so that sums have the same order on all of them.
    associatedtype Vector: KernelVector where Vector.Scalar == Self
}

/// A vector of elements with the few operations that Swift's generic SIMD lacks or compiles badly.
///
/// Swift's own arithmetic is a loop over the lanes until late in the optimizer, too late for sums to move into
/// registers, so it goes through C's vectors. `pointwiseMin`, `clamped` and `sum` stay out besides: they are not
/// inlined, and their shared (weak) specialisations would let the linker run one instruction set's code on another's
/// processor.
protocol KernelVector: SIMD, BitwiseCopyable where Scalar: KernelElement {
    init(repeating value: Scalar)
    static func + (a: Self, b: Self) -> Self
    static func - (a: Self, b: Self) -> Self
    static func * (a: Self, b: Self) -> Self
    static func / (a: Self, b: Self) -> Self
    /// a b + c, rounded once.
    static func fused(_ a: Self, _ b: Self, _ c: Self) -> Self
    static func squareRoot(_ x: Self) -> Self
    /// a < b ? x : y, lane by lane; y where one is NaN.
    static func ifLess(_ a: Self, _ b: Self, _ x: Self, else y: Self) -> Self
    /// a == b ? x : y, lane by lane; y where one is NaN.
    static func ifEqual(_ a: Self, _ b: Self, _ x: Self, else y: Self) -> Self
    /// Lane numbers 0, 1, ...
    static var lanes: Self { get }

    static func zipLow(_ a: Self, _ b: Self) -> Self
    static func zipHigh(_ a: Self, _ b: Self) -> Self
    /// The first `count` elements, fewer than all, without a look at what is behind them.
    static func loadFirst(_ count: Int, _ p: UnsafePointer<Scalar>) -> Self
    /// Writes the first `count` lanes, fewer than all.
    func store(_ p: UnsafeMutablePointer<Scalar>, first count: Int)

    static func exp(_ x: Self) -> Self
    static func log(_ x: Self) -> Self
    static func tanh(_ x: Self) -> Self
    /// log(1 + t) for 0 <= t <= 1.
    static func log1p(_ t: Self) -> Self

    /// Sum of the squared lanes in double precision, lane by lane onto `sums`.
    func addSquares(to sums: inout SIMD8<Double>)
    init(converting p: UnsafePointer<Float>)
    init(converting p: UnsafePointer<Double>)
}

extension Float: KernelElement {
    typealias Vector = SIMD16<Float>
}

extension Double: KernelElement {
    typealias Vector = SIMD8<Double>
}

extension SIMD16<Float>: KernelVector {
    @inline(__always) static func + (a: Self, b: Self) -> Self { mr_add_f16(a, b) }
    @inline(__always) static func - (a: Self, b: Self) -> Self { mr_subtract_f16(a, b) }
    @inline(__always) static func * (a: Self, b: Self) -> Self { mr_multiply_f16(a, b) }
    @inline(__always) static func / (a: Self, b: Self) -> Self { mr_divide_f16(a, b) }
    @inline(__always) static func fused(_ a: Self, _ b: Self, _ c: Self) -> Self { mr_fma_f16(a, b, c) }
    @inline(__always) static func squareRoot(_ x: Self) -> Self { mr_sqrt_f16(x) }
    @inline(__always) static func ifLess(_ a: Self, _ b: Self, _ x: Self, else y: Self) -> Self {
        mr_if_less_f16(a, b, x, y)
    }
    @inline(__always) static func ifEqual(_ a: Self, _ b: Self, _ x: Self, else y: Self) -> Self {
        mr_if_equal_f16(a, b, x, y)
    }
    @inline(__always) static var lanes: Self { .init(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) }

    @inline(__always) static func zipLow(_ a: Self, _ b: Self) -> Self { mr_zip_low_f16(a, b) }
    @inline(__always) static func zipHigh(_ a: Self, _ b: Self) -> Self { mr_zip_high_f16(a, b) }
    @inline(__always) static func loadFirst(_ count: Int, _ p: UnsafePointer<Float>) -> Self {
        mr_load_f16(p, Int64(truncatingIfNeeded: count))
    }
    @inline(__always) func store(_ p: UnsafeMutablePointer<Float>, first count: Int) {
        mr_store_f16(self, p, Int64(truncatingIfNeeded: count))
    }

    @inline(__always) func addSquares(to sums: inout SIMD8<Double>) {
        let low = mr_widen(lowHalf)
        let high = mr_widen(highHalf)
        sums = multiplyAdd(high, high, multiplyAdd(low, low, sums))
    }

    @inline(__always) init(converting p: UnsafePointer<Float>) { self = load(p) }
    @inline(__always) init(converting p: UnsafePointer<Double>) {
        self.init(lowHalf: mr_narrow(load(p)), highHalf: mr_narrow(load(p + 8)))
    }
}

extension SIMD8<Double>: KernelVector {
    @inline(__always) static func + (a: Self, b: Self) -> Self { mr_add_d8(a, b) }
    @inline(__always) static func - (a: Self, b: Self) -> Self { mr_subtract_d8(a, b) }
    @inline(__always) static func * (a: Self, b: Self) -> Self { mr_multiply_d8(a, b) }
    @inline(__always) static func / (a: Self, b: Self) -> Self { mr_divide_d8(a, b) }
    @inline(__always) static func fused(_ a: Self, _ b: Self, _ c: Self) -> Self { mr_fma_d8(a, b, c) }
    @inline(__always) static func squareRoot(_ x: Self) -> Self { mr_sqrt_d8(x) }
    @inline(__always) static func ifLess(_ a: Self, _ b: Self, _ x: Self, else y: Self) -> Self {
        mr_if_less_d8(a, b, x, y)
    }
    @inline(__always) static func ifEqual(_ a: Self, _ b: Self, _ x: Self, else y: Self) -> Self {
        mr_if_equal_d8(a, b, x, y)
    }
    @inline(__always) static var lanes: Self { .init(0, 1, 2, 3, 4, 5, 6, 7) }

    @inline(__always) static func zipLow(_ a: Self, _ b: Self) -> Self { mr_zip_low_d8(a, b) }
    @inline(__always) static func zipHigh(_ a: Self, _ b: Self) -> Self { mr_zip_high_d8(a, b) }
    @inline(__always) static func loadFirst(_ count: Int, _ p: UnsafePointer<Double>) -> Self {
        mr_load_d8(p, Int64(truncatingIfNeeded: count))
    }
    @inline(__always) func store(_ p: UnsafeMutablePointer<Double>, first count: Int) {
        mr_store_d8(self, p, Int64(truncatingIfNeeded: count))
    }

    @inline(__always) func addSquares(to sums: inout SIMD8<Double>) { sums = multiplyAdd(self, self, sums) }

    @inline(__always) init(converting p: UnsafePointer<Float>) {
        self = mr_widen(UnsafeRawPointer(p).loadUnaligned(as: SIMD8<Float>.self))
    }
    @inline(__always) init(converting p: UnsafePointer<Double>) { self = load(p) }
}

/// Lane-wise maximum of halves, whose type is no `KernelVector`; NaN if either is NaN.
@inline(__always) private func larger<V: SIMD>(
    _ a: V, _ b: V, _ greater: (V, V) -> SIMDMask<V.MaskStorage>, unordered: (V) -> SIMDMask<V.MaskStorage>
) -> V {
    b.replacing(with: a, where: greater(a, b)).replacing(with: a, where: unordered(a))
}

// MARK: What all vectors share

extension KernelVector {
    /// Sum of the lanes.
    @inline(__always) var total: Scalar { folded { $0 + $1 } }

    /// Largest lane; NaN if one is NaN.
    @inline(__always) var largest: Scalar { folded { Self.maximum($0, $1) } }

    /// All lanes in one: the lower half with the upper, and so on.
    @inline(__always) private func folded(_ f: (Self, Self) -> Self) -> Scalar {
        var x = self
        var left = 64 / MemoryLayout<Scalar>.size
        while left > 1 {
            x = f(Self.zipLow(x, x), Self.zipHigh(x, x))
            left /= 2
        }
        return x[0]
    }

    /// Largest of two, lane by lane; NaN if either is NaN.
    @inline(__always) static func maximum(_ a: Self, _ b: Self) -> Self {
        ifEqual(a, a, ifLess(b, a, a, else: b), else: a)
    }

    /// Smallest of two, lane by lane; NaN if either is NaN.
    @inline(__always) static func minimum(_ a: Self, _ b: Self) -> Self {
        ifEqual(a, a, ifLess(a, b, a, else: b), else: a)
    }

    /// `self`, with zero instead of negative lanes; NaN stays.
    @inline(__always) var rectified: Self { Self.ifLess(self, Self(repeating: 0), Self(repeating: 0), else: self) }

    /// `self` where `mask` is positive, else zero.
    @inline(__always) func kept(where mask: Self) -> Self {
        Self.ifLess(Self(repeating: 0), mask, self, else: Self(repeating: 0))
    }

    /// The first `count` lanes, and `filler` in the others.
    @inline(__always) func first(_ count: Int, else filler: Self) -> Self {
        Self.ifLess(.lanes, Self(repeating: Scalar(Int32(truncatingIfNeeded: count))), self, else: filler)
    }
}

/// Number of lanes of a vector of `E`.
@inline(__always) func width<E: KernelElement>(_: E.Type) -> Int { 64 / MemoryLayout<E>.size }

/// a b + c; rounded once where the instruction set can.
@inline(__always) func multiplyAdd<V: KernelVector>(_ a: V, _ b: V, _ c: V) -> V {
    #if KERNELS_FMA || arch(arm64)
    V.fused(a, b, c)
    #else
    c + a * b
    #endif
}

@inline(__always) func load<E: KernelElement>(_ p: UnsafePointer<E>) -> E.Vector {
    UnsafeRawPointer(p).loadUnaligned(as: E.Vector.self)
}

/// Like `load`, for memory of others: looks at no more than `count` elements.
@inline(__always) func load<E: KernelElement>(_ p: UnsafePointer<E>, atMost count: Int) -> E.Vector {
    count >= width(E.self) ? load(p) : E.Vector.loadFirst(count, p)
}

@inline(__always) func store<E: KernelElement>(_ x: E.Vector, _ p: UnsafeMutablePointer<E>) {
    UnsafeMutableRawPointer(p).storeBytes(of: x, as: E.Vector.self)
}

/// Runs `body` at every vector of `n` elements: the offset, and how many of its lanes count.
@inline(__always) func forEachVector<E: KernelElement>(
    _ n: Int, _: E.Type, _ body: (_ offset: Int, _ count: Int) -> Void
) {
    let width = width(E.self)
    var i = 0
    while i < n {
        body(i, min(width, n - i))
        i += width
    }
}

/// Writes f(offset) at every vector of `n` elements of `out`, and nothing behind them.
@inline(__always) func fill<E: KernelElement>(
    _ n: Int, _ out: UnsafeMutablePointer<E>, _ f: (_ offset: Int) -> E.Vector
) {
    let width = width(E.self)
    var i = 0
    while i < n {
        let x = f(i)
        if i + width <= n { store(x, out + i) } else { x.store(out + i, first: n - i) }
        i += width
    }
}
