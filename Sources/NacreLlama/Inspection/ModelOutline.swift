internal import CLlama
package import NacreEngine

/// A model file as far as it can be known without its weights: header and vocabulary, a fraction of a second.
package struct ModelOutline: Sendable {
    package let header: GGUFHeader
    package let tokenizer: LlamaTokenizer
    /// The digest by which nodes tell targets apart; see `LlamaModel.digest`.
    package let digest: UInt64
    /// Whether all or some layers carry a state instead of a cache: it cannot be cut to a shorter length.
    package let isRecurrent: Bool
    /// Whether the model continues a text from left to right, and its weights are here.
    package let generatesText: Bool

    /// - Throws: `.modelUnreadable`, `.modelUnsupported`. A vocabulary without weights and a model that does not
    ///   generate text have an outline too.
    package init(path: String) throws(EngineError) {
        let header = try GGUFHeader(path: path)
        try header.requireVocabulary()
        let handle = try ModelHandle(path, header, repacks: nil)
        let model = handle.pointer
        self.header = header
        tokenizer = try LlamaTokenizer(handle)
        digest = try Digest.ofModel(try FileBytes(path: path), weightsOffset: header.weightsOffset)
        isRecurrent = llama_model_is_recurrent(model) || llama_model_is_hybrid(model)
        generatesText =
            header.isCausal && header.holdsWeights && llama_model_has_decoder(model)
            && !llama_model_has_encoder(model) && !llama_model_is_diffusion(model)
    }
}
