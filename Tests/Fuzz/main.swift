import NIOCore
import NacreProtocol
import NacreWire

// Feeds arbitrary bytes to the frame parser and the codec; `Scripts/fuzz` builds and runs it. Whatever comes out as a
// message must go in and out again unchanged. Built only when NACRE_FUZZ is set.

/// One input: its bytes are taken as frames, and once more, from the third byte on, as the payload of a frame whose
/// type the first byte chooses, so that the fuzzer reaches the codec without having to guess a checksum.
private let runOne: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt = { start, count in
    let input = UnsafeRawBufferPointer(start: start, count: count)
    var parser = FrameParser()
    parser.raiseLimit()
    // The first byte also says where the bytes are split on their way.
    let split = min(count, Int(input.first ?? 0))
    for chunk in [input[..<split], input[split...]] {
        parser.append(chunk)
        while let message = try? parser.next() { comesBack(message) }
    }
    if let choice = input.first {
        let types = FrameType.allCases
        let payload = UnsafeRawBufferPointer(rebasing: input.dropFirst())
        if let message = try? MessageCodec.decode(types[Int(choice) % types.count], payload) { comesBack(message) }
    }
    return 0
}

private func comesBack(_ message: Message) {
    do {
        var parser = FrameParser()
        parser.raiseLimit()
        parser.append(try MessageCodec.encode(message))
        let again = try parser.next()
        precondition(again == message, "\(message) came back as \(String(describing: again))")
    } catch {
        // The re-encoded form may be longer than what came in only where varints were missing, never beyond a frame.
        preconditionFailure("\(message) did not come back: \(error)")
    }
}

/// libFuzzer's entry for programs with a `main` of their own (FuzzerInterface.h).
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ runOne: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

var count = CommandLine.argc
var arguments = CommandLine.unsafeArgv
_ = runFuzzer(&count, &arguments, runOne)
