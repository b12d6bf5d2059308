import Dispatch
import Graph
import Kernels
import Testing

@testable import MetaLearning

@Suite struct ParameterStoreTests {
    static let rows = 9
    static let columns = 5

    /// One parameter, as a lazily updated table or as a dense matrix, with the same drawn values.
    private func store(
        isTable: Bool, _ precision: Precision, _ optimizer: any Optimizer
    ) throws -> ParameterStore {
        let spec = ParameterSpec(
            "x", rows: Self.rows, columns: Self.columns, isTable: isTable, group: "embedding")
        let store = try ParameterStore([spec], precision: precision, optimizer: optimizer)
        var generator = SeededGenerator(7)
        write((0..<spec.count).map { _ in generator.uniform() - 0.5 }, to: store.parameters[0].pointer, precision)
        return store
    }

    private func write(_ numbers: [Double], to pointer: UnsafeMutableRawPointer, _ precision: Precision) {
        for (i, number) in numbers.enumerated() {
            switch precision {
            case .float: pointer.storeBytes(of: Float(number), toByteOffset: 4 * i, as: Float.self)
            case .double: pointer.storeBytes(of: number, toByteOffset: 8 * i, as: Double.self)
            }
        }
    }

    private func bytes(_ buffer: Buffer) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: buffer.pointer, count: buffer.byteCount))
    }

    /// Runs the same steps on a table and on a dense matrix; `touched` says which rows have a gradient at which step.
    private func compare(
        _ optimizer: any Optimizer, _ precision: Precision, steps: Int, touched: (Int) -> [Int32],
        settled: (Int) -> [Int32], scale: (Int) -> Double = { _ in 1 }
    ) throws {
        let lazy = try store(isTable: true, precision, optimizer)
        let dense = try store(isTable: false, precision, optimizer)
        let sparse = SparseGradient(columns: Self.columns, precision: precision)
        let full = Buffer(count: Self.rows * Self.columns, precision)
        let part = Buffer(count: Self.rows * Self.columns, precision)
        defer { withExtendedLifetime((full, part)) {} }
        var generator = SeededGenerator(11)
        for step in 1...steps {
            let rows = touched(step)
            let values = rows.map { _ in (0..<Self.columns).map { _ in (generator.uniform() - 0.5) * scale(step) } }
            write([Double](repeating: 0, count: Self.rows * Self.columns), to: full.pointer, precision)
            for (row, numbers) in zip(rows, values) {
                write(numbers, to: full.pointer + Int(row) * Self.columns * precision.elementSize, precision)
            }
            write(values.flatMap { $0 }, to: part.pointer, precision)
            sparse.removeAll()
            sparse.add(rows, count: rows.count, gradient: part.pointer)
            let looked = settled(step)
            lazy.settle(looked, count: looked.count, of: lazy.parameters[0])
            for row in looked {
                let stride = Self.columns * precision.elementSize
                let range = Int(row) * stride..<(Int(row) + 1) * stride
                #expect(bytes(lazy.parameters[0].values)[range] == bytes(dense.parameters[0].values)[range])
            }
            try lazy.apply([.sparse(sparse)])
            try dense.apply([.dense(full.pointer, count: Self.rows * Self.columns)])
        }
        #expect(lazy.steps == steps)
        lazy.settleAll()
        #expect(bytes(lazy.parameters[0].values) == bytes(dense.parameters[0].values))
        for (a, b) in zip(lazy.optimizerState, dense.optimizerState) { #expect(bytes(a.buffer) == bytes(b.buffer)) }
    }

    @Test(arguments: Precision.allCases, 0..<6)
    func lazyAdamIsDenseAdam(precision: Precision, seed: Int) throws {
        var generator = SeededGenerator(UInt64(seed))
        let steps = 400
        // Row 0 is never touched; row r is touched in about one step of 4^(r / 2).
        let plan = (0...steps).map { _ in
            (1..<Self.rows).filter { generator.uniform() < 1 / Double(1 << $0) }.map { Int32($0) }
        }
        let looks = (0...steps).map { _ in
            generator.index(below: 5) == 0 ? [Int32(generator.index(below: Self.rows))] : []
        }
        try compare(
            Adam(learningRate: 0.01, beta1: seed == 3 ? 0 : 0.9, beta2: seed == 4 ? 0 : 0.999), precision, steps: steps,
            touched: { plan[$0] }, settled: { looks[$0] })
    }

    /// Gaps after which x rests and m and v reach their fixed points, also 0 (small decays) and −0 on the way there.
    @Test(
        arguments: Precision.allCases,
        [(1e-30, 0.9, 0.999), (1e-6, 0.9, 0.999), (1, 0.9, 0.999), (1e6, 0.99, 0.9), (1, 0.45, 0.3), (1e3, 0, 0.5)])
    func longGapsAreDenseAdam(precision: Precision, _ setting: (scale: Double, beta1: Double, beta2: Double)) throws {
        let steps = precision == .float ? 10_000 : 20_000
        let scale = setting.scale
        try compare(
            Adam(learningRate: 0.003, beta1: setting.beta1, beta2: setting.beta2), precision, steps: steps,
            touched: { [1: [1, 2, 3], 2: [2], 300: [3], 9000: [1], 9001: [1, 4]][$0] ?? [] },
            settled: { [8000: [2], 8001: [2, 2]][$0] ?? [] }, scale: { _ in scale })
    }

    @Test(arguments: Precision.allCases)
    func lazySGDIsDenseSGD(precision: Precision) throws {
        try compare(
            SGD(learningRate: 0.1), precision, steps: 50, touched: { [Int32($0 % 7)] }, settled: { [Int32($0 % 3)] })
    }

    @Test(arguments: Precision.allCases)
    func threadsSettleTheSameRowsAtOnce(precision: Precision) throws {
        let optimizer = try Adam(learningRate: 0.01)
        let alone = try store(isTable: true, precision, optimizer)
        let together = try store(isTable: true, precision, optimizer)
        let sparse = SparseGradient(columns: Self.columns, precision: precision)
        let ones = Buffer(count: Self.rows * Self.columns, precision)
        defer { withExtendedLifetime(ones) {} }
        write([Double](repeating: 1, count: Self.rows * Self.columns), to: ones.pointer, precision)
        let rows = (0..<Int32(Self.rows)).map { $0 }
        for _ in 0..<30 {
            sparse.removeAll()
            sparse.add(rows, count: rows.count, gradient: ones.pointer)
            for store in [alone, together] { try store.apply([.sparse(sparse)]) }
            sparse.removeAll()
            for store in [alone, together] { for _ in 0..<50 { try store.apply([.sparse(sparse)]) } }
            DispatchQueue.concurrentPerform(iterations: 8) { _ in
                together.settle(rows, count: rows.count, of: together.parameters[0])
            }
            alone.settleAll()
            #expect(bytes(together.parameters[0].values) == bytes(alone.parameters[0].values))
        }
        for (a, b) in zip(alone.optimizerState, together.optimizerState) { #expect(bytes(a.buffer) == bytes(b.buffer)) }
    }

    @Test func sgdByHand() throws {
        let store = try ParameterStore(
            [ParameterSpec("b", rows: 1, columns: 2, rank: 1, group: "head")], precision: .double,
            optimizer: SGD(learningRate: 0.5))
        #expect(store.parameters[0].spec.shape == [2])
        write([1, 2], to: store.parameters[0].pointer, .double)
        let gradient = Buffer(count: 2, .double)
        defer { withExtendedLifetime((store, gradient)) {} }
        write([4, -2], to: gradient.pointer, .double)
        try store.apply([.dense(gradient.pointer, count: 2)])
        let x = store.parameters[0].pointer.assumingMemoryBound(to: Double.self)
        #expect([x[0], x[1]] == [-1, 3])
    }

    @Test func adamByTheEquations() throws {
        let store = try ParameterStore(
            [ParameterSpec("w", rows: 1, columns: 1, group: "head")], precision: .double,
            optimizer: Adam(learningRate: 0.1))
        let gradient = Buffer(count: 1, .double)
        defer { withExtendedLifetime((store, gradient)) {} }
        let x = store.parameters[0].pointer.assumingMemoryBound(to: Double.self)
        var (expected, m, v) = (0.0, 0.0, 0.0)
        for step in 1...700 {
            let g = Double(step % 5) - 1.5
            write([g], to: gradient.pointer, .double)
            try store.apply([.dense(gradient.pointer, count: 1)])
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g * g
            let (power1, power2) = (1...step).reduce((1.0, 1.0)) { powers, _ in (powers.0 * 0.9, powers.1 * 0.999) }
            expected -= 0.1 * (m / (1 - power1)) / ((v / (1 - power2)).squareRoot() + 1e-8)
            #expect(abs(x[0] - expected) < 1e-10)
            // The first step has the length of the learning rate, whatever the gradient.
            if step == 1 { #expect(abs(abs(x[0]) - 0.1) < 1e-8) }
        }
    }

    @Test func aLoadedRunContinues() throws {
        let optimizer = try Adam(learningRate: 0.01)
        let original = try store(isTable: true, .float, optimizer)
        let copy = try store(isTable: true, .float, optimizer)
        let sparse = SparseGradient(columns: Self.columns, precision: .float)
        let part = Buffer(count: Self.columns, .float)
        write([1, -2, 3, 0, 5], to: part.pointer, .float)
        defer { withExtendedLifetime(part) {} }
        func step(_ row: Int32, _ stores: [ParameterStore]) throws {
            sparse.removeAll()
            sparse.add([row], count: 1, gradient: part.pointer)
            for store in stores { try store.apply([.sparse(sparse)]) }
        }
        for row in [3, 4, 3, 5] as [Int32] { try step(row, [original]) }
        original.settleAll()
        try copy.resume(at: original.steps)
        copy.parameters[0].pointer.copyMemory(
            from: original.parameters[0].pointer, byteCount: original.parameters[0].values.byteCount)
        for (to, from) in zip(copy.optimizerState, original.optimizerState) {
            to.buffer.pointer.copyMemory(from: from.buffer.pointer, byteCount: from.buffer.byteCount)
        }
        for row in [3, 6] as [Int32] { try step(row, [original, copy]) }
        original.settleAll()
        copy.settleAll()
        #expect(copy.steps == 6)
        #expect(bytes(copy.parameters[0].values) == bytes(original.parameters[0].values))
        #expect(copy.optimizerState.map(\.name) == ["adam.m.x", "adam.v.x"])
        #expect(throws: MetarecError.value("steps: -1, wanted 0 ... 2^53")) { try copy.resume(at: -1) }
    }

    @Test func refusesWhatDoesNotFit() throws {
        let optimizer = try SGD(learningRate: 1)
        let spec = ParameterSpec("x", rows: 2, columns: 3, isTable: true, group: "embedding")
        #expect(throws: MetarecError.value("parameters: the name \"x\" comes twice")) {
            try ParameterStore([spec, spec], precision: .float, optimizer: optimizer)
        }
        let huge = ParameterSpec("huge", rows: Int(Int32.max), columns: 1 << 20, isTable: true, group: "embedding")
        #expect { try ParameterStore([huge], precision: .float, optimizer: optimizer) } throws: { error in
            (error as? MetarecError)?.kind == .memory
        }
        let overflowing = ParameterSpec("huge", rows: Int.max / 2, columns: 3, group: "embedding")
        #expect { try ParameterStore([overflowing], precision: .float, optimizer: optimizer) } throws: { error in
            (error as? MetarecError)?.kind == .memory
        }
        let store = try ParameterStore([spec], precision: .float, optimizer: optimizer)
        let numbers = Buffer(count: 6, .float)
        defer { withExtendedLifetime(numbers) {} }
        #expect(throws: MetarecError.value("gradient of x: 5 elements, wanted 6")) {
            try store.apply([.dense(numbers.pointer, count: 5)])
        }
        let sparse = SparseGradient(columns: 3, precision: .float)
        sparse.add([2], count: 1, gradient: numbers.pointer)
        #expect(throws: MetarecError.index("gradient of x: row 2, outside 0 ..< 2")) {
            try store.apply([.sparse(sparse)])
        }
        #expect(throws: MetarecError.value("gradients: 0 came, wanted 1")) { try store.apply([]) }
        #expect(store.steps == 0)
    }
}
