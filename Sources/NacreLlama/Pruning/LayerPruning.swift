internal import CLlama
import NacreCore
package import NacreEngine

/// A target of which drafters can be made by dropping layers: self-speculation as a file of its own, which any drafter
/// daemon runs. It shares neither weights nor cache with the target, since libllama has no pass that skips layers.
///
/// - Source: Zhang et al., "Draft & Verify", 2024 (2309.08168), section 3.
package struct LayerPruning: Sendable {
    package let path: String
    /// The target's layers.
    package let layers: Int
    /// The target's name, or that of its file.
    package let name: String
    /// The target's digest, by which nodes know it.
    package let digest: UInt64
    /// Layers after which the kinds of layers repeat, 1 if all are alike; `nil` if only the last can be dropped.
    package var period: Int? { pattern.period }
    private let architecture: String
    private let pattern: LayerPattern

    /// The digest as people and files write it.
    package var digestText: String { digest.hexadecimal }

    /// Reads the header of the target at `path`.
    ///
    /// - Throws: `.modelUnreadable`; `.modelUnsupported` for a model in several files, with a state in place of a
    ///   cache, that generates no text, without layers that can be told apart, or that is a drafter made this way.
    package init(path: String) throws(EngineError) {
        let header = try GGUFHeader(path: path)
        let details = header.details
        self.path = path
        architecture = header.architecture
        let file = path.split(separator: "/").last.map(String.init) ?? path
        name = header.name.isEmpty ? file : header.name
        func refuse(_ what: String, _ remedy: String) -> EngineError {
            EngineError(.modelUnsupported, "layers of \(path) cannot be dropped: \(what)", remedy: remedy)
        }
        if let files = details.files {
            throw refuse("it lies in \(files) files", "merge them with llama.cpp's gguf-split --merge")
        }
        let outline = try ModelOutline(path: path)
        digest = outline.digest
        guard outline.generatesText else {
            throw refuse("it does not generate text from left to right", "name a language model with its weights")
        }
        guard !outline.isRecurrent else {
            throw refuse(
                "it has recurrent layers (architecture \(architecture)), whose state cannot be taken back",
                "without drafts: such a target decodes plainly")
        }
        if let pruned = details.prunedLayers {
            throw refuse(
                "it holds layers \(pruned) of another model already", "name the model that it was made from")
        }
        guard let layers = details.layers, layers > 0 else {
            throw refuse("it does not say how many it has", "convert the model again")
        }
        self.layers = layers
        let contents = try GGUFContents(path: path)
        let table = GGUFTable(contents.context)
        if let what = Self.complaint(of: contents, architecture: architecture, layers: layers) {
            throw refuse(what, "draft with a smaller model of its family")
        }
        pattern = LayerPattern(table, architecture)
        if let what = pattern.refusal {
            throw refuse(what, "draft with a smaller model of its family")
        }
    }

    /// What keeps a model from being taken apart layer by layer; `nil` if nothing does.
    private static func complaint(of contents: borrowing GGUFContents, architecture: String, layers: Int) -> String? {
        var seen = Set<Int>()
        for tensor in contents.tensors {
            switch TensorPlace(tensor.name) {
            case .layer(let number, _):
                guard number < layers else { return "\(tensor.name) is of none of its \(layers) layers" }
                seen.insert(number)
            case .elsewhere: continue
            case .unknown: return "its tensor \(tensor.name) is of a layer of another kind"
            }
        }
        if let empty = (0..<layers).first(where: { !seen.contains($0) }) { return "layer \(empty) has no tensors" }
        for list in contents.lists {
            let kind = LayerPattern.list(
                list.key, architecture: architecture, isText: list.isText, count: list.count, layers: layers)
            if kind == .isNotUnderstood { return "what its list \(list.key) says about layers is not known" }
        }
        return nil
    }

    /// Whether the file at `path` is a drafter made this way.
    package static func isDrafter(_ path: String) -> Bool {
        (try? GGUFHeader(path: path))?.details.prunedLayers != nil
    }

    /// Why these layers alone would not do what they do in the target; `nil` if they would.
    package func complaint(_ keep: LayerSet) -> String? {
        keep.count == layers ? pattern.complaint(keep) : "the model has \(layers) layers, not \(keep.count)"
    }

    /// The name of a file with these layers of the target, in no folder.
    ///
    /// - Parameter keep: `nil` where they are not known yet.
    package func fileName(_ keep: LayerSet?) -> String {
        var base = path.split(separator: "/").last.map(String.init) ?? "model"
        if base.hasSuffix(".gguf") { base.removeLast(5) }
        return "\(base)-layers-\(keep.map(\.description) ?? "found").gguf"
    }

    /// Writes a model of the layers `keep`, renumbered, with everything else as it is in the target: the same bytes of
    /// every tensor, the same values of every key but the number of layers, lists by layer and the name.
    ///
    /// The file appears when it is complete, in place of one that was there. Takes memory for the header only.
    ///
    /// - Returns: its size in bytes.
    /// - Throws: `.modelUnsupported` if the layers would not be what they were; `.failed` if it cannot be written.
    @discardableResult
    package func write(_ keep: LayerSet, to output: String) throws(EngineError) -> Int {
        try withHeader(keep) { header, sources throws(EngineError) in
            try PrunedFile.write(header, sources, from: path, to: output) { made throws(EngineError) in
                // Layers of different kinds, at places of the other kind, have the wrong tensors there.
                do throws(EngineError) { _ = try ModelHandle(made, try GGUFHeader(path: made), repacks: false) } catch {
                    throw EngineError(
                        .modelUnsupported,
                        "layers \(keep) of \(path) are no model of architecture \(architecture): \(error.message)",
                        remedy: "keep other layers, or the first ones alone with --exit")
                }
            }
        }
    }

    /// Writes the same file without a name, to be tried.
    ///
    /// - Parameter folder: where it takes up room while it is in use.
    /// - Throws: as `write` does; what is no model is found by loading it.
    package func writeUnnamed(_ keep: LayerSet, in folder: String) throws(EngineError) -> UnnamedFile {
        try withHeader(keep) { header, sources throws(EngineError) in
            try PrunedFile.unnamed(header, sources, from: path, in: folder)
        }
    }

    /// The header of a model of the layers `keep`, and where the bytes of its tensors lie in the target.
    private func withHeader<Result: ~Copyable>(
        _ keep: LayerSet, _ body: (OpaquePointer, [Range<Int>]) throws(EngineError) -> Result
    ) throws(EngineError) -> Result {
        if let complaint = complaint(keep) {
            throw EngineError(
                .modelUnsupported, "layers \(keep) of \(path) would not be what they were: \(complaint)",
                remedy: "keep other layers, or the first ones alone with --exit")
        }
        let contents = try GGUFContents(path: path)
        let table = GGUFTable(contents.context)
        let header = try contents.keys()
        var settings = HeaderSettings(header.context)
        try settings.shorten(keep, architecture: architecture, from: table)
        settings.set("general.name", "\(name), layers \(keep) of \(layers)")
        settings.set("nacre.pruned_from", digestText)
        settings.set("nacre.pruned_name", name)
        settings.set("nacre.pruned_layers", "\(keep) of \(layers)")
        let places = Dictionary(uniqueKeysWithValues: keep.layers.enumerated().map { ($1, $0) })
        var sources: [Range<Int>] = []
        for tensor in contents.tensors {
            var newName = tensor.name
            if case .layer(let number, let rest) = TensorPlace(tensor.name) {
                guard let place = places[number] else { continue }
                newName = "blk.\(place).\(rest)"
            }
            ggml_set_name(tensor.pointer, newName)
            gguf_add_tensor(header.context, tensor.pointer)
            sources.append(tensor.range)
        }
        return try body(header.context, sources)
    }
}

/// Which part of a model a tensor belongs to, by its name.
enum TensorPlace: Equatable {
    /// `blk.N.rest`.
    case layer(Int, rest: String)
    case elsewhere
    /// Of something like a layer, with a name that is read in no certain way.
    case unknown

    init(_ name: String) {
        let parts = name.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
        if parts.count == 3, parts[0] == "blk", let number = Int(parts[1]), number >= 0, "\(number)" == parts[1],
            !parts[2].isEmpty
        {
            self = .layer(number, rest: String(parts[2]))
        } else {
            self = name.split(separator: ".").contains("blk") ? .unknown : .elsewhere
        }
    }
}
