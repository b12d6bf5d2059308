import Graph
import Kernels
import MetaLearning

/// Backbone, algorithm and loss over given fields, traced: what the plans of a learner are compiled from.
struct Model {
    /// One embedding table: its field and its place among the parameters.
    struct Table {
        let field: Int
        let parameter: Int
        let columns: Int
    }

    let items: [FieldSchema]
    let users: [FieldSchema]
    /// The items' fields, then the users'.
    let fields: [FieldSchema]
    let backbone: any Backbone
    let algorithm: any MetaAlgorithm
    let loss: any Loss
    let requests: [ParameterRequest]
    /// In the order of `WorkingSet`'s tables.
    let tables: [Table]
    let adapted: [Bool]
    /// Of hidden units, in training: the backbone's for the support, then for the query, then the algorithm's.
    let masks: [UnitMask]

    let specs: [ParameterSpec]

    init(
        items: [FieldSchema], users: [FieldSchema], backbone: any Backbone, algorithm: any MetaAlgorithm,
        loss: any Loss
    ) throws {
        let fields = items + users
        guard !fields.isEmpty else {
            throw MetarecError.value("tasks: neither items nor users have a field, so there is nothing to learn from")
        }
        for (index, field) in fields.enumerated() where fields[..<index].contains(where: { $0.name == field.name }) {
            throw MetarecError.value("tasks: the field name \"\(field.name)\" comes twice, in items and in users")
        }
        var requests = backbone.parameters(items: items, users: users)
        let inner = requests.map(\.spec).filter { algorithm.adapts.contains($0.group) }
        requests += algorithm.additionalParameters(for: inner).map {
            ParameterRequest($0.spec, .constant($0.initialValue))
        }
        requests += algorithm.parameters(
            for: backbone.shape(items: items, users: users), levels: loss.levels.count)
        requests += loss.parameters
        self.items = items
        self.users = users
        self.backbone = backbone
        self.algorithm = algorithm
        self.loss = loss
        self.fields = fields
        self.requests = requests
        specs = requests.map(\.spec)
        try Model.checkSizes(specs)
        adapted = requests.map { algorithm.adapts.contains($0.spec.group) }
        masks =
            [Symbol.support, .query].flatMap { UnitMask.layers(backbone.unitDropout, rows: $0) }
            + UnitMask.layers(algorithm.unitDropout, rows: .query)
        tables = fields.indices.filter { fields[$0].isEmbedded }.compactMap { field in
            requests.firstIndex { $0.spec.name == fields[field].embeddingName }.map {
                Table(field: field, parameter: $0, columns: requests[$0].spec.columns)
            }
        }
    }

    /// Within a matrix, a plan counts elements in 32 bits. Of a table it sees the rows of one task only.
    private static func checkSizes(_ specs: [ParameterSpec]) throws {
        for spec in specs where !spec.isTable {
            let (count, overflow) = spec.rows.multipliedReportingOverflow(by: spec.columns)
            guard !overflow, count <= Int(Int32.max) else {
                throw MetarecError(
                    .memory, "\(spec.name): [\(spec.rows), \(spec.columns)], wanted at most \(Int32.max) elements")
            }
        }
    }

    /// How many rows every table has, by the symbol of how many a task touches.
    var tableRows: [Symbol: Int] {
        Dictionary(uniqueKeysWithValues: tables.indices.map { (.table($0), specs[tables[$0].parameter].rows) })
    }

    /// What training hides more often than other values.
    var dropout: FieldDropout? { backbone.dropout(items: items) }

    // MARK: Numbers of inputs. Two targets, then a gathered table each, then dense fields, two segments each, then
    // masks.

    static let supportTargets = 0
    static let queryTargets = 1
    func tableInput(_ table: Int) -> Int { 2 + table }
    func vectorInput(_ field: Int, isQuery: Bool) -> Int { 2 + tables.count + 2 * field + (isQuery ? 1 : 0) }
    func maskInput(_ mask: Int) -> Int { 2 + tables.count + 2 * fields.count + mask }
    func indexInput(_ field: Int, isQuery: Bool) -> Int { 2 * field + (isQuery ? 1 : 0) }

    // Plans that score candidates read their tables apart from the support's; then what earlier stages computed.

