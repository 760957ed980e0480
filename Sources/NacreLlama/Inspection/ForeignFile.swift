import NacreEngine

/// Files that are not what they are taken for: what they are, and what to do.
enum ForeignFile {
    /// Throws unless a file that starts with these bytes is a GGUF that libllama reads.
    ///
    /// - Parameter start: the first 64 bytes, or fewer if the file has no more.
    /// - Throws: `.modelUnreadable` for another format, `.modelUnsupported` for another byte order or version.
    static func refuse(_ path: String, _ start: [UInt8]) throws(EngineError) {
        guard start.starts(with: "GGUF".utf8) else {
            let (looks, remedy) = describe(start)
            throw EngineError(.modelUnreadable, "\(path) is not a GGUF file: it \(looks)", remedy: remedy)
        }
        guard start.count >= 8 else { return }
        let version = start[4..<8].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        switch version {
        case 2, 3: return
        case 1:
            throw EngineError(
                .modelUnsupported, "\(path) is a GGUF of version 1, which libllama no longer reads",
                remedy: "download a newer conversion of the model, or convert it again")
        case let other where (1...255).contains(other.byteSwapped):
            throw EngineError(
                .modelUnsupported, "\(path) is a big-endian GGUF, for another kind of machine",
                remedy: "get the little-endian file, or convert this one with gguf-convert-endian of the Python "
                    + "package gguf")
        default:
            throw EngineError(
                .modelUnsupported,
                "\(path) says that it is a GGUF of version \(version); libllama \(LlamaBackend.version) reads 2 and 3",
                remedy: "if the file is that new, use a newer Nacre; else it is damaged: download it again")
        }
    }

    /// The error for a GGUF of something else than a model; `nil` if it may be one.
    static func notModel(_ path: String, _ table: borrowing GGUFTable) -> EngineError? {
        let kind = table.text("general.type") ?? "model"
        let architecture = table.text("general.architecture") ?? ""
        let (what, remedy): (String, String)
        if kind == "adapter" || table.has("adapter.type") {
            what = "an adapter (\(table.text("adapter.type") ?? "LoRA")) for a model, not a model"
            remedy = "merge it into its base model with llama.cpp's llama-export-lora and name the result"
        } else if kind == "mmproj" || architecture == "clip" {
            what = "the image or sound part of a multimodal model (mmproj)"
            remedy = "name the file of the language model, which lies beside it as a rule"
        } else if kind == "imatrix" {
            what = "an importance matrix, made for quantising a model"
            remedy = "name the file of the model itself"
        } else if architecture == "controlvector" {
            what = "a control vector for a model, not a model"
            remedy = "name the file of the model itself"
        } else {
            return nil
        }
        return EngineError(.modelUnsupported, "\(path) is \(what)", remedy: remedy)
    }

    /// The error for a later part of a model in several files; `nil` for any other file. llama.cpp's gguf-split leaves
    /// all that describes the model, the architecture too, to the first.
    static func laterPart(_ path: String, _ table: borrowing GGUFTable) -> EngineError? {
        guard let before = table.count("split.no"), before > 0 else { return nil }
        let count = table.count("split.count").map { " of \($0)" } ?? ""
        return EngineError(
            .modelUnsupported, "\(path) is part \(before &+ 1)\(count) of a model",
            remedy: "name the first part; the others are found beside it")
    }

    /// What the first bytes of a file look like, as the rest of a sentence that starts with "it", and what to do.
    private static func describe(_ start: [UInt8]) -> (looks: String, remedy: String) {
        let name = "name a model in llama.cpp's format, a file that ends in .gguf"
        let convert = "convert the model with llama.cpp's convert_hf_to_gguf.py, or download a GGUF of it"
        let page = "download the file itself, not the page that shows it"
        let old = "is in llama.cpp's format before GGUF"
        let known: [(bytes: [UInt8], looks: String, remedy: String)] = [
            (
                Array("version https://git-lfs".utf8), "is a Git LFS pointer; the content was not fetched",
                "fetch it with git lfs pull"
            ),
            (Array("<!DOCTYPE".utf8), "is a web page", page), (Array("<!doctype".utf8), "is a web page", page),
            (Array("<html".utf8), "is a web page", page),
            (Array("PK\u{3}\u{4}".utf8), "is a zip archive or PyTorch checkpoint", convert),
            (Array("ggjt".utf8), old, convert), (Array("tjgg".utf8), old, convert),
            (Array("lmgg".utf8), old, convert), (Array("fmgg".utf8), old, convert),
            ([0x1f, 0x8b], "is compressed by gzip", "unpack it with gunzip"),
            ([0x28, 0xb5, 0x2f, 0xfd], "is compressed by zstd", "unpack it with zstd -d"),
            ([0x89, 0x48, 0x44, 0x46], "is an HDF5 file", convert),
        ]
        if let match = known.first(where: { start.starts(with: $0.bytes) }) { return (match.looks, match.remedy) }
        // A pickle begins with its protocol number, 2 to 5.
        if start.count > 1, start[0] == 0x80, (2...5).contains(start[1]) {
            return ("is a pickle, as old PyTorch checkpoints are", convert)
        }
        // A safetensors file is a 64-bit length and then JSON.
        if start.dropFirst(8).starts(with: "{\"".utf8) { return ("looks like a safetensors file", convert) }
        let head = start.prefix(16)
        let isText = head.allSatisfy { (32..<127).contains($0) || [9, 10, 13].contains($0) }
        if isText { return ("looks like text", name) }
        let hex = head.prefix(8).map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }
        return ("starts with the bytes \(hex.joined(separator: " "))", name)
    }
}
