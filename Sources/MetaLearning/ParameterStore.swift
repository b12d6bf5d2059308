import Glibc
import Graph
public import Kernels
import Synchronization

/// The parameters of a model, what the optimizer remembers about them, and the number of outer steps taken.
///
/// Rows of tables are updated lazily: a step touches the rows that have a gradient, and the others get what they
/// missed when they are next settled. What is read after settling is, bit for bit, what updating every row in every
/// step gives. Rows never touched cost nothing.
public final class ParameterStore: @unchecked Sendable {
    /// The element type.
    public let precision: Precision
    /// The outer update rule.
    public let optimizer: any Optimizer
    /// In the order of the specs.
    public let parameters: [Parameter]
    /// Number of finished outer steps.
    public private(set) var steps = 0
    private let indices: [String: Int]
    /// How many rows ahead of their use memory is asked for: rows are far apart, and each would wait for its own.
    private static let lookAhead = 12
    private let window: StepWindow

    /// Parameters of zeros. Errors: a name that comes twice, or more memory than this machine has.
    public init(_ specs: [ParameterSpec], precision: Precision, optimizer: any Optimizer) throws {
        self.precision = precision
        self.optimizer = optimizer
        window = StepWindow(optimizer)
        let machine = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        var room = machine / precision.elementSize
        for spec in specs {
            // Values and optimizer state; of what all tasks touch also the gradient and its sums over runs of tasks.
            let copies = 1 + optimizer.stateNames.count + (spec.isTable ? 0 : 1 + Executor.maximumRuns)
            let (size, overflow) = spec.rows.multipliedReportingOverflow(by: spec.columns)
            let (count, overflows) = size.multipliedReportingOverflow(by: copies)
            guard !overflow, !overflows, count <= room else {
                throw MetarecError(
                    .memory,
                    "\(spec.name): [\(spec.rows), \(spec.columns)] does not fit in this machine's \(machine >> 20) MiB")
            }
            room -= count
        }
        indices = try Dictionary(zip(specs.map(\.name), specs.indices)) { first, _ in
            throw MetarecError.value("parameters: the name \"\(specs[first].name)\" comes twice")
        }
        parameters = specs.map {
            Parameter($0, precision: precision, stateCount: optimizer.stateNames.count)
        }
    }

    /// The place of a parameter in `parameters`.
    public func index(of name: String) -> Int? { indices[name] }

    /// The optimizer's buffers by name ("adam.m.dense0.weight"), each of its parameter's shape.
    public var optimizerState: [(name: String, parameter: Parameter, buffer: Buffer)] {
        parameters.flatMap { parameter in
            zip(optimizer.stateNames, parameter.state).map { state, buffer in
                ("\(optimizer.name).\(state).\(parameter.spec.name)", parameter, buffer)
            }
        }
    }

    /// Continues a saved run: declares that all values and states, as they stand or will be written, are those after
    /// `steps` steps. Errors: a negative number.
    public func resume(at steps: Int) throws {
        guard (0...1 << 53).contains(steps) else { throw MetarecError.value("steps: \(steps), wanted 0 ... 2^53") }
        self.steps = steps
        window.move(to: steps)
        for parameter in parameters {
            for row in 0..<parameter.tableRows { parameter.lastSteps[row].store(steps, ordering: .relaxed) }
        }
    }

    /// Brings rows of a table up to the present step. Repeated rows are fine, negative ones are left out.
    ///
    /// Several threads may settle rows at once, the same rows too: the first to come does the work, the others wait.
    public func settle(_ rows: UnsafePointer<Int32>, count: Int, of table: Parameter) {
        for i in 0..<count {
            let ahead = i + ParameterStore.lookAhead
            if ahead < count, rows[ahead] >= 0 { table.prefetch(row: Int(rows[ahead])) }
            if rows[i] >= 0 { settle(Int(rows[i]), of: table, through: steps) }
        }
    }

    /// Asks for the memory of the first rows that `settle` will bring up to date; `settle` asks for that of the later ones.
    public func prefetch(_ rows: UnsafePointer<Int32>, count: Int, of table: Parameter) {
        for i in 0..<min(count, ParameterStore.lookAhead) where rows[i] >= 0 { table.prefetch(row: Int(rows[i])) }
    }

