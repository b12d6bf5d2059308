import CMetarec
import Kernels
import MetaLearning
import Recommenders

/// A C string that lives as long as the process.
private func permanent(_ text: String) -> UnsafePointer<CChar> {
    let bytes = Array(text.utf8CString)
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
    copy.initialize(from: bytes, count: bytes.count)
    return UnsafePointer(copy)
}

private nonisolated(unsafe) let version = permanent("0.1.0")
private nonisolated(unsafe) let schema = permanent(Registry.json)

/// The library's version.
@c @implementation
public func mr_version() -> UnsafePointer<CChar> { version }

/// The instruction set of the kernels in use.
@c @implementation
public func mr_isa() -> UnsafePointer<CChar> { Precision.float.kernels.pointee.isa }

/// The components and their options, as JSON.
@c @implementation
public func mr_schema() -> UnsafePointer<CChar> { schema }
