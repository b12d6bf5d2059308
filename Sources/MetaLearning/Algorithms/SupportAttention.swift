import Graph

/// Attention of query rows over the support, and a small network over what they see: a conditional neural process
/// (Kim et al., ICLR 2019) that corrects another prediction. Its last layer begins at zero, and so does the correction.
struct SupportAttention {
    private let heads: Int
    private let hidden: [Int]
    private let l2: Double
    /// Units of the hidden layers that training drops.
    let dropout: UnitDropout?

    /// Nil without heads.
    init?(heads: Int, hidden: [Int], l2: Double, dropout: Double) {
        guard heads > 0 else { return nil }
        self.heads = heads
        self.hidden = hidden
        self.l2 = l2
        self.dropout = UnitDropout(rate: dropout, widths: hidden)
    }

    /// Columns of queries, keys and values: the tokens', up to a multiple of the heads.
    private func width(_ shape: RepresentationShape) -> Int { (shape.tokens + heads - 1) / heads * heads }

    func parameters(for shape: RepresentationShape, levels: Int) -> [ParameterRequest] {
        let (d, T) = (shape.tokens, width(shape))
        func request(_ name: String, _ rows: Int, _ columns: Int, _ initializer: Initializer) -> ParameterRequest {
            let rank = rows == 1 ? 1 : 2
            return ParameterRequest(
                ParameterSpec("attention.\(name)", rows: rows, columns: columns, rank: rank, group: "algorithm"),
                initializer, l2: l2)
        }
        func linear(_ name: String, _ rows: Int, _ columns: Int) -> ParameterRequest {
            request(name, rows, columns, .uniform(bound: (3 / Double(max(rows, 1))).squareRoot()))
        }
        var requests = [
            linear("query", d, T), linear("key", d, T), linear("value", d, T), linear("deviation", d, T),
            linear("match", d, T), request("null_key", 1, T, .constant(0)), request("null_value", 1, T, .constant(0)),
        ]
        if levels > 0 { requests.append(request("level", levels, T, .normal(deviation: 0.1))) }
        if shape.user > 0 { requests.append(linear("user", shape.user, T)) }
        var inputs = 3 * T + 6 + levels + shape.user
        for (index, width) in hidden.enumerated() {
            requests.append(
                request("dense\(index).weight", inputs, width, .uniform(bound: (6 / Double(inputs)).squareRoot())))
            requests.append(request("dense\(index).bias", 1, width, .constant(0)))
            inputs = width
        }
        requests.append(request("correction.weight", inputs, max(levels, 1), .constant(0)))
        requests.append(request("correction.bias", 1, max(levels, 1), .constant(0)))
        return requests
    }

    /// `[query rows, levels]`, or one column without levels.
    func correction(
        _ task: TaskProblem, _ support: Representation, _ query: Representation, _ output: Output
    ) -> Value {
        let θ = task.θ
        let y = task.targets(.support)
        let center = θ["head.bias"]
        let summary = Summary(y, center)
        let levels = task.levels(.support)
        let seen = attended(
            query.tokens, support.tokens, deviation: y - summary.mean, levels, query.user ?? support.user, θ)
        let match = query.tokens.matmul(θ["attention.match"])
        let rows = query.tokens.shape.rows
        func wide(_ x: Value) -> Value { x.broadcast(to: Shape(rows, x.shape.columns)) }
        let one = y.graph.constant(1, shape: .scalar)
        var inputs = [
            seen, seen * match, output.mean - center, output.variance ?? wide(0 * one), query.known ?? wide(one),
        ]
        // What all rows of the task share comes last: its part of the product is computed once.
        inputs += [summary.shrunkenMean, summary.shrunkenDeviation, 0.25 * summary.logCount].map(wide)
        if let levels { inputs.append(wide(levels.sumOverRows / (summary.count + 1))) }
        if let user = query.user { inputs.append(wide(user)) }
        // What the query's items alone decide comes first: its part is the same for every user.
        let first = [match.shape.columns, concatenate(inputs).shape.columns].map { $0.fixedValue ?? 0 }
        var h = concatenate(inputs)
        for index in hidden.indices {
            let weight = θ["attention.dense\(index).weight"]
            let product =
                index > 0
                ? h.matmul(weight)
                : match.matmul(weight.slice(rows: 0..<first[0]))
                    + h.matmul(weight.slice(rows: first[0]..<first[0] + first[1]))
            h = (product + θ["attention.dense\(index).bias"]).relu.dropped(task.masks, layer: index)
        }
        return h.matmul(θ["attention.correction.weight"]) + θ["attention.correction.bias"]
    }

    /// What each query row sees of the support, `[query rows, T]`; of an empty one the null value.
    private func attended(
        _ query: Value, _ support: Value, deviation: Value, _ levels: Value?, _ user: Value?, _ θ: Parameters
    ) -> Value {
        let q = query.matmul(θ["attention.query"])
        let keys = support.matmul(θ["attention.key"])
        var values =
            support.matmul(θ["attention.value"]) + deviation * support.matmul(θ["attention.deviation"])
        if let levels { values = values + levels.matmul(θ["attention.level"]) }
        let nullKey = θ["attention.null_key"]
        let nullValue =
            user.map { θ["attention.null_value"] + $0.matmul(θ["attention.user"]) } ?? θ["attention.null_value"]
        let width = (q.shape.columns.fixedValue ?? 0) / heads
        let scale = 1 / Double(width).squareRoot()
        return concatenate(
            (0..<heads).map { head in
                let columns = head * width..<(head + 1) * width
                let part = q.slice(columns: columns)
                let scores = scale * part.matmul(keys.slice(columns: columns), transposed: false, true)
                let nullScore = scale * part.matmul(nullKey.slice(columns: columns), transposed: false, true)
                // One softmax over the null and the support: what is seen of the null is what the support leaves.
                let total = nullScore + (scores.logSumExp - nullScore).softplus
                let null = nullValue.slice(columns: columns)
                return (scores - total).exp.matmul(values.slice(columns: columns) - null) + null
            })
    }
}

/// What a support's targets say by themselves, each `[1, 1]`; defined without any.
private struct Summary {
    let count: Value
    let mean: Value
    let shrunkenMean: Value
    let shrunkenDeviation: Value
    let logCount: Value

    init(_ y: Value, _ center: Value) {
        count = y.graph.constant(1, shape: y.shape).sum
        mean = y.mean
        shrunkenMean = (y - center).sum / (count + 3)
        shrunkenDeviation = (((y - mean).square.sum + 3) / (count + 3)).sqrt
        logCount = (count + 1).log
    }
}
