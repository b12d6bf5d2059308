import CMetarec

/// Turns a simplified graph into instructions: decides where every value lies, and for how long.
public final class Lowering {
    /// Where a value lies: elements of another node's memory. Views share their base's memory.
    struct Location {
        var base: Int
        var offset = 0
        var stride: Dimension
    }

    let graph: Graph
    private let outputs: [Value]
    private let isShared: [Bool]
    let fusion: Fusion
    private let rewrites: [Rewrite]
    private var needed: Set<Int> = []
    private var locations: [Int: Location] = [:]
    /// Parts of a concatenation or a stack that are computed where they belong, by the whole.
    private var placedParts: [Int: Location] = [:]

    private var dimensions = Table<Dimension>()
    private var coefficients = Table<Coefficient>()
    private var chains: [Chain] = []
    private var prologue: [Instruction] = []
    private var instructions: [Instruction] = []

    private var slots: [Plan.Slot] = []
    private var slotOfBase: [Int: Int32] = [:]
    private var freeSlots: [Int32] = []
    /// By base: the position, in the order of instructions, of the last group that reads it.
    private var lastUse: [Int: Int] = [:]
    private var position = 0

    init(_ outputs: [Value], _ rewrites: [Rewrite]) {
        self.outputs = outputs
        self.rewrites = rewrites
        graph = outputs.first?.graph ?? Graph()
        var shared: [Bool] = []
        for node in graph.nodes {
            shared.append(
                rewrites.contains(.hoisting) && Lowering.isFixed(node) && node.operands.allSatisfy { shared[$0] })
        }
        isShared = shared
        fusion = Fusion(graph, outputs: outputs.map(\.id), isShared: shared, rewrites)
    }

    /// Whether a node is the same for all tasks if its operands are.
    private static func isFixed(_ node: Graph.Node) -> Bool {
        guard node.shape.rows.fixedValue != nil, node.shape.columns.fixedValue != nil else { return false }
        switch node.operation {
        case is Input, is Bag, is BagTransposed: return false
        case let constant as Constant: return constant.coefficient.number != nil
        case let chain as any ChainOperation: return chain.coefficient.number != nil
        default: return true
        }
    }

    func plan(_ summands: [Int: [Summand]]) -> Plan {
        place()
        var order: [Int] = []
        for id in graph.nodes.indices where needed.contains(id) && fusion.root[id] == id { order.append(id) }
        for (position, id) in order.enumerated() where isEmitted(id) {
            for read in fusion.reads(id) { lastUse[base(of: read)] = position }
        }
        for output in outputs { lastUse[base(of: output.id)] = .max }

        for (place, id) in order.enumerated() where isEmitted(id) {
            position = place
            graph.nodes[fusion.head[id] ?? id].operation.lower(id, in: self)
            for base in (fusion.reads(id) + [id]).map({ base(of: $0) }) where lastUse[base, default: -1] <= position {
                if let slot = slotOfBase[base], slots[Int(slot)].owner == .arena, !freeSlots.contains(slot) {
                    freeSlots.append(slot)
                }
            }
        }
        let results = outputs.map {
            Plan.Output(operand: operand($0.id), rows: dimension($0.shape.rows), columns: dimension($0.shape.columns))
        }
        return Plan(
            dimensions: dimensions.elements, coefficients: coefficients.elements, slots: slots, chains: chains,
            prologue: prologue, instructions: instructions, outputs: results, summands: summands)
    }

    // MARK: Placing

    /// Finds out what must be computed, from the outputs backwards, and which of it are views, from the leaves forwards.
    private func place() {
        var demanded = [Bool](repeating: false, count: graph.nodes.count)
        for output in outputs { demanded[output.id] = true }
        for id in graph.nodes.indices.reversed() where demanded[id] {
            for read in fusion.reads(id) { demanded[read] = true }
        }
        for id in graph.nodes.indices where rewrites.contains(.placing) && demanded[id] {
            placeParts(of: id, where: demanded)
        }
        for id in graph.nodes.indices where demanded[id] {
            needed.insert(id)
            locations[id] =
                placedParts[id] ?? view(id) ?? Location(base: id, stride: graph.nodes[id].shape.columns)
        }
    }

