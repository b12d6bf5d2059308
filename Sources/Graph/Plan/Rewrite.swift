import CMetarec

/// A rewrite that makes plans cheaper and changes no result beyond rounding. Each can be left out, which shows what it
/// buys. Listed in the order in which they are tried.
public enum Rewrite: String, CaseIterable, Sendable {
    /// `[X | 1 u] W`: what repeats row by row is computed for one row.
    case repeatedRows = "repeated-rows"
    /// `[A; u] + [B; v]` part by part.
    case stacks
    /// `A (W - α Xᵀ G)` by the Gram matrix `A Xᵀ`.
    case gram
    /// `A (W - α Hᵀ G)` above the first layer likewise, with its activations, where the whole plan then costs less.
    case upperGram = "upper-gram"
    /// `Xᵀ G + Xᵀ H` as one product, `M X + Mᵀ X` too.
    case factoring
    /// `M + Nᵀ` as `M + Mᵀ` where M and N are one sum of products in two orders.
    case byParts = "by-parts"
    /// Only those columns of a product or a concatenation that somebody reads.
    case narrowing
    /// `B T W` as `B (T W)`, where a table T that is looked up in has few rows.
    case byValue = "by-value"
    /// What follows a product, a bag or a sum is done where it stores.
    case epilogues
    /// Trees of element-wise operations in one instruction.
    case chains
    /// What no task changes once per run.
    case hoisting
    /// Sums over the tasks of outer products as one product of all tasks' rows.
    case outerProducts = "outer-products"
    /// Parts of a concatenation or a stack computed where they belong.
    case placing
    /// A result over an operand that dies.
    case inPlace = "in-place"

    /// What is done unless a plan says otherwise: all but those that the environment variable `METAREC_WITHOUT` names.
    static let standard: Result<[Rewrite], MetarecError> = Result { () throws(MetarecError) in
        let leftOut = try named(mr_left_out_rewrites().map { String(cString: $0) } ?? "")
        return allCases.filter { !leftOut.contains($0) }
    }

    /// The rewrites of a list such as "gram,chains".
    ///
    /// - Throws: a name that is none.
    static func named(_ list: String) throws(MetarecError) -> Set<Rewrite> {
        var found: Set<Rewrite> = []
        for name in list.split(separator: ",") {
            guard let rewrite = Rewrite(rawValue: String(name)) else {
                let names = allCases.map(\.rawValue).joined(separator: ", ")
                throw MetarecError.value("METAREC_WITHOUT: '\(name)' is not one of the rewrites \(names)")
            }
            found.insert(rewrite)
        }
        return found
    }

    /// The value of an operation in a cheaper form, nil where there is none or the rewrite is of another kind.
    func cheaper(_ operation: any Operation, _ operands: [Value], in graph: Graph) -> Value? {
        switch self {
        case .repeatedRows: exploitRepeatedRows(operation, operands, in: graph)
        case .stacks: exploitStacks(operation, operands)
        case .gram: exploitLowRank(operation, operands)
        case .upperGram: exploitUpperLowRank(operation, operands)
        case .factoring: factor(operation, operands)
        case .byParts: sumByParts(operation, operands)
        default: nil
        }
    }
}
