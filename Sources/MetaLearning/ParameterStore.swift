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

    /// Parameters of zeros. Errors: a name that comes twice, or more memory than this machine has.
    public init(_ specs: [ParameterSpec], precision: Precision, optimizer: any Optimizer) throws {
        self.precision = precision
        self.optimizer = optimizer
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
        guard steps >= 0 else { throw MetarecError.value("steps: \(steps), wanted at least 0") }
        self.steps = steps
        for parameter in parameters {
            for row in 0..<parameter.tableRows { parameter.lastSteps[row].store(steps, ordering: .relaxed) }
        }
    }

    /// Brings rows of a table up to the present step. Repeated rows are fine, negative ones are left out.
    ///
    /// Several threads may settle rows at once, the same rows too: the first to come does the work, the others wait.
    public func settle(_ rows: UnsafePointer<Int32>, count: Int, of table: Parameter) {
        for i in 0..<count where rows[i] >= 0 { settle(Int(rows[i]), of: table, through: steps) }
    }

    /// Brings every row of every table up to the present step.
    public func settleAll() {
        for table in parameters where table.spec.isTable {
            for row in 0..<table.spec.rows { settle(row, of: table, through: steps) }
        }
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
            optimizer.catchUp(table, table.elements(ofRow: row), missed: last + 1...step)
            table.lastSteps[row].store(step, ordering: .releasing)
            return
        }
    }

    /// One outer step: `gradients` has one entry per parameter, in their order.
    ///
    /// Cost: the dense parameters and the touched rows. Errors: gradients that do not fit the parameters; nothing is
    /// changed then.
    public func apply(_ gradients: [ParameterGradient]) throws {
        guard gradients.count == parameters.count else {
            throw MetarecError.value("gradients: \(gradients.count) came, wanted \(parameters.count)")
        }
        for (parameter, gradient) in zip(parameters, gradients) { try check(gradient, for: parameter) }
        let step = steps + 1
        for (parameter, gradient) in zip(parameters, gradients) {
            switch gradient {
            case .dense(let pointer, _): update(parameter, pointer, step)
            case .sparse(let rows): update(parameter, rows, step)
            }
        }
        steps = step
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

    private func update(_ parameter: Parameter, _ gradient: UnsafeRawPointer, _ step: Int) {
        for row in 0..<parameter.tableRows {
            settle(row, of: parameter, through: step - 1)
            parameter.lastSteps[row].store(step, ordering: .relaxed)
        }
        optimizer.update(parameter, 0..<parameter.spec.count, gradient: gradient, step: step)
    }

    private func update(_ table: Parameter, _ gradient: SparseGradient, _ step: Int) {
        let stride = gradient.columns * precision.elementSize
        for i in 0..<gradient.count {
            let row = Int(gradient.rows[i])
            settle(row, of: table, through: step - 1)
            optimizer.update(
                table, table.elements(ofRow: row), gradient: gradient.values + i * stride, step: step)
            table.lastSteps[row].store(step, ordering: .relaxed)
        }
    }
}
