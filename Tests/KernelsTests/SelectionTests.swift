import CMetarec
@testable import Kernels
import Testing

@Suite struct SelectionTests {
    @Test func theBestVariantIsTaken() {
        let (variant, problem) = Kernels.select(from: Kernels.available, forced: nil)
        #expect(variant.isa == Kernels.available.last?.isa)
        #expect(problem == nil)
    }

    @Test func aVariantCanBeForced() {
        for wanted in Kernels.available {
            let (variant, problem) = Kernels.select(from: Kernels.available, forced: wanted.isa)
            #expect(variant.isa == wanted.isa && problem == nil)
        }
    }

    @Test func anUnknownVariantIsNamedAndNotFatal() {
        let (variant, problem) = Kernels.select(from: Kernels.available, forced: "avx9000")
        #expect(variant.isa == Kernels.available.last?.isa)
        #expect(problem?.contains("METAREC_ISA: 'avx9000'") == true && problem?.contains("baseline") == true)
    }

    /// Worth most when the suite runs with METAREC_ISA set.
    @Test func theEnvironmentIsHeeded() {
        let forced = mr_forced_isa().map { String(cString: $0) }
        if let forced, Kernels.available.contains(where: { $0.isa == forced }) {
            #expect(Kernels.selected.isa == forced)
        }
        for precision in Precision.allCases {
            let table = precision.kernels.pointee
            #expect(String(cString: table.isa) == Kernels.selected.isa)
            #expect(table.element_size == Int64(precision.elementSize))
        }
    }

    @Test func tablesSayWhatTheyAre() {
        for variant in Kernels.available {
            for precision in Precision.allCases {
                let table = variant.table(precision).pointee
                #expect(String(cString: table.isa) == variant.isa)
                #expect(table.element_size == Int64(precision.elementSize))
            }
        }
        #expect(Kernels.available.first?.isa == "baseline")
    }
}