    /// Lets the parts of a concatenation or stack be computed in place, each in one whole only.
    private func placeParts(of whole: Int, where demanded: [Bool]) {
        let node = graph.nodes[whole]
        guard node.operation is Concatenate || node.operation is Stack else { return }
        var (row, column) = (0, 0)
        for part in node.operands {
            let shape = graph.nodes[part].shape
            let offset = row * (node.shape.columns.fixedValue ?? 0) + column
            if node.operation is Stack {
                row += shape.rows.fixedValue ?? 0
            } else {
                column += shape.columns.fixedValue ?? 0
            }
            guard demanded[part], placedParts[part] == nil, isComputed(part), isShared[part] == isShared[whole]
            else { continue }
            placedParts[part] = Location(base: whole, offset: offset, stride: node.shape.columns)
        }
    }

    /// Whether a node has memory of its own to write: neither a leaf nor possibly a view.
    private func isComputed(_ id: Int) -> Bool {
        switch graph.nodes[id].operation {
        case is Parameter, is Input, is Transpose, is Reshape, is Slice, is RowSlice, is Broadcast, is Stack,
            is Concatenate:
            false
        default: true
        }
    }

    /// The location of a node that only looks at its operand's memory in another way; nil if it must be computed.
    private func view(_ id: Int) -> Location? {
        let node = graph.nodes[id]
        guard let source = node.operands.first, let location = locations[source] else { return nil }
        let shape = graph.nodes[source].shape
        let isContiguous = location.stride == shape.columns || shape.rows == 1
        switch node.operation {
        case is Transpose where shape.rows == 1 || (shape.columns == 1 && location.stride == 1):
            return Location(base: location.base, offset: location.offset, stride: node.shape.columns)
        case is Reshape where isContiguous:
            return Location(base: location.base, offset: location.offset, stride: node.shape.columns)
        case let slice as Slice:
            let offset = location.offset + slice.columns.lowerBound
            return Location(base: location.base, offset: offset, stride: location.stride)
        case let slice as RowSlice:
            guard let stride = location.stride.fixedValue else { return nil }
            let offset = location.offset + slice.rows.lowerBound * stride
            return Location(base: location.base, offset: offset, stride: location.stride)
        case is Broadcast where shape.columns == node.shape.columns:
            return Location(base: location.base, offset: location.offset, stride: 0)
        default:
            return nil
        }
    }

    /// Whether a part was computed at this very place; the same part may come again elsewhere in the whole.
    private func isInPlace(_ part: Int, of whole: Int, at offset: Int32) -> Bool {
        placedParts[part].map { $0.base == whole && $0.offset == Int(offset) } ?? false
    }

    private func isEmitted(_ id: Int) -> Bool { locations[id]?.base == id || placedParts[id] != nil }

    private func base(of id: Int) -> Int { locations[id]?.base ?? id }

    // MARK: What operations call

    /// The ids of what a node's own operation reads.
    func operands(_ node: Int) -> [Int] { graph.nodes[fusion.head[node] ?? node].operands }

    /// A leaf: memory that somebody else owns.
    func bind(_ node: Int, to owner: Plan.Owner) {
        let shape = graph.nodes[node].shape
        slotOfBase[node] = addSlot(owner, shape)
    }

    /// A kernel with at most one matrix operand; its result is the node's value.
    func emit(_ kernel: Kernel, _ node: Int, a: Int? = nil, coefficient: Coefficient = .one) {
        let a = a.map(operand)
        var instruction = Instruction(kernel: kernel, out: result(node), a: a)
        // Kernels that reduce rows are told the size of their operand.
        let source = [.rowMax, .logSumExp, .logDeterminant].contains(kernel) ? operands(node)[0] : node
        setSize(&instruction, graph.nodes[source].shape)
        instruction.coefficient = coefficients.index(coefficient)
        add(instruction, for: node)
    }

    /// A gather or a scatter, added to an addend if one was fused.
    func emitBag(_ kernel: Kernel, _ node: Int, _ indices: Indices) {
        let epilogue = fusion.epilogues[node] ?? Fusion.Epilogue()
        let source = operands(node)[0]
        let (a, addend) = (operand(source), epilogue.addend.map(operand))
        let reusable = epilogue.addend.flatMap { isDying($0, in: node) && base(of: source) != base(of: $0) ? $0 : nil }
        var instruction = Instruction(kernel: kernel, out: result(node, over: reusable), a: a, d: addend)
        setSize(&instruction, graph.nodes[node].shape)
        instruction.coefficient = coefficients.index(epilogue.alpha)
        instruction.detail = Int32(indices.number)
        add(instruction, for: node)
    }

