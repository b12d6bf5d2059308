public import CMetarec
import KernelsBaseline

#if arch(x86_64)
import KernelsAVX2
import KernelsAVX512
#endif

/// The kernel tables, one per instruction set, and the choice among them.
///
/// The best variant that the processor runs is taken once, at first use; `METAREC_ISA` (`baseline`, `avx2`, `avx512`)
/// forces one.
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
    public static var selected: Variant { selection.variant }

    /// What is wrong with `METAREC_ISA`, if anything; the best variant is then in use instead.
    public static var selectionProblem: String? { selection.problem }

    private static let selection = select(
        from: available, forced: mr_forced_isa().map { String(cString: $0) })

    /// The variant named `forced`, or without a name the best.
    static func select(from variants: [Variant], forced: String?) -> (variant: Variant, problem: String?) {
        let best = variants[variants.count - 1]
        guard let forced, !forced.isEmpty else { return (best, nil) }
        if let variant = variants.first(where: { $0.isa == forced }) { return (variant, nil) }
        let names = variants.map(\.isa).joined(separator: ", ")
        return (best, "METAREC_ISA: '\(forced)' is not one of this processor's instruction sets: \(names)")
    }
}

extension Precision {
    /// The kernels for this element type, of the selected instruction set. Take it once, not per call.
    public var kernels: UnsafePointer<mr_kernels> { Kernels.selected.table(self) }
}
