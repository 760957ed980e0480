import Foundation
import NacreNode

/// A file that a command is to write when its work is done.
struct OutputFile {
    let path: String

    /// - Throws: `NacreError` `.badUsage` if it can be seen now that writing will fail.
    init(_ path: String) throws(NacreError) {
        self.path = path
        guard !path.isEmpty, !path.hasSuffix("/") else {
            throw NacreError(.badUsage, "'\(path)' names no file", remedy: "name a file in a folder that is there")
        }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        var isFolder: ObjCBool = false
        let files = FileManager.default
        guard files.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue,
            files.isWritableFile(atPath: folder)
        else { throw NacreError(.badUsage, "cannot write \(path)", remedy: "name a file in a folder that is there") }
        if files.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
            throw NacreError(.badUsage, "cannot write \(path): it is a folder", remedy: "name a file")
        }
    }

    /// Whether it is a device or a pipe, in place of which no file may come.
    private var isSpecial: Bool {
        let end = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: end) else { return false }
        return attributes[.type] as? FileAttributeType != .typeRegular
    }

    /// Writes a file as a whole or not at all; a device or a pipe takes what it can.
    func write(_ text: String) throws(NacreError) { try write(Array(text.utf8)) }

    /// Writes a file as a whole or not at all; a device or a pipe takes what it can.
    func write(_ bytes: [UInt8]) throws(NacreError) {
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: path), options: isSpecial ? [] : .atomic)
        } catch {
            throw NacreError(
                .failed, "could not write \(path): \(error.localizedDescription)",
                remedy: "check the folder and its room")
        }
    }
}
