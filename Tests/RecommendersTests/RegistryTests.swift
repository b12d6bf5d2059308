import Foundation
import Graph
import MetaLearning
import Recommenders
import Testing

@Suite struct RegistryTests {
    /// What Python makes its classes from: valid JSON that names every component, its options and their defaults.
    @Test func theSchemaIsValidJSON() throws {
        let parsed = try JSONSerialization.jsonObject(with: Data(Registry.json.utf8))
        let roles = try #require(parsed as? [String: [[String: Any]]])
        #expect(Set(roles.keys) == ["algorithm", "backbone", "loss", "optimizer", "schedule", "learner"])
        #expect(roles["algorithm"]?.map { $0["name"] as? String } == Registry.algorithms.map { $0.schema.name })
        for component in roles.values.joined() {
            #expect(["name", "class", "doc"].allSatisfy { (component[$0] as? String)?.isEmpty == false })
            for option in try #require(component["options"] as? [[String: Any]]) {
                #expect(Set(option.keys) == ["name", "default", "wanted", "doc"])
            }
        }
    }

    /// Every combination of components makes a learner, but a regression of targets for a loss of other outputs.
    @Test func everyCombinationIsAccepted() throws {
        for algorithm in Registry.algorithms.map({ $0.schema.name }) {
            for loss in Registry.losses.map({ $0.schema.name }) {
                for optimizer in Registry.optimizers.map({ $0.schema.name }) {
                    let options: [String: OptionValue] = [
                        "algorithm": .text(algorithm), "loss": .text(loss), "optimizer": .text(optimizer),
                    ]
                    if algorithm == "bayesian_linear", ["logistic", "softmax", "bpr"].contains(loss) {
                        let error = #expect(throws: MetarecError.self) { try Learner(options) }
                        #expect(error?.description.hasPrefix("loss: \"\(loss)\", wanted one of outputs") == true)
                    } else {
                        #expect(throws: Never.self) { try Learner(options) }
                    }
                }
            }
        }
    }
}