    /// Brings every row of a table up to the present step; as with some rows, several threads may.
    public func settle(_ table: Parameter) {
        for row in 0..<table.tableRows { settle(row, of: table, through: steps) }
    }

    /// Brings every row of every table up to the present step.
    public func settleAll() {
        for table in parameters { settle(table) }
    }

    private func settle(_ row: Int, of table: Parameter, through step: Int) {
        var last = table.lastSteps[row].load(ordering: .acquiring)
        while last != Parameter.untouched, last < step {
            guard last != Parameter.settling else {
                last = table.lastSteps[row].load(ordering: .acquiring)
                continue
            }
            let mine: Bool
            (mine, last) = table.lastSteps[row].compareExchange(
                expected: last, desired: Parameter.settling, ordering: .acquiring)
            guard mine else { continue }
            advance(table, table.elements(ofRow: row), through: last + 1...step, gradient: nil)
            table.lastSteps[row].store(step, ordering: .releasing)
            return
        }
    }

    /// All steps but the last without a gradient.
    private func advance(
        _ parameter: Parameter, _ elements: Range<Int>, through steps: ClosedRange<Int>, gradient: UnsafeRawPointer?
    ) {
        window.forEach(steps) { steps, isLast in
            optimizer.advance(parameter, elements, through: steps, gradient: isLast ? gradient : nil)
        }
    }

    // MARK: Steps

    /// One outer step: `gradients` has one entry per parameter, in their order.
    ///
    /// Cost: the dense parameters and the touched rows. Errors: gradients that do not fit the parameters; nothing is
    /// changed then.
    public func apply(_ gradients: [ParameterGradient], _ team: Team = .alone) throws {
        guard gradients.count == parameters.count else {
            throw MetarecError.value("gradients: \(gradients.count) came, wanted \(parameters.count)")
        }
        for (parameter, gradient) in zip(parameters, gradients) { try check(gradient, for: parameter) }
        let step = steps + 1
        window.move(to: step)
        for case (let table, .dense) in zip(parameters, gradients) {
            for row in 0..<table.tableRows {
                settle(row, of: table, through: steps)
                table.lastSteps[row].store(step, ordering: .relaxed)
            }
        }
        let pieces = ParameterGradient.pieces(of: gradients)
        try team.parallel(count: pieces.count) { index, _, _ in
            let piece = pieces[index]
            let parameter = parameters[piece.gradient]
            switch gradients[piece.gradient] {
            case .dense(let pointer, _):
                let first = piece.elements.lowerBound * precision.elementSize
                advance(parameter, piece.elements, through: step...step, gradient: pointer + first)
            case .sparse(let rows): update(parameter, rows, piece.rows(columns: rows.columns), step)
            }
        }
        steps = step
    }

    private func update(_ table: Parameter, _ gradient: SparseGradient, _ places: Range<Int>, _ step: Int) {
        let stride = gradient.columns * precision.elementSize
        for place in places {
            let ahead = place + ParameterStore.lookAhead
            if ahead < places.upperBound { table.prefetch(row: Int(gradient.rows[ahead])) }
            let row = Int(gradient.rows[place])
            let last = table.lastSteps[row].load(ordering: .relaxed)
            advance(
                table, table.elements(ofRow: row), through: (last == Parameter.untouched ? step : last + 1)...step,
                gradient: gradient.values + place * stride)
            table.lastSteps[row].store(step, ordering: .relaxed)
        }
    }

    private func check(_ gradient: ParameterGradient, for parameter: Parameter) throws {
        switch gradient {
        case .dense(_, let count):
            guard count == parameter.spec.count else {
                throw MetarecError.value(
                    "gradient of \(parameter.spec.name): \(count) elements, wanted \(parameter.spec.count)")
            }
        case .sparse(let rows):
            guard parameter.spec.isTable, rows.columns == parameter.spec.columns, rows.precision == precision else {
                throw MetarecError.value(
                    "gradient of \(parameter.spec.name): rows of \(rows.columns) columns, wanted those of a table of "
                        + "\(parameter.spec.columns)")
            }
            for i in 0..<rows.count where rows.rows[i] >= parameter.spec.rows {
                throw MetarecError.index(
                    "gradient of \(parameter.spec.name): row \(rows.rows[i]), outside 0 ..< \(parameter.spec.rows)")
            }
        }
    }
}
