internal import CLlama
import NacreEngine

/// Layers of a model on other hosts, over llama.cpp's own RPC backend.
///
/// That backend knows no failure: when a server dies, refuses or answers nonsense, it ends the calling process. So a
/// process that uses it does nothing else (`LayerGuard`), and servers are tried out before they are given to it.
struct LayerDevices {
    /// In the order of the servers; a model's layers are divided among them by their free memory.
    private let devices: [ggml_backend_dev_t]

    /// All layers stay in this process.
    static var none: LayerDevices { LayerDevices() }

    private init() { devices = [] }

    /// Connects to the servers.
    ///
    /// - Throws: as `LayerServerAddress.check`.
    init(_ servers: [String]) throws(EngineError) {
        var devices: [ggml_backend_dev_t] = []
        for server in servers {
            let endpoint = try LayerServerAddress(server).check()
            let registry = ggml_backend_rpc_add_server(endpoint)
            for index in 0..<(registry.map { ggml_backend_reg_dev_count($0) } ?? 0) {
                if let device = ggml_backend_reg_dev_get(registry, index) { devices.append(device) }
            }
        }
        self.devices = devices
    }

    /// Has `parameters` name these devices for as long as `body` runs, and all layers be put there.
    func withParameters<Result>(
        _ parameters: llama_model_params, _ body: (llama_model_params) -> Result
    ) -> Result {
        guard !devices.isEmpty else { return body(parameters) }
        var parameters = parameters
        parameters.n_gpu_layers = -1
        // A mapping would stay in memory here, though the weights are elsewhere.
        parameters.load_mode = LLAMA_LOAD_MODE_NONE
        // The list ends with none.
        var list: [ggml_backend_dev_t?] = devices + [nil]
        return list.withUnsafeMutableBufferPointer { list in
            parameters.devices = list.baseAddress
            return body(parameters)
        }
    }
}
