internal import CLlama
import Glibc
import NacreEngine

/// Writing a GGUF whose tensors are parts of another file. `gguf_write_to_file` would want all of them in memory.
enum PrunedFile {
    private static let chunk = 4 << 20

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
        let file = try FileBytes(path: source)
        var (one, other) = (stat(), stat())
        if stat(source, &one) == 0, stat(output, &other) == 0, one.st_dev == other.st_dev, one.st_ino == other.st_ino {
            throw EngineError(.failed, "\(output) is the target itself", remedy: "name another file with --output")
        }
        // Beside the file, so that renaming is one step; with the process's number, so that two do not meet.
        let partial = "\(output).\(getpid()).part"
        let descriptor = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure(output, errno) }
        var isDone = false
        defer {
            close(descriptor)
            if !isDone { unlink(partial) }
        }
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
        try check(partial)
        guard fsync(descriptor) == 0, rename(partial, output) == 0 else { throw failure(output, errno) }
        isDone = true
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
