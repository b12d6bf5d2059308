import CMetarec

/// Steps of Adam (Kingma and Ba, 2015) on vectors that stay in registers; see `kernels.h`.
struct AdamSteps<E: KernelElement> {
    typealias V = E.Vector

    private let options: mr_adam
    private let beta1: V
    private let beta2: V
    private let epsilon: V

    init(_ options: UnsafePointer<mr_adam>) {
        self.options = options.pointee
        beta1 = V(repeating: E(options.pointee.beta1))
        beta2 = V(repeating: E(options.pointee.beta2))
        epsilon = V(repeating: E(options.pointee.epsilon))
    }

    func run(
        _ n: Int, _ x: UnsafeMutablePointer<E>, _ m: UnsafeMutablePointer<E>, _ v: UnsafeMutablePointer<E>,
        _ g: UnsafePointer<E>?
    ) {
        let missed = Int(options.missed)
        forEachVector(n, E.self) { i, count in
            var state = State(x: load(x + i), m: load(m + i), v: load(v + i))
            replay(&state, missed)
            if let g { advance(&state, Step(options, missed), gradient: load(g + i)) }
            if count == width(E.self) {
                store(state.m, m + i)
                store(state.v, v + i)
                store(state.x, x + i)
            } else {
                state.m.store(m + i, first: count)
                state.v.store(v + i, first: count)
                state.x.store(x + i, first: count)
            }
        }
    }

    private struct State {
        var x, m, v: V
    }

    /// The numbers of one step.
    private struct Step {
        let size: V
        let inverse2: V
        let largest: V
        let shrinks: Bool

        @inline(__always) init(_ options: mr_adam, _ number: Int) {
            let numbers = options.steps + 4 * number
            size = V(repeating: E(numbers[0]))
            inverse2 = V(repeating: E(numbers[1]))
            largest = V(repeating: E(numbers[2]))
            shrinks = numbers[3] != 0
        }
    }

    @inline(__always) private func advance(_ state: inout State, _ step: Step, gradient: V) {
        let rest1 = V(repeating: E(1 - options.beta1))
        let rest2 = V(repeating: E(1 - options.beta2))
        state.m = multiplyAdd(beta1, state.m, rest1 * gradient)
        state.v = multiplyAdd(beta2, state.v, rest2 * (gradient * gradient))
        state.x = state.x - step.size * state.m / (V.squareRoot(state.v * step.inverse2) + epsilon)
    }

    /// Steps without a gradient.
    @inline(__always) private func replay(_ state: inout State, _ count: Int) {
        var number = 0
        while number < count {
            let step = Step(options, number)
            advance(&state, step, gradient: V(repeating: 0))
            number += 1
            // Sooner no row with a momentum rests, and looking costs as much as a step.
            if number & 15 == 12, isAtRest(state, step) { return decay(&state, count - number) }
        }
    }

    /// Whether no later step without a gradient moves any lane of x.
    ///
    /// A lane without momentum rests. Any other rests where the longest move of a later step leaves x as it is: moves
    /// shrink from step to step if the step says so; if not, dividing by ε alone bounds them.
    @inline(__always) private func isAtRest(_ state: State, _ step: Step) -> Bool {
        let (zero, one) = (V(repeating: 0), V(repeating: 1))
        let root = step.shrinks ? V.squareRoot(state.v * step.inverse2) + epsilon : epsilon
        let moved = state.x - step.largest * state.m / root
        let size = V.ifLess(state.x, zero, zero - state.x, else: state.x)
        let isSmall = V.ifLess(size, V(repeating: E(options.rest_above)), zero, else: one)
        let rests = V.ifEqual(moved, state.x, isSmall, else: zero)
        return V.ifEqual(state.m, zero, one, else: rests).total == E(Int32(truncatingIfNeeded: width(E.self)))
    }

    /// m ← β₁ m, v ← β₂ v, so many times, or until nothing changes.
    @inline(__always) private func decay(_ state: inout State, _ count: Int) {
        let (zero, one) = (V(repeating: 0), V(repeating: 1))
        for number in 0..<count {
            let m = multiplyAdd(beta1, state.m, zero)
            let v = multiplyAdd(beta2, state.v, zero)
            if number & 63 == 0 {
                let changed = V.ifEqual(m, state.m, zero, else: one) + V.ifEqual(v, state.v, zero, else: one)
                // A zero is written once, for its sign.
                (state.m, state.v) = (m, v)
                if changed.total == 0 { return }
            }
            (state.m, state.v) = (m, v)
        }
    }
}
