import Graph

/// A value given for an option.
public enum OptionValue: Hashable, Sendable {
    /// Numbers; a single one is a list of one, true is 1.
    case numbers([Double])
    /// A word.
    case text(String)
    /// Nothing, where the option allows that.
    case none
}

/// What an option may be.
public enum OptionKind: Hashable, Sendable {
    /// A whole number of at least `minimum`, and at most `maximum` if there is one.
    case integer(minimum: Int, maximum: Int? = nil)
    /// A finite number of at least `minimum`, or above it.
    case number(minimum: Double, isOpen: Bool = false)
    /// A number in `0 ..< 1`.
    case fraction
    /// One of some words.
    case choice([String])
    /// A list of whole numbers of at least `minimum`.
    case integers(minimum: Int)
    /// A list of at least `count` finite numbers, each above the one before.
    case ascending(count: Int)
}

/// An option of a component: its name, what it may be, its default, and what it does.
public struct OptionSchema: Sendable {
    /// The keyword.
    public let name: String
    /// What it may be.
    public let kind: OptionKind
    /// Used where the option is not given.
    public let defaultValue: OptionValue
    /// Whether "none" is a value.
    public let isOptional: Bool
    /// What it does, in a sentence.
    public let documentation: String

    /// An option.
    public init(
        _ name: String, _ kind: OptionKind, default defaultValue: OptionValue, _ documentation: String
    ) {
        self.name = name
        self.kind = kind
        self.defaultValue = defaultValue
        isOptional = defaultValue == .none
        self.documentation = documentation
    }

    /// A whole number.
    public static func integer(
        _ name: String, default value: Int, minimum: Int, maximum: Int? = nil, _ documentation: String
    ) -> Self {
        Self(name, .integer(minimum: minimum, maximum: maximum), default: .numbers([Double(value)]), documentation)
    }

    /// A positive number.
    public static func positive(_ name: String, default value: Double, _ documentation: String) -> Self {
        Self(name, .number(minimum: 0, isOpen: true), default: .numbers([value]), documentation)
    }

    /// One of some words.
    public static func choice(
        _ name: String, default value: String, _ words: [String], _ documentation: String
    ) -> Self {
        Self(name, .choice(words), default: .text(value), documentation)
    }
}

/// A component that users choose by name: an algorithm, a backbone, a loss, an optimizer. Python makes a class of it.
public struct ComponentSchema: Sendable {
    /// The name in options and files, such as "meta_sgd".
    public let name: String
    /// The name of the Python class, such as "MetaSGD".
    public let className: String
    /// What it is, with its equations and source. The first line is a summary.
    public let documentation: String
    /// Its options, in the order of the signature.
    public let options: [OptionSchema]

    /// A component.
    public init(_ name: String, className: String, options: [OptionSchema], documentation: String) {
        self.name = name
        self.className = className
        self.options = options
        self.documentation = documentation
    }
}

/// Checked options of one component: every option of its schema has a value of its kind.
public struct Options: Sendable {
    private let values: [String: OptionValue]

    /// Checks `given` against a schema and fills in defaults. `prefix` begins the names in messages.
    ///
    /// - Throws: an unknown name, or a value that is not of the option's kind.
    public init(_ given: [String: OptionValue], for schema: ComponentSchema, prefix: String) throws(MetarecError) {
        let known = schema.options.map(\.name)
        if let stranger = given.keys.filter({ !known.contains($0) }).min() {
            throw .value(
                "\(prefix)\(stranger): no such option of \(schema.name); wanted one of \(known.joined(separator: ", "))"
            )
        }
        var values: [String: OptionValue] = [:]
        for option in schema.options {
            let value = given[option.name] ?? option.defaultValue
            guard option.accepts(value) else {
                throw .value("\(prefix)\(option.name): \(value.text), wanted \(option.expectation)")
            }
            values[option.name] = value
        }
        self.values = values
    }

    /// The numbers of an option; empty for none.
    public func numbers(_ name: String) -> [Double] {
        if case .numbers(let numbers)? = values[name] { numbers } else { [] }
    }
    /// The number of an option; nil for none.
    public func optionalNumber(_ name: String) -> Double? { numbers(name).first }
    /// The number of an option that is never none.
    public func number(_ name: String) -> Double { numbers(name).first ?? 0 }
    /// The whole number of an option.
    public func integer(_ name: String) -> Int { Int(number(name)) }
    /// The word of an option.
    public func text(_ name: String) -> String {
        if case .text(let text)? = values[name] { text } else { "" }
    }
}

extension OptionSchema {
    fileprivate func accepts(_ value: OptionValue) -> Bool {
        func isInteger(_ number: Double, _ minimum: Int, _ maximum: Int = 1 << 53) -> Bool {
            number.rounded() == number && number >= Double(minimum) && number <= Double(maximum)
        }
        switch (kind, value) {
        case (_, .none): return isOptional
        case (.integer(let minimum, let maximum), .numbers(let numbers)):
            return numbers.count == 1 && isInteger(numbers[0], minimum)
                && maximum.map { numbers[0] <= Double($0) } ?? true
        case (.integers(let minimum), .numbers(let numbers)): return numbers.allSatisfy { isInteger($0, minimum) }
        case (.ascending(let count), .numbers(let numbers)):
            return numbers.count >= count && numbers.allSatisfy(\.isFinite)
                && zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }
        case (.number(let minimum, let isOpen), .numbers(let numbers)):
            return numbers.count == 1 && numbers[0].isFinite && (isOpen ? numbers[0] > minimum : numbers[0] >= minimum)
        case (.fraction, .numbers(let numbers)): return numbers.count == 1 && (0..<1).contains(numbers[0])
        case (.choice(let words), .text(let text)): return words.contains(text)
        default: return false
        }
    }

    /// What is wanted, in words.
    public var expectation: String {
        let what =
            switch kind {
            case .integer(let minimum, let maximum?): "a whole number from \(minimum) to \(maximum)"
            case .integer(let minimum, nil): "a whole number of at least \(minimum)"
            case .number(let minimum, let isOpen):
                "a finite number \(isOpen ? "above" : "of at least") \(plain(minimum))"
            case .fraction: "a number in [0, 1)"
            case .choice(let words): "one of " + words.map { "\"\($0)\"" }.joined(separator: ", ")
            case .integers(let minimum): "a list of whole numbers of at least \(minimum)"
            case .ascending(let count): "a list of at least \(count) ascending numbers"
            }
        return isOptional ? what + ", or None" : what
    }
}

extension OptionValue {
    fileprivate var text: String {
        switch self {
        case .numbers(let numbers):
            return numbers.count == 1
                ? plain(numbers[0]) : "[" + numbers.map(plain).joined(separator: ", ") + "]"
        case .text(let text): return "\"\(text)\""
        case .none: return "None"
        }
    }
}

/// A number as people write it: whole ones without a point.
private func plain(_ number: Double) -> String {
    number.rounded() == number && abs(number) < 0x1p53 ? "\(Int(number))" : "\(number)"
}
