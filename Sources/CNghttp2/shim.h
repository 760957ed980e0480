#pragma once
#include <sys/types.h>
#include <nghttp2/nghttp2.h>

#if NGHTTP2_VERSION_NUM < 0x013400
#error "NacreHTTP needs libnghttp2 1.52 or later: install libnghttp2-dev from bookworm (with its security updates)"
#endif
