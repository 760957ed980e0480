import Glibc
import NacreEngine

/// A regular file open for reading. Closed when it goes out of scope.
struct FileBytes: ~Copyable {
    let path: String
    let count: Int
    private let descriptor: Int32

    /// - Throws: `.modelUnreadable` when there is no such file, it may not be read, or it is not a regular file.
    init(path: String) throws(EngineError) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw Self.error(path, errno) }
        guard status.st_mode & S_IFMT != S_IFDIR else {
            throw EngineError(
                .modelUnreadable, "\(path) is a directory",
                remedy: "name the .gguf file inside it")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw EngineError(.modelUnreadable, "\(path) is not a regular file", remedy: "name a .gguf file")
        }
        let opened = open(path, O_RDONLY | O_CLOEXEC)
        guard opened >= 0 else { throw Self.error(path, errno) }
        descriptor = opened
        self.path = path
        count = Int(status.st_size)
    }

    deinit { close(descriptor) }

    /// Reads up to `buffer.count` bytes from `offset`; fewer only at the end of the file.
    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(EngineError) -> Int {
        var done = 0
        while done < buffer.count {
            let got = pread(descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done, offset + done)
            if got < 0 && errno == EINTR { continue }
            guard got >= 0 else { throw Self.error(path, errno) }
            if got == 0 { break }
            done += got
        }
        return done
    }

    /// Up to `count` bytes from `offset`.
    func bytes(at offset: Int, count: Int) throws(EngineError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var failure: EngineError?
        let got = bytes.withUnsafeMutableBytes { buffer in
            do throws(EngineError) { return try read(at: offset, into: buffer) } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return Array(bytes.prefix(got))
    }

    private static func error(_ path: String, _ code: Int32) -> EngineError {
        let reason = String(cString: strerror(code))
        return EngineError(
            .modelUnreadable, "could not read \(path): \(reason.lowercased())",
            remedy: code == ENOENT
                ? "check the path; relative paths start at the working directory"
                : "check the file's permissions")
    }
}
