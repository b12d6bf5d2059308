/// A computation over matrices, recorded by tracing a function of symbolic values.
///
/// Nodes are only appended, operands before their users. Equal nodes are one node (hash-consing), so a computation
/// that occurs twice, say in a first and a second derivative, is done once.
public final class Graph {
    struct Node {
        let operation: any Operation
        let operands: [Int]
        let shape: Shape
    }

    private struct Key: Hashable {
        let operation: AnyHashable
        let operands: [Int]
    }

    private(set) var nodes: [Node] = []
    private var numbers: [Key: Int] = [:]
    /// The first misfit met while tracing. Operators cannot throw; compiling does.
    public private(set) var error: MetarecError?

    /// What is tried on every node that is appended; nil while tracing.
    private let rewrites: [Rewrite]?

    /// An empty graph.
    public init() { rewrites = nil }

    /// A graph that simplifies what is appended. Only for finished graphs: a simpler form of a value may bypass a
    /// parameter, and a later derivative would miss it.
    init(simplifying rewrites: [Rewrite]) { self.rewrites = rewrites }

    /// Appends a node, or finds the equal one.
    public func append(_ operation: some Operation, _ operands: Value...) -> Value { append(operation, operands) }

    /// Notes a mistake met while tracing, for compiling to report, and stands in for the value there is not.
    public func failed(_ error: MetarecError) -> Value {
        if self.error == nil { self.error = error }
        return constant(0, shape: .scalar)
    }

    func append(_ operation: any Operation, _ operands: [Value]) -> Value {
        if let rewrites {
            if let simpler = operation.simplified(operands, in: self) { return simpler }
            for rewrite in rewrites {
                if let cheaper = rewrite.cheaper(operation, operands, in: self) { return cheaper }
            }
        }
        func record(_ operation: some Operation) -> Value {
            let isOwn = operands.allSatisfy { $0.graph === self }
            let key = Key(operation: AnyHashable(operation), operands: isOwn ? operands.map(\.id) : [])
            if let id = numbers[key] { return Value(graph: self, id: id) }
            var shape = Shape.scalar
            do throws(MetarecError) {
                guard isOwn else { throw MetarecError.value("\(operation): an operand belongs to another graph") }
                shape = try operation.shape(of: operands.map(\.shape))
            } catch {
                if self.error == nil { self.error = error }
            }
            nodes.append(Node(operation: operation, operands: key.operands, shape: shape))
            numbers[key] = nodes.count - 1
            return Value(graph: self, id: nodes.count - 1)
        }
        return record(operation)
    }
}

/// A symbolic matrix: a node of a graph.
public struct Value: Hashable {
    /// The graph that it is a node of.
    public let graph: Graph
    let id: Int

    init(graph: Graph, id: Int) {
        self.graph = graph
        self.id = id
    }

    /// Rows and columns.
    public var shape: Shape { graph.nodes[id].shape }
    var operation: any Operation { graph.nodes[id].operation }
    var operands: [Value] { graph.nodes[id].operands.map { Value(graph: graph, id: $0) } }

    /// The same node of the same graph.
    public static func == (a: Value, b: Value) -> Bool { a.graph === b.graph && a.id == b.id }
    /// Hashes the node's place.
    public func hash(into hasher: inout Hasher) { hasher.combine(id) }
}