    func candidateTableInput(_ table: Int) -> Int { inputCount + table }
    var firstStageInput: Int { inputCount + tables.count }
    func candidateTableSize(_ table: Int) -> Symbol { .table(tables.count + table) }
    /// Whether a table belongs to a field of items.
    func isItemTable(_ table: Int) -> Bool { tables[table].field < items.count }

    private var inputCount: Int { maskInput(masks.count) }

    var interface: Executor.Interface {
        Executor.Interface(
            inputCount: inputCount, indexCount: 2 * fields.count,
            symbolCount: Symbol.table(tables.count).id)
    }

    // MARK: Tracing

    /// What a fresh graph gives: the task, and what is said of its query.
    struct Trace {
        let task: TaskProblem
        /// `[query rows, 1]`
        let predictions: (Output, Parameters) -> Value
        /// `[query rows, levels]`
        let distribution: (Output, Parameters) -> Value?
    }

    /// - Parameters:
    ///   - candidates: whether the query's items come from tables of their own, those of candidates.
    ///   - training: whether hidden units are dropped.
    func trace(candidates: Bool = false, training: Bool = false) -> Trace {
        let graph = Graph()
        let θ = Parameters(
            requests.indices.map { index in
                let spec = requests[index].spec
                guard let table = tables.firstIndex(where: { $0.parameter == index }) else {
                    return (spec.name, graph.parameter(index, Shape(.fixed(spec.rows), .fixed(spec.columns))))
                }
                let shape = Shape(.symbol(.table(table)), .fixed(spec.columns))
                return (spec.name, graph.input(tableInput(table), shape))
            }, in: graph)
        let support = features(in: graph, isQuery: false)
        let query = features(in: graph, isQuery: true)
        let supportTargets = graph.input(Model.supportTargets, Shape(.support, 1))
        let queryTargets = graph.input(Model.queryTargets, Shape(.query, 1))

        let candidateTables = tables.indices.filter { candidates && isItemTable($0) }.map { table in
            let shape = Shape(.symbol(candidateTableSize(table)), .fixed(tables[table].columns))
            return (specs[tables[table].parameter].name, graph.input(candidateTableInput(table), shape))
        }
        let masks = training ? maskValues(in: graph) : (support: [], query: [], algorithm: [])
        func represent(_ segment: Segment, _ θ: Parameters) -> Representation {
            var θ = θ
            if segment == .query { for (name, table) in candidateTables { θ[name] = table } }
            let fields = segment == .query ? query : support
            return backbone.represent(
                items: Array(fields[..<items.count]), users: Array(fields[items.count...]),
                rows: segment == .query ? .query : .support,
                masks: segment == .query ? masks.query : masks.support, θ)
        }
        func targets(_ segment: Segment) -> Value { segment == .query ? queryTargets : supportTargets }
        let task = TaskProblem(
            θ: θ, adapted: zip(θ.names, adapted).filter(\.1).map(\.0),
            represent: represent, output: { represent($0, $1).output($1) },
            targets: targets, masks: masks.algorithm, levels: { loss.levels(of: targets($0)) },
            rowLosses: { output, segment, θ in loss.rows(output, targets(segment), θ) },
            curvature: { output, segment, θ in loss.curvature(output, targets(segment), θ) })
        return Trace(
            task: task, predictions: loss.prediction, distribution: loss.distribution)
    }

    private func maskValues(in graph: Graph) -> (support: [Value], query: [Value], algorithm: [Value]) {
        let values = masks.indices.map { index in
            graph.input(maskInput(index), Shape(.symbol(masks[index].rows), .fixed(masks[index].units)))
        }
        let layers = backbone.unitDropout?.widths.count ?? 0
        return (
            Array(values[..<layers]), Array(values[layers..<2 * layers]), Array(values[(2 * layers)...])
        )
    }

    private func features(in graph: Graph, isQuery: Bool) -> [FieldFeature] {
        fields.enumerated().map { index, schema in
            let isUser = index >= items.count
            let rows: Dimension = isUser ? 1 : (isQuery ? .query : .support)
            // The user's one row is the same for both segments.
            let second = isQuery && !isUser
            if schema.isEmbedded {
                return FieldFeature(
                    schema: schema, source: .indices(Indices(indexInput(index, isQuery: second), rows: rows)))
            }
            let shape = Shape(rows, .fixed(schema.size))
            return FieldFeature(
                schema: schema, source: .vectors(graph.input(vectorInput(index, isQuery: second), shape)))
        }
    }
}
