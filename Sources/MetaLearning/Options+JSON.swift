/// Writes schemas as JSON, from which Python makes classes, signatures and help.
extension ComponentSchema {
    /// An object of name, class, doc and options.
    public var json: String {
        let options = options.map(\.json).joined(separator: ",")
        return "{\"name\":\(quoted(name)),\"class\":\(quoted(className)),\"doc\":\(quoted(documentation)),"
            + "\"options\":[\(options)]}"
    }
}

extension OptionSchema {
    fileprivate var json: String {
        "{\"name\":\(quoted(name)),\"default\":\(defaultValue.json(as: kind)),\"wanted\":\(quoted(expectation)),"
            + "\"doc\":\(quoted(documentation))}"
    }
}

extension OptionValue {
    fileprivate func json(as kind: OptionKind) -> String {
        switch self {
        case .none: return "null"
        case .text(let text): return quoted(text)
        case .numbers(let numbers):
            switch kind {
            case .integer: return "\(Int(numbers[0]))"
            case .integers: return "[" + numbers.map { "\(Int($0))" }.joined(separator: ",") + "]"
            case .ascending: return "[" + numbers.map { "\($0)" }.joined(separator: ",") + "]"
            default: return "\(numbers[0])"
            }
        }
    }
}

private func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case "\u{0}"..<" ":
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
