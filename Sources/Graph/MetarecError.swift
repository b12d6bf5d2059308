/// What the library throws. The boundary turns the kind into a status, and Python into an exception class.
public struct MetarecError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The sort of mistake, numbered as `mr_status` in `metarec.h`.
    public enum Kind: Int32, Sendable {
        /// An argument's value.
        case value = 1
        /// An index outside its range.
        case index = 2
        /// An argument's type.
        case type = 3
        /// A computation left the finite numbers.
        case arithmetic = 4
        /// Not initialised, closed, out of date or in use.
        case state = 5
        /// Too large for this machine.
        case memory = 6
        /// The caller asked to stop.
        case interrupted = 7
    }

    /// The sort of mistake.
    public let kind: Kind
    /// Names the argument, what came and what was wanted.
    public let description: String

    /// An error of `kind`.
    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    /// An argument has a value that cannot be used.
    public static func value(_ description: String) -> MetarecError { .init(.value, description) }
    /// An index lies outside its range.
    public static func index(_ description: String) -> MetarecError { .init(.index, description) }
    /// The object cannot do this now.
    public static func state(_ description: String) -> MetarecError { .init(.state, description) }
}
