import Foundation
import NacreClient
import Testing

/// Models made from the ones that Nacre comes with, for as long as `body` runs.
enum PatchedModel {
    /// Runs `body` with the path of a folder that is gone afterwards.
    static func withFolder<Result>(_ body: (String) async throws -> Result) async throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appending(path: "nacre-models-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        do {
            let result = try await body(folder.path)
            try FileManager.default.removeItem(at: folder)
            return result
        } catch {
            try FileManager.default.removeItem(at: folder)
            throw error
        }
    }

    /// A copy of `model` in `folder` that ends its generation with another token; what ended it is text like other text.
    static func ending(with token: UInt32, _ model: String, in folder: String) throws -> String {
        // By that name libllama knows an end, whatever the header says.
        let renamed = try renaming("<|endoftext|>", to: "<|endoftexT|>", model, in: folder)
        // A GGUF key, the number of its type (4: UInt32), its value.
        let key = Data("tokenizer.ggml.eos_token_id".utf8)
        return try copy(renamed, in: folder) { bytes in
            let value = try #require(bytes.range(of: key)).upperBound + 4
            bytes.replaceSubrange(value..<value + 4, with: withUnsafeBytes(of: token.littleEndian) { Data($0) })
        }
    }

    /// A copy of `model` in `folder` whose texts do not end. Token 255 is a byte that Python hardly has.
    static func endless(_ model: String, in folder: String) throws -> String {
        try ending(with: 255, model, in: folder)
    }

    /// A copy of `model` in `folder` in whose vocabulary one piece is another of the same length.
    static func renaming(_ piece: String, to other: String, _ model: String, in folder: String) throws -> String {
        // A GGUF string: its length as 64 bits, its bytes.
        func entry(_ text: String) -> Data {
            withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { Data($0) } + Data(text.utf8)
        }
        return try copy(model, in: folder) { bytes in
            bytes.replaceSubrange(try #require(bytes.range(of: entry(piece))), with: entry(other))
        }
    }

    /// The first `bytes` bytes of `model`.
    static func truncated(to bytes: Int, _ model: String, in folder: String) throws -> String {
        try copy(model, in: folder) { $0 = $0.prefix(bytes) }
    }

    private static func copy(_ model: String, in folder: String, _ patch: (inout Data) throws -> Void) throws -> String
    {
        var bytes = try Data(contentsOf: URL(filePath: model))
        try patch(&bytes)
        let path = "\(folder)/\(UUID().uuidString.prefix(8))-\(URL(filePath: model).lastPathComponent)"
        try bytes.write(to: URL(filePath: path))
        return path
    }
}