    func emitProduct(_ node: Int, _ product: MatMul) {
        let epilogue = fusion.epilogues[node] ?? Fusion.Epilogue()
        let (a, b) = (operands(node)[0], operands(node)[1])
        let right = operand(b)
        let addend = epilogue.addend.map { id in
            var operand = operand(id)
            if graph.nodes[id].shape != graph.nodes[node].shape { operand.stride = dimension(0) }
            return operand
        }
        let left = operand(a)
        let mask = epilogue.mask.map(operand)
        let bias = epilogue.bias.map(operand)
        // The addend's memory serves the result where it dies here and nothing else reads it.
        let reusable = epilogue.addend.flatMap { id in
            graph.nodes[id].shape == graph.nodes[node].shape && isDying(id, in: node)
                && ![a, b, epilogue.mask, epilogue.bias].compactMap { $0 }.contains { base(of: $0) == base(of: id) }
                ? id : nil
        }
        var instruction = Instruction(kernel: .gemm, out: result(node, over: reusable), a: left, b: right, d: addend)
        instruction.mask = mask
        instruction.bias = bias
        instruction.epilogue = Int32(epilogue.function.rawValue)
        instruction.transposesA = product.transposeA
        setSize(&instruction, graph.nodes[node].shape)
        let shape = graph.nodes[a].shape
        instruction.inner = dimension(product.transposeA ? shape.rows : shape.columns)
        instruction.coefficient = coefficients.index(epilogue.alpha)
        instruction.gamma = epilogue.gamma.map { coefficients.index($0) }
        instruction.delta = coefficients.index(epilogue.delta)
        add(instruction, for: node)
    }

    func emitSolve(_ node: Int) {
        let (factor, b) = (operand(operands(node)[1]), operand(operands(node)[2]))
        var instruction = Instruction(kernel: .solve, out: result(node), a: factor, b: b)
        setSize(&instruction, graph.nodes[node].shape)
        add(instruction, for: node)
    }

    func emitSum(_ node: Int, _ axis: Axis) {
        let source = operands(node)[0]
        var instruction = Instruction(kernel: .sum, out: result(node), a: operand(source))
        setSize(&instruction, graph.nodes[source].shape)
        instruction.detail = axis.rawValue
        instruction.coefficient = coefficients.index(fusion.epilogues[node]?.alpha ?? .one)
        add(instruction, for: node)
    }

    func emitTranspose(_ node: Int) {
        let source = operands(node)[0]
        var instruction = Instruction(kernel: .transpose, out: result(node), a: operand(source))
        setSize(&instruction, graph.nodes[source].shape)
        add(instruction, for: node)
    }

    func emitReshape(_ node: Int) {
        // Rows of the operand are apart (a slice): bring them together.
        let source = operands(node)[0]
        let out = result(node)
        var instruction = Instruction(
            kernel: .copy, out: Operand(slot: out.slot, stride: dimension(graph.nodes[source].shape.columns)),
            a: operand(source))
        setSize(&instruction, graph.nodes[source].shape)
        add(instruction, for: node)
    }

    func emitConcatenation(_ node: Int) {
        let out = result(node)
        var column: Int32 = 0
        for part in operands(node) {
            defer { column += Int32(graph.nodes[part].shape.columns.fixedValue ?? 0) }
            var target = out
            target.offset += column
            if isInPlace(part, of: node, at: target.offset) { continue }
            var instruction = Instruction(kernel: .copy, out: target, a: operand(part))
            setSize(&instruction, graph.nodes[part].shape)
            add(instruction, for: node)
        }
    }

    func emitStack(_ node: Int) {
        let out = result(node)
        var row = 0
        for part in operands(node) {
            defer { row += graph.nodes[part].shape.rows.fixedValue ?? 0 }
            var target = out
            target.offset += Int32(row * (graph.nodes[part].shape.columns.fixedValue ?? 0))
            if isInPlace(part, of: node, at: target.offset) { continue }
            var instruction = Instruction(kernel: .copy, out: target, a: operand(part))
            setSize(&instruction, graph.nodes[part].shape)
            add(instruction, for: node)
        }
    }

    func emitBroadcast(_ node: Int) {
        let chain = Chain(
            inputs: [chainInput(operands(node)[0], in: graph.nodes[node].shape)],
            steps: [Chain.Step(function: MR_SCALE.rawValue, operands: [0], coefficient: coefficients.index(.one))])
        emit(chain, node)
    }

