#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

// Float: polynomials of Cephes (S. L. Moshier, 1992), in the lanes, 1-2 units in the last place. Rounding goes through
// the addition of a large number, so that NaN needs no conversion to an integer.
extension SIMD16<Float> {
    /// 2^n for the integers n in the low bits of `shifted`, times x; in two factors, so that subnormals come out.
    @inline(__always) private func scaled(_ n: SIMD16<Int32>) -> Self {
        let half = n &>> 1
        let first = Self(bits: (half &+ 127) &<< 23)
        let second = Self(bits: ((n &- half) &+ 127) &<< 23)
        return self * first * second
    }

    @inline(__always) private init(bits: SIMD16<Int32>) { self = unsafeBitCast(bits, to: Self.self) }
    @inline(__always) private var bits: SIMD16<Int32> { unsafeBitCast(self, to: SIMD16<Int32>.self) }

    @inline(__always) static func exp(_ x: Self) -> Self {
        let (low, high) = (Self(repeating: -104), Self(repeating: 89))
        let inside = ifLess(x, low, low, else: ifLess(high, x, high, else: x))
        // n = round(x / log 2), r = x - n log 2
        let magic = Self(repeating: 12_582_912)
        let shifted = multiplyAdd(inside, Self(repeating: 1.442_695_04), magic)
        let n = shifted - magic
        var r = multiplyAdd(n, Self(repeating: -0.693_359_375), inside)
        r = multiplyAdd(n, Self(repeating: 2.121_944_4e-4), r)
        var p = Self(repeating: 1.987_569_15e-4)
        p = multiplyAdd(p, r, Self(repeating: 1.398_199_95e-3))
        p = multiplyAdd(p, r, Self(repeating: 8.333_451_9e-3))
        p = multiplyAdd(p, r, Self(repeating: 4.166_579_6e-2))
        p = multiplyAdd(p, r, Self(repeating: 1.666_666_55e-1))
        p = multiplyAdd(p, r, Self(repeating: 5.000_000_1e-1))
        let y = multiplyAdd(p, r * r, r) + Self(repeating: 1)
        return y.scaled(shifted.bits &- magic.bits)
    }

    @inline(__always) static func log(_ x: Self) -> Self {
        // x = 2^e f, sqrt(1/2) <= f < sqrt(2)
        let least = Self(repeating: .leastNormalMagnitude)
        let normal = ifLess(x, least, x * Self(repeating: 8_388_608), else: x)
        let above = normal.bits &- SIMD16<Int32>(repeating: 0x3f35_04f3)
        let exponent = above &>> 23
        let f = Self(bits: normal.bits &- (exponent &<< 23)) - Self(repeating: 1)
        let magic = Self(repeating: 12_582_912)
        let wide = Self(bits: exponent &+ magic.bits) - magic
        let e = ifLess(x, least, wide - Self(repeating: 23), else: wide)

        let result = logarithm(onePlus: f, exponent: e)
        let finite = ifLess(x, Self(repeating: .infinity), result, else: x)
        let zero = Self(repeating: 0)
        return ifLess(zero, x, finite, else: ifEqual(x, zero, Self(repeating: -.infinity), else: Self(repeating: .nan)))
    }

    /// log(2^e (1 + f)) for sqrt(1/2) <= 1 + f < sqrt(2).
    @inline(__always) private static func logarithm(onePlus f: Self, exponent e: Self) -> Self {
        let square = f * f
        var p = Self(repeating: 7.037_683_63e-2)
        p = multiplyAdd(p, f, Self(repeating: -1.151_461_03e-1))
        p = multiplyAdd(p, f, Self(repeating: 1.167_699_87e-1))
        p = multiplyAdd(p, f, Self(repeating: -1.242_014_08e-1))
        p = multiplyAdd(p, f, Self(repeating: 1.424_932_28e-1))
        p = multiplyAdd(p, f, Self(repeating: -1.666_805_77e-1))
        p = multiplyAdd(p, f, Self(repeating: 2.000_071_48e-1))
        p = multiplyAdd(p, f, Self(repeating: -2.499_999_4e-1))
        p = multiplyAdd(p, f, Self(repeating: 3.333_333_12e-1))
        var y = p * f * square
        y = multiplyAdd(e, Self(repeating: -2.121_944_4e-4), y)
        y = multiplyAdd(square, Self(repeating: -0.5), y)
        return multiplyAdd(e, Self(repeating: 0.693_359_375), f + y)
    }

