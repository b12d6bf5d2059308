import CMetarec

/// Which nodes of a finished graph are computed together.
///
/// A group is one instruction. Its root is the node whose value it stores; the other members live in registers.
struct Fusion {
    /// What a product, a bag or a sum does beside its own work.
    struct Epilogue {
        var alpha = Coefficient.one
        var addend: Int?
        /// A factor of the product and the addend together.
        var gamma: Coefficient?
        /// A row added to that, and its factor.
        var bias: Int?
        var delta = Coefficient.one
        var function = MR_EPILOGUE_NONE
        var mask: Int?
    }

    /// The root of each node's group.
    private(set) var root: [Int]
    /// For roots of products, bags and sums with more than one member: the product, bag or sum.
    private(set) var head: [Int: Int] = [:]
    private(set) var epilogues: [Int: Epilogue] = [:]
    /// For roots of chains: the external inputs, each once.
    private(set) var chainInputs: [Int: [Int]] = [:]
    private(set) var chainMembers: [Int: [Int]] = [:]

    private let graph: Graph
    private let users: [[Int]]
    private let isShared: [Bool]
    private let isOutput: Set<Int>
    private let rewrites: [Rewrite]

    init(_ graph: Graph, outputs: [Int], isShared: [Bool], _ rewrites: [Rewrite]) {
        self.graph = graph
        self.rewrites = rewrites
        self.isShared = isShared
        isOutput = Set(outputs)
        var users = [[Int]](repeating: [], count: graph.nodes.count)
        for (id, node) in graph.nodes.enumerated() {
            for operand in node.operands { users[operand].append(id) }
        }
        self.users = users
        root = Array(graph.nodes.indices)
        // Products first: they can take the most.
        for head in [Head.product, .bag, .sum] where rewrites.contains(.epilogues) {
            for id in graph.nodes.indices where Head(graph.nodes[id].operation) == head {
                fuseEpilogue(of: id, head)
            }
        }
        for id in graph.nodes.indices.reversed() where graph.nodes[id].operation is any ChainOperation {
            fuseIntoChain(id)
        }
    }

    /// The value a chain reads for an operand: through broadcasts, which cost a chain nothing.
    func source(_ id: Int) -> Int {
        graph.nodes[id].operation is Broadcast ? source(graph.nodes[id].operands[0]) : id
    }

    /// What a group reads from memory.
    func reads(_ root: Int) -> [Int] {
        if let inputs = chainInputs[root] { return inputs }
        let head = head[root] ?? root
        let epilogue = epilogues[root]
        return graph.nodes[head].operands + [epilogue?.addend, epilogue?.mask, epilogue?.bias].compactMap { $0 }
    }

    // MARK: Products, bags and sums

    private enum Head {
        case product, bag, sum

        init?(_ operation: any Operation) {
            switch operation {
            case is MatMul: self = .product
            case is Bag, is BagTransposed: self = .bag
            case is Sum: self = .sum
            default: return nil
            }
        }
    }

    private mutating func fuseEpilogue(of id: Int, _ head: Head) {
        var epilogue = Epilogue()
        var current = id
        while let user = soleUser(of: current), root[user] == user,
            extend(&epilogue, of: head, from: current, by: user)
        {
            current = user
            if epilogue.function != MR_EPILOGUE_NONE || head == .bag && epilogue.addend != nil { break }
        }
        guard current != id else { return }
        var member = id
        while member != current {
            root[member] = current
            member = users[member][0]
        }
        root[current] = current
        self.head[current] = id
        epilogues[current] = epilogue
    }

    private func soleUser(of id: Int) -> Int? {
        guard users[id].count == 1, !isOutput.contains(id) else { return nil }
        let user = users[id][0]
        return isShared[user] == isShared[id] && graph.nodes[user].shape == graph.nodes[id].shape
            && head[user] == nil ? user : nil
    }

    private func extend(_ epilogue: inout Epilogue, of head: Head, from current: Int, by user: Int) -> Bool {
        let node = graph.nodes[user]
        if let scale = node.operation as? Scale, epilogue.gamma == nil, epilogue.bias == nil {
            if epilogue.addend == nil {
                epilogue.alpha = epilogue.alpha * scale.coefficient
            } else {
                epilogue.gamma = scale.coefficient
            }
            return true
        }
        guard head != .sum else { return false }
        if head == .product, node.operation as? Unary == .relu {
            epilogue.function = MR_EPILOGUE_RELU
            return true
        }
        guard let binary = node.operation as? Binary else { return false }
        let isFirst = node.operands[0] == current
        let other = node.operands[isFirst ? 1 : 0]
        let shape = graph.nodes[other].shape
        let isFull = shape == node.shape
        guard head == .product || isFull else { return false }
        let row = head == .product ? row(other, columns: node.shape.columns) : nil
        switch binary {
        case .add where epilogue.addend == nil && (isFull || shape == Shape(1, node.shape.columns)):
            epilogue.addend = other
            return true
        case .add where epilogue.bias == nil && row != nil,
            .subtract where epilogue.bias == nil && isFirst && row != nil:
            epilogue.bias = row?.id
            epilogue.delta = (row?.factor ?? .one) * Coefficient(binary == .add ? 1 : -1)
            return true
        case .subtract where epilogue.addend == nil && !isFirst && (isFull || shape == Shape(1, node.shape.columns)):
            epilogue.alpha = -epilogue.alpha
            epilogue.delta = -epilogue.delta
            epilogue.addend = other
            return true
        case .mask where head == .product && isFirst && isFull:
            epilogue.mask = other
            epilogue.function = MR_EPILOGUE_MASK
            return true
        default:
            return false
        }
    }

    /// What is repeated in all rows of a value, and times what; nil where rows differ.
    private func row(_ id: Int, columns: Dimension) -> (id: Int, factor: Coefficient)? {
        var (row, factor) = (id, Coefficient.one)
        // What is read through a broadcast is stored; without one it could be a part of what computes the scaled row.
        if let scale = graph.nodes[id].operation as? Scale,
            graph.nodes[graph.nodes[id].operands[0]].operation is Broadcast
        {
            (row, factor) = (graph.nodes[id].operands[0], scale.coefficient)
        }
        row = source(row)
        return graph.nodes[row].shape == Shape(1, columns) ? (row, factor) : nil
    }

    // MARK: Chains

    /// Joins `id` to the chain that uses it, if one chain alone does and has room; else it begins a chain.
    private mutating func fuseIntoChain(_ id: Int) {
        guard root[id] == id, head[id] == nil else { return }
        let operands = unique(graph.nodes[id].operands.map(source))
        let roots = Set(users[id].map { root[$0] })
        if rewrites.contains(.chains), roots.count == 1, let chain = roots.first, !isOutput.contains(id),
            let inputs = chainInputs[chain],
            graph.nodes[chain].shape == graph.nodes[id].shape, isShared[chain] == isShared[id],
            chainMembers[chain, default: []].count < Int(MR_CHAIN_STEPS)
        {
            let merged = unique(inputs.filter { $0 != id } + operands)
            if merged.count <= Int(MR_CHAIN_INPUTS) {
                root[id] = chain
                chainInputs[chain] = merged
                chainMembers[chain, default: []].append(id)
                return
            }
        }
        chainInputs[id] = operands
        chainMembers[id] = [id]
    }

    private func unique(_ ids: [Int]) -> [Int] {
        var seen: Set<Int> = []
        return ids.filter { seen.insert($0).inserted }
    }
}
