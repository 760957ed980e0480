extension UInt64 {
    /// 16 lower-case hexadecimal digits: how digests and ids are written, so that equal numbers are equal texts.
    package var hexadecimal: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
