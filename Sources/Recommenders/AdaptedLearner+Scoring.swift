import Graph
import Kernels

extension AdaptedLearner {
    /// How many numbers a score is; 0 where the model has no such score.
    public func columns(of score: Score) -> Int { state.model.columns(of: score) }

    /// Scores to `out`, `[candidates, columns]`, in the order of `candidates`: rows of `items`, −1 is an unknown item.
    ///
    /// Each by itself: an item has the same score whatever the others are, and however many threads. Memory beside that
    /// of the learner's catalogue: a block of candidates for each thread. Errors: a row outside the table; a score that is
    /// not finite; the learner has trained on since.
    public func predict(
        _ candidates: UnsafeBufferPointer<Int32>, of items: FeatureTable, score: Score = .prediction,
        into out: UnsafeMutableRawPointer, poll: Poll
    ) throws {
        try checkIsCurrent()
        // A copy: what is borrowed may change after it was checked.
        let rows = Array(candidates)
        if let at = rows.firstIndex(where: { $0 < -1 || Int($0) >= items.rows }) {
            throw MetarecError.index("items[\(at)] = \(rows[at]): outside -1 ..< \(items.rows)")
        }
        try rows.withUnsafeBufferPointer { rows in
            guard let first = rows.baseAddress else { return }
            try self.score(score, first, rows.count, of: items, into: out, poll)
        }
        guard isFinite(out, count: rows.count * columns(of: score)) else {
            throw MetarecError(.arithmetic, "a score left the finite numbers; a smaller inner_lr may help")
        }
    }

    /// Whether all numbers are. They are memory of others, whose end kernels would read past.
    private func isFinite(_ numbers: UnsafeMutableRawPointer, count: Int) -> Bool {
        let whole = count & ~15  // of vectors
        let rest = numbers + whole * learner.precision.elementSize
        let isRestFinite =
            learner.precision == .float
            ? (0..<count - whole).allSatisfy { rest.load(fromByteOffset: 4 * $0, as: Float.self).isFinite }
            : (0..<count - whole).allSatisfy { rest.load(fromByteOffset: 8 * $0, as: Double.self).isFinite }
        return isRestFinite && learner.precision.kernels.pointee.sum_of_squares(Int64(whole), numbers).isFinite
    }

    private func score(
        _ score: Score, _ candidates: UnsafePointer<Int32>, _ count: Int, of items: FeatureTable,
        into out: UnsafeMutableRawPointer, _ poll: Poll
    ) throws {
        let scores = try stages.scores(score)
        guard let itemStage = stages.items else {
            return try scoreWhole(scores, candidates, count: count, of: items, into: out, poll)
        }
        let places = UnsafeMutablePointer<Int32>.allocate(capacity: count)
        defer { places.deallocate() }
        guard let version = learner.version(state), let catalogue = itemStage.catalogue(items, version) else {
            return try scoreByParts(
                itemStage, scores, candidates, count: count, of: items, places, into: out, poll)
        }
        let missing = catalogue.locate(candidates, count: count, places: places)
        do {
            let missingPlaces = missing.map(catalogue.place(of:))
            try represent(itemStage, missing, of: items, at: missingPlaces, in: catalogue.values, poll)
        } catch {
            catalogue.forget()
            throw error
        }
        try self.score(scores, candidates, count, of: items, catalogue.values, at: places, into: out, poll)
    }

    /// Without a catalogue to keep them: computes the item stage's values, and scores, for some blocks after the other.
    private func scoreByParts(
        _ itemStage: ItemStage, _ scores: ScoreStage, _ candidates: UnsafePointer<Int32>, count: Int,
        of items: FeatureTable, _ places: UnsafeMutablePointer<Int32>, into out: UnsafeMutableRawPointer, _ poll: Poll
    ) throws {
        let part = min(count, 8 * Blocks.size)
        let values = ItemValues(rows: part, columns: itemStage.columns, learner.precision)
        for place in 0..<part { places[place] = Int32(place) }
        for start in stride(from: 0, to: count, by: max(part, 1)) {
            let candidates = candidates + start
            let rows = Array(UnsafeBufferPointer(start: candidates, count: min(part, count - start)))
            try represent(itemStage, rows, of: items, at: (0..<rows.count).map { Int32($0) }, in: values, poll)
            try score(
                scores, candidates, rows.count, of: items, values, at: places,
                into: out + start * rowSize(scores), poll)
        }
    }