    @inline(__always) static func log1p(_ t: Self) -> Self {
        // 1 + t = 2 (1 + (t - 1) / 2) above sqrt(2)
        let (one, half, limit) = (Self(repeating: 1), Self(repeating: 0.5), Self(repeating: 0.414_213_56))
        let f = ifLess(limit, t, half * (t - one), else: t)
        return logarithm(onePlus: f, exponent: ifLess(limit, t, one, else: Self(repeating: 0)))
    }

    @inline(__always) static func tanh(_ x: Self) -> Self {
        let magnitude = Self(bits: x.bits & 0x7fff_ffff)
        let large = Self(repeating: 1) - Self(repeating: 2) / (exp(magnitude + magnitude) + Self(repeating: 1))
        let square = x * x
        var p = Self(repeating: -5.704_988_73e-3)
        p = multiplyAdd(p, square, Self(repeating: 2.063_908_96e-2))
        p = multiplyAdd(p, square, Self(repeating: -5.373_971_55e-2))
        p = multiplyAdd(p, square, Self(repeating: 1.333_145_32e-1))
        p = multiplyAdd(p, square, Self(repeating: -3.333_328_2e-1))
        let small = multiplyAdd(p * square, x, x)
        let signed = Self(bits: large.bits | (x.bits & Int32.min))
        return ifLess(magnitude, Self(repeating: 0.625), small, else: signed)
    }
}

// Double: the C library, lane by lane. Doubles are for exact checks, where its accuracy is worth more than speed.
extension SIMD8<Double> {
    @inline(__always) private static func map(_ x: Self, _ f: (Double) -> Double) -> Self {
        var y = x
        for lane in 0..<8 { y[lane] = f(x[lane]) }
        return y
    }

    @inline(__always) static func exp(_ x: Self) -> Self { map(x) { mathExp($0) } }
    @inline(__always) static func log(_ x: Self) -> Self { map(x) { mathLog($0) } }
    @inline(__always) static func tanh(_ x: Self) -> Self { map(x) { mathTanh($0) } }
    @inline(__always) static func log1p(_ t: Self) -> Self { map(t) { mathLog1p($0) } }
}

// Outside of the extension, whose members hide the functions of the C library.
@inline(__always) private func mathExp(_ x: Double) -> Double { exp(x) }
@inline(__always) private func mathLog(_ x: Double) -> Double { log(x) }
@inline(__always) private func mathTanh(_ x: Double) -> Double { tanh(x) }
@inline(__always) private func mathLog1p(_ x: Double) -> Double { log1p(x) }

extension KernelVector {
    /// exp(-|x|), which cannot overflow; NaN stays NaN.
    @inline(__always) private static func decay(_ x: Self) -> Self {
        let zero = Self(repeating: 0)
        return exp(ifLess(x, zero, x, else: zero - x))
    }

    /// 1 / (1 + exp(-x)) = e / (1 + e) with e = exp(x) for negative x.
    @inline(__always) static func sigmoid(_ x: Self) -> Self {
        let one = Self(repeating: 1)
        let e = decay(x)
        return ifLess(x, Self(repeating: 0), e, else: one) / (one + e)
    }

    /// max(x, 0) + log1p(exp(-|x|)).
    @inline(__always) static func softplus(_ x: Self) -> Self { x.rectified + log1p(decay(x)) }
}
