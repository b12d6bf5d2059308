import Foundation
import Graph
import Testing

@testable import MetaLearning

@Suite struct OptionsTests {
    private let schema = ComponentSchema(
        "thing", className: "Thing",
        options: [
            .integer("count", default: 2, minimum: 1, "How many."), .positive("rate", default: 0.5, "How fast."),
            .choice("mode", default: "a", ["a", "b"], "Which."),
            OptionSchema("share", .fraction, default: .numbers([0]), "How much."),
            OptionSchema("widths", .integers(minimum: 1), default: .numbers([3, 4]), "How wide."),
            OptionSchema("bound", .number(minimum: 0), default: .none, "At most \"this\".\nOr\\and that."),
        ],
        documentation: "A thing.")

    private func message(_ name: String, _ value: OptionValue) -> String? {
        do {
            _ = try Options([name: value], for: schema, prefix: "part.")
            return nil
        } catch {
            #expect(error.kind == .value)
            return error.description
        }
    }

    @Test func defaultsFillIn() throws {
        let options = try Options([:], for: schema, prefix: "")
        #expect(options.integer("count") == 2 && options.number("rate") == 0.5 && options.text("mode") == "a")
        #expect(options.numbers("widths") == [3, 4] && options.optionalNumber("bound") == nil)
    }

    @Test func givenValuesWin() throws {
        let given: [String: OptionValue] = [
            "count": .numbers([7]), "mode": .text("b"), "widths": .numbers([]), "bound": .numbers([0]),
        ]
        let options = try Options(given, for: schema, prefix: "")
        #expect(options.integer("count") == 7 && options.text("mode") == "b")
        #expect(options.numbers("widths").isEmpty && options.optionalNumber("bound") == 0)
    }

    @Test(arguments: [
        ("count", OptionValue.numbers([0]), "0, wanted a whole number of at least 1"),
        ("count", .numbers([1.5]), "1.5"), ("count", .numbers([.nan]), "nan"), ("count", .numbers([.infinity]), "inf"),
        ("count", .numbers([1e300]), "1e+300"), ("count", .numbers([1, 2]), "[1, 2]"),
        ("count", .numbers([]), "[]"),
        ("count", .text("3"), "\"3\""), ("count", .none, "None"),
        ("rate", .numbers([0]), "wanted a finite number above 0"), ("rate", .numbers([-1]), "-1"),
        ("rate", .numbers([.nan]), "nan"), ("rate", .numbers([.infinity]), "inf"), ("rate", .none, "None"),
        ("mode", .text("c"), "\"c\", wanted one of \"a\", \"b\""), ("mode", .numbers([1]), "1"),
        ("share", .numbers([1]), "a number in [0, 1)"), ("share", .numbers([-0.1]), "-0.1"),
        ("share", .numbers([.nan]), "nan"),
        ("widths", .numbers([2, 0]), "a list of whole numbers of at least 1"), ("widths", .text("2"), "\"2\""),
        ("bound", .numbers([-1]), "a finite number of at least 0, or None"),
        ("bound", .numbers([.infinity]), "inf"),
    ])
    func valuesThatDoNotFitAreNamed(name: String, value: OptionValue, part: String) throws {
        let text = try #require(message(name, value))
        #expect(text.hasPrefix("part.\(name): ") && text.contains(part), "\(text)")
    }

    @Test func strangersAreNamedWithWhatThereIs() {
        #expect(
            message("cuont", .numbers([1]))
                == "part.cuont: no such option of thing; wanted one of count, rate, mode, share, widths, bound")
    }

    @Test func onlyOrdersOneAndTwoExist() {
        for type in [MAML.self, ANIL.self, MetaSGD.self] as [any MetaAlgorithm.Type] {
            #expect(throws: Never.self) { try Options(["order": .numbers([1])], for: type.schema, prefix: "") }
            for order in [0.0, 3] {
                let error = #expect(throws: MetarecError.self) {
                    try Options(["order": .numbers([order])], for: type.schema, prefix: "algorithm.")
                }
                #expect(error?.description == "algorithm.order: \(Int(order)), wanted a whole number from 1 to 2")
            }
        }
    }

    // MARK: JSON

    @Test func jsonSaysTheSame() throws {
        let parsed = try JSONSerialization.jsonObject(with: Data(schema.json.utf8)) as? [String: Any]
        let object = try #require(parsed)
        #expect(object["name"] as? String == "thing" && object["class"] as? String == "Thing")
        let options = try #require(object["options"] as? [[String: Any]])
        #expect(options.map { $0["name"] as? String } == schema.options.map(\.name))
        #expect(options[0]["default"] as? Int == 2 && options[1]["default"] as? Double == 0.5)
        #expect(options[2]["default"] as? String == "a" && options[4]["default"] as? [Int] == [3, 4])
        #expect(options[5]["default"] is NSNull && options[5]["doc"] as? String == schema.options[5].documentation)
        #expect(options[5]["wanted"] as? String == "a finite number of at least 0, or None")
    }

    @Test func everyComponentIsValidJSON() throws {
        let schemas = Registry.algorithms.map { $0.schema } + Registry.optimizers.map { $0.schema }
        for schema in schemas {
            let object = try JSONSerialization.jsonObject(with: Data(schema.json.utf8)) as? [String: Any]
            #expect(object?["doc"] as? String == schema.documentation)
            // Defaults are values that the schema accepts.
            #expect(throws: Never.self) { try Options([:], for: schema, prefix: "") }
        }
    }

    @Test func controlCharactersAreEscaped() throws {
        let odd = ComponentSchema(
            "a", className: "A", options: [], documentation: "tab\there, bell\u{7}, \"quote\", é 😀")
        let object = try JSONSerialization.jsonObject(with: Data(odd.json.utf8)) as? [String: Any]
        #expect(object?["doc"] as? String == odd.documentation)
    }
}
