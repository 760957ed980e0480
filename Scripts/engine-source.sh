# What Scripts/bootstrap and Scripts/llama-tools share: which llama.cpp, with which flags and compiler, and how it is
# fetched and compiled. Sourced, not run, with the root of the clone as the current folder.
# Why these flags: docs/engine.md.
VERSION=0.3.36
SHA=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e
FLAGS=(-DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DCMAKE_POSITION_INDEPENDENT_CODE=ON
  -DGGML_NATIVE=ON -DGGML_OPENMP=OFF -DGGML_LLAMAFILE=OFF -DGGML_RPC=ON -DGGML_CCACHE=OFF
  -DLLAMA_BUILD_COMMON=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_EXAMPLES=OFF
  -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_ALL_WARNINGS=OFF
  -DLLAMA_BUILD_NUMBER=0 -DLLAMA_BUILD_COMMIT=$VERSION)

started=$(date +%s)
say() { echo "nacre setup [$(($(date +%s) - started)) s] $*" >&2; }
die() { echo "nacre setup: $*" >&2; exit 1; }

command -v swift >/dev/null || die "swift was not found: install Swift 6.3 from swift.org and put it on PATH"
swift_version=$(swift --version 2>/dev/null | sed -nE 's/.*Swift version ([0-9]+)\.([0-9]+).*/\1 \2/p' | head -1)
read -r major minor <<<"${swift_version:-0 0}"
(( major > 6 || (major == 6 && minor >= 3) )) ||
  die "Swift $major.$minor is too old: Nacre needs Swift 6.3 or later (swift.org/install)"
swift_bin=$(dirname "$(readlink -f "$(command -v swift)")")
[ -x "$swift_bin/clang++" ] || die "$swift_bin has no clang++: install a complete Swift toolchain (its clang builds libllama)"
command -v python3 >/dev/null || die "python3 was not found: apt-get install python3"

cache=${NACRE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nacre}
cpu=$(grep -m1 -E '^flags|^Features' /proc/cpuinfo 2>/dev/null | sha256sum | cut -c1-8)

# The key of a build with FLAGS, of whose result $1 names the layout: source, flags, compiler and CPU decide it.
stamp_of() {
  printf '%s\n' "$SHA" "${FLAGS[@]}" "$("$swift_bin/clang" --version | head -1)" "$cpu" "$1" | sha256sum | cut -c1-12
}

# Waits until no other setup builds, and makes $work, an empty folder that goes away with the script.
begin_work() {
  mkdir -p "$cache/libllama" || die "cannot write $cache: set NACRE_CACHE to a folder you own"
  local free_kib
  free_kib=$(df -Pk "$cache" | awk 'NR == 2 { print $4 }')
  [ "$free_kib" -ge 1048576 ] || die "less than 1 GiB free under $cache: free some space or set NACRE_CACHE elsewhere"
  exec 9>"$cache/libllama/lock"
  flock 9                                  # two clones setting up at once build one library
  work=$cache/libllama/work-$1
  rm -rf "$work"; mkdir -p "$work"
  trap 'rm -rf "$work"' EXIT
}

# Puts cmake and ninja into $work/venv, and these files and folders of llama.cpp's source into $work/src.
fetch_source() {
  python3 -m venv "$work/venv" >"$work/log" 2>&1 ||
    { tail -3 "$work/log" >&2; die "python3 -m venv failed: apt-get install python3-venv"; }
  "$work/venv/bin/pip" install -q --disable-pip-version-check 'cmake>=3.28,<5' 'ninja>=1.11,<2' >"$work/log" 2>&1 ||
    { tail -3 "$work/log" >&2; die "pip could not fetch cmake and ninja from PyPI: check the network, then try again"; }

  say "fetching llama-cpp-python $VERSION (source of llama.cpp)"
  echo "llama-cpp-python==$VERSION --hash=sha256:$SHA" >"$work/engine.lock"
  "$work/venv/bin/pip" download -q --disable-pip-version-check --no-deps --no-binary llama-cpp-python \
    --require-hashes -r "$work/engine.lock" -d "$work/dl" >"$work/log" 2>&1 ||
    { tail -3 "$work/log" >&2; die "pip could not fetch llama-cpp-python $VERSION with its pinned hash: check the network, then try again"; }
  local archive=$work/dl/llama_cpp_python-$VERSION.tar.gz
  echo "$SHA  $archive" | sha256sum -c --quiet || die "$archive has the wrong SHA-256: do not use it; report this"

  local root=llama_cpp_python-$VERSION/vendor/llama.cpp
  mkdir -p "$work/src"
  tar -xzf "$archive" -C "$work/src" --strip-components=3 "${@/#/$root/}"
}

# Configures and builds with FLAGS in $work/build; the arguments go to cmake --build.
compile() {
  say "compiling"
  "$work/venv/bin/cmake" -S "$work/src" -B "$work/build" -G Ninja -DCMAKE_MAKE_PROGRAM="$work/venv/bin/ninja" \
    -DCMAKE_C_COMPILER="$swift_bin/clang" -DCMAKE_CXX_COMPILER="$swift_bin/clang++" \
    -DCMAKE_INSTALL_PREFIX="$work/prefix" -DCMAKE_INSTALL_LIBDIR=lib "${FLAGS[@]}" >"$work/log" 2>&1 ||
    { tail -20 "$work/log" >&2; die "cmake could not configure llama.cpp (above)"; }
  "$work/venv/bin/cmake" --build "$work/build" "$@" >"$work/log" 2>&1 ||
    { tail -20 "$work/log" >&2; die "llama.cpp did not compile (above): check free disk and memory"; }
}
