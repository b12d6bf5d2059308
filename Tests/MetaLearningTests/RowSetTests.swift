import Testing

@testable import MetaLearning

@Suite struct RowSetTests {
    /// Numbers of first appearance, by a dictionary.
    private func expected(_ ids: [Int32]) -> (numbers: [Int32], rows: [Int32]) {
        var seen: [Int32: Int32] = [:]
        var rows: [Int32] = []
        let numbers = ids.map { id -> Int32 in
            guard id >= 0 else { return id }
            if let number = seen[id] { return number }
            seen[id] = Int32(rows.count)
            rows.append(id)
            return Int32(rows.count - 1)
        }
        return (numbers, rows)
    }

    private func number(_ ids: [Int32], in set: inout RowSet) -> [Int32] {
        var numbers = ids
        set.number(ids, count: ids.count, into: &numbers)
        return numbers
    }

    @Test(arguments: [1, 2, 3, 50, 1000, RowSet.directRows + 500, 1 << 18, Int(Int32.max)])
    func numbersByFirstAppearance(bound: Int) {
        var set = RowSet()
        var generator = SeededGenerator(UInt64(bound))
        for round in 0..<200 {
            let ids = (0..<generator.index(below: 1 + 5 * round)).map { _ in
                Int32(generator.index(below: bound)) - (generator.index(below: 8) == 0 ? Int32(bound) : 0)
            }.map { max($0, -1) }
            let (numbers, rows) = expected(ids)
            set.removeAll()
            let first = number(Array(ids.prefix(ids.count / 3)), in: &set)
            var second = Array(ids.dropFirst(ids.count / 3))
            second.withUnsafeMutableBufferPointer {
                guard let base = $0.baseAddress else { return }
                set.number(base, count: $0.count, into: base)
            }
            #expect(first + second == numbers)
            #expect(Array(UnsafeBufferPointer(start: set.rows, count: set.count)) == rows)
        }
    }

    @Test func rowsThatShareASlotStayApart() {
        // Multiples of 2^26 agree in all the low bits that a careless hash would look at.
        let ids = (0..<31).map { Int32($0) << 26 } + (0..<31).map { Int32($0) << 26 }
        var set = RowSet()
        #expect(number(ids, in: &set) == (0..<31).map { Int32($0) } + (0..<31).map { Int32($0) })
    }

    /// Rows with a slot of their own and rows of the hash, on both sides of the border and at the ends.
    @Test func rowsAtTheBorder() {
        var set = RowSet()
        let border = Int32(RowSet.directRows)
        for _ in 0..<2 {
            let ids = [border - 1, border, border - 1, .max, 0, border, -1, .max, border + 1, 0]
            #expect(number(ids, in: &set) == [0, 1, 0, 2, 3, 1, -1, 2, 4, 3])
            #expect(
                Array(UnsafeBufferPointer(start: set.rows, count: set.count)) == [
                    border - 1, border, .max, 0, border + 1,
                ])
            set.removeAll()
        }
    }

    /// When generations begin anew, what the first ones left does not count.
    @Test func generationsBeginAnew() {
        var set = RowSet(generation: .max - 1)
        let ids: [Int32] = [7, 1 << 20, 7]
        for _ in 0..<4 {
            #expect(number(ids.reversed() + ids, in: &set) == [0, 1, 0, 0, 1, 0])
            set.removeAll()
            #expect(number([1 << 20, 5], in: &set) == [0, 1])
            set.removeAll()
        }
    }
}