    /// Runs the item stage for rows of the items; their values go to the places given.
    private func represent(
        _ itemStage: ItemStage, _ rows: [Int32], of items: FeatureTable, at places: [Int32], in values: ItemValues,
        _ poll: Poll
    ) throws {
        let blocks = Blocks(rows.count)
        try rows.withUnsafeBufferPointer { rows in
            guard let rows = rows.baseAddress else { return }
            try run(itemStage.executor, blocks, poll) { block, memory, worker in
                try memory.working.load(
                    candidates: rows + block.lowerBound, count: block.count, of: items, numbering: false)
                memory.bindCandidates(of: state.store, to: worker)
            } store: { block, worker in
                for number in itemStage.columns.indices {
                    values.store(worker.output(number), number, at: places[block], learner.precision)
                }
            }
        }
    }

    /// Runs the score stage on values of the item stage.
    private func score(
        _ scores: ScoreStage, _ candidates: UnsafePointer<Int32>, _ count: Int, of items: FeatureTable,
        _ values: ItemValues, at places: UnsafePointer<Int32>, into out: UnsafeMutableRawPointer, _ poll: Poll
    ) throws {
        let firstInput = state.model.firstStageInput + stages.plans.userValueCount
        let fields = scores.tables.map { state.model.tables[$0].field }
        try run(scores.executor, Blocks(count), poll) { block, memory, worker in
            bind(to: worker)
            worker.setSize(.query, block.count)
            if !fields.isEmpty {
                // A table is multiplied whole; of a few candidates the rows that they touch are fewer.
                let areFew = block.count < Model.fewRows
                try memory.working.load(
                    candidates: candidates + block.lowerBound, count: block.count, of: items, numbering: areFew,
                    fields: fields)
                memory.bindCandidates(in: scores.tables, areNumbered: areFew, of: state.store, to: worker)
            }
            let places = places + block.lowerBound
            var (source, row) = (values, Int(places[0]))
            if (1..<block.count).contains(where: { places[$0] != places[$0 - 1] + 1 }) {
                (source, row) = (memory.block(values.columns), 0)
                for number in stages.itemReads { source.gather(number, from: values, places, count: block.count) }
            }
            for (input, number) in stages.itemReads.enumerated() {
                worker.setInput(firstInput + input, source.pointer(number, row: row))
            }
        } store: { block, worker in
            worker.copyOutput(0, to: out + block.lowerBound * rowSize(scores))
        }
    }

    /// Without an item stage: there is one for candidates and scores together.
    private func scoreWhole(
        _ scores: ScoreStage, _ candidates: UnsafePointer<Int32>, count: Int, of items: FeatureTable,
        into out: UnsafeMutableRawPointer, _ poll: Poll
    ) throws {
        try run(scores.executor, Blocks(count), poll) { block, memory, worker in
            bind(to: worker)
            try memory.working.load(
                candidates: candidates + block.lowerBound, count: block.count, of: items, numbering: true)
            memory.gather(from: state.store)
            overlay(memory)
            memory.bindGatheredCandidates(to: worker)
        } store: { block, worker in
            worker.copyOutput(0, to: out + block.lowerBound * rowSize(scores))
        }
    }

    /// Bytes of a candidate's scores.
    private func rowSize(_ scores: ScoreStage) -> Int {
        scores.executor.plan.outputColumns(0) * learner.precision.elementSize
    }

    /// Runs a stage, the blocks being its tasks.
    private func run(
        _ executor: Executor, _ blocks: Blocks, _ poll: Poll,
        load: (Range<Int>, TaskMemory, Worker) throws -> Void, store: (Range<Int>, Worker) -> Void
    ) throws {
        // Waking a thread costs as much as some blocks.
        let threads = blocks.count < 8 ? 1 : learner.options.threads
        let memory = state.memory(threads)
        try executor.run(
            count: blocks.count, threads: threads, parameters: state.parameterPointers, poll: poll,
            load: { block, thread, worker in try load(blocks[block], memory[thread], worker) },
            store: { block, _, worker in store(blocks[block], worker) })
    }
}