    func emitChain(_ node: Int) {
        let inputs = fusion.chainInputs[node] ?? []
        var numbers: [Int: Int32] = [:]
        for (number, input) in inputs.enumerated() { numbers[input] = Int32(number) }
        var steps: [Chain.Step] = []
        for member in (fusion.chainMembers[node] ?? []).sorted() {
            guard let operation = graph.nodes[member].operation as? any ChainOperation else { continue }
            let operands = graph.nodes[member].operands.map { numbers[$0] ?? numbers[fusion.source($0)] ?? 0 }
            steps.append(
                Chain.Step(
                    function: operation.function.rawValue, operands: operands,
                    coefficient: coefficients.index(operation.coefficient)))
            numbers[member] = Int32(inputs.count + steps.count - 1)
        }
        let shape = graph.nodes[node].shape
        // An input of full shape that dies here may be overwritten: element for element, it is read before.
        let reusable = inputs.first { id in
            graph.nodes[id].shape == shape && locations[id]?.stride == shape.columns && isDying(id, in: node)
                && inputs.filter { base(of: $0) == base(of: id) }.count == 1
        }
        emit(Chain(inputs: inputs.map { chainInput($0, in: shape) }, steps: steps), node, over: reusable)
    }

    // MARK: Helpers

    private func emit(_ chain: Chain, _ node: Int, over reusable: Int? = nil) {
        var instruction = Instruction(kernel: .chain, out: result(node, over: reusable))
        setSize(&instruction, graph.nodes[node].shape)
        instruction.detail = Int32(chains.count)
        chains.append(chain)
        add(instruction, for: node)
    }

    private func chainInput(_ id: Int, in shape: Shape) -> Chain.Input {
        var operand = operand(id)
        let source = graph.nodes[id].shape
        if source.rows == 1 && shape.rows != 1 { operand.stride = dimension(0) }
        return Chain.Input(operand: operand, columnStride: source.columns == 1 && shape.columns != 1 ? 0 : 1)
    }

    private func isDying(_ id: Int, in node: Int) -> Bool {
        guard let location = locations[id], location.offset == 0, let slot = slotOfBase[location.base],
            slots[Int(slot)].owner == .arena, location.base == id
        else { return false }
        return lastUse[id] == position
    }

    private func operand(_ id: Int) -> Operand {
        let location = locations[id] ?? Location(base: id, stride: graph.nodes[id].shape.columns)
        return Operand(
            slot: slotOfBase[location.base] ?? 0, offset: Int32(location.offset), stride: dimension(location.stride))
    }

    private func result(_ node: Int, over reusable: Int? = nil) -> Operand {
        if let place = placedParts[node] {
            if slotOfBase[place.base] == nil { _ = result(place.base) }
            return operand(node)
        }
        if slotOfBase[node] != nil { return operand(node) }
        let shape = graph.nodes[node].shape
        if rewrites.contains(.inPlace), let reusable, let slot = slotOfBase[reusable] {
            slotOfBase[node] = slot
            slotOfBase[reusable] = nil
        } else if isShared[node] {
            slotOfBase[node] = addSlot(.shared, shape)
        } else if let free = freeSlots.firstIndex(where: { fits(shape, in: slots[Int($0)]) }) {
            slotOfBase[node] = freeSlots.remove(at: free)
        } else {
            slotOfBase[node] = addSlot(.arena, shape)
        }
        return Operand(slot: slotOfBase[node] ?? 0, stride: dimension(shape.columns))
    }

    /// Sizes are symbols, so a slot is used again only where it surely suffices and little is wasted.
    private func fits(_ shape: Shape, in slot: Plan.Slot) -> Bool {
        if slot.rows == shape.rows && slot.columns == shape.columns { return true }
        guard slot.rows == shape.rows, let width = shape.columns.fixedValue, let room = slot.columns.fixedValue
        else { return false }
        return width <= room && room <= 2 * width
    }

    private func addSlot(_ owner: Plan.Owner, _ shape: Shape) -> Int32 {
        slots.append(Plan.Slot(owner: owner, rows: shape.rows, columns: shape.columns))
        return Int32(slots.count - 1)
    }

    private func add(_ instruction: Instruction, for node: Int) {
        if isShared[node] { prologue.append(instruction) } else { instructions.append(instruction) }
    }

    private func setSize(_ instruction: inout Instruction, _ shape: Shape) {
        instruction.rows = dimension(shape.rows)
        instruction.columns = dimension(shape.columns)
    }

    private func dimension(_ dimension: Dimension) -> Int32 { dimensions.index(dimension) }
}

/// Numbers distinct elements in the order they come.
private struct Table<Element: Hashable> {
    private(set) var elements: [Element] = []
    private var numbers: [Element: Int32] = [:]

    mutating func index(_ element: Element) -> Int32 {
        if let number = numbers[element] { return number }
        numbers[element] = Int32(elements.count)
        elements.append(element)
        return Int32(elements.count - 1)
    }
}
