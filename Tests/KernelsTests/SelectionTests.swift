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
