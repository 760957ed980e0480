import NacreEngine
import NacreProtocol

/// A tokenizer on a thread of its own: half a megabyte of text takes long enough to hold up every socket of the node.
actor TokenizerHost {
    private let tokenizer: any Tokenizer
    private let executor = ThreadExecutor(name: "tokenizer")

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(_ tokenizer: any Tokenizer) { self.tokenizer = tokenizer }

    func answer(_ request: Tokenize) -> Tokenized { tokenizer.answer(request) }

    deinit { executor.stop() }
}
