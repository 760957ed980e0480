import Foundation
import NacreCore
import Testing

@Suite("Policies as people write them")
struct PolicySpecificationTests {
    private func fault(_ text: String) -> String? {
        do throws(PolicyFault) {
            _ = try PolicySpecification(parsing: text)
            return nil
        } catch {
            return error.description
        }
    }

    @Test(
        "A text comes back as it was",
        arguments: [
            "goodput", "fixed:gamma=7", "adaedl:lambda=0.4,target=0.9", "adaedl:target=0.9,lambda=0.4",
            "threshold:theta=1e-05,keep=0,max=8", "ema:low=2,middle=4,high=9,down=-0.5", "thompson:kappa=2.5",
        ])
    func roundTrip(text: String) throws {
        let read = try PolicySpecification(parsing: text)
        #expect(read.description == text)
        #expect(try PolicySpecification(parsing: read.description) == read)
        let stored = try JSONEncoder().encode([read])
        #expect(try JSONDecoder().decode([PolicySpecification].self, from: stored) == [read])
        #expect(try JSONDecoder().decode([String].self, from: stored) == [text])
    }

    @Test(
        "Every policy takes its own defaults and the ends of every range", arguments: PolicySpecification.Name.allCases)
    func defaults(name: PolicySpecification.Name) throws {
        let manual = PolicySpecification(name).manual
        #expect(manual.name == name && !manual.summary.isEmpty)
        for parameter in manual.parameters {
            #expect(parameter.range.contains(parameter.initial))
            for value in [parameter.range.lowerBound, parameter.range.upperBound, parameter.initial] {
                // min above max is refused by itself.
                guard parameter.name != "min" || value == parameter.initial else { continue }
                guard parameter.name != "max" || value >= 1 else { continue }
                let text = "\(name.rawValue):\(parameter.name)=\(value)"
                #expect(try PolicySpecification(parsing: text).parameters[parameter.name] == value)
            }
        }
    }

    @Test("What is wrong is said, with what would be right")
    func faults() throws {
        #expect(
            fault("adaedel") == "'adaedel' is no draft-length policy: the policies are "
                + "adaedl, ema, fixed, goodput, heuristic, ratio, svip, thompson, threshold")
        #expect(
            fault("fixed:lambda=1")
                == "policy fixed has no parameter 'lambda': it takes gamma (whole, 0 to 32, default 4), "
                + "min (whole, 0 to 32, default 0), max (whole, 1 to 32, default 32)")
        #expect(
            fault("adaedl:lambda=1.5")
                == "policy adaedl: '1.5' is no value of lambda (0 to 1, default 0.25): "
                + "least bound on acceptance, at first"
        )
        #expect(
            fault("fixed:gamma=2.5")
                == "policy fixed: '2.5' is no value of gamma (whole, 0 to 32, default 4): drafts of a round; 0 turns "
                + "drafts off")
        #expect(fault("svip:h=0.1,h=0.2") == "policy svip: h is given twice: give it once")
        #expect(fault("fixed:max=4,draft-n-max=5") == "policy fixed: max is given twice: give it once")
        #expect(fault("adaedl:lambda") == "'lambda' is no parameter: write name=value, as in adaedl:lambda=0.25")
        #expect(fault("adaedl:") == "'' is no parameter: write name=value, as in adaedl:lambda=0.25")
        #expect(fault("svip:min=9,max=8") == "policy svip: min=9 is above max=8: give min at most max")
        for text in [
            "", ":", "fixed:gamma=nan", "fixed:gamma=inf", "fixed:gamma=", "fixed:gamma=1e9", "fixed:=4",
            "fixed:gamma=4,", "Fixed",
        ] {
            #expect(fault(text) != nil, "\(text)")
        }
        let stored = Data("[\"fixed:gamma=65\"]".utf8)
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([PolicySpecification].self, from: stored) }
    }

    @Test("no policy takes a draft length that no round has", arguments: PolicySpecification.Name.allCases)
    func longest(name: PolicySpecification.Name) {
        let lengths: Set = ["gamma", "start", "low", "middle", "high", "min", "max"]
        for parameter in PolicySpecification(name).manual.parameters where lengths.contains(parameter.name) {
            #expect(parameter.range.upperBound == 32, "\(parameter.name)")
        }
    }

    @Test("llama.cpp's names mean what they mean there")
    func llama() throws {
        #expect(try PolicySpecification(parsing: "svip:draft-n-max=8,draft-n-min=2").description == "svip:max=8,min=2")
        #expect(try PolicySpecification(parsing: "threshold:draft-p-min=0.75").parameters["theta"] == 0.75)
        #expect(fault("svip:draft-p-min=0.75")?.contains("svip has no parameter 'draft-p-min'") == true)
        func text(_ most: Int?, _ least: Int?, _ probability: Double?) throws -> String? {
            try PolicySpecification(draftMax: most, draftMin: least, draftProbabilityMin: probability)?.description
        }
        #expect(try text(nil, nil, nil) == nil && text(16, nil, 0) == "fixed:gamma=16")
        #expect(try text(16, 2, nil) == "fixed:gamma=16,min=2" && text(nil, 2, nil) == "goodput:min=2")
        #expect(try text(16, 2, 0.75) == "threshold:theta=0.75,keep=0,min=2,max=16")
        #expect(try text(0, nil, nil) == "fixed:gamma=0")
        #expect(throws: PolicyFault.self) { try text(65, nil, nil) }
    }
}
