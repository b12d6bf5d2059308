import Kernels

/// Borrowed floating-point numbers, in the type the user has them in.
public enum Numbers: @unchecked Sendable {
    /// 32-bit.
    case float(UnsafePointer<Float>)
    /// 64-bit.
    case double(UnsafePointer<Double>)

    /// Element `index`, as double.
    subscript(index: Int) -> Double {
        switch self {
        case .float(let numbers): Double(numbers[index])
        case .double(let numbers): numbers[index]
        }
    }

    /// The first of `count` numbers that is NaN or infinite.
    func firstNonFinite(count: Int) -> Int? {
        switch self {
        case .float(let numbers): (0..<count).first { !numbers[$0].isFinite }
        case .double(let numbers): (0..<count).first { !numbers[$0].isFinite }
        }
    }

    /// Writes `count` numbers from element `first` on to `out`, in `precision`. (Kernels would read past the end.)
    func copy(_ first: Int, count: Int, to out: UnsafeMutableRawPointer, _ precision: Precision) {
        switch (self, precision) {
        case (.float(let numbers), .float):
            out.copyMemory(from: numbers + first, byteCount: count * 4)
        case (.double(let numbers), .double):
            out.copyMemory(from: numbers + first, byteCount: count * 8)
        case (.float(let numbers), .double):
            let out = out.assumingMemoryBound(to: Double.self)
            for i in 0..<count { out[i] = Double(numbers[first + i]) }
        case (.double(let numbers), .float):
            let out = out.assumingMemoryBound(to: Float.self)
            for i in 0..<count { out[i] = Float(numbers[first + i]) }
        }
    }

    /// Writes the numbers at `places`, counted from element `start`, to `out`, in `precision`.
    func gather(
        _ places: UnsafePointer<Int32>, count: Int, from start: Int, to out: UnsafeMutableRawPointer,
        _ precision: Precision
    ) {
        switch (self, precision) {
        case (.float(let numbers), .float): Numbers.gather(numbers + start, places, count, Float.self, out)
        case (.double(let numbers), .double): Numbers.gather(numbers + start, places, count, Double.self, out)
        case (.float(let numbers), .double): Numbers.gather(numbers + start, places, count, Double.self, out)
        case (.double(let numbers), .float): Numbers.gather(numbers + start, places, count, Float.self, out)
        }
    }

    @inline(__always) private static func gather<From: BinaryFloatingPoint, To: BinaryFloatingPoint>(
        _ numbers: UnsafePointer<From>, _ places: UnsafePointer<Int32>, _ count: Int, _: To.Type,
        _ out: UnsafeMutableRawPointer
    ) {
        let out = out.assumingMemoryBound(to: To.self)
        for i in 0..<count { out[i] = To(numbers[Int(places[i])]) }
    }
}
