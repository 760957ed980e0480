/// A draft-length policy as people write it: `adaedl:lambda=0.4,target=0.9`, or a name alone.
///
///     let wanted = try PolicySpecification(parsing: "adaedl:lambda=0.4")
///     var policy = DraftLengthPolicy(wanted, key: request.key)
///
/// It prints as the text that it was read from, with numbers in their shortest form, and travels and is stored as that.
package struct PolicySpecification: Sendable, Hashable, CustomStringConvertible {
    /// Known policies.
    package enum Name: String, Sendable, Hashable, CaseIterable {
        case adaedl, ema, fixed, goodput, heuristic, ratio, svip, thompson, threshold
    }

    /// A parameter that was given.
    package struct Setting: Sendable, Hashable {
        package let name: String
        package let value: Double
    }

    package let name: Name
    /// In the order given.
    package let settings: [Setting]

    /// Whether it turns drafts off, without probing whether they would pay.
    package var draftsNothing: Bool { name == .fixed && parameters.whole("gamma") == 0 }

    /// What a governor makes of its lengths.
    package var lengths: Governor.Lengths {
        switch name {
        // Bounds that somebody set may be above what is best.
        case .goodput: settings.isEmpty ? .best : .asked
        case .ratio, .heuristic, .ema, .threshold, .adaedl, .svip, .thompson: .adapted
        case .fixed: .asked
        }
    }

    /// The default policy.
    package static let goodput = PolicySpecification(.goodput)

    /// A policy with its defaults.
    package init(_ name: Name) {
        self.name = name
        settings = []
    }

    /// Reads `name` or `name:parameter=value,...`. llama.cpp's `draft-n-max`, `draft-n-min` and `draft-p-min` are
    /// understood where a policy has such a parameter.
    package init(parsing text: String) throws(PolicyFault) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = Name(rawValue: String(parts[0])) else { throw PolicyFault(unknown: parts[0]) }
        var settings: [Setting] = []
        if parts.count == 2 {
            for pair in parts[1].split(separator: ",", omittingEmptySubsequences: false) {
                settings.append(try Self.setting(pair, of: name, after: settings))
            }
        }
        self.name = name
        self.settings = settings
        try checkBounds()
    }

    /// What llama.cpp's options mean: a fixed length, or with a least probability a threshold that drops the token it
    /// stops at, as llama.cpp does. `nil` if none was given.
    ///
    /// `draft-n-min` means nearly the same: a shorter draft is there not used at all, here not made.
    package init?(draftMax: Int?, draftMin: Int?, draftProbabilityMin: Double?) throws(PolicyFault) {
        if let draftMin, let draftMax, draftMin > draftMax {
            throw PolicyFault("draft-n-min \(draftMin) is above draft-n-max \(draftMax): give min at most max")
        }
        if let draftProbabilityMin, !(0...1).contains(draftProbabilityMin) {
            throw PolicyFault("draft-p-min \(draftProbabilityMin) is no probability: give one from 0 to 1")
        }
        var settings: [String] = []
        if let draftMin { settings.append("min=\(draftMin)") }
        if let draftProbabilityMin, draftProbabilityMin > 0 {
            if let draftMax { settings.append("max=\(draftMax)") }
            let all = ["theta=\(PolicyParameter.text(draftProbabilityMin))", "keep=0"] + settings
            try self.init(parsing: "threshold:" + all.joined(separator: ","))
        } else if let draftMax {
            try self.init(parsing: "fixed:" + (["gamma=\(draftMax)"] + settings).joined(separator: ","))
        } else if !settings.isEmpty {
            try self.init(parsing: "goodput:" + settings.joined(separator: ","))
        } else {
            return nil
        }
    }

    package var description: String {
        guard !settings.isEmpty else { return name.rawValue }
        let pairs = settings.map { "\($0.name)=\(PolicyParameter.text($0.value))" }
        return "\(name.rawValue):\(pairs.joined(separator: ","))"
    }

    package var manual: PolicyManual { name.policy.manual }

    /// All parameters, given or default.
    package var parameters: PolicyParameters {
        var values = Dictionary(uniqueKeysWithValues: manual.parameters.map { ($0.name, $0.initial) })
        for setting in settings { values[setting.name] = setting.value }
        return PolicyParameters(values)
    }

    // MARK: - Reading

    private static func setting(
        _ pair: Substring, of name: Name, after earlier: [Setting]
    ) throws(PolicyFault) -> Setting {
        let manual = name.policy.manual
        let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard sides.count == 2 else {
            throw PolicyFault("'\(pair)' is no parameter: write name=value, as in \(example(manual))")
        }
        guard let parameter = manual.parameter(sides[0]) else {
            throw PolicyFault(
                "policy \(name.rawValue) has no parameter '\(sides[0])': it takes "
                    + manual.parameters.map(\.description).joined(separator: ", "))
        }
        guard !earlier.contains(where: { $0.name == parameter.name }) else {
            throw PolicyFault("policy \(name.rawValue): \(parameter.name) is given twice: give it once")
        }
        guard let value = Double(sides[1]), parameter.range.contains(value),
            !parameter.isWhole || value == value.rounded()
        else {
            throw PolicyFault(
                "policy \(name.rawValue): '\(sides[1])' is no value of \(parameter.description): \(parameter.meaning)")
        }
        return Setting(name: parameter.name, value: value)
    }

    private func checkBounds() throws(PolicyFault) {
        let (least, most) = (parameters.whole("min"), parameters.whole("max"))
        guard least <= most else {
            throw PolicyFault("policy \(name.rawValue): min=\(least) is above max=\(most): give min at most max")
        }
    }

    private static func example(_ manual: PolicyManual) -> String {
        let parameter = manual.parameters[0]
        return "\(manual.name.rawValue):\(parameter.name)=\(PolicyParameter.text(parameter.initial))"
    }
}

extension PolicySpecification.Name {
    /// What implements it.
    var policy: any DraftPolicy.Type {
        switch self {
        case .adaedl: AdaEDL.self
        case .ema: EMATiers.self
        case .fixed: FixedLength.self
        case .goodput: Goodput.self
        case .heuristic: HeuristicSchedule.self
        case .ratio: PearlRatio.self
        case .svip: SVIP.self
        case .thompson: ThompsonSampling.self
        case .threshold: ConfidenceThreshold.self
        }
    }
}

extension PolicySpecification: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        do {
            try self.init(parsing: try container.decode(String.self))
        } catch let fault as PolicyFault {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: fault.description)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Why a text is no policy, and what would be one.
package struct PolicyFault: Error, Hashable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }

    init(unknown name: Substring) {
        let known = PolicySpecification.Name.allCases.map(\.rawValue).joined(separator: ", ")
        self.init("'\(name)' is no draft-length policy: the policies are \(known)")
    }
}
