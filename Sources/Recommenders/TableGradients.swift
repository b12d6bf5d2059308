import Graph
import Kernels
import MetaLearning

/// What one task of a batch leaves for the tables: per table the rows that it touched, and their gradient.
final class TableGradients {
    private struct Part: ~Copyable {
        var count = 0
        var rows = Scratch()
        var values = Scratch()
    }

    private let model: Model
    private let parts: UnsafeMutablePointer<Part>

    init(_ model: Model) {
        self.model = model
        parts = .allocate(capacity: model.tables.count)
        for table in model.tables.indices { (parts + table).initialize(to: Part()) }
    }

    deinit { parts.deinitialize(count: model.tables.count).deallocate() }

    /// Asks `worker` for the gradients of the task in `memory`, and notes its rows.
    func request(from worker: Worker, _ memory: TaskMemory, _ precision: Precision) {
        for number in model.tables.indices {
            let table = model.tables[number]
            let touched = memory.working.touchedRows(ofTable: number)
            parts[number].count = touched.count
            parts[number].rows.reserve(touched.count, of: Int32.self).update(from: touched.rows, count: touched.count)
            parts[number].values.reserve(byteCount: touched.count * table.columns * precision.elementSize)
            worker.setOutput(1 + table.parameter, parts[number].values.pointer)
        }
    }

    /// Takes over what `worker` has computed.
    func take(from worker: Worker) {
        for number in model.tables.indices {
            worker.copyOutput(1 + model.tables[number].parameter, to: parts[number].values.pointer)
        }
    }

    /// Adds `scale` times the gradient of table number `table` to `sum`.
    func add(_ table: Int, to sum: SparseGradient, scale: Double) {
        sum.add(
            parts[table].rows.elements(of: Int32.self), count: parts[table].count,
            gradient: parts[table].values.pointer, scale: scale)
    }
}
