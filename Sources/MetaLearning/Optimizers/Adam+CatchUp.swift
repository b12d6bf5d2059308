import Kernels

extension Adam {
    /// The three equations with g = 0, once for each missed step.
    ///
    /// A row whose state is zero is done at once. After some hundred steps without a gradient the moves are too small
    /// to change any x; from there on only m and v are multiplied by their β, until that changes nothing either.
    public func catchUp(_ parameter: Parameter, _ elements: Range<Int>, missed: ClosedRange<Int>) {
        switch parameter.precision {
        case .float: catchUp(AdamRow<Float>(parameter, elements), parameter, elements, missed)
        case .double: catchUp(AdamRow<Double>(parameter, elements), parameter, elements, missed)
        }
    }

    private func catchUp<T>(
        _ row: AdamRow<T>, _ parameter: Parameter, _ elements: Range<Int>, _ missed: ClosedRange<Int>
    ) {
        guard row.moves else { return }
        for step in missed {
            apply(parameter, elements, gradient: nil, step: step)
            if step % 64 == 0, step < missed.upperBound - 1, row.isAtRest(self, after: step) {
                let left = missed.upperBound - 1 - step
                row.decay(row.m, by: beta1, times: left, parameter.precision)
                row.decay(row.v, by: beta2, times: left, parameter.precision)
                // By the kernel once more, for the sign of an m that has become zero.
                apply(parameter, elements, gradient: nil, step: missed.upperBound)
                return
            }
        }
    }
}

/// Some elements of a parameter and their state.
private struct AdamRow<T: BinaryFloatingPoint & BitwiseCopyable> {
    let x: UnsafePointer<T>
    let m: UnsafeMutablePointer<T>
    let v: UnsafeMutablePointer<T>
    let count: Int

    init(_ parameter: Parameter, _ elements: Range<Int>) {
        let first = elements.lowerBound
        x = UnsafePointer(parameter.values.pointer.assumingMemoryBound(to: T.self) + first)
        m = parameter.state[0].pointer.assumingMemoryBound(to: T.self) + first
        v = parameter.state[1].pointer.assumingMemoryBound(to: T.self) + first
        count = elements.count
    }

    /// Whether a step without a gradient changes any bit: not where m and v are +0.
    var moves: Bool {
        let bytes = count * MemoryLayout<T>.size
        return UnsafeRawBufferPointer(start: m, count: bytes).contains { $0 != 0 }
            || UnsafeRawBufferPointer(start: v, count: bytes).contains { $0 != 0 }
    }

    /// Whether no later step without a gradient can change any x.
    ///
    /// |m| only shrinks and 1 − β₁ᵗ only grows, so a later move is at most η |m| / (1 − β₁ᵗ) / ε, give or take the
    /// rounding of each operation. A move below a quarter of the spacing of x rounds to no move.
    func isAtRest(_ adam: Adam, after step: Int) -> Bool {
        let factor = 1.01 * adam.learningRate / (adam.correction1(at: step) * adam.epsilon)
        let slack = 4 * Double(T.leastNonzeroMagnitude) * max(1, adam.learningRate) / adam.epsilon
        let quarter = Double(T.ulpOfOne) / 8
        return (0..<count).allSatisfy { Double(m[$0].magnitude) * factor + slack <= Double(x[$0].magnitude) * quarter }
    }

    /// z ← β z, so many times, or until it stays the same.
    func decay(_ z: UnsafeMutablePointer<T>, by beta: Double, times: Int, _ precision: Precision) {
        let scale = precision.kernels.pointee.scale
        for time in 0..<times {
            if time % 256 == 0, (0..<count).allSatisfy({ T(beta) * z[$0] == z[$0] }) { return }
            scale(Int64(count), beta, z)
        }
    }
}
