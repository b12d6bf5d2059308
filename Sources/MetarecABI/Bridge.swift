import CMetarec
import Graph

/// Runs `body` and turns what it throws into a status and a message.
func bridge(_ error: UnsafeMutablePointer<mr_error>, _ body: () throws -> Void) -> Int32 {
    do {
        try body()
        return Int32(MR_OK.rawValue)
    } catch let failure as MetarecError {
        report(failure.kind, failure.description, in: &error.pointee)
    } catch let failure {
        report(.state, "\(failure)", in: &error.pointee)
    }
    return error.pointee.code
}

/// Copies the message as a C string, cut between characters where it is longer than the buffer.
private func report(_ kind: MetarecError.Kind, _ message: String, in error: inout mr_error) {
    error.code = kind.rawValue
    let bytes = Array(message.utf8)
    withUnsafeMutableBytes(of: &error.message) { buffer in
        var end = min(bytes.count, buffer.count - 1)
        while end > 0, end < bytes.count, bytes[end] & 0xC0 == 0x80 { end -= 1 }
        buffer.copyBytes(from: bytes[..<end])
        buffer[end] = 0
    }
}

/// A count that is not negative.
func count(_ value: Int64, _ name: String) throws(MetarecError) -> Int {
    guard value >= 0 else { throw .value("\(name): got \(value), wanted 0 or more") }
    return Int(value)
}

/// So many threads; 0: as many as processors.
func threads(_ given: Int64) throws(MetarecError) -> Int {
    let wanted = try count(given, "threads")
    return wanted == 0 ? processorCount() : min(wanted, 256)
}
