import CMetarec
import Kernels
import Testing

@Suite struct BagTests {
    /// Bags of 0...4 entries with unknown ids among them, or one id per row.
    static func ids(_ rows: Int, bags: Bool) -> (ids: [Int32], offsets: [Int32]?) {
        var numbers = Numbers(rows)
        guard bags else { return ((0..<max(rows, 1)).map { _ in Int32(numbers.index(below: 10)) - 1 }, nil) }
        var ids: [Int32] = []
        var offsets: [Int32] = [0]
        for _ in 0..<rows {
            for _ in 0..<numbers.index(below: 5) { ids.append(Int32(numbers.index(below: 10)) - 1) }
            offsets.append(Int32(ids.count))
        }
        return (ids + [0], offsets)
    }

    /// Plain, and added to what is there; bags times a factor.
    static let forms = [(bags: false, adds: false), (false, true), (true, false), (true, true)]

    @Test(arguments: Table.all, forms)
    func gatherAndScatter(_ table: Table, _ form: (bags: Bool, adds: Bool)) {
        let (p, bags, adds) = (table.precision, form.bags, form.adds)
        let alpha = adds || bags ? -0.75 : 1
        for rows in [0, 1, 2, 7, 40] {
            for columns in awkward {
                for isWeighted in [false, true] {
                    let (ids, offsets) = BagTests.ids(rows, bags: bags)
                    let weights = Matrix.random(p, 1, rows, seed: 3)
                    // The table may be a caller's array: no read behind its end.
                    let values = Matrix.random(p, 9, columns, slack: 2, overRead: 0, seed: 4)
                    let g = Matrix.random(p, rows, columns, slack: 1, seed: 5)
                    let out =
                        adds ? Matrix.random(p, rows, columns, slack: 3, seed: 7) : Matrix(p, rows, columns, slack: 3)
                    let scattered = Matrix.random(p, 9, columns, slack: 2, seed: 6)

                    var gathered = (0..<rows).map { r in (0..<columns).map { adds ? out[r, $0] : 0 } }
                    var transposed = (0..<9).map { i in (0..<columns).map { scattered[i, $0] } }
                    for r in 0..<rows {
                        let w = alpha * (isWeighted ? weights[0, r] : 1)
                        for entry in offsets.map({ Int($0[r])..<Int($0[r + 1]) }) ?? r..<(r + 1) where ids[entry] >= 0 {
                            for j in 0..<columns {
                                gathered[r][j] += w * values[Int(ids[entry]), j]
                                transposed[Int(ids[entry])][j] += w * g[r, j]
                            }
                        }
                    }

                    ids.withUnsafeBufferPointer { i in
                        (offsets ?? [0]).withUnsafeBufferPointer { o in
                            var bag = mr_bag(
                                rows: Int64(rows), columns: Int64(columns), ids: i.baseAddress!,
                                offsets: offsets == nil ? nil : o.baseAddress,
                                weights: isWeighted ? UnsafeRawPointer(weights.pointer) : nil, alpha: alpha)
                            table.kernels.bag(
                                &bag, UnsafeRawPointer(values.pointer), Int64(values.stride), out.pointer,
                                Int64(out.stride), adds ? 1 : 0)
                            table.kernels.bag_transposed(
                                &bag, UnsafeRawPointer(g.pointer), Int64(g.stride), scattered.pointer,
                                Int64(scattered.stride))
                        }
                    }
                    var wrong = 0
                    for j in 0..<columns {
                        for r in 0..<rows where !agree(out[r, j], gathered[r][j], 20 * table.epsilon) { wrong += 1 }
                        for i in 0..<9 where !agree(scattered[i, j], transposed[i][j], 400 * table.epsilon) {
                            wrong += 1
                        }
                    }
                    #expect(
                        wrong == 0 && out.isIntact && scattered.isIntact, "\(table) \(rows)x\(columns), adds \(adds)")
                    withExtendedLifetime((weights, values, g)) {}
                }
            }
        }
    }

    /// AVX2 and AVX-512 give the same bits.
    @Test(arguments: Precision.allCases, forms)
    func fusedVariantsAgreeInEveryBit(_ precision: Precision, _ form: (bags: Bool, adds: Bool)) {
        let (bags, adds) = form
        let (ids, offsets) = BagTests.ids(40, bags: bags)
        for columns in awkward {
            for isWeighted in [false, true] {
                let results = Table.all.filter { $0.precision == precision && $0.isa.hasPrefix("avx") }.map { table in
                    let weights = Matrix.random(precision, 1, 40, seed: 3)
                    let values = Matrix.random(precision, 9, columns, seed: 4)
                    let g = Matrix.random(precision, 40, columns, seed: 5)
                    let out = Matrix.random(precision, 40, columns, seed: 7)
                    let scattered = Matrix.random(precision, 9, columns, seed: 6)
                    ids.withUnsafeBufferPointer { i in
                        (offsets ?? [0]).withUnsafeBufferPointer { o in
                            var bag = mr_bag(
                                rows: 40, columns: Int64(columns), ids: i.baseAddress!,
                                offsets: offsets == nil ? nil : o.baseAddress,
                                weights: isWeighted ? UnsafeRawPointer(weights.pointer) : nil,
                                alpha: adds || bags ? 0.7 : 1)
                            table.kernels.bag(
                                &bag, UnsafeRawPointer(values.pointer), Int64(columns), out.pointer, Int64(columns),
                                adds ? 1 : 0)
                            table.kernels.bag_transposed(
                                &bag, UnsafeRawPointer(g.pointer), Int64(columns), scattered.pointer, Int64(columns))
                        }
                    }
                    return withExtendedLifetime((weights, values, g)) { out.bits + scattered.bits }
                }
                #expect(results.count < 2 || results[0] == results[1], "\(columns) columns, weighted \(isWeighted)")
            }
        }
    }
}
