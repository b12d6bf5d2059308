// swift-tools-version: 6.2
import PackageDescription

/// The kernels are one source, compiled once per instruction set; `Kernels` picks a variant at run time.
/// `-Ounchecked` keeps debug builds (and so the tests) fast: everything behind the boundary is validated there.
/// Whole-module, since generics are specialised only within what is compiled together; it needs more than one thread,
/// without which the compiler writes one object file where SwiftPM looks for one per source.
func kernels(_ name: String, march: String? = nil, defines: [String] = []) -> Target {
    .target(
        name: name, dependencies: ["CMetarec"],
        swiftSettings: [
            .unsafeFlags(["-Ounchecked", "-wmo", "-disable-batch-mode", "-num-threads", "2"] + (march.map { ["-Xcc", "-march=\($0)"] } ?? []))
        ] + defines.map { .define($0) })
}

#if arch(x86_64)
let variants = [
    kernels("KernelsBaseline"),
    kernels("KernelsAVX2", march: "haswell", defines: ["KERNELS_FMA", "KERNELS_AVX2"]),
    kernels("KernelsAVX512", march: "skylake-avx512", defines: ["KERNELS_FMA", "KERNELS_AVX512"]),
]
#else
let variants = [kernels("KernelsBaseline")]
#endif

let package = Package(
    name: "metarec",
    products: [
        .library(name: "metarec_native", type: .dynamic, targets: ["CMetarecPython", "MetarecABI"])
    ],
    targets: variants + [
        // MARK: The library
        .target(name: "CMetarec"),
        .target(name: "Kernels", dependencies: ["CMetarec"] + variants.map { .byName(name: $0.name) }),
        .target(name: "Graph", dependencies: ["Kernels"]),
        .target(name: "MetaLearning", dependencies: ["Graph"]),
        .target(name: "Recommenders", dependencies: ["MetaLearning"]),

        // MARK: The boundary
        .target(name: "MetarecABI", dependencies: ["Recommenders", "CMetarec"]),
        .target(name: "CMetarecPython", dependencies: ["CMetarec", "MetarecABI"]),

        // MARK: The tests
        .target(name: "CTestSupport", path: "Tests/CTestSupport"),
        .target(name: "TestSupport", dependencies: ["Graph", "Kernels", "CTestSupport"], path: "Tests/TestSupport"),
        .testTarget(name: "KernelsTests", dependencies: ["Kernels", "TestSupport"]),
        .testTarget(name: "GraphTests", dependencies: ["Graph", "TestSupport"]),
        .testTarget(name: "MetaLearningTests", dependencies: ["MetaLearning", "TestSupport"]),
        .testTarget(name: "RecommendersTests", dependencies: ["Recommenders", "TestSupport"]),
        .testTarget(name: "MetarecABITests", dependencies: ["MetarecABI", "TestSupport"]),
    ],
    swiftLanguageModes: [.v6]
)
