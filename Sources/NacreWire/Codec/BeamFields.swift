internal import CNacreProto
import NacreCore
import NacreProtocol

// What messages say of beams: settings, drafted layers, verdicts and answers.

extension BeamSettings {
    func pack(_ writer: borrowing FieldWriter) throws(WireError) -> UnsafeMutablePointer<Nacre__BeamSettings> {
        let wire = writer.make(nacre__beam_settings__init)
        wire.pointee.width = try writer.number(width, "beams.width")
        wire.pointee.threshold = dynamic?.threshold ?? 0
        wire.pointee.width_min = try writer.number(dynamic?.widthMin ?? 0, "beams.widthMin")
        wire.pointee.survivor =
            switch survivor {
            case nil: NACRE__BEAM_SURVIVOR__BEAM_SURVIVOR_ALL
            case .drawn: NACRE__BEAM_SURVIVOR__BEAM_SURVIVOR_DRAWN
            case .likeliest: NACRE__BEAM_SURVIVOR__BEAM_SURVIVOR_LIKELIEST
            }
        wire.pointee.answers = try writer.number(answers, "beams.answers")
        return wire
    }

    init(_ wire: Nacre__BeamSettings, _ fields: FieldReader) throws(WireError) {
        let width = try fields.count(wire.width, "beams.width", max: DraftShape.widthMax)
        let answers = try fields.count(wire.answers, "beams.answers", max: BeamSettings.answersMax)
        guard width > 0, answers > 0 else { throw fields.invalid("beams", "are \(width), for \(answers) answers") }
        var dynamic: DynamicWidth?
        if wire.threshold != 0 {
            let rule = DynamicWidth(
                threshold: wire.threshold,
                widthMin: try fields.count(wire.width_min, "beams.widthMin", max: DraftShape.widthMax))
            if let complaint = rule.complaint { throw fields.invalid("beams", "are unusable, \(complaint)") }
            dynamic = rule
        } else if wire.width_min != 0 {
            throw fields.invalid("beams.widthMin", "is \(wire.width_min) of a width that is fixed")
        }
        let survivor: TargetBeams.Survivor? =
            switch wire.survivor {
            case NACRE__BEAM_SURVIVOR__BEAM_SURVIVOR_ALL: nil
            case NACRE__BEAM_SURVIVOR__BEAM_SURVIVOR_DRAWN: .drawn
            case NACRE__BEAM_SURVIVOR__BEAM_SURVIVOR_LIKELIEST: .likeliest
            default: throw fields.invalid("beams.survivor", "is \(wire.survivor.rawValue), which means nothing here")
            }
        self.init(width: width, dynamic: dynamic, survivor: survivor, answers: answers)
    }
}

extension FieldWriter {
    /// A list of sub-messages.
    private func list<Part, C>(
        _ parts: [Part], _ pack: (Part) throws(WireError) -> UnsafeMutablePointer<C>
    ) throws(WireError) -> UnsafeMutablePointer<UnsafeMutablePointer<C>?> {
        let list = room(for: parts.count, of: UnsafeMutablePointer<C>?.self)
        for (index, part) in parts.enumerated() { list[index] = try pack(part) }
        return list
    }

    func pack(_ layers: [DraftForest.Layer], into wire: UnsafeMutablePointer<Nacre__Draft>) throws(WireError) {
        wire.pointee.n_layer = layers.count
        wire.pointee.layer = try list(layers) { layer throws(WireError) in
            let part = make(nacre__forest_layer__init)
            part.pointee.n_beam = layer.draws.count
            part.pointee.beam = try numbers(layer.draws.map(\.beam), "layers.beams")
            part.pointee.n_token = layer.draws.count
            part.pointee.token = copy(layer.draws.map(\.token))
            part.pointee.n_row = layer.rows.count
            part.pointee.row = try list(layer.rows) { row throws(WireError) in
                let entries = make(nacre__sparse_row__init)
                entries.pointee.n_token = row.entries.count
                entries.pointee.token = copy(row.entries.map(\.token))
                entries.pointee.n_weight = row.entries.count
                entries.pointee.weight = copy(row.entries.map { UInt32($0.weight) })
                return entries
            }
            return part
        }
    }

