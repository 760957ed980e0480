import NacreCore

/// Every bound of the protocol in one place. Full means refuse early; nothing grows to absorb load.
package enum Limits {
    /// Payload of one frame before the peer is known, in bytes.
    package static let frameBytesBeforeWelcome = 4 << 10
    /// Payload of one frame, in bytes.
    package static let frameBytesMax = 1 << 20
    /// Tokens of context carried by one `DraftOpen` or `AssignJob`.
    package static let contextChunkTokens = 65_536
    /// Pieces carried by one `VocabularyChunk`.
    package static let vocabularyChunkEntries = 8_192
    package static let vocabularyEntriesMax = 1 << 20
    /// Bytes that may wait to be read by one peer, for longer than a few seconds.
    package static let writeBudgetBytes = 4 << 20
    /// Prompt text of one job, in bytes.
    package static let promptBytesMax = 512 << 10
    package static let promptTokensMax = 32_768
    package static let outputTokensMax = 32_768
    /// Drafts of a round of a chain.
    package static let gammaMax = PolicyManual.draftsMax
    /// Output tokens of a job with beams: all its answers fit into a frame.
    package static let beamTokensMax = 8_192
    /// Draft positions in flight beyond the committed length.
    package static let windowPositionsMax = 256
    /// Drafts of one message, of one shard, and of one job's tree in a pass; as many draws, repeated ones included.
    package static let treeNodesMax = TreeShape.nodesMax
    /// Drafts prepared for likely outcomes of one pass.
    package static let branchesMax = 256
    /// Recent tokens by which hypotheses are merged.
    package static let mergeMax = 16
    /// Entries of a row of q on the wire.
    package static let rowEntriesMax = 1_024
    /// Entries of rows of the target's law in one `Scores`: more go into the next.
    package static let lawEntriesMax = 65_536
    /// Parts that a node's cores are divided into.
    package static let shardsMax = 256
    /// Measured pass times in one `Hello`.
    package static let passTimesMax = 64
    /// Pairs of models and policies that a verifier keeps measurements of, and reports.
    package static let pairsMax = 16
    /// Drafters of one job.
    package static let draftersMax = 16
    /// Other verifiers that score for one job.
    package static let helpersMax = 16
    package static let jobsQueuedMax = 1_024
    /// Kinds that finished jobs are counted by, that of all others not among them.
    package static let jobKindsMax = 256
    package static let attemptsMax = 3
    package static let stopStringsMax = 16
    package static let stopStringBytesMax = 256
    /// Node names, addresses and other short texts in messages, in bytes.
    package static let nameBytesMax = 255
    /// Cores that a node may name: so many fit into its `Hello`, a frame before the peer is known, with all else at
    /// its longest.
    package static let coresMax = 512
    /// Explanations for people in messages, in bytes; longer ones are cut by the sender.
    package static let detailBytesMax = 1_024
    /// Drafters, or helpers, offered in one message.
    package static let offersMax = 16
    package static let wireVersion: UInt32 = 1
}
