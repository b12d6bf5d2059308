import CMetarec
extension Precision { public var kernels: UnsafePointer<mr_kernels> { UnsafePointer(bitPattern: 8)! } }
