import CMetarec

/// Distributions over levels, mixed: eight rows at a time, a lane each, in double.
enum LevelMixture {
    typealias V = SIMD8<Double>

    /// A part of less weight changes no probability by more than rounding in single precision does.
    private static let leastWeight = 1e-7
    /// Most steps of Newton's method, and the share of the levels' range that its result may be off.
    private static let (mostSteps, tolerance) = (60, 1e-10)

    static func run(_ mixture: mr_level_mixture) {
        let count = Int(mixture.level_count)
        let scratch = mixture.scratch
        for start in stride(from: 0, to: Int(mixture.rows), by: 8) {
            let p = mixture.p + start
            let stride = Int(mixture.p_row)
            for level in 0..<count {
                let log = V.fastLog(bounded(load(UnsafePointer(p + level * stride)), by: mixture.floor))
                store(V(repeating: mixture.weight) * log, p + level * stride)
            }
            for number in 0..<Int(mixture.part_count) {
                let part = mixture.parts[number]
                if part.weight < leastWeight { continue }
                probabilities(part, mixture, start, into: scratch)
                for level in 0..<count {
                    let log = V.fastLog(bounded(load(UnsafePointer(scratch + 8 * level)), by: mixture.floor))
                    let sum: V = load(UnsafePointer(p + level * stride))
                    store(multiplyAdd(V(repeating: part.weight), log, sum), p + level * stride)
                }
            }
            normalise(p, stride, count)
        }
    }

    /// The ordered probit of one part, tilted to its mean, to `out` [levels, 8].
    @inline(__always) private static func probabilities(
        _ part: mr_level_part, _ mixture: mr_level_mixture, _ start: Int, into out: UnsafeMutablePointer<Double>
    ) {
        let last = Int(mixture.level_count) - 1
        let mean = multiplyAdd(V(repeating: part.stretch), load(part.means + start), V(repeating: part.shift))
        let scale = V(repeating: 1) / V.squareRoot(load(part.variances + start))
        let least = mixture.least
        var below = V(repeating: 0)
        for cut in 0..<last {
            let z = (V(repeating: part.cuts[cut]) - V(repeating: part.slope) * mean) * scale
            let upTo = normalBelow(z)
            store(bounded(upTo - below, by: least), out + 8 * cut)
            below = upTo
        }
        store(bounded(V(repeating: 1) - below, by: least), out + 8 * last)
        let (low, high) = (mixture.levels[0], mixture.levels[last])
        let margin = mixture.margin * (high - low)
        let inside = V.minimum(bounded(mean, by: low + margin), V(repeating: high - margin))
        if last > 0 { tilt(out, mixture.levels, last + 1, to: inside) }
    }

    /// Scales p by exp(a l) so that Σ p l is `mean` and Σ p is 1: Newton's method, whose steps are bounded. A row that
    /// has arrived stays as it is, whatever the others do.
    @inline(__always) private static func tilt(
        _ p: UnsafeMutablePointer<Double>, _ levels: UnsafePointer<Double>, _ count: Int, to mean: V
    ) {
        let range = levels[count - 1] - levels[0]
        let (zero, one) = (V(repeating: 0), V(repeating: 1))
        var open = one
        for _ in 0..<mostSteps {
            var (sum, first, second) = (zero, zero, zero)
            for level in 0..<count {
                let (x, l): (V, V) = (load(UnsafePointer(p + 8 * level)), V(repeating: levels[level]))
                let product = x * l
                sum = sum + x
                first = first + product
                second = multiplyAdd(product, l, second)
            }
            let present = first / sum
            let error = mean - present
            let distance = V.maximum(error, zero - error)
            let isClosing = V.ifLess(V(repeating: tolerance * range), distance, zero, else: open)
            open = open - isClosing
            if open.largest == 0 {
                for level in 0..<count {
                    let old: V = load(UnsafePointer(p + 8 * level))
                    store(V.ifLess(zero, isClosing, old / sum, else: old), p + 8 * level)
                }
                return
            }
            let spread = bounded(second / sum - present * present, by: 1e-6 * range * range)
            let bound = V(repeating: 4 / range)
            let step = V.maximum(V.minimum(error / spread, bound), zero - bound)
            for level in 0..<count {
                let share = load(UnsafePointer(p + 8 * level)) / sum
                let moved = share * V.fastExp(step * (V(repeating: levels[level]) - present))
                let old: V = load(UnsafePointer(p + 8 * level))
                store(V.ifLess(zero, open, moved, else: V.ifLess(zero, isClosing, share, else: old)), p + 8 * level)
            }
        }
    }

    /// The probabilities of rows of logarithms, [levels, 8].
    @inline(__always) private static func normalise(_ p: UnsafeMutablePointer<Double>, _ stride: Int, _ count: Int) {
        var most: V = load(UnsafePointer(p))
        for level in 1..<max(count, 1) { most = V.maximum(most, load(UnsafePointer(p + level * stride))) }
        var sum = V(repeating: 0)
        for level in 0..<count {
            let x = V.fastExp(load(UnsafePointer(p + level * stride)) - most)
            store(x, p + level * stride)
            sum = sum + x
        }
        for level in 0..<count { store(load(UnsafePointer(p + level * stride)) / sum, p + level * stride) }
    }

    @inline(__always) private static func bounded(_ x: V, by low: Double) -> V { V.maximum(x, V(repeating: low)) }

