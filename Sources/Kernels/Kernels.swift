public import CMetarec
import KernelsBaseline

#if arch(x86_64)
import KernelsAVX2
import KernelsAVX512
#endif

/// The kernel tables, one per instruction set, and the choice among them.
///
/// The best variant that the processor runs is taken once, at first use (in Python on import); `METAREC_ISA`
/// (`baseline`, `avx2`, `avx512`) forces one.
public enum Kernels {
    /// The kernels of one instruction set.
    public struct Variant: Sendable {
        /// `baseline`, `avx2` or `avx512`.
        public let isa: String
        nonisolated(unsafe) private let float: UnsafePointer<mr_kernels>
        nonisolated(unsafe) private let double: UnsafePointer<mr_kernels>

        fileprivate init(_ isa: String, _ float: UnsafePointer<mr_kernels>, _ double: UnsafePointer<mr_kernels>) {
            (self.isa, self.float, self.double) = (isa, float, double)
        }

        /// The table for elements of `precision`; it lives as long as the process.
        public func table(_ precision: Precision) -> UnsafePointer<mr_kernels> {
            precision == .float ? float : double
        }
    }

    /// The variants this processor runs, best last.
    public static let available: [Variant] = {
        var variants = [Variant("baseline", KernelsBaseline.floatKernels, KernelsBaseline.doubleKernels)]
        #if arch(x86_64)
        let supported = mr_cpu_variants()
        if supported & 2 != 0 {
            variants.append(Variant("avx2", KernelsAVX2.floatKernels, KernelsAVX2.doubleKernels))
        }
        if supported & 4 != 0 {
            variants.append(Variant("avx512", KernelsAVX512.floatKernels, KernelsAVX512.doubleKernels))
        }
        #endif
        return variants
    }()

    /// The variant in use.
    public static let selected = select(from: available, forced: mr_forced_isa().map { String(cString: $0) })

    /// The variant named `forced`; the best without a name, or of a name that is none of theirs, of which Python warns.
    static func select(from variants: [Variant], forced: String?) -> Variant {
        variants.first { $0.isa == forced } ?? variants[variants.count - 1]
    }
}

extension Precision {
    /// The kernels for this element type, of the selected instruction set. Take it once, not per call.
    public var kernels: UnsafePointer<mr_kernels> { Kernels.selected.table(self) }
}
