import CMetarec
import Graph
import Kernels
import MetaLearning

/// A task in memory: its working set and the rows of tables that it touches. A thread has one and reuses it.
final class TaskMemory {
    let working: WorkingSet
    private let model: Model
    /// Per table: gathered rows, [touched rows, columns].
    private let rows: UnsafeMutablePointer<Scratch>
    private let masks: UnitMasks
    private var values: ItemValues?

    init(_ model: Model, _ precision: Precision) {
        self.model = model
        working = WorkingSet(items: model.items, users: model.users, precision: precision)
        masks = UnitMasks(model.masks, precision)
        rows = .allocate(capacity: model.tables.count)
        for table in model.tables.indices { (rows + table).initialize(to: Scratch()) }
    }

    deinit { rows.deinitialize(count: model.tables.count).deallocate() }

    /// Gathers the touched rows of all tables, or some, brought up to date first.
    func gather(_ tables: [Int]? = nil, from store: ParameterStore) {
        for number in model.tables.indices where tables?.contains(number) ?? true {
            let touched = working.touchedRows(ofTable: number)
            store.prefetch(touched.rows, count: touched.count, of: store.parameters[model.tables[number].parameter])
        }
        for number in model.tables.indices where tables?.contains(number) ?? true {
            let table = model.tables[number]
            let touched = working.touchedRows(ofTable: number)
            let parameter = store.parameters[table.parameter]
            store.settle(touched.rows, count: touched.count, of: parameter)
            let size = touched.count * table.columns * store.precision.elementSize
            rows[number].reserve(byteCount: size)
            var bag = mr_bag(
                rows: Int64(touched.count), columns: Int64(table.columns), ids: touched.rows, offsets: nil,
                weights: nil, alpha: 1)
            store.precision.kernels.pointee.bag(
                &bag, parameter.pointer, Int64(table.columns), rows[number].pointer, Int64(table.columns), 0)
        }
    }

    /// The gathered rows of a table, [touched rows, columns].
    func gathered(_ table: Int) -> UnsafeMutableRawPointer { rows[table].pointer }

    /// Gives the task to a worker. `gather` comes first.
    func bind(to worker: Worker) {
        let (support, query) = (working.supportCount, working.queryCount)
        worker.setSize(.support, support)
        worker.setSize(.query, query)
        worker.setSize(.all, support + query)
        worker.setInput(Model.supportTargets, working.targets(.support))
        worker.setInput(Model.queryTargets, working.targets(.query))
        for number in model.tables.indices {
            worker.setSize(.table(number), working.touchedRows(ofTable: number).count)
            worker.setInput(model.tableInput(number), rows[number].pointer)
        }
        for field in model.fields.indices {
            let schema = model.fields[field]
            if field >= model.items.count {
                bind(field, schema, .user, isQuery: false, to: worker)
            } else {
                bind(field, schema, .support, isQuery: false, to: worker)
                bind(field, schema, .query, isQuery: true, to: worker)
            }
        }
    }

    /// Gives the masks of the task's hidden units to a worker that trains: drawn, or without a generator all 1.
    func bindMasks(from generator: SeededGenerator?, to worker: Worker) {
        masks.draw(support: working.supportCount, query: working.queryCount, from: generator)
        for index in model.masks.indices { worker.setInput(model.maskInput(index), masks[index]) }
    }

    /// Room for a block's values of an item stage.
    func block(_ columns: [Int]) -> ItemValues {
        if let values, values.columns == columns { return values }
        let new = ItemValues(rows: Blocks.size, columns: columns, working.precision)
        values = new
        return new
    }

    /// Gives candidates that were numbered and gathered to the worker of a stage.
    func bindGatheredCandidates(to worker: Worker) {
        for number in model.tables.indices where model.isItemTable(number) { bindGathered(number, to: worker) }
        bindCandidates(to: worker)
    }

    /// Gives candidates that were not numbered, and with them whole tables, to the worker of a stage.
    func bindCandidates(of store: ParameterStore, to worker: Worker) {
        for number in model.tables.indices where model.isItemTable(number) { bindWhole(number, of: store, to: worker) }
        bindCandidates(to: worker)
    }

    /// Gives those fields of candidates that are looked up in some tables to the worker of a stage, and the tables: whole,
    /// or where the ids are numbered, their touched rows.
    func bindCandidates(in tables: [Int], areNumbered: Bool, of store: ParameterStore, to worker: Worker) {
        if areNumbered { gather(tables, from: store) }
        for number in tables {
            if areNumbered { bindGathered(number, to: worker) } else { bindWhole(number, of: store, to: worker) }
            let field = model.tables[number].field
            bind(field, model.fields[field], .query, isQuery: true, to: worker)
        }
    }

    private func bindGathered(_ table: Int, to worker: Worker) {
        worker.setSize(model.candidateTableSize(table), working.touchedRows(ofTable: table).count)
        worker.setInput(model.candidateTableInput(table), rows[table].pointer)
    }

    private func bindWhole(_ table: Int, of store: ParameterStore, to worker: Worker) {
        let parameter = store.parameters[model.tables[table].parameter]
        if parameter.spec.rows <= Model.fewRows {
            store.settle(parameter)
        } else {
            let indices = working.indices(model.tables[table].field, .query)
            store.settle(indices.ids, count: indices.count, of: parameter)
        }
        worker.setSize(model.candidateTableSize(table), parameter.spec.rows)
        worker.setInput(model.candidateTableInput(table), parameter.pointer)
    }

    private func bindCandidates(to worker: Worker) {
        worker.setSize(.query, working.queryCount)
        for field in model.items.indices { bind(field, model.fields[field], .query, isQuery: true, to: worker) }
    }

    private func bind(
        _ field: Int, _ schema: FieldSchema, _ segment: WorkingSet.Segment, isQuery: Bool, to worker: Worker
    ) {
        if schema.isEmbedded {
            let indices = working.indices(field, segment)
            worker.setIndices(
                model.indexInput(field, isQuery: isQuery), rows: indices.rows, ids: indices.ids,
                offsets: indices.offsets, weights: indices.weights)
        } else {
            worker.setInput(model.vectorInput(field, isQuery: isQuery), working.vectors(field, segment))
        }
    }
}
