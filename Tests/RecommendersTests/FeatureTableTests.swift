import Graph
import Recommenders
import Testing

@Suite struct FeatureTableTests {
    private func table(_ field: Field, rows: Int = 3) throws -> FeatureTable {
        try FeatureTable(rows: rows, fields: [field])
    }

    @Test func takesWhatIsRight() throws {
        let ids = Borrowed<Int32>([0, 4, -1])
        let offsets = Borrowed<Int64>([0, 0, 2, 3])
        let vectors = Borrowed<Float>([1, 2, 3, 4, 5, 6])
        let table = try FeatureTable(
            rows: 3,
            fields: [
                Field(name: "a", size: 5, values: .categorical(ids: ids.pointer)),
                Field(name: "b", size: 5, values: .bag(ids: ids.pointer, idCount: 3, offsets: offsets.pointer)),
                Field(name: "c", size: 2, values: .dense(vectors: .float(vectors.pointer))),
            ])
        #expect(
            table.schema == [
                FieldSchema(name: "a", kind: .categorical, size: 5), FieldSchema(name: "b", kind: .bag, size: 5),
                FieldSchema(name: "c", kind: .dense, size: 2),
            ])
        // No rows need no arrays, and a table may have no fields.
        #expect(try self.table(Field(name: "a", size: 5, values: .categorical(ids: nil)), rows: 0).rows == 0)
        #expect(try FeatureTable(rows: 2, fields: []).schema.isEmpty)
    }

    @Test(arguments: [
        ([5, 0, 0], "field \"f\": ids[0] = 5: outside -1 ..< 5"),
        ([0, 0, -2], "field \"f\": ids[2] = -2: outside -1 ..< 5"),
        ([0, Int32.max, Int32.min], "field \"f\": ids[1] = 2147483647: outside -1 ..< 5"),
    ])
    func refusesIds(ids: [Int32], message: String) {
        let ids = Borrowed(ids)
        let offsets = Borrowed<Int64>([0, 1, 2, 3])
        for values in [
            Field.Values.categorical(ids: ids.pointer),
            .bag(ids: ids.pointer, idCount: 3, offsets: offsets.pointer),
        ] {
            #expect(throws: MetarecError.index(message)) { try table(Field(name: "f", size: 5, values: values)) }
        }
    }

    @Test(arguments: [
        ([1, 1, 2, 3], "field \"f\": offsets[0] = 1, wanted 0"),
        ([0, 2, 1, 3], "field \"f\": offsets[2] = 1, less than the 2 before it"),
        ([0, 1, 2, 2], "field \"f\": offsets[3] = 2, wanted 3, the number of ids"),
        ([0, 1, 2, 4], "field \"f\": offsets[3] = 4, wanted 3, the number of ids"),
    ])
    func refusesOffsets(offsets: [Int64], message: String) {
        let ids = Borrowed<Int32>([0, 0, 0])
        let offsets = Borrowed(offsets)
        #expect(throws: MetarecError.value(message)) {
            try table(
                Field(name: "f", size: 5, values: .bag(ids: ids.pointer, idCount: 3, offsets: offsets.pointer)))
        }
    }

    @Test func refusesNumbersThatAreNotFinite() {
        let vectors = Borrowed<Double>([0, 1, 2, 3, 4, -.infinity])
        #expect(throws: MetarecError.value("field \"f\": vectors[2, 1] = -inf: wanted a finite number")) {
            try table(Field(name: "f", size: 2, values: .dense(vectors: .double(vectors.pointer))))
        }
        let single = Borrowed<Float>([0, .nan, 2])
        #expect(throws: MetarecError.value("field \"f\": vectors[1, 0] = nan: wanted a finite number")) {
            try table(Field(name: "f", size: 1, values: .dense(vectors: .float(single.pointer))))
        }
    }

    @Test func refusesSizesNamesAndMissingArrays() {
        let missing = Field(name: "f", size: 5, values: .categorical(ids: nil))
        #expect(throws: MetarecError.value("field \"f\": ids are missing")) { try table(missing) }
        #expect(throws: MetarecError.value("field \"f\": offsets are missing")) {
            try table(Field(name: "f", size: 5, values: .bag(ids: nil, idCount: 0, offsets: nil)))
        }
        #expect(throws: MetarecError.value("field \"f\": -1 ids, wanted at least 0")) {
            try table(Field(name: "f", size: 5, values: .bag(ids: nil, idCount: -1, offsets: nil)))
        }
        #expect(throws: MetarecError.value("field \"f\": vectors are missing")) {
            try table(Field(name: "f", size: 5, values: .dense(vectors: nil)))
        }
        for size in [-1, 1 << 31] {
            #expect(throws: MetarecError.value("field \"f\": size \(size), wanted 0 ... 2147483647")) {
                try table(Field(name: "f", size: size, values: .categorical(ids: nil)), rows: 0)
            }
        }
        #expect(throws: MetarecError.value("field \"f\": size 0, wanted 1 ... 2147483647")) {
            try table(Field(name: "f", size: 0, values: .dense(vectors: nil)), rows: 0)
        }
        #expect(throws: MetarecError.value("field \"f\": 2147483647 rows of 2147483647 columns overflow")) {
            try table(Field(name: "f", size: Int(Int32.max), values: .dense(vectors: nil)), rows: Int(Int32.max))
        }
        for rows in [-1, 1 << 31] {
            #expect(throws: MetarecError.value("rows: \(rows), wanted 0 ... 2147483647")) {
                try FeatureTable(rows: rows, fields: [])
            }
        }
        #expect(throws: MetarecError.value("fields: the name \"f\" comes twice")) {
            try FeatureTable(rows: 0, fields: [missing, missing])
        }
        #expect(throws: MetarecError.value("fields[0]: its name is empty")) {
            try table(Field(name: "", size: 5, values: .categorical(ids: nil)))
        }
    }
}
