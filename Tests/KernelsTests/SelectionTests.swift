import CMetarec
@testable import Kernels
import Testing

@Suite struct SelectionTests {
    @Test func theBestVariantIsTaken() {
        for nothing in [nil, "", "avx9000"] {
            #expect(Kernels.select(from: Kernels.available, forced: nothing).isa == Kernels.available.last?.isa)
        }
    }

    @Test func aVariantCanBeForced() {
        for wanted in Kernels.available {
            #expect(Kernels.select(from: Kernels.available, forced: wanted.isa).isa == wanted.isa)
        }
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