    func pack(_ beams: [BeamStep], into wire: UnsafeMutablePointer<Nacre__Verdict>) throws(WireError) {
        wire.pointee.n_beam = beams.count
        wire.pointee.beam = try list(beams) { beam throws(WireError) in
            let part = make(nacre__beam_step__init)
            part.pointee.parent = try number(beam.parent, "beams.parent")
            part.pointee.n_token = beam.tokens.count
            part.pointee.token = copy(beam.tokens)
            return part
        }
    }

    func pack(_ answers: [BeamAnswer], into wire: UnsafeMutablePointer<Nacre__JobEnded>) throws(WireError) {
        wire.pointee.n_answer = answers.count
        wire.pointee.answer = try list(answers) { answer throws(WireError) in
            let part = make(nacre__beam_answer__init)
            part.pointee.n_token = answer.tokens.count
            part.pointee.token = copy(answer.tokens)
            part.pointee.log_likelihood = answer.logLikelihood
            part.pointee.ended = answer.hasEnded ? 1 : 0
            part.pointee.copies = try number(answer.copies, "answers.copies")
            return part
        }
    }
}

extension FieldReader {
    /// The parts of a list of at most `max` sub-messages.
    private func list<C>(
        _ start: UnsafeMutablePointer<UnsafeMutablePointer<C>?>?, _ count: Int, _ field: StaticString, max: Int
    ) throws(WireError) -> [C] {
        guard count <= max else { throw invalid(field, "has \(count) items, at most \(max) are allowed") }
        var parts: [C] = []
        for pointer in UnsafeBufferPointer(start: start, count: count) { parts.append(try part(pointer, field)) }
        return parts
    }

    func layers(_ wire: Nacre__Draft) throws(WireError) -> [DraftForest.Layer] {
        var layers: [DraftForest.Layer] = []
        for layer in try list(wire.layer, wire.n_layer, "layers", max: Limits.gammaMax) {
            let tokens = try tokens(layer.token, layer.n_token, "layers.tokens", max: DraftShape.widthMax)
            guard layer.n_beam == tokens.count else {
                throw invalid("layers.beams", "has \(layer.n_beam) items for \(tokens.count) tokens")
            }
            var draws: [BeamToken] = []
            for (beam, token) in zip(UnsafeBufferPointer(start: layer.beam, count: layer.n_beam), tokens) {
                draws.append(
                    BeamToken(beam: try count(beam, "layers.beams", max: DraftShape.widthMax), token: token))
            }
            var rows: [WeightRow] = []
            for part in try list(layer.row, layer.n_row, "layers.rows", max: DraftShape.widthMax) {
                rows.append(
                    try row(
                        tokens: part.token, part.n_token, weights: part.weight, part.n_weight, "layers.rows"))
            }
            layers.append(DraftForest.Layer(draws: draws, rows: rows))
        }
        return layers
    }

    func beams(_ wire: Nacre__Verdict) throws(WireError) -> [BeamStep] {
        var beams: [BeamStep] = []
        for beam in try list(wire.beam, wire.n_beam, "beams", max: DraftShape.widthMax) {
            beams.append(
                BeamStep(
                    parent: try count(beam.parent, "beams.parent", max: DraftShape.widthMax),
                    tokens: try tokens(beam.token, beam.n_token, "beams.tokens", max: Limits.beamTokensMax)))
        }
        return beams
    }

    func answers(_ wire: Nacre__JobEnded) throws(WireError) -> [BeamAnswer] {
        var answers: [BeamAnswer] = []
        for answer in try list(wire.answer, wire.n_answer, "answers", max: BeamSettings.answersMax) {
            // Written so that NaN fails.
            guard answer.log_likelihood <= 0, answer.log_likelihood > -.infinity, answer.n_token > 0,
                answer.copies > 0
            else {
                throw invalid(
                    "answers", "has one of \(answer.n_token) tokens and likelihood \(answer.log_likelihood)")
            }
            answers.append(
                BeamAnswer(
                    tokens: try tokens(answer.token, answer.n_token, "answers.tokens", max: Limits.beamTokensMax),
                    logLikelihood: answer.log_likelihood, hasEnded: answer.ended != 0,
                    copies: try count(answer.copies, "answers.copies")))
        }
        return answers
    }
}