    /// Φ(z), to some units in the last place of it or of 1 − Φ(z) (Hart, "Computer Approximations", 1968, no. 5666).
    @inline(__always) private static func normalBelow(_ z: V) -> V {
        let (zero, one) = (V(repeating: 0), V(repeating: 1))
        let x = V.minimum(V.maximum(z, zero - z), V(repeating: 7.07))
        var above = V(repeating: 3.526_249_659_989_11e-2)
        above = multiplyAdd(above, x, V(repeating: 0.700_383_064_443_688))
        above = multiplyAdd(above, x, V(repeating: 6.373_962_203_531_65))
        above = multiplyAdd(above, x, V(repeating: 33.912_866_078_383))
        above = multiplyAdd(above, x, V(repeating: 112.079_291_497_871))
        above = multiplyAdd(above, x, V(repeating: 221.213_596_169_931))
        above = multiplyAdd(above, x, V(repeating: 220.206_867_912_376))
        var under = V(repeating: 8.838_834_764_831_84e-2)
        under = multiplyAdd(under, x, V(repeating: 1.755_667_163_182_64))
        under = multiplyAdd(under, x, V(repeating: 16.064_177_579_207))
        under = multiplyAdd(under, x, V(repeating: 86.780_732_202_946_1))
        under = multiplyAdd(under, x, V(repeating: 296.564_248_779_674))
        under = multiplyAdd(under, x, V(repeating: 637.333_633_378_831))
        under = multiplyAdd(under, x, V(repeating: 793.826_512_519_948))
        under = multiplyAdd(under, x, V(repeating: 440.413_735_824_752))
        let tail = V.fastExp(V(repeating: -0.5) * x * x) * above / under
        return V.ifLess(zero, z, one - tail, else: tail)
    }
}

// Rational functions of Cephes (S. L. Moshier, 1992), 1-2 units in the last place, of ordinary numbers alone.
extension SIMD8<Double> {
    @inline(__always) private init(bits: SIMD8<Int64>) { self = unsafeBitCast(bits, to: Self.self) }
    @inline(__always) private var bits: SIMD8<Int64> { unsafeBitCast(self, to: SIMD8<Int64>.self) }

    /// What rounds to an integer, in the low bits, when it is added.
    @inline(__always) private static var magic: Self { Self(repeating: 6_755_399_441_055_744) }

    /// exp(x) for x from −700 to 700; beyond, that of the end.
    @inline(__always) static func fastExp(_ x: Self) -> Self {
        let inside = minimum(maximum(x, Self(repeating: -700)), Self(repeating: 700))
        let shifted = multiplyAdd(inside, Self(repeating: 1.442_695_040_888_963_4), magic)
        let n = shifted - magic
        var r = multiplyAdd(n, Self(repeating: -6.931_457_519_531_25e-1), inside)
        r = multiplyAdd(n, Self(repeating: -1.428_606_820_309_417_232_12e-6), r)
        let square = r * r
        var p = Self(repeating: 1.261_771_930_748_105_908_78e-4)
        p = multiplyAdd(p, square, Self(repeating: 3.029_944_077_074_419_613e-2))
        p = multiplyAdd(p, square, Self(repeating: 1)) * r
        var q = Self(repeating: 3.001_985_051_386_644_550_42e-6)
        q = multiplyAdd(q, square, Self(repeating: 2.524_483_403_496_841_041_92e-3))
        q = multiplyAdd(q, square, Self(repeating: 2.272_655_482_081_550_287_66e-1))
        q = multiplyAdd(q, square, Self(repeating: 2))
        let y = Self(repeating: 1) + (p + p) / (q - p)
        let exponent = (shifted.bits &- magic.bits) &+ SIMD8<Int64>(repeating: 1023)
        return y * Self(bits: exponent &<< 52)
    }

    /// log(x) for normal x above 0.
    @inline(__always) static func fastLog(_ x: Self) -> Self {
        // x = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt(2)
        let above = x.bits &- SIMD8<Int64>(repeating: 0x3fe6_a09e_667f_3bcd)
        let exponent = above &>> 52
        let f = Self(bits: x.bits &- (exponent &<< 52)) - Self(repeating: 1)
        let e = Self(bits: exponent &+ magic.bits) - magic
        let square = f * f
        var p = Self(repeating: 1.018_756_638_045_809_317_96e-4)
        p = multiplyAdd(p, f, Self(repeating: 4.974_949_949_767_470_014_25e-1))
        p = multiplyAdd(p, f, Self(repeating: 4.705_791_198_788_817_258_54))
        p = multiplyAdd(p, f, Self(repeating: 14.498_922_534_161_093_084_6))
        p = multiplyAdd(p, f, Self(repeating: 17.936_867_850_781_981_631_3))
        p = multiplyAdd(p, f, Self(repeating: 7.708_387_337_558_853_916_66))
        var q = f + Self(repeating: 11.287_358_718_916_745_059)
        q = multiplyAdd(q, f, Self(repeating: 45.227_914_583_753_222_110_5))
        q = multiplyAdd(q, f, Self(repeating: 82.987_526_691_277_660_321_1))
        q = multiplyAdd(q, f, Self(repeating: 71.154_475_061_856_389_446_6))
        q = multiplyAdd(q, f, Self(repeating: 23.125_162_012_676_534_058_3))
        var y = f * (square * p / q)
        y = multiplyAdd(e, Self(repeating: -2.121_944_400_546_905_827_679e-4), y)
        y = multiplyAdd(square, Self(repeating: -0.5), y)
        return multiplyAdd(e, Self(repeating: 0.693_359_375), f + y)
    }
}
