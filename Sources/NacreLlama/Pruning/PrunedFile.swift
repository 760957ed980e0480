internal import CLlama
import Glibc
import NacreEngine

/// Writing a GGUF whose tensors are parts of another file. `gguf_write_to_file` would want all of them in memory.
enum PrunedFile {
    private static let chunk = 4 << 20
    /// Names tried for a file that is not complete.
    private static let attemptsMax = 100

    /// Writes a file that appears when it is complete.
    ///
    /// - Parameters:
    ///   - header: keys and tensors, in the order of `sources`.
    ///   - sources: where each tensor's bytes lie in the file `source`.
    ///   - check: throws if the file, complete but not yet in its place, is not to be kept.
    /// - Returns: the size of the file.
    /// - Throws: `.failed` if `output` is the source or cannot be written, `.modelUnreadable` for the source.
    static func write(
        _ header: OpaquePointer, _ sources: [Range<Int>], from source: String, to output: String,
        check: (String) throws(EngineError) -> Void
    ) throws(EngineError) -> Int {
        var (one, other) = (stat(), stat())
        if stat(source, &one) == 0, stat(output, &other) == 0, one.st_dev == other.st_dev, one.st_ino == other.st_ino {
            throw EngineError(.failed, "\(output) is the target itself", remedy: "name another file with --output")
        }
        let (descriptor, partial) = try create(output)
        var isDone = false
        defer {
            close(descriptor)
            if !isDone { unlink(partial) }
        }
        let size = try fill(descriptor, header, sources, from: source, output)
        try check(partial)
        guard fsync(descriptor) == 0, rename(partial, output) == 0 else { throw failure(output, errno) }
        isDone = true
        return size
    }

    /// Writes a file that has no name.
    ///
    /// - Parameters:
    ///   - folder: where it takes up room.
    ///   - header, sources, source: as of `write`.
    static func unnamed(
        _ header: OpaquePointer, _ sources: [Range<Int>], from source: String, in folder: String
    ) throws(EngineError) -> UnnamedFile {
        let place = "\(folder)/nacre-trial"
        // Not with O_TMPFILE, which some file systems lack.
        let (descriptor, name) = try create(place)
        unlink(name)
        let file = UnnamedFile(descriptor: descriptor)
        _ = try fill(descriptor, header, sources, from: source, place)
        return file
    }

    /// A new file beside `output`, so that renaming is one step. Nothing that is there already is written to, nor what
    /// it links to: others may be able to write in the folder.
    private static func create(_ output: String) throws(EngineError) -> (descriptor: Int32, path: String) {
        var code = EEXIST
        for attempt in 0..<attemptsMax where code == EEXIST {
            let path = "\(output).\(getpid())\(attempt == 0 ? "" : "-\(attempt)").part"
            let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
            if descriptor >= 0 { return (descriptor, path) }
            code = errno
        }
        throw failure(output, code)
    }

    private static func fill(
        _ descriptor: Int32, _ header: OpaquePointer, _ sources: [Range<Int>], from source: String, _ output: String
    ) throws(EngineError) -> Int {
        let file = try FileBytes(path: source)
        var meta = [UInt8](repeating: 0, count: gguf_get_meta_size(header))
        meta.withUnsafeMutableBytes { gguf_get_meta_data(header, $0.baseAddress) }
        try put(meta, at: 0, descriptor, output)
        var end = meta.count
        for (index, range) in sources.enumerated() {
            let start = meta.count + gguf_get_tensor_offset(header, Int64(index))
            var done = 0
            while done < range.count {
                let bytes = try file.bytes(at: range.lowerBound + done, count: min(chunk, range.count - done))
                guard !bytes.isEmpty else {
                    throw EngineError(.modelUnreadable, "\(source) is cut short", remedy: "download it again")
                }
                try put(bytes, at: start + done, descriptor, output)
                done += bytes.count
            }
            end = max(end, start + range.count)
        }
        // Like llama.cpp's own files it ends at a multiple of the alignment.
        let alignment = gguf_get_alignment(header)
        let size = (end + alignment - 1) / alignment * alignment
        guard ftruncate(descriptor, size) == 0 else { throw failure(output, errno) }
        return size
    }

    private static func put(
        _ bytes: [UInt8], at offset: Int, _ descriptor: Int32, _ output: String
    ) throws(EngineError) {
        var done = 0
        while done < bytes.count {
            let put = bytes.withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress?.advanced(by: done), $0.count - done, offset + done)
            }
            if put < 0 && errno == EINTR { continue }
            guard put > 0 else { throw failure(output, put < 0 ? errno : ENOSPC) }
            done += put
        }
    }

    private static func failure(_ output: String, _ code: Int32) -> EngineError {
        let reason = String(cString: strerror(code))
        return EngineError(
            .failed, "could not write \(output): \(reason.lowercased())", remedy: "check the folder and its room")
    }
}

/// A file that is gone with its last use, however the process ends: a search makes many, as large as a model each.
package struct UnnamedFile: ~Copyable, Sendable {
    fileprivate let descriptor: Int32

    /// By which this process opens it, as long as the value lives.
    package var path: String { "/proc/self/fd/\(descriptor)" }

    /// Ends its life; what has it open keeps it.
    package consuming func close() {}

    deinit { Glibc.close(descriptor) }
}
